//! What a kernel does beside its own work so that a batch norm next to it need not pass over the tensor: a prologue
//! computes what the kernel reads from what is stored, an epilogue takes the sums of what it stores. The shaders' side
//! is `shaders/lib/{prologue,gradient_prologue,epilogue}.wgsl`. Every kernel gives the same numbers, up to rounding, with the batch
//! norm's own passes in their place.

use super::MAX_SEGMENTS;
use super::activation::{Activation, SlopeFrom};
use crate::gpu::{BufferId, Element, Kernel, View};

/// How a kernel reads its input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Prologue {
    /// What is stored.
    #[default]
    None,
    /// `act(scale * x + shift)` of the stored x; `state` is that of [`super::batch_norm`].
    Norm { state: View, activation: Activation },
    /// The same times `gate[image, channel]`: a squeeze-and-excitation behind the batch norm. Pointwise dense
    /// convolutions only.
    GatedNorm { state: View, activation: Activation, gate: View },
    /// `act(x)` of the stored x, which has its batch norm in it already; times the gate where there is one, as above.
    Folded { activation: Activation, gate: Option<View> },
    /// A gradient that the kernel computes from the stored du.
    NormGradient(NormGradient),
}

impl Prologue {
    pub(super) fn gated(&self) -> bool {
        matches!(self, Self::GatedNorm { .. } | Self::Folded { gate: Some(_), .. })
    }
}

/// What a kernel does with its results besides storing them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Epilogue {
    #[default]
    None,
    /// Slices of the batch statistics of what is stored.
    Statistics { partials: View },
    /// Stores `du = value * act'(scale * x + shift)` in place of the value, and slices of the sums of du and du·xhat.
    Slope { x: View, state: View, activation: Activation, partials: View },
    /// Forward, where the batch norm behind has fixed statistics and its scale is in the weights: stores
    /// `act(u)`, `u = value + shift`. `kept` gets u where the slope of the activation will be asked for.
    Shift { shift: View, activation: Activation, kept: Option<View> },
    /// Its backward: stores `value * act'(x)`; x is u, or what was stored where the slope is computed from that.
    Derivative { x: View, activation: Activation },
}

impl Epilogue {
    /// Whether it leaves partial sums.
    pub(super) fn tallies(&self) -> bool {
        matches!(self, Self::Statistics { .. } | Self::Slope { .. })
    }
}

/// `a * du + b * x + c` of a stored du: the gradient of a batch norm's input `x`, with the coefficients of
/// [`super::batch_norm::backward_finalize`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormGradient {
    pub x: View,
    pub coefs: View,
}

/// All of it, for a tensor whose batch is cut into `segments`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fusion<'a> {
    pub prologue: Prologue,
    /// How a weight gradient reads dy, where that is not what is stored.
    pub gradient: Option<NormGradient>,
    pub epilogue: Epilogue,
    /// Images of each batch norm segment, in order; empty where neither end is fused.
    pub segments: &'a [usize],
}

/// How many slices of partial sums each segment has, in the order of the partials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slices(pub Vec<u32>);

impl Slices {
    pub fn total(&self) -> usize {
        self.0.iter().sum::<u32>() as usize
    }

    /// Most slices of a segment.
    pub(super) fn longest(&self) -> u32 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// Floats of the partial sums of a batch norm over `channels`, forward or backward.
    pub fn elements(&self, channels: usize) -> usize {
        self.total() * (2 * channels + 4)
    }
}

impl Fusion<'_> {
    /// Nothing fused.
    pub const NONE: Fusion<'static> =
        Fusion { prologue: Prologue::None, gradient: None, epilogue: Epilogue::None, segments: &[] };

    /// The images of each segment of a batch of `images`: one where nothing is fused.
    pub(super) fn images(&self, images: usize) -> Vec<usize> {
        if self.segments.is_empty() {
            return vec![images];
        }
        assert_eq!(self.segments.iter().sum::<usize>(), images, "segments {:?}", self.segments);
        assert!(self.segments.len() <= MAX_SEGMENTS, "{} segments", self.segments.len());
        self.segments.to_vec()
    }

    /// Adds the constants and views to a kernel that has `views` of its own.
    pub(super) fn apply(&self, kernel: &mut Kernel, views: &mut Vec<View>) {
        let prologue_at = views.len() as u32;
        let (prologue, activation, gate) = match self.prologue {
            Prologue::None => (0, Activation::None, 0),
            Prologue::Norm { state, activation } => {
                views.push(state);
                (1, activation, 0)
            }
            Prologue::GatedNorm { state, activation, gate } => {
                views.extend([state, gate]);
                (1, activation, 1)
            }
            Prologue::Folded { activation, gate } => {
                views.extend(gate);
                (3, activation, u32::from(gate.is_some()))
            }
            Prologue::NormGradient(_) => (2, Activation::None, 0),
        };
        let gradient = match self.prologue {
            Prologue::NormGradient(gradient) => Some(gradient),
            _ => self.gradient,
        };
        let gradient_at = views.len() as u32;
        views.extend(gradient.iter().flat_map(|g| [g.x, g.coefs]));
        let epilogue_at = views.len() as u32;
        let (epilogue, store, store_activation) = match self.epilogue {
            Epilogue::None => (0, STORE_PLAIN, Activation::None),
            Epilogue::Statistics { partials } => {
                views.push(partials);
                (1, STORE_PLAIN, Activation::None)
            }
            Epilogue::Slope { x, state, activation, partials } => {
                views.extend([x, state, partials]);
                (2, STORE_PLAIN, activation)
            }
            Epilogue::Shift { shift, activation, kept } => {
                views.extend([shift].into_iter().chain(kept));
                (0, if kept.is_some() { STORE_SHIFTED_KEPT } else { STORE_SHIFTED }, activation)
            }
            Epilogue::Derivative { x, activation } => {
                views.push(x);
                (0, STORE_DERIVATIVE, activation)
            }
        };
        kernel.constants.extend([
            ("PROLOGUE", prologue),
            ("PROLOGUE_AT", prologue_at),
            ("GATE", gate),
            activation.constant(),
            ("DY_PROLOGUE", u32::from(gradient.is_some())),
            ("DY_PROLOGUE_AT", gradient_at),
            ("EPILOGUE", epilogue),
            ("EPILOGUE_AT", epilogue_at),
            ("STORE", store),
            ("STORE_ACTIVATION", store_activation.number()),
        ]);
    }

    /// Numbers of activation-sized tensors read or written besides the kernel's own.
    pub(super) fn extra_tensors(&self, source: u64, output: u64) -> u64 {
        let read = if matches!(self.prologue, Prologue::NormGradient(_)) { source } else { 0 };
        let beside = matches!(
            self.epilogue,
            Epilogue::Slope { .. } | Epilogue::Derivative { .. } | Epilogue::Shift { kept: Some(_), .. }
        );
        read + if beside { output } else { 0 }
    }
}

/// Values of STORE in `shaders/lib/epilogue.wgsl`.
const STORE_PLAIN: u32 = 0;
const STORE_SHIFTED: u32 = 1;
const STORE_SHIFTED_KEPT: u32 = 2;
const STORE_DERIVATIVE: u32 = 3;

/// `segment_ends` of `shaders/lib/image_segments.wgsl`.
pub(super) fn segment_ends(images: &[usize]) -> [u32; MAX_SEGMENTS] {
    let mut ends = [u32::MAX; MAX_SEGMENTS];
    let mut end = 0;
    for (place, count) in ends.iter_mut().zip(&images[..images.len() - 1]) {
        end += count;
        *place = end as u32;
    }
    ends
}

/// A kernel's role, which says what can be fused into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads x, writes y; `gate`: reads it through a gate as well.
    Forward {
        gate: bool,
    },
    DataGradient,
    WeightGradient {
        gate: bool,
    },
}

/// `kernels`, which have `own_views` before those of the fusion, in all forms that their role has in a network.
pub(super) fn with_fusion(kernels: Vec<Kernel>, own_views: u32, role: Role) -> Vec<Kernel> {
    let mut all: Vec<Kernel> = Vec::new();
    for kernel in kernels {
        for fusion in Activation::FUSED.into_iter().flat_map(|activations| fusions(activations, role)) {
            let mut kernel = kernel.clone();
            fusion.apply(&mut kernel, &mut vec![VIEW; own_views as usize]);
            if !all.contains(&kernel) {
                all.push(kernel);
            }
        }
    }
    all
}

/// A view of no buffer in particular, for kernels that are not launched.
const VIEW: View = View { buffer: BufferId(0), offset: 0, size: 16, element: Element::F32 };

/// What may be fused into a kernel of `role` in a network that has these `activations`.
fn fusions(activations: &[Activation], role: Role) -> Vec<Fusion<'static>> {
    let activations = activations.iter().copied();
    // Only these are left to the consumers of a folded batch norm, because its convolution stores their input.
    let left = || activations.clone().filter(|a| a.slope_from() == SlopeFrom::Input);
    let norms = |gate: bool| -> Vec<Prologue> {
        let norm = activations.clone().map(|activation| Prologue::Norm { state: VIEW, activation });
        let active = activations.clone().filter(|a| gate && *a != Activation::None);
        let gated = active.map(|activation| Prologue::GatedNorm { state: VIEW, activation, gate: VIEW });
        [Prologue::None].into_iter().chain(norm).chain(gated).collect()
    };
    let folded = |gate: bool| -> Vec<Prologue> {
        let plain = left().map(|activation| Prologue::Folded { activation, gate: None });
        let gated = left().chain([Activation::None]).filter(|_| gate);
        plain.chain(gated.map(|activation| Prologue::Folded { activation, gate: Some(VIEW) })).collect()
    };
    let gradient = NormGradient { x: VIEW, coefs: VIEW };
    let (prologues, gradients, epilogues): (Vec<_>, Vec<_>, Vec<_>) = match role {
        Role::Forward { gate } => {
            let shift = |activation, kept| Epilogue::Shift { shift: VIEW, activation, kept };
            let shifts = activations.clone().map(|activation| shift(activation, None));
            let kept = left().map(|activation| shift(activation, Some(VIEW)));
            let others = [Epilogue::None, Epilogue::Statistics { partials: VIEW }];
            let prologues = norms(gate).into_iter().chain(folded(gate)).collect();
            (prologues, vec![None], others.into_iter().chain(shifts).chain(kept).collect())
        }
        Role::DataGradient => {
            let slope = |activation| Epilogue::Slope { x: VIEW, state: VIEW, activation, partials: VIEW };
            let active = activations.clone().filter(|a| *a != Activation::None);
            let derivatives = active.map(|activation| Epilogue::Derivative { x: VIEW, activation });
            let epilogues = [Epilogue::None].into_iter().chain(activations.clone().map(slope));
            let prologues = vec![Prologue::None, Prologue::NormGradient(gradient)];
            (prologues, vec![None], epilogues.chain(derivatives).collect())
        }
        Role::WeightGradient { gate } => (norms(gate), vec![None, Some(gradient)], vec![Epilogue::None]),
    };
    let mut all = Vec::new();
    for prologue in prologues {
        for gradient in gradients.iter().copied() {
            for epilogue in epilogues.iter().copied() {
                all.push(Fusion { prologue, gradient, epilogue, segments: &[] });
            }
        }
    }
    all
}

/// A kernel with `own_views` and nothing fused.
pub(super) fn unfused(mut kernel: Kernel, own_views: u32) -> Kernel {
    Fusion::NONE.apply(&mut kernel, &mut vec![VIEW; own_views as usize]);
    kernel
}
