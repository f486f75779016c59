//! Ready-made configurations, embedded; each file says where its numbers come from.

use super::schema;

/// A preset: names for lists, and the text of its file.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name of the file, without `.toml`.
    pub name: &'static str,
    /// Method and network, in the words of people.
    pub title: &'static str,
    /// What it is for.
    pub group: Group,
    /// The file's text, TOML.
    pub text: &'static str,
}

/// What a preset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Minutes without a GPU, on images that the program draws.
    TryIt,
    /// A folder of the user's own photos.
    Photos,
    /// The recipes of the papers on CIFAR-100.
    Cifar,
    /// The recipes of the papers on 100 classes of ImageNet.
    Imagenet100,
    /// The recipes of the papers on ImageNet.
    Imagenet,
}

impl Group {
    /// All groups in the order of lists.
    pub const ALL: [Self; 5] = [Self::TryIt, Self::Photos, Self::Cifar, Self::Imagenet100, Self::Imagenet];

    /// The heading in lists.
    pub fn title(self) -> &'static str {
        match self {
            Self::TryIt => "Try it: built-in shapes, without a GPU",
            Self::Photos => "Your photos: a folder of images",
            Self::Cifar => "Papers: CIFAR-100",
            Self::Imagenet100 => "Papers: 100 classes of ImageNet",
            Self::Imagenet => "Papers: ImageNet",
        }
    }
}

impl Preset {
    /// What it trains, as the head of its file says: its first sentence.
    pub fn about(&self) -> String {
        let head = self.text.lines().map_while(|line| line.strip_prefix('#'));
        let head = head.map(str::trim).collect::<Vec<_>>().join(" ");
        let end =
            [". ", "? "].iter().filter_map(|end| head.find(end)).min().map_or(head.len(), |end| end + 1);
        head[..end].to_owned()
    }
}

/// The files of these names in `assets/presets`, by group.
macro_rules! presets {
    ($($group:ident { $($name:literal $title:literal,)* })*) => {
        &[$($(Preset {
            name: $name,
            title: $title,
            group: Group::$group,
            text: include_str!(concat!("../../assets/presets/", $name, ".toml")),
        },)*)*]
    };
}

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The preset whose name is nearest.
pub fn nearest(name: &str) -> &'static str {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    schema::nearest_choice(name, &names)
}

/// All presets; the first is what a newcomer should start with, those up to the first recipe of a paper
/// finish in minutes without a GPU.
pub const PRESETS: &[Preset] = presets![
    TryIt {
        "shapes-advprop" "AdvProp",
        "shapes-mixprop" "MixProp",
        "shapes-vanilla" "Plain training",
        "shapes-mixup" "Mixup",
        "shapes-adversarial" "Adversarial training",
        "shapes-mixprop-preact18" "MixProp, PreAct ResNet-18",
        "shapes-finetune" "Adversarial, then clean",
        "shapes-fine-grained" "Fine-grained AdvProp",
        "shapes-fast-advprop" "Fast AdvProp",
        "shapes-advprop-resnet50" "AdvProp, ResNet-50",
        "shapes-advprop-lite0" "AdvProp, EfficientNet-Lite0",
        "shapes-advprop-mobilenetv3" "AdvProp, MobileNetV3 small",
    }
    Photos {
        "pretrained-advprop-lite0" "AdvProp from ImageNet weights, EfficientNet-Lite0",
        "pretrained-mixprop-lite0" "MixProp from ImageNet weights, EfficientNet-Lite0",
        "pretrained-vanilla-lite0" "Plain training from ImageNet weights, EfficientNet-Lite0",
        "flowers-advprop-b0" "AdvProp from scratch, EfficientNet-B0",
    }
    Cifar {
        "vanilla-preact18-cifar100" "Plain training, PreAct ResNet-18",
        "mixup-preact18-cifar100" "Mixup, PreAct ResNet-18",
        "mixprop-preact18-cifar100" "MixProp, PreAct ResNet-18",
        "advprop-preact18-cifar100" "AdvProp, PreAct ResNet-18",
        "vanilla-preact50-cifar100" "Plain training, PreAct ResNet-50",
        "mixup-preact50-cifar100" "Mixup, PreAct ResNet-50",
        "mixprop-preact50-cifar100" "MixProp, PreAct ResNet-50",
        "advprop-preact50-cifar100" "AdvProp, PreAct ResNet-50",
        "advprop-b0-cifar100" "AdvProp, EfficientNet-B0",
    }
    Imagenet {
        "advprop-b0-imagenet" "AdvProp, EfficientNet-B0",
        "advprop-b1-imagenet" "AdvProp, EfficientNet-B1",
        "advprop-b2-imagenet" "AdvProp, EfficientNet-B2",
        "advprop-b3-imagenet" "AdvProp, EfficientNet-B3",
        "advprop-b4-imagenet" "AdvProp, EfficientNet-B4",
        "advprop-b5-imagenet" "AdvProp, EfficientNet-B5",
        "advprop-b6-imagenet" "AdvProp, EfficientNet-B6",
        "advprop-b7-imagenet" "AdvProp, EfficientNet-B7",
        "advprop-b8-imagenet" "AdvProp, EfficientNet-B8",
        "advprop-lite0-imagenet" "AdvProp, EfficientNet-Lite0",
        "advprop-mobilenetv3-large-imagenet" "AdvProp, MobileNetV3 large",
        "advprop-mobilenetv3-small-imagenet" "AdvProp, MobileNetV3 small",
        "fine-grained-b0-imagenet" "Fine-grained AdvProp, EfficientNet-B0",
        "finetune-b3-imagenet" "Adversarial, then clean, EfficientNet-B3",
        "advprop-resnet50-imagenet" "AdvProp, ResNet-50",
        "advprop-resnet101-imagenet" "AdvProp, ResNet-101",
        "advprop-resnet152-imagenet" "AdvProp, ResNet-152",
        "advprop-resnet200-imagenet" "AdvProp, ResNet-200",
        "fast-advprop-resnet50-imagenet" "Fast AdvProp, ResNet-50",
    }
    Imagenet100 {
        "vanilla-resnet18-imagenet100" "Plain training, ResNet-18",
        "mixup-resnet18-imagenet100" "Mixup, ResNet-18",
        "mixprop-resnet18-imagenet100" "MixProp, ResNet-18",
        "advprop-resnet18-imagenet100" "AdvProp, ResNet-18",
        "vanilla-resnet50-imagenet100" "Plain training, ResNet-50",
        "mixup-resnet50-imagenet100" "Mixup, ResNet-50",
        "mixprop-resnet50-imagenet100" "MixProp, ResNet-50",
        "advprop-resnet50-imagenet100" "AdvProp, ResNet-50",
    }
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_preset_says_what_it_is_in_one_sentence() {
        for preset in PRESETS {
            let about = preset.about();
            assert!((20..=170).contains(&about.len()), "{}: {about}", preset.name);
            assert!(about.ends_with('.') || about.ends_with('?'), "{}: {about}", preset.name);
        }
    }

    #[test]
    fn no_two_presets_of_a_group_have_one_title() {
        for group in Group::ALL {
            let of_group: Vec<_> = PRESETS.iter().filter(|preset| preset.group == group).collect();
            let titles: BTreeSet<_> = of_group.iter().map(|preset| preset.title).collect();
            assert_eq!(titles.len(), of_group.len(), "{group:?}");
        }
    }
}
