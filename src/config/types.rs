//! The configuration as plain data, with the defaults of a run that names nothing. Parsing, checking and help
//! texts are in the neighbouring files; nothing here touches a file or a device.

use super::MethodConfig;
use serde::{Deserialize, Serialize};

/// Everything that decides what a run computes. One table a field in the TOML file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Length, batch and numbers of the run.
    pub run: RunConfig,
    /// Which images it trains on.
    pub data: DataConfig,
    /// Which network it trains.
    pub model: ModelConfig,
    /// How clean, attacked and mixed images train it.
    pub method: MethodConfig,
    /// How gradients become updates.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// The training loss.
    pub loss: LossConfig,
    /// The moving average of the weights.
    pub ema: EmaConfig,
    /// Validation during the run.
    pub eval: EvalConfig,
}

/// The table `[run]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Names the run folder when `--out` does not.
    pub name: String,
    /// Every random number of the run follows from it.
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
    /// How training stores activations and their gradients.
    pub precision: Precision,
    /// Which batch norms are taken into the kernels beside them.
    pub fusion: FusionRule,
    /// Starting weights under timm's names; empty: a fresh initialisation from the seed.
    pub init: String,
    /// Optimizer steps between writes of `last.safetensors`; 0: at each epoch's end and on a stop.
    pub checkpoint_steps: u64,
    /// Folder of an MLflow file store that gets the run too; empty: none.
    pub mlflow: String,
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
            mlflow: String::new(),
        }
    }
}

/// The format of stored activations; sums, weights and statistics are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, the reference.
    F32,
    /// Half precision, with a loss scale.
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

/// The table `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Where the images come from.
    pub source: DataSource,
    /// Folder of the data set; not used by `shapes`.
    pub path: String,
    /// Side of the square input, pixels.
    pub image_size: usize,
    /// Share of the shorter side that the centre square of a whole image keeps; timm's `crop_pct`.
    pub crop_ratio: f64,
    /// The filter that resizes whole images.
    pub interpolation: Interpolation,
    /// Whether each epoch has an order of its own; else the files' sorted one.
    pub shuffle: bool,
    /// Random changes of the training images.
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
    /// Per RGB channel; see `mean`.
    pub std: [f32; 3],
    /// File of class names, one a line: only these classes are used; empty: all.
    pub classes_file: String,
    /// Training images used of each class, the first so many in file order; 0: all.
    pub class_limit: usize,
    /// Share of each class's images that a folder without a validation part holds out for validation, in (0,
    /// 1).
    pub val_share: f64,
    /// Decides which images those are.
    pub val_seed: u64,
    /// Training images used, the first so many in file order; 0: all.
    pub train_limit: usize,
    /// Draw classes evenly and images with replacement, instead of every image once an epoch.
    pub balanced: bool,
    /// The first class's training images over the last one's, at least 1; classes between are exponentially
    /// fewer.
    pub imbalance: f64,
    /// Share of the training images that have a wrong label, 0..1.
    pub label_noise: f64,
    /// Share of the training images that are corrupted, 0..1.
    pub corrupted_share: f64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: DataSource::Shapes,
            path: String::new(),
            image_size: 32,
            crop_ratio: 1.0,
            interpolation: Interpolation::Bilinear,
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
            val_share: 0.2,
            val_seed: 0,
            train_limit: 0,
            balanced: false,
            imbalance: 1.0,
            label_noise: 0.0,
            corrupted_share: 0.0,
        }
    }
}

/// The antialiased filters that resize whole images, as Pillow and torchvision have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The triangle filter.
    Bilinear,
    /// Keys' cubic with a = −1/2.
    Bicubic,
}

/// The data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// Drawn by the program.
    Shapes,
    /// CIFAR-10's binary files.
    Cifar10,
    /// CIFAR-100's binary files.
    Cifar100,
    /// Fashion-MNIST's IDX files.
    FashionMnist,
    /// A folder of images for each class.
    Folder,
    /// CSV lists of images with their labels.
    Csv,
    /// WebDataset's tar shards.
    Webdataset,
    /// Parquet files as the Hugging Face hub has them.
    Parquet,
}

impl DataSource {
    /// Whether the images lie in a folder that `data.path` must name. Only `shapes` is made by the program.
    pub fn needs_path(self) -> bool {
        self != Self::Shapes
    }

    /// The word in the configuration and on the command line.
    pub fn name(self) -> String {
        let word = serde_json::to_value(self).ok();
        word.and_then(|word| word.as_str().map(String::from)).unwrap_or_default()
    }
}

/// The random changes of a training image, in the order in which they are made.
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

/// The table `[model]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// The network, by timm's name.
    pub arch: String,
    /// 0: as many as the data has.
    pub classes: usize,
    /// Stride of the stem convolution: 2, or 1 for 32×32 images.
    pub stem_stride: usize,
    /// Multiplies the architecture's own width factor before the rounding rule.
    pub width: f64,
    /// Multiplies the architecture's own depth factor before the ceiling.
    pub depth: f64,
    /// Weight of a batch in the running statistics, PyTorch's convention; absent: the architecture's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bn_momentum: Option<f32>,
    /// Probability of dropping a pooled feature.
    pub dropout: f32,
    /// Largest probability of skipping a residual block, growing linearly with depth.
    pub drop_path: f32,
    /// Stages from the input that are not trained: 1 is the stem, and a network has one more for each stage
    /// of its blocks and for the layers between them and the classifier.
    pub freeze: usize,
    /// Whether the batch norms of frozen stages keep their running statistics and normalise by them, in
    /// attacks too.
    pub freeze_bn: bool,
    /// Whether all batch norms normalise by running statistics that stay as they are; gammas and betas are
    /// trained where [`Self::freeze`] lets them.
    pub bn_eval: bool,
    /// The learning rate of each stage is this times that of the stage behind it; the classifier has the
    /// whole.
    pub lr_decay: f64,
    /// Whether activations are computed again instead of stored.
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
            bn_momentum: None,
            dropout: 0.2,
            drop_path: 0.2,
            freeze: 0,
            freeze_bn: true,
            bn_eval: false,
            lr_decay: 1.0,
            checkpointing: Checkpointing::Auto,
        }
    }
}

impl ModelConfig {
    /// Stages from the input whose batch norms keep their running statistics, and normalise by them in every
    /// pass; `usize::MAX`: all.
    pub fn fixed_statistics(&self) -> usize {
        match (self.bn_eval, self.freeze_bn) {
            (true, _) => usize::MAX,
            (false, true) => self.freeze,
            (false, false) => 0,
        }
    }
}

/// When activations are computed again instead of stored; the numbers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpointing {
    /// Where memory is short.
    Auto,
    /// Never.
    Off,
    /// Always.
    On,
}

/// The table `[optimizer]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule.
    pub kind: OptimizerKind,
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Momentum; AdamW's beta1.
    pub momentum: f64,
    /// RMSProp's decay of the mean square; AdamW's beta2.
    pub decay: f64,
    /// Keeps the division finite: inside RMSProp's root, outside AdamW's.
    pub eps: f64,
    /// L2 term of SGD and RMSProp, decoupled decay of AdamW.
    pub weight_decay: f64,
    /// Whether weight decay acts on biases too.
    pub decay_bias: bool,
    /// Whether weight decay acts on BN's gamma and beta too.
    pub decay_bn: bool,
    /// Nesterov's form of SGD's momentum.
    pub nesterov: bool,
    /// Largest L2 norm of the whole gradient; 0: no clipping.
    pub clip_norm: f64,
}

impl OptimizerConfig {
    /// What an optimizer of `kind` does where the configuration says no more.
    pub fn of_kind(kind: OptimizerKind) -> Self {
        let rmsprop = Self {
            kind,
            lr: 0.016,
            momentum: 0.9,
            decay: 0.9,
            eps: 0.001,
            weight_decay: 1e-5,
            decay_bias: false,
            decay_bn: false,
            nesterov: false,
            clip_norm: 0.0,
        };
        match kind {
            OptimizerKind::Rmsprop => rmsprop,
            OptimizerKind::Sgd => Self { weight_decay: 5e-4, ..rmsprop },
            OptimizerKind::Adamw => Self { decay: 0.999, eps: 1e-8, weight_decay: 0.05, ..rmsprop },
        }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::of_kind(OptimizerKind::Rmsprop)
    }
}

/// The update rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// SGD with momentum, as PyTorch computes it.
    Sgd,
    /// RMSProp in TensorFlow's form: eps inside the root, lr inside the momentum.
    Rmsprop,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// The table `[schedule]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// How the learning rate falls after the warm-up.
    pub kind: ScheduleKind,
    /// Epochs of linear rise from 0.
    pub warmup_epochs: f64,
    /// Factor of one decay; 0.97, or 0.1 for `step`.
    pub decay_rate: f64,
    /// Epochs between two decays of `exponential`.
    pub decay_epochs: f64,
    /// Epochs at which `step` decays.
    pub milestones: Vec<f64>,
}

impl ScheduleConfig {
    /// What a schedule of `kind` does where the configuration says no more.
    pub fn of_kind(kind: ScheduleKind) -> Self {
        Self {
            kind,
            warmup_epochs: 5.0,
            decay_rate: if kind == ScheduleKind::Step { 0.1 } else { 0.97 },
            decay_epochs: 2.4,
            milestones: vec![90.0, 180.0, 220.0],
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::of_kind(ScheduleKind::Exponential)
    }
}

/// The shapes of the learning rate over time, counted from step 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// A staircase: a factor every some epochs.
    Exponential,
    /// A factor at each milestone.
    Step,
    /// Half a cosine from the base rate to 0.
    Cosine,
    /// The base rate throughout.
    Constant,
}

/// The table `[loss]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Share of the target that all classes divide, 0..1.
    pub label_smoothing: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { label_smoothing: 0.1 }
    }
}

/// The table `[ema]`: the moving average of weights and running statistics.
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

/// The table `[eval]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Epochs between validations, with fraction; 0: only at the end.
    pub every_epochs: f64,
    /// Attack SPEC used for the attacked accuracies; empty: none.
    pub attack: String,
    /// Validation images used, evenly spread over the set; 0: all.
    pub limit: usize,
    /// What `best.safetensors` is best at, on `val` through the main domain.
    pub best: BestBy,
    /// Validations without a better value after which the run ends; 0: it runs to its end.
    pub patience: u64,
    /// Room for the pictures of earlier validations in the run folder, MiB; 0: none are kept.
    pub moments_mb: u64,
    /// Training batches over which every domain's statistics are estimated anew before a validation; 0: the
    /// running ones stay.
    pub precise_bn: u64,
}

/// What `best.safetensors` is best at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Clean top-1.
    Top1,
    /// Top-1 under `eval.attack`.
    AttackedTop1,
    /// Lowest clean loss.
    Loss,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            every_epochs: 1.0,
            attack: "pgd:eps=4,step=1,iters=5".into(),
            limit: 0,
            best: BestBy::Top1,
            patience: 0,
            moments_mb: 64,
            precise_bn: 0,
        }
    }
}
