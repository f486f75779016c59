//! Batch norm over row segments, one a domain, with the activation fused into it.
//!
//! Training: `statistics`, `finalize_batch`, `apply`; then `backward_reduce`, `backward_finalize`,
//! `backward_apply`. Evaluation and attacks with running statistics: `finalize_running`, `apply`; then
//! `backward_apply_frozen`. Where a neighbouring kernel takes over a pass over the tensor
//! ([`super::fusion`]), the others stay the same.
//!
//! Layouts, in floats (C padded channels): parameters and their gradients `[domain][gamma C | beta C]`,
//! running statistics `[domain][mean C | variance C]`, both with `domain_stride` between domains; state
//! `[segment][mean C | rstd C | scale C | shift C]`; coefficients `[segment][a C | b C | c C]`, with which
//! `dx = a * du + b * x + c`.

use super::activation::Activation;
use super::fusion::{NormGradient, Slices};
use super::{
    GROUP, LANE_CHOICES, MAX_SEGMENTS, Permutation, STORED, combinations, permuted, quads, stored, with_lanes,
};
use crate::gpu::{Caps, Constants, Cost, Element, Form, Kernel, Launch, View, linear_grid, params};

/// Contiguous rows that are normalised together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The row of the tensor where the segment begins.
    pub first_row: u32,
    /// Images × height × width of the segment.
    pub rows: u32,
    /// The domain whose parameters and running statistics the segment uses.
    pub domain: u32,
}

params! {
    /// A segment as `shaders/lib/segments.wgsl` knows it.
    struct SegmentParams {
        /// Row of the tensor where the segment begins.
        first_row: u32,
        /// Rows of the segment.
        rows: u32,
        /// The domain whose parameters and running statistics it uses.
        domain: u32,
        /// Number of its first slice among those of all segments.
        first_slice: u32,
    }
}

params! {
    /// The numbers of `shaders/lib/segments.wgsl`.
    struct SegmentsParams {
        /// The segments; those beyond the grid are zero.
        segments: [SegmentParams; MAX_SEGMENTS],
        /// Slices of each segment.
        slices: [u32; MAX_SEGMENTS],
        /// Rows of a slice, where a kernel cuts the tensor.
        rows_per_slice: u32,
        /// vec4s of a row.
        quads: u32,
        /// vec4s between the domains' blocks of parameters and of running statistics.
        domain_stride: u32,
        /// Added to the variance.
        eps: f32,
        /// Weight of the new value in the running statistics.
        momentum: f32,
        /// 1 where the statistics are those of the batch, 0 where they are running ones; for the backward
        /// pass.
        batch_statistics: u32,
    }
}

/// A batch norm layer over one tensor [rows, channels].
#[derive(Clone, Debug, PartialEq)]
pub struct BnShape {
    /// Padded: a multiple of 4.
    pub channels: usize,
    /// Images × height × width of the tensor.
    pub rows: usize,
    /// In row order, covering all rows, at most [`MAX_SEGMENTS`], each of another domain.
    pub segments: Vec<Segment>,
    /// Floats between the domains' blocks of parameters and of running statistics.
    pub domain_stride: u32,
    /// Added to the variance before the root.
    pub eps: f32,
    /// PyTorch's convention: the weight of the new value in the running statistics.
    pub momentum: f32,
}

/// Rows a thread of the element-wise passes takes.
const ROWS_PER_THREAD: u32 = 4;

impl BnShape {
    /// Floats of `state`.
    pub fn state_elements(&self) -> usize {
        self.segments.len() * 4 * self.channels
    }

    /// Floats of `coefs`.
    pub fn coefs_elements(&self) -> usize {
        self.segments.len() * 3 * self.channels
    }

    /// Enough slices for the threads of a GPU, or for the cores of a software adapter; few enough that the
    /// second pass stays short.
    fn rows_per_slice(&self, caps: &Caps) -> u32 {
        let slices = match caps.form {
            Form::Tiles => (65_536 / quads(self.channels) as usize).clamp(64, 4096),
            Form::Subgroups => 64,
        };
        self.rows.div_ceil(slices).next_multiple_of(4).max(64) as u32
    }

    /// Slices that [`statistics`] and [`backward_reduce`] write.
    pub fn slices(&self, caps: &Caps) -> Slices {
        self.cut(self.rows_per_slice(caps))
    }

    fn cut(&self, rows_per_slice: u32) -> Slices {
        Slices(self.segments.iter().map(|s| s.rows.div_ceil(rows_per_slice)).collect())
    }

    /// `struct Params` of `shaders/lib/segments.wgsl`, where a segment has so many slices.
    fn params(&self, slices: &Slices, rows_per_slice: u32, batch_statistics: bool) -> SegmentsParams {
        self.check();
        assert_eq!(slices.0.len(), self.segments.len(), "slices of each segment");
        let mut params = SegmentsParams {
            rows_per_slice,
            quads: quads(self.channels),
            domain_stride: self.domain_stride / 4,
            eps: self.eps,
            momentum: self.momentum,
            batch_statistics: u32::from(batch_statistics),
            ..SegmentsParams::default()
        };
        let mut first_slice = 0;
        for (i, (segment, count)) in self.segments.iter().zip(&slices.0).enumerate() {
            let Segment { first_row, rows, domain } = *segment;
            params.segments[i] = SegmentParams { first_row, rows, domain, first_slice };
            params.slices[i] = *count;
            first_slice += count;
        }
        params
    }

    fn check(&self) {
        assert!((1..=MAX_SEGMENTS).contains(&self.segments.len()), "{} segments", self.segments.len());
        assert!(self.domain_stride.is_multiple_of(4), "domain stride {}", self.domain_stride);
        let mut next = 0;
        for (i, segment) in self.segments.iter().enumerate() {
            assert!(
                segment.first_row == next && segment.rows > 0,
                "segments must tile the rows: {segment:?}"
            );
            // Two segments of one domain would both update its running statistics in one dispatch.
            assert!(self.segments[..i].iter().all(|s| s.domain != segment.domain), "a domain occurs twice");
            next += segment.rows;
        }
        assert_eq!(next as usize, self.rows, "segments must cover all rows");
    }

    /// A pass over the tensor: one thread a slice and `vec4` of channels, grid y over segments. `passes` and
    /// `flops` count the tensor's reads and writes, and the work on each of its numbers.
    fn tensor_launch(
        &self,
        mut kernel: Kernel,
        element: Element,
        views: &[View],
        rows_per_slice: u32,
        [passes, flops]: [u64; 2],
    ) -> Launch {
        kernel.constants.set(element.constant());
        let elements = (self.rows * self.channels) as u64;
        let slices = self.cut(rows_per_slice);
        let [x, z, _] = linear_grid(u64::from(slices.longest()) * u64::from(quads(self.channels)), GROUP);
        let params = self.params(&slices, rows_per_slice, false);
        let cost = Cost { flops: elements * flops, bytes: elements * element.bytes() * passes };
        Launch::new(kernel, views.to_vec(), params, [x, self.segments.len() as u32, z], cost)
    }

    /// A pass over the partials: lanes over slices, columns over channels.
    fn finalize_launch(
        &self,
        caps: &Caps,
        mut kernel: Kernel,
        slices: &Slices,
        views: &[View],
        batch_statistics: bool,
    ) -> Launch {
        let (lanes, workgroup) = match (caps.form, slices.longest()) {
            // Workgroup memory is no gain there.
            (Form::Subgroups, _) | (_, 0..=8) => LANE_CHOICES[0],
            (_, 9..=128) => LANE_CHOICES[1],
            _ => LANE_CHOICES[2],
        };
        kernel.constants.extend([("LANES", lanes), ("WORKGROUP", workgroup)]);
        let partials = slices.elements(self.channels) as u64;
        let params = self.params(slices, 0, batch_statistics);
        let grid = [quads(self.channels).div_ceil(workgroup / lanes), self.segments.len() as u32, 1];
        let cost = Cost { flops: partials * 4, bytes: partials * 4 };
        Launch::new(kernel, views.to_vec(), params, grid, cost)
    }
}

/// First pass of the batch statistics: `partials` from `x`.
pub fn statistics(caps: &Caps, shape: &BnShape, x: View, partials: View) -> Launch {
    let kernel = Kernel::new("batch_norm_statistics", &[]);
    shape.tensor_launch(kernel, x.element, &[x, partials], shape.rows_per_slice(caps), [1, 4])
}

/// The sums that a first pass took over a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Partials<'a> {
    /// How many slices the tensor's segments were cut into.
    pub slices: &'a Slices,
    /// The sums, slice by slice, [`Slices::elements`] floats.
    pub sums: View,
}

/// The second pass of batch statistics: computes `state` from the sums of the first pass. With `running` the
/// domains' running statistics move, the variance by its unbiased estimate (one row has none; its variance
/// counts as zero), except in channels whose batch statistics are not finite.
pub fn finalize_batch(
    caps: &Caps,
    shape: &BnShape,
    partials: Partials<'_>,
    parameters: View,
    running: Option<View>,
    state: View,
) -> Launch {
    let kernel = Kernel::new("batch_norm_finalize", &[("RUNNING", u32::from(running.is_some()))]);
    let views: Vec<View> = [partials.sums, parameters, state].into_iter().chain(running).collect();
    shape.finalize_launch(caps, kernel, partials.slices, &views, false)
}

/// `state` from the running statistics.
pub fn finalize_running(shape: &BnShape, parameters: View, running: View, state: View) -> Launch {
    let columns = quads(shape.channels);
    let params = shape.params(&shape.cut(u32::MAX), 0, false);
    let grid = [columns.div_ceil(GROUP as u32), shape.segments.len() as u32, 1];
    let cost = Cost { flops: 0, bytes: shape.state_elements() as u64 * 8 };
    Launch::new(Kernel::new("batch_norm_running", &[]), vec![parameters, state, running], params, grid, cost)
}

/// `y = act(scale * x + shift)`.
pub fn apply(shape: &BnShape, activation: Activation, x: View, state: View, y: View) -> Launch {
    let kernel = Kernel::new("batch_norm_apply", &[activation.constant()]);
    shape.tensor_launch(kernel, stored(&[x, y]), &[x, state, y], ROWS_PER_THREAD, [2, 3])
}

/// First pass of the backward: sums of du and du·xhat, du = dy·act'(u), into `partials`.
pub fn backward_reduce(
    caps: &Caps,
    shape: &BnShape,
    activation: Activation,
    x: View,
    state: View,
    dy: View,
    partials: View,
) -> Launch {
    let kernel = Kernel::new("batch_norm_backward_reduce", &[activation.constant()]);
    let views = [x, state, dy, partials];
    shape.tensor_launch(kernel, stored(&[x, dy]), &views, shape.rows_per_slice(caps), [2, 8])
}

/// The second pass of the backward: computes `coefs` (those of running statistics unless `batch_statistics`)
/// from the sums of the first pass, and adds the gradients of gamma and beta to `gradient` where there is
/// one.
pub fn backward_finalize(
    caps: &Caps,
    shape: &BnShape,
    partials: Partials<'_>,
    state: View,
    coefs: View,
    gradient: Option<View>,
    batch_statistics: bool,
) -> Launch {
    let kernel = Kernel::new("batch_norm_backward_finalize", &[("GRADIENTS", u32::from(gradient.is_some()))]);
    let views: Vec<View> = [partials.sums, state, coefs].into_iter().chain(gradient).collect();
    shape.finalize_launch(caps, kernel, partials.slices, &views, batch_statistics)
}

/// The third pass of the backward: `dx` (written, or added to) `= a * du + b * x + c` with the coefficients
/// of `from`, du = dy·act'(u). Where `dy` is du already, `activation` is none. `dx` may be `dy`.
pub fn backward_apply(
    shape: &BnShape,
    activation: Activation,
    from: NormGradient,
    state: View,
    dy: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    let NormGradient { x, coefs } = from;
    let mut views = if dx == dy { vec![x, dx] } else { vec![x, dx, dy] };
    let constants = [
        activation.constant(),
        ("BATCH", 1),
        ("ACCUMULATE", u32::from(accumulate)),
        ("IN_PLACE", u32::from(dx == dy)),
    ];
    views.push(coefs);
    if activation != Activation::None {
        views.push(state);
    }
    let kernel = Kernel::new("batch_norm_backward_apply", &constants);
    let work = [3 + u64::from(accumulate), 12];
    shape.tensor_launch(kernel, stored(&[x, dy, dx]), &views, ROWS_PER_THREAD, work)
}

/// The whole backward of a layer with running statistics whose parameters need no gradient: `dx = scale *
/// du`.
pub fn backward_apply_frozen(
    shape: &BnShape,
    activation: Activation,
    x: View,
    state: View,
    dy: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    let constants =
        [activation.constant(), ("BATCH", 0), ("ACCUMULATE", u32::from(accumulate)), ("IN_PLACE", 0)];
    let kernel = Kernel::new("batch_norm_backward_apply", &constants);
    let (views, work) = ([x, dx, dy, state], [3 + u64::from(accumulate), 8]);
    shape.tensor_launch(kernel, stored(&[x, dy, dx]), &views, ROWS_PER_THREAD, work)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const ACTIVATIONS: (&str, &[u32]) = ("ACTIVATION", &Activation::FUSED_NUMBERS);
    const SWITCH: &[u32] = &[0, 1];
    let all = |kernels, views: fn(&Constants) -> u32| permuted::<SegmentsParams>(kernels, views);
    // x, dx, dy unless dx holds it, and coefs or state or both.
    let apply = |c: &Constants| {
        let activated = c.get("ACTIVATION") != Some(Activation::None as u32);
        let both = c.is_set("BATCH") && activated;
        4 + u32::from(both) - u32::from(c.is_set("IN_PLACE"))
    };
    [
        all(combinations("batch_norm_statistics", &[STORED]), |_| 2),
        all(with_lanes(combinations("batch_norm_finalize", &[("RUNNING", SWITCH)])), |c| {
            3 + u32::from(c.is_set("RUNNING"))
        }),
        all(combinations("batch_norm_running", &[]), |_| 3),
        all(combinations("batch_norm_apply", &[ACTIVATIONS, STORED]), |_| 3),
        all(combinations("batch_norm_backward_reduce", &[ACTIVATIONS, STORED]), |_| 4),
        all(with_lanes(combinations("batch_norm_backward_finalize", &[("GRADIENTS", SWITCH)])), |c| {
            3 + u32::from(c.is_set("GRADIENTS"))
        }),
        all(
            combinations(
                "batch_norm_backward_apply",
                &[ACTIVATIONS, ("BATCH", SWITCH), ("ACCUMULATE", SWITCH), ("IN_PLACE", &[0]), STORED],
            ),
            apply,
        ),
        // A gradient that replaces du.
        all(
            combinations(
                "batch_norm_backward_apply",
                &[
                    ("ACTIVATION", &[Activation::None as u32]),
                    ("BATCH", &[1]),
                    ("ACCUMULATE", &[0]),
                    ("IN_PLACE", &[1]),
                    STORED,
                ],
            ),
            apply,
        ),
    ]
    .concat()
}
