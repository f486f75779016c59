//! The network: `[model]`.

use super::{BELOW_ONE, above_zero, key, whole};
use crate::config::schema::{Field, Kind};

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

pub(super) const FIELDS: &[Field] = &[
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
        "EfficientNets of TensorFlow (tf_): 0.01, all others: 0.1",
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
        "model.freeze",
        whole(0, 15),
        "stages",
        "Stages from the input that are not trained: 1 is the stem, all but the classifier are 5 for ResNets, 9 for EfficientNets.",
        "common practice of fine-tuning on few images",
    ),
    key(
        "model.freeze_bn",
        Kind::Flag,
        "",
        "Batch norms of frozen stages keep their running statistics and normalise by them.",
        "common practice of fine-tuning",
    ),
    key(
        "model.bn_eval",
        Kind::Flag,
        "",
        "All batch norms normalise by their running statistics in training, which stay as they are; their gammas and betas are trained.",
        "MMDetection's norm_eval, for batches that are too few or too small to measure by",
    ),
    key(
        "model.lr_decay",
        Kind::Number(above_zero(1.0)),
        "",
        "Learning rate of each stage over that of the stage behind it; the classifier has the whole rate.",
        "ULMFiT's discriminative fine-tuning, BEiT: 0.65 to 0.9",
    ),
    key(
        "model.checkpointing",
        Kind::Choice(&["auto", "off", "on"]),
        "",
        "Recompute activations instead of storing them, to save memory.",
        "ours",
    ),
];
