//! Ready-made configurations, embedded; each file says where its numbers come from.

/// A preset: a name for lists, and the text of its file.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub text: &'static str,
}

/// The files of these names in `assets/presets`.
macro_rules! presets {
    ($($name:literal,)*) => {
        &[$(Preset { name: $name, text: include_str!(concat!("../../assets/presets/", $name, ".toml")) },)*]
    };
}

/// All presets; the first is what a newcomer should start with, those up to the first recipe of a paper finish in
/// minutes without a GPU.
pub const PRESETS: &[Preset] = presets![
    "shapes-advprop",
    "shapes-mixprop",
    "shapes-vanilla",
    "shapes-mixup",
    "shapes-adversarial",
    "shapes-mixprop-preact18",
    "shapes-finetune",
    "shapes-fast-advprop",
    "shapes-advprop-resnet50",
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
];
