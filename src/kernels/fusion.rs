//! What a kernel does beside its own work so that a batch norm next to it need not pass over the tensor: a prologue
//! computes what the kernel reads from what is stored, an epilogue takes the sums of what it stores. The shaders' side
//! is `shaders/lib/{prologue,gradient_prologue,epilogue}.wgsl`. Every kernel gives the same numbers, up to rounding, with the batch
//! norm's own passes in their place.

use super::MAX_SEGMENTS;
use super::batch_norm::Activation;
use crate::gpu::{Element, Kernel, View};

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
    /// Its backward: stores `value * act'(x)`; x is u, or for ReLU what was stored.
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
            ("STORE_ACTIVATION", activation_number(store_activation)),
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

fn activation_number(activation: Activation) -> u32 {
    activation.constant().1
}

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

/// `kernels`, which have `own_views` before those of the fusion, in all forms that their role has.
pub(super) fn with_fusion(kernels: Vec<Kernel>, own_views: u32, role: Role) -> Vec<Kernel> {
    let view = View::stored(crate::gpu::BufferId(0), 4, Element::F32);
    let activations = [Activation::None, Activation::Relu, Activation::Silu];
    let norms = |gate: bool| -> Vec<Prologue> {
        let gated = Prologue::GatedNorm { state: view, activation: Activation::Silu, gate: view };
        let norm = |activation| Prologue::Norm { state: view, activation };
        [Prologue::None].into_iter().chain(activations.map(norm)).chain(gate.then_some(gated)).collect()
    };
    // Only what a folded batch norm leaves to its consumers: SiLU, a gate, or both.
    let folded = |gate: bool| -> Vec<Prologue> {
        let of = |activation, gate: Option<View>| Prologue::Folded { activation, gate };
        let gated = [Activation::None, Activation::Silu].map(|activation| of(activation, Some(view)));
        let plain = of(Activation::Silu, None);
        [plain].into_iter().chain(gated.into_iter().filter(|_| gate)).collect()
    };
    let (prologues, gradients, epilogues) = match role {
        Role::Forward { gate } => {
            let shift = |activation, kept| Epilogue::Shift { shift: view, activation, kept };
            let kept = shift(Activation::Silu, Some(view));
            let shifts = activations.map(|activation| shift(activation, None)).into_iter().chain([kept]);
            let epilogues = [Epilogue::None, Epilogue::Statistics { partials: view }];
            let prologues = norms(gate).into_iter().chain(folded(gate)).collect();
            (prologues, vec![None], epilogues.into_iter().chain(shifts).collect())
        }
        Role::DataGradient => {
            let derivative = |activation| Epilogue::Derivative { x: view, activation };
            let slope = |activation| Epilogue::Slope { x: view, state: view, activation, partials: view };
            (
                vec![Prologue::None, Prologue::NormGradient(NormGradient { x: view, coefs: view })],
                vec![None],
                [Epilogue::None]
                    .into_iter()
                    .chain(activations.map(slope))
                    .chain([Activation::Relu, Activation::Silu].map(derivative))
                    .collect(),
            )
        }
        Role::WeightGradient { gate } => {
            (norms(gate), vec![None, Some(NormGradient { x: view, coefs: view })], vec![Epilogue::None])
        }
    };
    let mut all = Vec::new();
    for kernel in kernels {
        for (prologue, gradient) in prologues.iter().flat_map(|p| gradients.iter().map(move |g| (*p, *g))) {
            for epilogue in &epilogues {
                let mut kernel = kernel.clone();
                let mut views = vec![view; own_views as usize];
                let fusion = Fusion { prologue, gradient, epilogue: *epilogue, segments: &[] };
                fusion.apply(&mut kernel, &mut views);
                all.push(kernel);
            }
        }
    }
    all
}

/// A kernel with `own_views` and nothing fused.
pub(super) fn unfused(mut kernel: Kernel, own_views: u32) -> Kernel {
    let view = View::stored(crate::gpu::BufferId(0), 4, Element::F32);
    Fusion::NONE.apply(&mut kernel, &mut vec![view; own_views as usize]);
    kernel
}
