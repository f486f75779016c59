//! What a kernel does beside its own work so that a batch norm next to it need not pass over the tensor: a
//! prologue computes what the kernel reads from what is stored, an epilogue takes the sums of what it stores.
//! The shaders' side is `shaders/lib/{prologue,gradient_prologue,epilogue}.wgsl`. Every kernel gives the same
//! numbers, up to rounding, with the batch norm's own passes in their place.

use super::activation::{Activation, SlopeFrom};
use super::{MAX_SEGMENTS, Permutation};
use crate::gpu::{BufferId, Element, Kernel, Params, View};

/// How a kernel reads its input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Prologue {
    /// What is stored.
    #[default]
    None,
    /// `act(scale * x + shift)` of the stored x.
    Norm {
        /// `[segment][mean C | rstd C | scale C | shift C]` of [`super::batch_norm`].
        state: View,
        /// What follows the affine map.
        activation: Activation,
    },
    /// The same times `gate[image, channel]`: a squeeze-and-excitation behind the batch norm. Pointwise dense
    /// convolutions only.
    GatedNorm {
        /// As in [`Prologue::Norm`].
        state: View,
        /// What follows the affine map.
        activation: Activation,
        /// `[images, C]`
        gate: View,
    },
    /// `act(x)` of the stored x, which has its batch norm in it already; times the gate where there is one,
    /// as above.
    Folded {
        /// What follows the stored x.
        activation: Activation,
        /// `[images, C]`
        gate: Option<View>,
    },
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
    /// Nothing.
    #[default]
    None,
    /// Slices of the batch statistics of what is stored.
    Statistics {
        /// `[slices][mean C | M2 C | count, one vec4]`
        partials: View,
    },
    /// Stores `du = value * act'(scale * x + shift)` in place of the value, and slices of the sums of du and
    /// du·xhat.
    Slope {
        /// `[rows, C]`, the input of the batch norm.
        x: View,
        /// `[segment][mean C | rstd C | scale C | shift C]` of [`super::batch_norm`].
        state: View,
        /// What follows the affine map.
        activation: Activation,
        /// `[slices][sum du C | sum du·xhat C]`
        partials: View,
    },
    /// Forward, where the batch norm behind has fixed statistics and its scale is in the weights: stores
    /// `act(u)`, `u = value + shift`. `kept` gets u where the slope of the activation will be asked for.
    Shift {
        /// `[C]`
        shift: View,
        /// What follows the shift.
        activation: Activation,
        /// `[rows, C]`, what goes into the activation.
        kept: Option<View>,
    },
    /// Its backward: stores `value * act'(x)`; x is u, or what was stored where the slope is computed from
    /// that.
    Derivative {
        /// `[rows, C]`, what the forward pass stored or kept.
        x: View,
        /// What followed the shift.
        activation: Activation,
    },
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
    /// `[rows, C]`, the input of the batch norm.
    pub x: View,
    /// `[segment][a C | b C | c C]`
    pub coefs: View,
}

/// All of it, for a tensor whose batch is cut into `segments`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fusion<'a> {
    /// How the kernel reads its input.
    pub prologue: Prologue,
    /// How a weight gradient reads dy, where that is not what is stored.
    pub gradient: Option<NormGradient>,
    /// What the kernel does with its results.
    pub epilogue: Epilogue,
    /// Images of each batch norm segment, in order; empty where neither end is fused.
    pub segments: &'a [usize],
}

/// How many slices of partial sums each segment has, in the order of the partials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slices(pub Vec<u32>);

impl Slices {
    /// Slices of all segments.
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
            Prologue::None => (PROLOGUE_NONE, Activation::None, 0),
            Prologue::Norm { state, activation } => {
                views.push(state);
                (PROLOGUE_NORM, activation, 0)
            }
            Prologue::GatedNorm { state, activation, gate } => {
                views.extend([state, gate]);
                (PROLOGUE_NORM, activation, 1)
            }
            Prologue::Folded { activation, gate } => {
                views.extend(gate);
                (PROLOGUE_FOLDED, activation, u32::from(gate.is_some()))
            }
            Prologue::NormGradient(_) => (PROLOGUE_GRADIENT, Activation::None, 0),
        };
        let gradient = match self.prologue {
            Prologue::NormGradient(gradient) => Some(gradient),
            _ => self.gradient,
        };
        let gradient_at = views.len() as u32;
        views.extend(gradient.iter().flat_map(|g| [g.x, g.coefs]));
        let epilogue_at = views.len() as u32;
        let (epilogue, store_activation) = match self.epilogue {
            Epilogue::None => (EPILOGUE_NONE, Activation::None),
            Epilogue::Statistics { partials } => {
                views.push(partials);
                (EPILOGUE_STATISTICS, Activation::None)
            }
            Epilogue::Slope { x, state, activation, partials } => {
                views.extend([x, state, partials]);
                (EPILOGUE_SLOPE, activation)
            }
            Epilogue::Shift { shift, activation, kept } => {
                views.extend([shift].into_iter().chain(kept));
                (if kept.is_some() { EPILOGUE_SHIFT_KEPT } else { EPILOGUE_SHIFT }, activation)
            }
            Epilogue::Derivative { x, activation } => {
                views.push(x);
                (EPILOGUE_DERIVATIVE, activation)
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
            ("TALLIES", u32::from(self.epilogue.tallies())),
            ("STORE_ACTIVATION", store_activation.number()),
        ]);
    }

    /// The kernel with this fusion, which has `own_views` before those of the fusion.
    fn permutation<P: Params>(&self, mut kernel: Kernel, own_views: u32) -> Permutation {
        let mut views = vec![VIEW; own_views as usize];
        self.apply(&mut kernel, &mut views);
        Permutation { kernel, fields: P::FIELDS, views: views.len(), for_matrices: false }
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

/// Values of PROLOGUE in `shaders/lib/prologue.wgsl`.
pub(super) const PROLOGUE_NONE: u32 = 0;
const PROLOGUE_NORM: u32 = 1;
const PROLOGUE_GRADIENT: u32 = 2;
const PROLOGUE_FOLDED: u32 = 3;

/// Values of EPILOGUE in `shaders/lib/epilogue.wgsl`.
pub(super) const EPILOGUE_NONE: u32 = 0;
const EPILOGUE_STATISTICS: u32 = 1;
const EPILOGUE_SLOPE: u32 = 2;
const EPILOGUE_SHIFT: u32 = 3;
const EPILOGUE_SHIFT_KEPT: u32 = 4;
const EPILOGUE_DERIVATIVE: u32 = 5;

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

/// `kernels`, which have `own_views` before those of the fusion, in all forms that their role has in a
/// network.
pub(super) fn with_fusion<P: Params>(kernels: Vec<Kernel>, own_views: u32, role: Role) -> Vec<Permutation> {
    let mut all: Vec<Permutation> = Vec::new();
    for kernel in kernels {
        for fusion in Activation::FUSED.into_iter().flat_map(|activations| fusions(activations, role)) {
            let permutation = fusion.permutation::<P>(kernel.clone(), own_views);
            if !all.contains(&permutation) {
                all.push(permutation);
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
    // Only these are left to the consumers of a folded batch norm, because its convolution stores their
    // input.
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

/// `kernels`, which have `own_views`, with nothing fused.
pub(super) fn unfused<P: Params>(kernels: Vec<Kernel>, own_views: u32) -> Vec<Permutation> {
    kernels.into_iter().map(|kernel| Fusion::NONE.permutation::<P>(kernel, own_views)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::shaders;
    use crate::kernels::pool::{self, ScaleForm};

    #[test]
    fn every_case_has_its_number_in_the_shaders() {
        let shader = |p: &Permutation| {
            p.kernel.shader == "image_scale" && p.kernel.constants.has(("FORM", ScaleForm::Product as u32))
        };
        let kernel = pool::permutations().into_iter().find(shader).expect("squeeze-and-excitation").kernel;
        let text = shaders::expand(&kernel).unwrap();
        for (name, number) in [
            ("PROLOGUE_NONE", PROLOGUE_NONE),
            ("PROLOGUE_NORM", PROLOGUE_NORM),
            ("PROLOGUE_GRADIENT", PROLOGUE_GRADIENT),
            ("PROLOGUE_FOLDED", PROLOGUE_FOLDED),
            ("EPILOGUE_NONE", EPILOGUE_NONE),
            ("EPILOGUE_STATISTICS", EPILOGUE_STATISTICS),
            ("EPILOGUE_SLOPE", EPILOGUE_SLOPE),
            ("EPILOGUE_SHIFT", EPILOGUE_SHIFT),
            ("EPILOGUE_SHIFT_KEPT", EPILOGUE_SHIFT_KEPT),
            ("EPILOGUE_DERIVATIVE", EPILOGUE_DERIVATIVE),
            ("FORM_PRODUCT", ScaleForm::Product as u32),
            ("FORM_PRODUCT_PLUS_POOLED", ScaleForm::ProductPlusPooled as u32),
            ("FORM_SPREAD", ScaleForm::Spread as u32),
        ] {
            assert!(text.contains(&format!("const {name}: u32 = {number}u;")), "{name} is not {number}");
        }
    }
}
