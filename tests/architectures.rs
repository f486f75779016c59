//! Every architecture has exactly the published parameters, multiply-adds and batch-norm channels, and
//! multipliers change the layer lists by the stated rules.

use dualprop::graph::{Network, Op};
use dualprop::models::init::initialize;
use dualprop::models::names::export;
use dualprop::models::registry::{ARCHITECTURES, find, names};
use dualprop::models::{ModelOptions, build};

/// What is known of a network: torchvision's and timm's counts for the EfficientNets, MobileNets and ResNets,
/// the common CIFAR code's with a final BN for the PreAct ones. Multiply-adds are those of convolutions and
/// dense layers, squeeze and excite and classifier included.
struct Facts {
    arch: &'static str,
    input_size: usize,
    dropout: f32,
    /// (classes, trainable values)
    parameters: [(usize, u64); 2],
    bn_layers: usize,
    bn_channels: usize,
    /// (classes, side of the input, multiply-adds)
    macs: [(usize, usize, u64); 2],
}

const fn efficientnet(
    arch: &'static str,
    (input_size, dropout): (usize, f32),
    parameters: [u64; 2],
    (bn_layers, bn_channels): (usize, usize),
    macs: [u64; 2],
) -> Facts {
    Facts {
        arch,
        input_size,
        dropout,
        parameters: [(1000, parameters[0]), (100, parameters[1])],
        bn_layers,
        bn_channels,
        macs: [(1000, input_size, macs[0]), (1000, 224, macs[1])],
    }
}

/// The second count of multiply-adds is the first less 900 rows of the classifier.
const fn resnet(
    arch: &'static str,
    parameters: [u64; 2],
    (bn_layers, bn_channels): (usize, usize),
    features: u64,
    macs: u64,
) -> Facts {
    Facts {
        arch,
        input_size: 224,
        dropout: 0.0,
        parameters: [(1000, parameters[0]), (100, parameters[1])],
        bn_layers,
        bn_channels,
        macs: [(1000, 224, macs), (100, 224, macs - 900 * features)],
    }
}

const fn preact(
    arch: &'static str,
    parameters: [u64; 2],
    (bn_layers, bn_channels): (usize, usize),
    macs: [u64; 2],
) -> Facts {
    Facts {
        arch,
        input_size: 32,
        dropout: 0.0,
        parameters: [(100, parameters[0]), (10, parameters[1])],
        bn_layers,
        bn_channels,
        macs: [(100, 32, macs[0]), (10, 32, macs[1])],
    }
}

const FACTS: &[Facts] = &[
    efficientnet(
        "tf_efficientnet_b0",
        (224, 0.2),
        [5_288_548, 4_135_648],
        (49, 21_008),
        [385_814_752, 385_814_752],
    ),
    efficientnet(
        "tf_efficientnet_b1",
        (240, 0.2),
        [7_794_184, 6_641_284],
        (69, 31_024),
        [686_802_832, 569_651_680],
    ),
    efficientnet(
        "tf_efficientnet_b2",
        (260, 0.3),
        [9_109_994, 7_841_894],
        (69, 33_784),
        [993_561_872, 658_963_440],
    ),
    efficientnet(
        "tf_efficientnet_b3",
        (300, 0.3),
        [12_233_232, 10_849_932],
        (78, 43_648),
        [1_827_141_392, 962_708_240],
    ),
    efficientnet(
        "tf_efficientnet_b4",
        (380, 0.4),
        [19_341_616, 17_727_916],
        (96, 62_600),
        [4_393_771_024, 1_503_710_432],
    ),
    efficientnet(
        "tf_efficientnet_b5",
        (456, 0.4),
        [30_389_784, 28_545_684],
        (116, 86_368),
        [10_266_384_752, 2_356_493_184],
    ),
    efficientnet(
        "tf_efficientnet_b6",
        (528, 0.5),
        [43_040_704, 40_966_204],
        (134, 112_216),
        [19_067_593_536, 3_360_166_848],
    ),
    efficientnet(
        "tf_efficientnet_b7",
        (600, 0.5),
        [66_347_960, 64_043_060],
        (163, 155_360),
        [37_745_884_192, 5_169_865_152],
    ),
    efficientnet(
        "tf_efficientnet_b8",
        (672, 0.5),
        [87_413_142, 84_877_842],
        (181, 190_016),
        [62_597_461_568, 6_971_883_840],
    ),
    efficientnet(
        "tf_efficientnet_lite0",
        (224, 0.2),
        [4_652_008, 3_499_108],
        (49, 21_008),
        [385_187_552, 385_187_552],
    ),
    efficientnet(
        "tf_efficientnet_lite1",
        (240, 0.2),
        [5_416_680, 4_263_780],
        (64, 26_832),
        [600_185_232, 502_467_680],
    ),
    efficientnet(
        "tf_efficientnet_lite2",
        (260, 0.3),
        [6_092_072, 4_939_172],
        (64, 29_048),
        [859_736_272, 576_509_424],
    ),
    efficientnet(
        "tf_efficientnet_lite3",
        (280, 0.3),
        [8_197_096, 7_044_196],
        (73, 38_336),
        [1_383_321_872, 852_099_536],
    ),
    efficientnet(
        "tf_efficientnet_lite4",
        (300, 0.3),
        [13_006_568, 11_853_668],
        (91, 56_184),
        [2_553_034_336, 1_347_665_152],
    ),
    efficientnet(
        "mobilenetv3_large_100",
        (224, 0.2),
        [5_483_032, 4_330_132],
        (46, 12_200),
        [216_589_760, 216_589_760],
    ),
    efficientnet(
        "mobilenetv3_small_100",
        (224, 0.2),
        [2_542_856, 1_620_356],
        (34, 6_056),
        [56_510_400, 56_510_400],
    ),
    resnet("resnet18", [11_689_512, 11_227_812], (20, 4_800), 512, 1_814_073_344),
    resnet("resnet34", [21_797_672, 21_335_972], (36, 8_512), 512, 3_663_761_408),
    resnet("resnet50", [25_557_032, 23_712_932], (53, 26_560), 2048, 4_089_184_256),
    resnet("resnet101", [44_549_160, 42_705_060], (104, 52_672), 2048, 7_801_405_440),
    resnet("resnet152", [60_192_808, 58_348_708], (155, 75_712), 2048, 11_513_626_624),
    resnet("resnet200", [64_673_832, 62_829_732], (203, 88_000), 2048, 15_007_481_856),
    // The final BN makes one layer and 512 or 2048 channels more than the common code has.
    preact("preact_resnet18", [11_218_340, 11_172_170], (17, 3_904), [555_468_800, 555_422_720]),
    preact("preact_resnet50", [23_697_572, 23_513_162], (49, 22_720), [1_298_014_208, 1_297_829_888]),
];

/// `efficientnet_*` pads differently, which changes neither weights nor sizes.
fn facts_of(arch: &str) -> &'static Facts {
    let name = if arch.starts_with("efficientnet") { format!("tf_{arch}") } else { arch.to_owned() };
    FACTS.iter().find(|f| f.arch == name).unwrap_or_else(|| panic!("no facts of {arch}"))
}

fn plain(arch: &str, classes: usize, size: usize) -> Network {
    build(arch, &ModelOptions::plain(classes, size)).expect("known")
}

#[test]
fn every_architecture_has_the_published_size() {
    for arch in names() {
        let facts = facts_of(arch);
        for (classes, parameters) in facts.parameters {
            let found = plain(arch, classes, facts.input_size).layout.trainable();
            assert_eq!(found, parameters, "parameters of {arch}, {classes} classes");
        }
        for (classes, size, macs) in facts.macs {
            let found = plain(arch, classes, size).macs();
            assert_eq!(found, macs, "multiply-adds of {arch} at {size} pixels, {classes} classes");
        }
        let layout = plain(arch, 10, facts.input_size).layout;
        assert_eq!(layout.bn.len(), facts.bn_layers, "BN layers of {arch}");
        assert_eq!(
            layout.bn.iter().map(|bn| bn.channels).sum::<usize>(),
            facts.bn_channels,
            "BN channels of {arch}"
        );
        let published = find(arch).expect("known");
        assert_eq!((published.input_size, published.dropout), (facts.input_size, facts.dropout), "{arch}");
    }
    for facts in FACTS {
        find(facts.arch).expect("known");
    }
}

#[test]
fn a_further_domain_costs_its_bn_parameters_only() {
    for arch in names() {
        let with = |domains| {
            let options = ModelOptions { domains, ..ModelOptions::plain(10, 64) };
            build(arch, &options).expect("known").layout.trainable()
        };
        let each = 2 * facts_of(arch).bn_channels as u64;
        assert_eq!((with(2) - with(1), with(3) - with(1)), (each, 2 * each), "{arch}");
    }
}

fn channels_of(network: &Network, bn: &str) -> usize {
    let found = network.layout.bn.iter().find(|layer| layer.name == bn);
    found.unwrap_or_else(|| panic!("no layer {bn}")).channels
}

#[test]
fn multipliers_act_before_the_rounding() {
    let scaled = |arch, width, depth| {
        let options = ModelOptions { width, depth, ..ModelOptions::plain(10, 64) };
        build(arch, &options).expect("known")
    };
    // B3 is 1.2 wide and 1.4 deep: 40 channels and ceil(1.4·4) repeats become 1.2·0.5·40 = 24 and
    // ceil(0.7·4).
    let b3 = scaled("tf_efficientnet_b3", 0.5, 0.5);
    assert_eq!(channels_of(&b3, "blocks.2.0.bn3"), 24);
    assert_eq!(b3.layout.bn.iter().filter(|bn| bn.name.starts_with("blocks.5.")).count(), 3 * 3);
    // Bottlenecks round their inner width, 0.3·64 = 19.2 to 24 (16 is more than a tenth below), then widen
    // it.
    for (arch, stem) in [("resnet50", "bn1"), ("preact_resnet50", "layer1.0.bn1")] {
        let narrow = scaled(arch, 0.3, 0.5);
        assert_eq!(channels_of(&narrow, stem), 24, "{arch}");
        assert_eq!(channels_of(&narrow, "layer1.0.bn2"), 24, "{arch}");
        assert_eq!(narrow.node(narrow.features).shape.channels, 4 * 152, "{arch}");
        let blocks = |stage: usize| {
            let first = format!("layer{stage}.");
            narrow
                .layout
                .bn
                .iter()
                .filter(|bn| bn.name.starts_with(&first) && bn.name.ends_with(".bn2"))
                .count()
        };
        assert_eq!([1, 2, 3, 4].map(blocks), [2, 2, 3, 2], "{arch}");
    }
    // The ends of a Lite net keep their width and depth; MobileNetV3's stages share their blocks out.
    let lite = scaled("tf_efficientnet_lite0", 0.5, 2.0);
    assert_eq!([channels_of(&lite, "bn1"), channels_of(&lite, "bn2")], [32, 1280]);
    let blocks_of = |network: &Network, stage: &str, last: &str| {
        let named = |name: &String| name.starts_with(stage) && name.ends_with(last);
        network.layout.bn.iter().filter(|bn| named(&bn.name)).count()
    };
    assert_eq!(["blocks.0.", "blocks.1."].map(|stage| blocks_of(&lite, stage, "bn2")), [1, 4]);
    let mobile = scaled("mobilenetv3_large_100", 0.5, 1.5);
    assert_eq!([channels_of(&mobile, "bn1"), channels_of(&mobile, "blocks.6.0.bn1")], [16, 480]);
    assert_eq!(["blocks.1.", "blocks.3."].map(|stage| blocks_of(&mobile, stage, "bn3")), [3, 6]);
    assert_eq!(scaled("resnet200", 0.01, 0.01).layout.bn.len(), 1 + 4 * 4, "one block a stage");
}

#[test]
fn the_stem_stride_changes_the_stem_alone() {
    let side = |arch, stem_stride| {
        let options = ModelOptions { stem_stride, ..ModelOptions::plain(10, 64) };
        let network = build(arch, &options).expect("known");
        network.node(network.features).shape.height
    };
    for (arch, sides) in [
        ("tf_efficientnet_b1", [4, 2]),
        ("mobilenetv3_small_100", [4, 2]),
        ("resnet50", [4, 2]),
        ("preact_resnet50", [8, 8]),
    ] {
        assert_eq!([side(arch, 1), side(arch, 2)], sides, "{arch}");
    }
}

/// How a tensor's start values are spread.
enum Start {
    /// A normal distribution of this deviation.
    Normal(f64),
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    Constant(f32),
}

#[test]
fn fresh_weights_follow_the_rule_of_their_family() {
    let fan = |n: f64| (2.0 / n).sqrt();
    // At width 0.5, 50 classes. EfficientNet and ResNet count the outputs, the CIFAR code the inputs.
    let cases = [
        ("tf_efficientnet_b1", "conv_stem.weight", Start::Normal(fan(9.0 * 16.0))),
        ("tf_efficientnet_b1", "blocks.5.1.conv_pw.weight", Start::Normal(fan(576.0))),
        ("tf_efficientnet_b1", "blocks.5.1.conv_dw.weight", Start::Normal(fan(25.0))),
        ("efficientnet_b0", "blocks.5.1.se.conv_expand.weight", Start::Normal(fan(576.0))),
        ("efficientnet_b0", "blocks.5.1.se.conv_expand.bias", Start::Constant(0.0)),
        ("efficientnet_b0", "classifier.weight", Start::Uniform(1.0 / 50.0_f64.sqrt())),
        ("efficientnet_b0", "classifier.bias", Start::Constant(0.0)),
        ("tf_efficientnet_lite0", "blocks.5.1.conv_pw.weight", Start::Normal(fan(576.0))),
        ("tf_efficientnet_lite0", "classifier.weight", Start::Uniform(1.0 / 50.0_f64.sqrt())),
        ("mobilenetv3_large_100", "blocks.5.1.conv_dw.weight", Start::Normal(fan(25.0))),
        ("mobilenetv3_large_100", "conv_head.weight", Start::Normal(fan(1280.0))),
        ("mobilenetv3_large_100", "conv_head.bias", Start::Constant(0.0)),
        ("mobilenetv3_large_100", "classifier.weight", Start::Uniform(1.0 / 50.0_f64.sqrt())),
        ("resnet50", "layer2.0.conv2.weight", Start::Normal(fan(9.0 * 64.0))),
        ("resnet50", "layer2.0.conv3.weight", Start::Normal(fan(256.0))),
        ("resnet50", "layer2.0.downsample.0.weight", Start::Normal(fan(256.0))),
        ("resnet50", "layer2.0.bn3.weight", Start::Constant(1.0)),
        ("resnet50", "layer2.0.bn3.aux_bn.0.running_var", Start::Constant(1.0)),
        ("resnet50", "layer2.0.bn3.aux_bn.0.running_mean", Start::Constant(0.0)),
        ("resnet50", "fc.weight", Start::Uniform(1.0 / 1024.0_f64.sqrt())),
        ("preact_resnet50", "layer1.0.conv3.weight", Start::Uniform(1.0 / 32.0_f64.sqrt())),
        ("preact_resnet50", "layer1.0.shortcut.0.weight", Start::Uniform(1.0 / 32.0_f64.sqrt())),
        ("preact_resnet50", "layer2.1.conv2.weight", Start::Uniform(1.0 / (9.0 * 64.0_f64).sqrt())),
        ("preact_resnet50", "linear.weight", Start::Uniform(1.0 / 1024.0_f64.sqrt())),
    ];
    let mut nets = std::collections::BTreeMap::new();
    for (arch, name, start) in cases {
        let tensors = nets.entry(arch).or_insert_with(|| {
            let options = ModelOptions { width: 0.5, domains: 2, ..ModelOptions::plain(50, 64) };
            let network = build(arch, &options).expect("known");
            export(&network.layout, &initialize(arch, &network, 3))
        });
        let (_, _, values) = tensors.iter().find(|(n, ..)| n == name).unwrap_or_else(|| panic!("{name}"));
        let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
        let largest = values.iter().fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        let deviation = match start {
            Start::Normal(deviation) => deviation,
            Start::Uniform(bound) => {
                assert!(
                    largest <= bound && largest > 0.95 * bound,
                    "{arch} {name}: {largest}, bound {bound}"
                );
                bound / 3.0_f64.sqrt()
            }
            Start::Constant(value) => {
                assert!(values.iter().all(|v| *v == value), "{arch} {name}");
                continue;
            }
        };
        // The smallest tensor here has 432 values: a spread of 3.4% around the true deviation.
        assert!(
            (square.sqrt() / deviation - 1.0).abs() < 0.12,
            "{arch} {name}: {} {deviation}",
            square.sqrt()
        );
    }
}

#[test]
fn an_unknown_architecture_is_an_error_that_lists_all() {
    let message = find("resnet51").expect_err("unknown").to_string();
    assert!(ARCHITECTURES.iter().all(|arch| message.contains(arch.name)), "{message}");
}

/// Block i of N drops with p·i/N; B0 has 16 blocks and skips in 9 of them.
#[test]
fn drop_path_grows_linearly_over_all_blocks() {
    let options = ModelOptions { drop_path: 0.2, ..ModelOptions::plain(10, 64) };
    let network = build("tf_efficientnet_b0", &options).unwrap();
    let rates: Vec<f32> = network
        .nodes
        .iter()
        .filter_map(|node| if let Op::Add { drop_rate, .. } = node.op { Some(drop_rate) } else { None })
        .collect();
    // The second and later blocks of each stage: numbers 2, 4, 6, 7, 9, 10, 12, 13, 14.
    let expected = [2, 4, 6, 7, 9, 10, 12, 13, 14].map(|block| 0.0125 * block as f32);
    assert_eq!(rates.len(), expected.len());
    assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{rates:?}");
}
