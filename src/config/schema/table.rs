//! The table itself: one entry a key, in the order of the file. One table stays one file, however many keys
//! it has.

use super::{Field, Kind, Range};
use crate::config::{BranchSource, CorruptionWord, Domain, MethodKind};

const ARCHITECTURES: &[&str] = &[
    "tf_efficientnet_b0",
    "tf_efficientnet_b1",
    "tf_efficientnet_b2",
    "tf_efficientnet_b3",
    "tf_efficientnet_b4",
    "tf_efficientnet_b5",
    "tf_efficientnet_b6",
    "tf_efficientnet_b7",
    "tf_efficientnet_b8",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "tf_efficientnet_lite0",
    "tf_efficientnet_lite1",
    "tf_efficientnet_lite2",
    "tf_efficientnet_lite3",
    "tf_efficientnet_lite4",
    "mobilenetv3_large_100",
    "mobilenetv3_small_100",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet200",
    "preact_resnet18",
    "preact_resnet50",
];

const AUGMENTATIONS: &[&str] =
    &["crop", "flip", "inception", "color", "autoaugment", "randaugment", "cutout"];

/// From `min` to `max`, both included.
const fn closed(min: f64, max: f64) -> Range {
    Range { min, max, open_min: false, open_max: false }
}

/// Above 0, up to `max`.
const fn above_zero(max: f64) -> Range {
    Range { min: 0.0, max, open_min: true, open_max: false }
}

/// From 0, below 1.
const BELOW_ONE: Range = Range { min: 0.0, max: 1.0, open_min: false, open_max: true };

/// Above 0, below 1.
const OPEN_SHARE: Range = Range { min: 0.0, max: 1.0, open_min: true, open_max: true };

const fn whole(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

/// A key behind "advanced".
const fn key(
    path: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    source: &'static str,
) -> Field {
    Field { path, kind, unit, help, source, basic: false, optional: false }
}

impl Field {
    const fn basic(mut self) -> Self {
        self.basic = true;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

pub(super) const FIELDS: &[Field] = &[
    key("run.name", Kind::Text, "", "Names the run folder where --out does not.", "ours").basic(),
    key("run.seed", whole(0, i64::MAX), "", "Every random number of the run follows from it.", "ours")
        .basic(),
    key(
        "run.epochs",
        Kind::Number(above_zero(1e6)),
        "epochs",
        "Passes over the training set; fractions are allowed, and run.steps takes its place.",
        "ours",
    )
    .basic(),
    key(
        "run.steps",
        whole(1, 1_000_000_000),
        "steps",
        "Optimizer steps in all, instead of run.epochs.",
        "ours",
    )
    .optional(),
    key(
        "run.batch_size",
        whole(1, 65_536),
        "images",
        "Clean images per optimizer step, all micro-batches together.",
        "MixProp 4.1 uses 128",
    )
    .basic(),
    key(
        "run.accumulate",
        whole(1, 65_536),
        "micro-batches",
        "Micro-batches per optimizer step, each with its own BN statistics; batch_size must divide by it.",
        "for small memories",
    ),
    key(
        "run.precision",
        Kind::Choice(&["f32", "f16"]),
        "",
        "How training stores activations and their gradients; sums, weights and statistics are always f32. f16 takes half the memory and needs an adapter with shader_f16.",
        "f32 is the reference",
    ),
    key(
        "run.fusion",
        Kind::Choice(&["off", "auto", "all"]),
        "",
        "Batch norms taken into the kernels beside them, which saves memory and passes over it: auto where the estimate says it is quicker, all wherever it can be; off leaves each its own passes. The same numbers up to rounding.",
        "ours",
    ),
    key(
        "run.init",
        Kind::Path,
        "",
        "Starting weights, a safetensors file under timm's names; empty: fresh weights from the seed.",
        "ours",
    ),
    key(
        "run.checkpoint_steps",
        whole(0, 1_000_000_000),
        "steps",
        "Optimizer steps between writes of last.safetensors; 0: at each epoch's end and on a stop.",
        "ours",
    ),
    key(
        "data.source",
        Kind::Choice(&["shapes", "cifar10", "cifar100", "fashion_mnist", "folder"]),
        "",
        "Where the images come from; shapes is made by the program.",
        "ours",
    )
    .basic(),
    key("data.path", Kind::Path, "", "Folder of the data set; not used by shapes.", "ours").basic(),
    key(
        "data.image_size",
        whole(8, 1024),
        "pixels",
        "Side of the square input.",
        "EfficientNet table 1: 224 for B0; CIFAR: 32",
    )
    .basic(),
    key(
        "data.crop_ratio",
        Kind::Number(closed(0.1, 1.0)),
        "share",
        "Share of the shorter side that the centre square of a whole image keeps: its shorter side is resized to image_size / crop_ratio. Timm calls it crop_pct. Shapes are drawn at image_size.",
        "timm: 0.875 for most networks at 224 pixels",
    ),
    key(
        "data.interpolation",
        Kind::Choice(&["bilinear", "bicubic"]),
        "",
        "Filter that resizes whole images, antialiased; views that inception cuts out are always bicubic.",
        "torchvision: bilinear; timm: bicubic for most networks",
    ),
    key("data.shuffle", Kind::Flag, "", "false: files in sorted path order, every epoch.", "ours"),
    key(
        "data.augment",
        Kind::ChoiceList(AUGMENTATIONS),
        "",
        "Random changes of the training images: crop (pad and crop) or inception, then flip, color, autoaugment or randaugment, cutout.",
        "MixProp 4.1: crop and flip",
    )
    .basic(),
    key(
        "data.policy",
        Kind::Choice(&["imagenet_v0", "imagenet", "cifar"]),
        "",
        "Table of autoaugment: imagenet_v0 is EfficientNet's code, made for 224 pixels and more; imagenet and cifar are the paper's.",
        "AutoAugment tables 7 and 9; EfficientNet's code: v0",
    ),
    key(
        "data.randaugment_n",
        whole(1, 16),
        "operations",
        "Operations that randaugment applies to an image, one after another.",
        "EfficientNet's code: 2",
    ),
    key(
        "data.randaugment_m",
        whole(0, 30),
        "level",
        "Strength of randaugment's operations; the scale ends at 10, higher levels reach further.",
        "EfficientNet's code: 10; RandAugment: 17 for B5, 28 for B7",
    ),
    key(
        "data.cutout_size",
        whole(1, 1024),
        "pixels",
        "Side of the square that cutout hides, in the colour of data.mean.",
        "DeVries and Taylor 2017: 16 on CIFAR-10, 8 on CIFAR-100",
    ),
    key(
        "data.mean",
        Kind::NumberList { length: Some(3), each: closed(0.0, 1.0) },
        "of 1",
        "Mean of each RGB channel; input = (pixel/255 - mean) / std.",
        "AdvProp's checkpoints: 0.5",
    ),
    key(
        "data.std",
        Kind::NumberList { length: Some(3), each: above_zero(10.0) },
        "of 1",
        "Spread of each RGB channel; input = (pixel/255 - mean) / std.",
        "AdvProp's checkpoints: 0.5",
    ),
    key(
        "data.classes_file",
        Kind::Path,
        "",
        "Text file of class names, one a line: only these are used, numbered in sorted order; imagenet100: the \
         built-in list of 100 ImageNet classes; empty: all.",
        "MixProp 4.1: 100 of ImageNet's classes",
    ),
    key(
        "data.class_limit",
        whole(0, 1_000_000_000),
        "images",
        "Training images used of each class, the first so many; 0: all.",
        "ours",
    ),
    key(
        "data.train_limit",
        whole(0, 1_000_000_000),
        "images",
        "Training images used, the first so many after class_limit; 0: all.",
        "ours",
    ),
    key(
        "data.balanced",
        Kind::Flag,
        "",
        "Draws a class evenly for each training image, then one of its images, with replacement; for imbalanced sets.",
        "common practice for imbalanced sets",
    ),
    key(
        "data.imbalance",
        Kind::Number(closed(1.0, 1e6)),
        "times",
        "Leaves the last class so many times fewer training images than the first, and classes between exponentially \
         fewer, to study imbalanced sets; 1: all.",
        "Cui et al. 2019, 5.1: 10 to 200",
    ),
    key(
        "data.label_noise",
        Kind::Number(closed(0.0, 1.0)),
        "share",
        "Share of the training images that get another class's label, the same ones for every seed, to study wrong \
         labels.",
        "Zhang et al. 2018 (Mixup), 3.4: 0.2, 0.5, 0.8",
    ),
    key(
        "data.corrupted_share",
        Kind::Number(closed(0.0, 1.0)),
        "share",
        "Share of the training images that are corrupted once and for all, each by one of ImageNet-C's 15 main \
         corruptions at one of their severities, to study poor images.",
        "ours",
    ),
    key("model.arch", Kind::Choice(ARCHITECTURES), "", "The network, by timm's name.", "ours").basic(),
    key(
        "model.classes",
        whole(0, 1_000_000),
        "classes",
        "Outputs of the network; 0: as many as the data has.",
        "ours",
    ),
    key(
        "model.stem_stride",
        whole(1, 2),
        "",
        "Stride of the first convolution; 1 suits 32-pixel images, and preact_resnet always has 1.",
        "common CIFAR practice",
    )
    .basic(),
    key(
        "model.width",
        Kind::Number(above_zero(16.0)),
        "",
        "Multiplies the network's own width factor, for small nets.",
        "ours",
    )
    .basic(),
    key(
        "model.depth",
        Kind::Number(above_zero(16.0)),
        "",
        "Multiplies the network's own depth factor, for small nets.",
        "ours",
    )
    .basic(),
    key(
        "model.bn_momentum",
        Kind::Number(above_zero(1.0)),
        "",
        "Weight of a batch in batch norm's running statistics, PyTorch's convention; absent: the network's own.",
        "EfficientNets and MobileNets: 0.01, ResNets: 0.1",
    )
    .optional(),
    key(
        "model.dropout",
        Kind::Number(BELOW_ONE),
        "probability",
        "Dropout on the pooled features.",
        "EfficientNet: 0.2 for B0 and B1 to 0.5 from B6 on",
    ),
    key(
        "model.drop_path",
        Kind::Number(BELOW_ONE),
        "probability",
        "Largest probability of skipping a residual block, growing linearly with depth.",
        "EfficientNet: 0.2",
    ),
    key(
        "model.checkpointing",
        Kind::Choice(&["auto", "off", "on"]),
        "",
        "Recompute activations instead of storing them, to save memory.",
        "ours",
    ),
    key(
        "method.kind",
        Kind::Choice(&MethodKind::NAMES),
        "",
        "How clean, attacked and mixed images train the network.",
        "AdvProp 4, MixProp 3",
    )
    .basic(),
    key(
        "method.aux_weight",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Weight of each auxiliary branch's loss; the main branch has weight 1.",
        "AdvProp 4: 1",
    ),
    key(
        "method.adversarial_epochs",
        Kind::Number(closed(0.0, 1e6)),
        "epochs",
        "adversarial_finetune: epochs on adversarial images alone, before clean ones alone; absent: half of the run.",
        "AdvProp 3: 175 of 350",
    )
    .optional(),
    key(
        "method.adversarial_share",
        Kind::Number(OPEN_SHARE),
        "share",
        "fast_advprop: share of a batch that is attacked; the other images train clean.",
        "Fast AdvProp: 0.2",
    ),
    key(
        "method.branch",
        Kind::Branches,
        "",
        "The user's own method, as [[method.branch]] tables of source, domain, weight and share; takes the place of \
         method.kind.",
        "ours",
    )
    .optional(),
    key(
        "method.attack.kind",
        Kind::Choice(&["pgd", "ifgsm", "gd", "fgsm", "mifgsm"]),
        "",
        "The attacker; gd has no epsilon limit, ifgsm, fgsm and mifgsm no random start; mifgsm has momentum.",
        "AdvProp 5.4; mifgsm: Dong et al. 2018",
    )
    .basic(),
    key(
        "method.attack.epsilon",
        Kind::Number(closed(0.0, 255.0)),
        "1/255",
        "Largest change of a pixel value.",
        "AdvProp 5.1: 1 to 4",
    )
    .basic(),
    key(
        "method.attack.step",
        Kind::Number(closed(0.0, 255.0)),
        "1/255",
        "Change of a pixel value in one iteration.",
        "AdvProp 5.1: 1",
    ),
    key(
        "method.attack.iterations",
        whole(1, 1000),
        "iterations",
        "Steps of the attack; absent: floor(epsilon) + 1, and 1 where epsilon is at most 1.",
        "AdvProp 5.1",
    )
    .basic()
    .optional(),
    key(
        "method.attack.random_start",
        Kind::Flag,
        "",
        "pgd and gd start at a random point of the epsilon ball, drawn per image.",
        "AdvProp 5.4",
    ),
    key(
        "method.attack.start_probability",
        Kind::Number(closed(0.0, 1.0)),
        "probability",
        "Chance of an image to start at a random point; the others start at the clean image.",
        "the authors' earlier code: 0.8",
    ),
    key(
        "method.attack.target",
        Kind::Choice(&["none", "random_wrong"]),
        "",
        "none: away from the true class; random_wrong: towards a random other class.",
        "AdvProp 3 reads as none",
    ),
    key(
        "method.attack.bn_stats",
        Kind::Choice(&["batch", "running"]),
        "",
        "Statistics that the attacked domain normalises with during the attack; never updated there.",
        "Fast AdvProp: batch",
    ),
    key(
        "method.attack.loss",
        Kind::Choice(&["training", "cross_entropy"]),
        "",
        "Loss that the attack raises; training includes label smoothing.",
        "ours",
    ),
    key(
        "method.attack.through",
        Kind::Choice(&Domain::NAMES),
        "",
        "BN domain of the attacked network; absent: the one that trains on the images.",
        "AdvProp 4, algorithm 1: the auxiliary one",
    )
    .optional(),
    key(
        "method.attack.decay",
        Kind::Number(closed(0.0, 1.0)),
        "",
        "mifgsm: share of the accumulated gradient that an iteration keeps; 0 is ifgsm.",
        "MI-FGSM (Dong et al. 2018) 4.2: 1",
    ),
    key(
        "method.mixup.alpha",
        Kind::Number(above_zero(1000.0)),
        "",
        "Both parameters of the Beta distribution of lambda.",
        "MixProp 4.1: 1",
    )
    .basic(),
    key(
        "method.mixup.lambda",
        Kind::Number(closed(0.0, 1.0)),
        "",
        "Fixes lambda; absent: drawn once per batch.",
        "for tests",
    )
    .optional(),
    key(
        "method.mixup.pairing",
        Kind::Choice(&["random", "reverse"]),
        "",
        "reverse mixes image i with image n-1-i.",
        "MixProp: random",
    ),
    key(
        "method.corrupted.corruptions",
        Kind::ChoiceList(&CorruptionWord::NAMES),
        "",
        "Corrupted branches: the corruptions of ImageNet-C that one is drawn from for every image; all: the 19.",
        "Hendrycks and Dietterich 2019",
    ),
    key(
        "method.corrupted.severity",
        Kind::IntegerList { min: 1, max: 5 },
        "",
        "Corrupted branches: the severities that one is drawn from for every image, as strong as in CIFAR-C up to \
         64 pixels a side, else as in ImageNet-C.",
        "Hendrycks and Dietterich 2019: 1 to 5",
    ),
    key(
        "optimizer.kind",
        Kind::Choice(&["rmsprop", "sgd", "adamw"]),
        "",
        "rmsprop is TensorFlow's form: epsilon inside the root, lr inside the momentum.",
        "EfficientNet: rmsprop; MixProp: sgd",
    )
    .basic(),
    key(
        "optimizer.lr",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Learning rate after the warm-up.",
        "EfficientNet: 0.016 per 256 images; MixProp 4.1: 0.1",
    )
    .basic(),
    key("optimizer.momentum", Kind::Number(BELOW_ONE), "", "Momentum; beta1 of adamw.", "AdvProp 5.1: 0.9"),
    key(
        "optimizer.decay",
        Kind::Number(BELOW_ONE),
        "",
        "Decay of rmsprop's mean square (default 0.9); beta2 of adamw (default 0.999).",
        "AdvProp 5.1: 0.9",
    ),
    key(
        "optimizer.eps",
        Kind::Number(above_zero(1.0)),
        "",
        "Added below the root for rmsprop (default 0.001), outside it for adamw (default 1e-8).",
        "EfficientNet's code: 0.001",
    ),
    key(
        "optimizer.weight_decay",
        Kind::Number(closed(0.0, 10.0)),
        "",
        "L2 term for sgd (default 5e-4) and rmsprop (default 1e-5), decoupled for adamw (default 0.05).",
        "AdvProp 5.1, MixProp 4.1",
    )
    .basic(),
    key(
        "optimizer.decay_bias",
        Kind::Flag,
        "",
        "Weight decay acts on biases too.",
        "EfficientNet's code: true",
    ),
    key(
        "optimizer.decay_bn",
        Kind::Flag,
        "",
        "Weight decay acts on BN's gamma and beta too.",
        "plain SGD recipes: true",
    ),
    key("optimizer.nesterov", Kind::Flag, "", "Nesterov's form of sgd's momentum.", "ours"),
    key(
        "optimizer.clip_norm",
        Kind::Number(closed(0.0, 1e9)),
        "",
        "Largest L2 norm of the whole gradient; 0: no clipping.",
        "ours",
    ),
    key(
        "schedule.kind",
        Kind::Choice(&["exponential", "step", "cosine", "constant"]),
        "",
        "How the learning rate falls after the warm-up.",
        "AdvProp 5.1: exponential; MixProp 4.1: step",
    )
    .basic(),
    key(
        "schedule.warmup_epochs",
        Kind::Number(closed(0.0, 1e6)),
        "epochs",
        "Linear rise of the learning rate from 0.",
        "EfficientNet's code: 5",
    )
    .basic(),
    key(
        "schedule.decay_rate",
        Kind::Number(above_zero(1.0)),
        "",
        "Factor of one decay; 0.1 by default for step.",
        "AdvProp 5.1: 0.97; MixProp 4.1: 0.1",
    ),
    key(
        "schedule.decay_epochs",
        Kind::Number(above_zero(1e6)),
        "epochs",
        "Epochs between two decays of exponential.",
        "AdvProp 5.1: 2.4",
    ),
    key(
        "schedule.milestones",
        Kind::NumberList { length: None, each: closed(0.0, 1e6) },
        "epochs",
        "Epochs at which step decays, rising.",
        "MixProp 4.1: 90, 180, 220 on ImageNet-100",
    ),
    key(
        "loss.label_smoothing",
        Kind::Number(BELOW_ONE),
        "",
        "Share of the target that all classes divide.",
        "EfficientNet: 0.1",
    )
    .basic(),
    key(
        "ema.decay",
        Kind::Number(BELOW_ONE),
        "",
        "Moving average of weights and running statistics, used for validation; 0: off.",
        "EfficientNet's code: 0.9999",
    )
    .basic(),
    key(
        "ema.warmup",
        Kind::Flag,
        "",
        "Decay at step t is min(decay, (1+t)/(10+t)).",
        "EfficientNet's code: true",
    ),
    key(
        "eval.every_epochs",
        whole(0, 1_000_000),
        "epochs",
        "Epochs between two validations; 0: only at the end.",
        "ours",
    )
    .basic(),
    key(
        "eval.attack",
        Kind::AttackSpec,
        "",
        "Attack of the validation's attacked accuracies; empty: none.",
        "AdvProp 5.4: PGD5, epsilon 4",
    )
    .basic(),
    key(
        "eval.limit",
        whole(0, 1_000_000_000),
        "images",
        "Validation images used, evenly spread over the set; 0: all.",
        "ours",
    ),
    key(
        "eval.best",
        Kind::Choice(&["top1", "attacked_top1", "loss"]),
        "",
        "What best.safetensors is best at, on val through the main domain.",
        "ours",
    ),
    key(
        "eval.patience",
        whole(0, 1_000_000),
        "validations",
        "Validations in a row without a better value that end the run; 0: none do.",
        "ours",
    ),
    key(
        "eval.precise_bn",
        whole(0, 100_000),
        "batches",
        "Last training batches over which every domain's statistics are estimated anew, through the weights that \
         are validated and saved as best; 0: the running averages stay.",
        "precise BN, Wu and Johnson 2021, section 3",
    ),
];

/// The keys of one `[[method.branch]]` table.
pub(super) const BRANCH_FIELDS: &[Field] = &[
    key(
        "method.branch.source",
        Kind::Choice(&BranchSource::NAMES),
        "",
        "Where the branch's images come from.",
        "ours",
    ),
    key("method.branch.domain", Kind::Choice(&Domain::NAMES), "", "BN domain that they go through.", "ours"),
    key(
        "method.branch.weight",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Weight of the mean loss over the branch's images.",
        "ours",
    ),
    key(
        "method.branch.share",
        Kind::Number(above_zero(1.0)),
        "share",
        "Share of the batch; branches with less than 1 take parts of it one behind the other.",
        "ours",
    ),
];
