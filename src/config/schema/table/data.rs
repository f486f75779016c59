//! The images: `[data]`.

use super::{OPEN_SHARE, above_zero, closed, key, whole};
use crate::config::schema::{Field, Kind};

const AUGMENTATIONS: &[&str] =
    &["crop", "flip", "inception", "color", "autoaugment", "randaugment", "cutout"];

pub(super) const FIELDS: &[Field] = &[
    key(
        "data.source",
        Kind::Choice(&[
            "shapes",
            "cifar10",
            "cifar100",
            "fashion_mnist",
            "folder",
            "csv",
            "webdataset",
            "parquet",
        ]),
        "",
        "Where the images come from; shapes is made by the program, folder has a folder of images for each class, csv \
         lists of paths and labels (train.csv, val.csv or labels.csv), webdataset tar shards, parquet files of the Hugging Face hub.",
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
        "data.val_share",
        Kind::Number(OPEN_SHARE),
        "share",
        "Share of each class's images that a folder, a list or shards without a validation part hold out for validation.",
        "common practice",
    ),
    key(
        "data.val_seed",
        whole(0, i64::MAX),
        "",
        "Decides which images are held out; the seed of the run does not.",
        "ours",
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
];
