//! Ready-made configurations, embedded; each file says where its numbers come from.

/// A preset: a name for lists, and the text of its file.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name of the file, without `.toml`.
    pub name: &'static str,
    /// The file's text, TOML.
    pub text: &'static str,
}

/// The files of these names in `assets/presets`.
macro_rules! presets {
    ($($name:literal,)*) => {
        &[$(Preset { name: $name, text: include_str!(concat!("../../assets/presets/", $name, ".toml")) },)*]
    };
}

/// All presets; the first is what a newcomer should start with, those up to the first recipe of a paper
/// finish in minutes without a GPU.
pub const PRESETS: &[Preset] = presets![
    "shapes-advprop",
    "shapes-mixprop",
    "shapes-vanilla",
    "shapes-mixup",
    "shapes-adversarial",
    "shapes-mixprop-preact18",
    "shapes-finetune",
    "shapes-fine-grained",
    "shapes-fast-advprop",
    "shapes-advprop-resnet50",
    "shapes-advprop-lite0",
    "shapes-advprop-mobilenetv3",
    "flowers-advprop-b0",
    "vanilla-preact18-cifar100",
    "mixup-preact18-cifar100",
    "mixprop-preact18-cifar100",
    "advprop-preact18-cifar100",
    "vanilla-preact50-cifar100",
    "mixup-preact50-cifar100",
    "mixprop-preact50-cifar100",
    "advprop-preact50-cifar100",
    "advprop-b0-cifar100",
    "advprop-b0-imagenet",
    "advprop-b1-imagenet",
    "advprop-b2-imagenet",
    "advprop-b3-imagenet",
    "advprop-b4-imagenet",
    "advprop-b5-imagenet",
    "advprop-b6-imagenet",
    "advprop-b7-imagenet",
    "advprop-b8-imagenet",
    "advprop-lite0-imagenet",
    "advprop-mobilenetv3-large-imagenet",
    "advprop-mobilenetv3-small-imagenet",
    "fine-grained-b0-imagenet",
    "finetune-b3-imagenet",
    "advprop-resnet50-imagenet",
    "advprop-resnet101-imagenet",
    "advprop-resnet152-imagenet",
    "advprop-resnet200-imagenet",
    "fast-advprop-resnet50-imagenet",
    "vanilla-resnet18-imagenet100",
    "mixup-resnet18-imagenet100",
    "mixprop-resnet18-imagenet100",
    "advprop-resnet18-imagenet100",
    "vanilla-resnet50-imagenet100",
    "mixup-resnet50-imagenet100",
    "mixprop-resnet50-imagenet100",
    "advprop-resnet50-imagenet100",
];
