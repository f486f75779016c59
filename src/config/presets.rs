//! Ready-made configurations, embedded; each file says where its numbers come from.

/// A preset: a name for lists, and the text of its file.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub text: &'static str,
}

/// All presets; the first is what a newcomer should start with.
pub const PRESETS: &[Preset] = &[
    Preset { name: "shapes-advprop", text: include_str!("../../assets/presets/shapes-advprop.toml") },
    Preset { name: "shapes-mixprop", text: include_str!("../../assets/presets/shapes-mixprop.toml") },
    Preset { name: "shapes-vanilla", text: include_str!("../../assets/presets/shapes-vanilla.toml") },
    Preset {
        name: "cifar100-mixprop-preact18",
        text: include_str!("../../assets/presets/cifar100-mixprop-preact18.toml"),
    },
    Preset {
        name: "cifar100-advprop-b0",
        text: include_str!("../../assets/presets/cifar100-advprop-b0.toml"),
    },
    Preset { name: "flowers-advprop-b0", text: include_str!("../../assets/presets/flowers-advprop-b0.toml") },
];
