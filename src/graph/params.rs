//! Where each parameter lies in the flat arenas, and how its file form (PyTorch's OIHW) maps to the GPU's
//! form (taps, input channels, output channels; channels padded to four).
//!
//! Three arenas share this layout idea: parameters (with their gradients, optimizer state and EMA at equal
//! offsets), and running statistics. Every tensor starts at a multiple of 64 floats, WebGPU's binding
//! alignment, so that a block of 64 floats belongs to one tensor and thereby to one group of the optimizer.

use super::pad4;

/// Floats between aligned starts: 256 bytes.
pub const ALIGN: usize = 64;

/// The optimizer's group of weights. Weight decay and gradient scaling differ between groups, nothing else.
pub const GROUP_WEIGHT: u32 = 0;
/// The optimizer's group of biases.
pub const GROUP_BIAS: u32 = 1;
/// The optimizer's group of gamma and beta of the main domain.
pub const GROUP_BN_MAIN: u32 = 2;
/// The optimizer's group of gamma and beta of the auxiliary domains.
pub const GROUP_BN_AUX: u32 = 3;
/// The number of groups.
pub const GROUPS: usize = 4;

/// What a parameter is, with its logical sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// File shape `[out, in, k, k]`; on the GPU `[k·k, in, out]`.
    Conv {
        /// Output channels.
        out: usize,
        /// Input channels.
        input: usize,
        /// Side of the square kernel, k.
        kernel: usize,
    },
    /// File shape `[channels, 1, k, k]`; on the GPU `[k·k, channels]`.
    Depthwise {
        /// Channels.
        channels: usize,
        /// Side of the square kernel, k.
        kernel: usize,
    },
    /// File shape `[out, in]`; on the GPU `[in, out]`.
    Dense {
        /// Output channels.
        out: usize,
        /// Input channels.
        input: usize,
    },
    /// A vector `[channels]`, in files and on the GPU.
    Bias {
        /// Channels.
        channels: usize,
    },
}

impl ParamKind {
    /// Floats on the GPU, padding included.
    pub fn padded_len(self) -> usize {
        match self {
            Self::Conv { out, input, kernel } => kernel * kernel * pad4(input) * pad4(out),
            Self::Depthwise { channels, kernel } => kernel * kernel * pad4(channels),
            Self::Dense { out, input } => pad4(input) * pad4(out),
            Self::Bias { channels } => pad4(channels),
        }
    }

    /// The shape in files: PyTorch's.
    pub fn file_shape(self) -> Vec<usize> {
        match self {
            Self::Conv { out, input, kernel } => vec![out, input, kernel, kernel],
            Self::Depthwise { channels, kernel } => vec![channels, 1, kernel, kernel],
            Self::Dense { out, input } => vec![out, input],
            Self::Bias { channels } => vec![channels],
        }
    }

    /// Numbers in files, without padding.
    pub fn file_len(self) -> usize {
        self.file_shape().iter().product()
    }

    /// Calls `f(file index, GPU index)` for each logical value.
    fn for_each(self, mut f: impl FnMut(usize, usize)) {
        match self {
            Self::Conv { out, input, kernel } => {
                let (padded_in, padded_out, taps) = (pad4(input), pad4(out), kernel * kernel);
                for o in 0..out {
                    for i in 0..input {
                        for tap in 0..taps {
                            f((o * input + i) * taps + tap, (tap * padded_in + i) * padded_out + o);
                        }
                    }
                }
            }
            Self::Depthwise { channels, kernel } => {
                for c in 0..channels {
                    for tap in 0..kernel * kernel {
                        f(c * kernel * kernel + tap, tap * pad4(channels) + c);
                    }
                }
            }
            Self::Dense { out, input } => {
                for o in 0..out {
                    for i in 0..input {
                        f(o * input + i, i * pad4(out) + o);
                    }
                }
            }
            Self::Bias { channels } => (0..channels).for_each(|c| f(c, c)),
        }
    }

    /// Writes file values (`file_len` of them) into the padded GPU form.
    pub fn pack(self, file: &[f32], gpu: &mut [f32]) {
        self.for_each(|from, to| gpu[to] = file[from]);
    }

    /// Reads the GPU form back into file order.
    pub fn unpack(self, gpu: &[f32]) -> Vec<f32> {
        let mut file = vec![0.0; self.file_len()];
        self.for_each(|to, from| file[to] = gpu[from]);
        file
    }
}

/// One parameter tensor in the arena.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// timm's name, such as `blocks.0.0.conv_dw.weight`.
    pub name: String,
    /// What it is, with its sizes.
    pub kind: ParamKind,
    /// Floats from the start of the arena.
    pub offset: usize,
    /// The stage that it belongs to, from 0 at the input.
    pub stage: usize,
}

/// One BN layer's place in the parameter and running-statistics arenas: a block per domain, `gamma | beta` in
/// one, `mean | variance` in the other, at equal strides.
#[derive(Clone, Debug)]
pub struct BnPlace {
    /// timm's name without the last part, such as `blocks.0.0.bn1`.
    pub name: String,
    /// Channels without padding.
    pub channels: usize,
    /// Floats from the start of the parameter arena to the first domain's block.
    pub param_offset: usize,
    /// Floats from the start of the running-statistics arena to the first domain's block.
    pub running_offset: usize,
    /// Floats between two domains' blocks.
    pub domain_stride: usize,
    /// The stage that it belongs to, from 0 at the input.
    pub stage: usize,
}

/// The arenas of a network with a number of BN domains. A stage's tensors lie together, behind those of the
/// stages nearer to the input.
#[derive(Clone, Debug, Default)]
pub struct ParamLayout {
    /// All weights and biases, in the order in which they were added.
    pub parameters: Vec<Parameter>,
    /// All BN layers, in the order in which they were added.
    pub bn: Vec<BnPlace>,
    /// BN domains, main included.
    pub domains: usize,
    /// Stages, from the stem to the classifier.
    pub stages: usize,
    /// Floats in the parameter arena.
    pub param_len: usize,
    /// Floats in the running-statistics arena.
    pub running_len: usize,
}

impl ParamLayout {
    /// An empty layout for that many BN domains.
    pub fn new(domains: usize) -> Self {
        Self { domains, stages: 1, ..Self::default() }
    }

    /// Begins the next stage: what is added from here on belongs to it.
    pub fn begin_stage(&mut self) {
        self.stages += 1;
    }

    /// Floats of the parameter arena, and of the running statistics, before the stage numbered `stage`.
    pub fn before_stage(&self, stage: usize) -> (usize, usize) {
        let weights = self.parameters.iter().filter(|p| p.stage >= stage).map(|p| p.offset);
        let norms = self.bn.iter().filter(|bn| bn.stage >= stage);
        let params = weights.chain(norms.clone().map(|bn| bn.param_offset)).min();
        let running = norms.map(|bn| bn.running_offset).min();
        (params.unwrap_or(self.param_len), running.unwrap_or(self.running_len))
    }

    /// Adds a weight or bias at the arena's end; returns its index.
    pub fn add(&mut self, name: String, kind: ParamKind) -> usize {
        let stage = self.stages - 1;
        self.parameters.push(Parameter { name, kind, offset: self.param_len, stage });
        self.param_len += kind.padded_len().next_multiple_of(ALIGN);
        self.parameters.len() - 1
    }

    /// Adds a BN layer at the arenas' ends, with a block for each domain; returns its index.
    pub fn add_bn(&mut self, name: String, channels: usize) -> usize {
        let domain_stride = (2 * pad4(channels)).next_multiple_of(ALIGN);
        self.bn.push(BnPlace {
            name,
            channels,
            param_offset: self.param_len,
            running_offset: self.running_len,
            domain_stride,
            stage: self.stages - 1,
        });
        self.param_len += domain_stride * self.domains;
        self.running_len += domain_stride * self.domains;
        self.bn.len() - 1
    }

    /// Trainable values without padding, every domain's BN parameters included.
    pub fn trainable(&self) -> u64 {
        let weights: usize = self.parameters.iter().map(|p| p.kind.file_len()).sum();
        let bn: usize = self.bn.iter().map(|b| 2 * b.channels * self.domains).sum();
        (weights + bn) as u64
    }

    /// The optimizer's group of each block of [`ALIGN`] floats.
    pub fn groups(&self) -> Vec<u32> {
        let mut groups = vec![GROUP_WEIGHT; self.param_len / ALIGN];
        for parameter in &self.parameters {
            let group = match parameter.kind {
                ParamKind::Bias { .. } => GROUP_BIAS,
                _ => GROUP_WEIGHT,
            };
            let first = parameter.offset / ALIGN;
            groups[first..first + parameter.kind.padded_len().div_ceil(ALIGN)].fill(group);
        }
        for bn in &self.bn {
            for domain in 0..self.domains {
                let first = (bn.param_offset + domain * bn.domain_stride) / ALIGN;
                let group = if domain == 0 { GROUP_BN_MAIN } else { GROUP_BN_AUX };
                groups[first..first + bn.domain_stride / ALIGN].fill(group);
            }
        }
        groups
    }
}

/// The name of a BN tensor as timm's SplitBatchNorm2d has it: domain 0 is the plain layer, domain K+1 is
/// `LAYER.aux_bn.K`.
pub fn bn_name(layer: &str, domain: usize, tensor: &str) -> String {
    match domain {
        0 => format!("{layer}.{tensor}"),
        _ => format!("{layer}.aux_bn.{}.{tensor}", domain - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_round_trips_and_keeps_padding_zero() {
        for kind in [
            ParamKind::Conv { out: 6, input: 3, kernel: 3 },
            ParamKind::Depthwise { channels: 5, kernel: 5 },
            ParamKind::Dense { out: 10, input: 7 },
            ParamKind::Bias { channels: 3 },
        ] {
            let file: Vec<f32> = (1..=kind.file_len()).map(|i| i as f32).collect();
            let mut gpu = vec![0.0; kind.padded_len()];
            kind.pack(&file, &mut gpu);
            assert_eq!(kind.unpack(&gpu), file);
            assert_eq!(gpu.iter().filter(|v| **v != 0.0).count(), file.len());
        }
    }

    #[test]
    fn every_block_has_the_group_of_its_tensor() {
        let mut layout = ParamLayout::new(2);
        layout.add("w".into(), ParamKind::Dense { out: 10, input: 20 });
        layout.add("b".into(), ParamKind::Bias { channels: 10 });
        layout.begin_stage();
        layout.add_bn("bn".into(), 40);
        // 12·20 floats, 12 floats, then 2 domains of 80 floats: 4, 1, 2 and 2 blocks.
        assert_eq!(layout.groups(), [0, 0, 0, 0, 1, 2, 2, 3, 3]);
        assert_eq!([0, 1, 2].map(|stage| layout.before_stage(stage).0 / ALIGN), [0, 5, 9]);
        assert_eq!([0, 1, 2].map(|stage| layout.before_stage(stage).1 / ALIGN), [0, 0, 4]);
        assert_eq!(layout.param_len, 9 * ALIGN);
        assert_eq!(layout.trainable(), 210 + 160);
        assert_eq!(bn_name("bn", 0, "weight"), "bn.weight");
        assert_eq!(bn_name("bn", 2, "running_var"), "bn.aux_bn.1.running_var");
    }
}
