//! The configuration as plain data, with the defaults of a run that names nothing. Parsing, checking and help
//! texts are in the neighbouring files; nothing here touches a file or a device.

use super::MethodConfig;
use serde::{Deserialize, Serialize};

/// Everything that decides what a run computes. One table a field in the TOML file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub run: RunConfig,
    pub data: DataConfig,
    pub model: ModelConfig,
    pub method: MethodConfig,
    pub optimizer: OptimizerConfig,
    pub schedule: ScheduleConfig,
    pub loss: LossConfig,
    pub ema: EmaConfig,
    pub eval: EvalConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Names the run folder when `--out` does not.
    pub name: String,
    pub seed: u64,
    /// Passes over the training set. Ignored when `steps` is given.
    pub epochs: f64,
    /// Optimizer steps; takes the place of `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Clean images per optimizer step, all micro-batches together.
    pub batch_size: usize,
    /// Micro-batches per optimizer step; `batch_size` must divide by it.
    pub accumulate: usize,
    pub precision: Precision,
    pub fusion: FusionRule,
    /// Starting weights under timm's names; empty: a fresh initialisation from the seed.
    pub init: String,
    /// Optimizer steps between writes of `last.safetensors`; 0: at each epoch's end and on a stop.
    pub checkpoint_steps: u64,
    pub deterministic: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            name: "run".into(),
            seed: 0,
            epochs: 10.0,
            steps: None,
            batch_size: 64,
            accumulate: 1,
            precision: Precision::F32,
            fusion: FusionRule::Auto,
            init: String::new(),
            checkpoint_steps: 0,
            deterministic: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    F16,
}

/// Which batch norms are taken into the kernels beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FusionRule {
    /// Every batch norm makes its own passes: what fused plans are held to.
    Off,
    /// Where the estimate says that it is quicker.
    Auto,
    /// Wherever a kernel can.
    All,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    pub source: DataSource,
    /// Folder of the data set; not used by `shapes`.
    pub path: String,
    /// Side of the square input, pixels.
    pub image_size: usize,
    pub shuffle: bool,
    pub augment: Vec<Augmentation>,
    /// What autoaugment means.
    pub policy: AutoAugmentPolicy,
    /// Operations that randaugment applies to an image.
    pub randaugment_n: usize,
    /// Level of randaugment's operations; 10 is the scale's end.
    pub randaugment_m: u8,
    /// Side of the square that cutout hides, pixels.
    pub cutout_size: usize,
    /// Per RGB channel; input = (pixel/255 - mean) / std.
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// File of class names, one a line: only these classes are used; empty: all.
    pub classes_file: String,
    /// Training images used of each class, the first so many in file order; 0: all.
    pub class_limit: usize,
    /// Training images used, the first so many in file order; 0: all.
    pub train_limit: usize,
    /// Draw classes evenly and images with replacement, instead of every image once an epoch.
    pub balanced: bool,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: DataSource::Shapes,
            path: String::new(),
            image_size: 32,
            shuffle: true,
            augment: vec![Augmentation::Crop, Augmentation::Flip],
            policy: AutoAugmentPolicy::ImagenetV0,
            randaugment_n: 2,
            randaugment_m: 10,
            cutout_size: 16,
            mean: [0.5; 3],
            std: [0.5; 3],
            classes_file: String::new(),
            class_limit: 0,
            train_limit: 0,
            balanced: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    Shapes,
    Cifar10,
    Cifar100,
    FashionMnist,
    Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augmentation {
    /// Pad by an eighth of the side with zeros, crop back at a random place (4 pixels at 32 px).
    Crop,
    /// Mirror left to right with probability one half.
    Flip,
    /// A random part of the image, resized (EfficientNet's code).
    Inception,
    /// Inception's distortion of brightness, saturation, hue and contrast.
    Color,
    /// A pair of operations from a published policy.
    Autoaugment,
    /// Some operations of 16, at one strength.
    Randaugment,
    /// Hide a square at a random place.
    Cutout,
}

/// The published AutoAugment policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoAugmentPolicy {
    /// The one of EfficientNet's code, computed as TensorFlow does.
    ImagenetV0,
    /// The one of the AutoAugment paper, computed as torchvision does.
    Imagenet,
    /// The CIFAR-10 one of the AutoAugment paper, computed as torchvision does.
    Cifar,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    pub arch: String,
    /// 0: as many as the data has.
    pub classes: usize,
    /// Stride of the stem convolution: 2, or 1 for 32×32 images.
    pub stem_stride: usize,
    /// Multiplies the architecture's own width factor before the rounding rule.
    pub width: f64,
    /// Multiplies the architecture's own depth factor before the ceiling.
    pub depth: f64,
    pub dropout: f32,
    pub drop_path: f32,
    pub checkpointing: Checkpointing,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            arch: "tf_efficientnet_b0".into(),
            classes: 0,
            stem_stride: 2,
            width: 1.0,
            depth: 1.0,
            dropout: 0.2,
            drop_path: 0.2,
            checkpointing: Checkpointing::Auto,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpointing {
    Auto,
    Off,
    On,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    pub kind: OptimizerKind,
    pub lr: f64,
    /// Momentum; AdamW's beta1.
    pub momentum: f64,
    /// RMSProp's decay of the mean square; AdamW's beta2.
    pub decay: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub decay_bias: bool,
    pub decay_bn: bool,
    pub nesterov: bool,
    /// Largest L2 norm of the whole gradient; 0: no clipping.
    pub clip_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Rmsprop,
            lr: 0.016,
            momentum: 0.9,
            decay: 0.9,
            eps: 0.001,
            weight_decay: 1e-5,
            decay_bias: false,
            decay_bn: false,
            nesterov: false,
            clip_norm: 0.0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    Sgd,
    Rmsprop,
    Adamw,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    pub kind: ScheduleKind,
    pub warmup_epochs: f64,
    /// Factor of one decay; 0.97, or 0.1 for `step`.
    pub decay_rate: f64,
    pub decay_epochs: f64,
    /// Epochs at which `step` decays.
    pub milestones: Vec<f64>,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Exponential,
            warmup_epochs: 5.0,
            decay_rate: 0.97,
            decay_epochs: 2.4,
            milestones: vec![90.0, 180.0, 220.0],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    Exponential,
    Step,
    Cosine,
    Constant,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    pub label_smoothing: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { label_smoothing: 0.1 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmaConfig {
    /// 0: no moving average.
    pub decay: f64,
    /// Decay at step t is min(decay, (1+t)/(10+t)).
    pub warmup: bool,
}

impl Default for EmaConfig {
    fn default() -> Self {
        Self { decay: 0.9999, warmup: true }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Epochs between validations; 0: only at the end.
    pub every_epochs: u64,
    /// Attack SPEC used for the attacked accuracies; empty: none.
    pub attack: String,
    /// Validation images used, evenly spread over the set; 0: all.
    pub limit: usize,
    /// What `best.safetensors` is best at, on `val` through the main domain.
    pub best: BestBy,
    /// Validations without a better value after which the run ends; 0: it runs to its end.
    pub patience: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    Top1,
    /// Top-1 under `eval.attack`.
    AttackedTop1,
    /// Lowest clean loss.
    Loss,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            every_epochs: 1,
            attack: "pgd:eps=4,step=1,iters=5".into(),
            limit: 0,
            best: BestBy::Top1,
            patience: 0,
        }
    }
}
