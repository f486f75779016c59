//! A model that is exported computes what this program computes: ONNX files are read back and calculated by
//! the operators' definitions, and their logits held to those of a checkpoint on the software adapter.
//! `tests/reference/compare_export.py` holds the files to onnxruntime and timm.

mod interpreter;

use dualprop::config::{Config, MethodKind};
use dualprop::evaluation::robustness::record::checksum_of;
use dualprop::evaluation::{Model, Weights};
use dualprop::export::{ALL, ExportOptions, Exported, Format, card_of, export};
use dualprop::gpu::DeviceChoice;
use dualprop::graph::{Network, pad4};
use dualprop::interop::onnx::message::{DataType, ModelProto};
use dualprop::interop::tensor_file::TensorFile;
use dualprop::kernels::reference::random::random_unit;
use dualprop::models::init::{Arenas, initialize};
use dualprop::models::{ModelOptions, build, names, registry};
use dualprop::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta, Tensor};
use interpreter::{Array, run};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const CLASSES: usize = 5;
const IMAGES: usize = 2;
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Of the largest logit: what two orders of summation part by in single precision.
const LIMIT: f32 = 2e-5;

/// A network of a family, small.
struct Case {
    arch: &'static str,
    size: usize,
    width: f64,
    depth: f64,
    stem_stride: usize,
}

const fn case(arch: &'static str, size: usize, width: f64, depth: f64, stem_stride: usize) -> Case {
    Case { arch, size, width, depth, stem_stride }
}

/// Every family; even and odd sizes, which SAME padding tells apart.
const FAMILIES: [Case; 7] = [
    case("tf_efficientnet_b0", 33, 0.125, 0.3, 2),
    case("tf_efficientnet_b0", 18, 0.125, 0.3, 1),
    case("efficientnet_b0", 32, 0.125, 0.3, 2),
    case("tf_efficientnet_lite0", 30, 0.125, 0.3, 2),
    case("mobilenetv3_small_100", 32, 0.25, 0.5, 2),
    case("resnet50", 33, 0.125, 0.5, 2),
    case("preact_resnet18", 15, 0.125, 0.5, 1),
];

impl Case {
    fn config(&self) -> Config {
        let mut config = Config::default();
        config.data.image_size = self.size;
        (config.data.mean, config.data.std) = (MEAN, STD);
        config.model.arch = self.arch.to_owned();
        (config.model.width, config.model.depth) = (self.width, self.depth);
        config.model.stem_stride = self.stem_stride;
        config.method.kind = MethodKind::Advprop;
        config
    }

    fn meta(&self) -> Meta {
        Meta {
            format_version: FORMAT_VERSION,
            arch: self.arch.to_owned(),
            classes: (0..CLASSES).map(|class| format!("class_{class}")).collect(),
            domains: vec!["main".to_owned(), "aux".to_owned()],
            image_size: self.size,
            mean: MEAN,
            std: STD,
            config: self.config().resolved_toml(),
            step: 12,
            epoch: 1.5,
        }
    }

    fn network(&self) -> Network {
        let options = ModelOptions::from_config(&self.config().model, self.size, CLASSES, 2);
        build(self.arch, &options).expect("a known architecture")
    }

    /// A checkpoint with weights whose batch norms do something, in every domain something else, and a moving
    /// average that is not the weights.
    fn checkpoint(&self, path: &Path) -> Checkpoint {
        let network = self.network();
        let arenas = drawn(self.arch, &network);
        let named = names::export(&network.layout, &arenas);
        let mut tensors: BTreeMap<String, Tensor> =
            named.into_iter().map(|(name, shape, data)| (name, Tensor { shape, data })).collect();
        let averaged = tensors.iter().map(|(name, tensor)| {
            let data = tensor.data.iter().map(|value| 1.1 * value).collect();
            (format!("ema.{name}"), Tensor { shape: tensor.shape.clone(), data })
        });
        let averaged: Vec<(String, Tensor)> = averaged.collect();
        tensors.extend(averaged);
        let checkpoint = Checkpoint { meta: self.meta(), tensors, loop_state: BTreeMap::new() };
        checkpoint.save_atomic(path).expect("writable");
        checkpoint
    }
}

fn drawn(arch: &str, network: &Network) -> Arenas {
    let mut arenas = initialize(arch, network, 3);
    let mut drawn = 0;
    let mut draw = |low: f32, high: f32| {
        drawn += 1;
        low + (high - low) * random_unit(5, 6, 7, drawn)
    };
    for bn in &network.layout.bn {
        for domain in 0..network.layout.domains {
            let [gamma, mean] = [bn.param_offset, bn.running_offset].map(|at| at + domain * bn.domain_stride);
            let padded = pad4(bn.channels);
            for channel in 0..bn.channels {
                arenas.params[gamma + channel] = draw(0.5, 1.5);
                arenas.params[gamma + padded + channel] = draw(-0.3, 0.3);
                arenas.running[mean + channel] = draw(-0.3, 0.3);
                arenas.running[mean + padded + channel] = draw(0.3, 1.5);
            }
        }
    }
    arenas
}

fn options(checkpoint: &Path, out: PathBuf, format: Format, domain: &str) -> ExportOptions {
    ExportOptions {
        checkpoint: checkpoint.to_owned(),
        out,
        format,
        domain: domain.to_owned(),
        weights: Weights::Auto,
        softmax: false,
        pixels: false,
        f16: false,
    }
}

fn written(options: &ExportOptions) -> (Exported, ModelProto) {
    let exported = export(options).expect("an export");
    let bytes = std::fs::read(&options.out).expect("readable");
    (exported, ModelProto::decode(bytes.as_slice()).expect("an ONNX file"))
}

/// Pixels `[images, S, S, 3]`, whole numbers in 0..255.
fn pixels(size: usize) -> Vec<f32> {
    (0..IMAGES * size * size * 3).map(|i| (256.0 * random_unit(8, 9, 10, i as u32)).floor()).collect()
}

/// What a graph without preprocessing takes: `[images, 3, S, S]`.
fn image(pixels: &[f32], size: usize) -> Array {
    let area = size * size;
    let values = (0..pixels.len()).map(|index| {
        let (image, channel, cell) = (index / (3 * area), index / area % 3, index % area);
        (pixels[(image * area + cell) * 3 + channel] / 255.0 - MEAN[channel]) / STD[channel]
    });
    Array::new(&[IMAGES, 3, size, size], values.collect())
}

fn hold(what: &str, found: &[f32], ours: &[f32]) {
    assert_eq!(found.len(), ours.len(), "{what}");
    let largest = ours.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    assert!(found.iter().all(|value| value.is_finite()) && largest > 0.0, "{what}: {found:?}");
    for (found, ours) in found.iter().zip(ours) {
        assert!(
            (found - ours).abs() <= LIMIT * largest,
            "{what}: {found} for {ours}, logits up to {largest}"
        );
    }
}

#[test]
fn every_family_computes_our_logits_through_every_domain() {
    for case in FAMILIES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.safetensors");
        case.checkpoint(&path);
        let pixels = pixels(case.size);
        let mut model =
            Model::load(&path, Weights::Auto, &DeviceChoice::Cpu, IMAGES, |_, _| {}).expect("a model");
        let ours = [0, 1].map(|domain| model.logits(&pixels, domain).expect("logits"));
        let (arch, size) = (case.arch, case.size);
        let differ = |a: &[f32], b: &[f32]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-2 * b.abs());
        assert!(differ(&ours[0], &ours[1]), "{arch}: the domains are alike");
        assert!(differ(&ours[0][..CLASSES], &ours[0][CLASSES..]), "{arch}: the images are alike");

        let all = ExportOptions {
            softmax: true,
            ..options(&path, folder.path().join("all.onnx"), Format::Onnx, ALL)
        };
        let (_, every) = written(&all);
        let found = run(&every, image(&pixels, size));
        hold(&format!("{arch} at {size}, main of all"), &found["logits"].values, &ours[0]);
        hold(&format!("{arch} at {size}, aux of all"), &found["logits_aux"].values, &ours[1]);
        assert_eq!(found.len(), 4, "logits and probabilities of two domains");
        for sum in found["probabilities_aux"].values.chunks_exact(CLASSES).map(|row| row.iter().sum::<f32>())
        {
            assert!((sum - 1.0).abs() < 1e-5, "{arch}: probabilities sum to {sum}");
        }

        let alone = ExportOptions {
            pixels: true,
            ..options(&path, folder.path().join("aux.onnx"), Format::Onnx, "aux")
        };
        let (_, alone) = written(&alone);
        let bytes = Array::new(&[IMAGES, size, size, 3], pixels.clone());
        let found = run(&alone, bytes);
        hold(&format!("{arch} at {size}, aux from pixels"), &found["logits"].values, &ours[1]);
    }
}

/// Nodes by operator.
fn count(model: &ModelProto, operator: &str) -> usize {
    let nodes = &model.graph.as_ref().expect("a graph").node;
    nodes.iter().filter(|node| node.op_type.as_deref() == Some(operator)).count()
}

#[test]
fn every_architecture_is_written_with_its_batch_norms_in_the_convolutions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    for arch in registry::names() {
        let case = Case { arch, size: 32, width: 0.125, depth: 0.2, stem_stride: 2 };
        case.checkpoint(&path);
        let (_, model) = written(&options(&path, folder.path().join("m.onnx"), Format::Onnx, "main"));
        let graph = model.graph.as_ref().expect("a graph");
        let inputs: Vec<_> = graph.input.iter().filter_map(|input| input.name.as_deref()).collect();
        let outputs: Vec<_> = graph.output.iter().filter_map(|output| output.name.as_deref()).collect();
        assert_eq!((&inputs[..], &outputs[..]), (&["image"][..], &["logits"][..]), "{arch}");
        // Those behind a sum have no convolution that could take them; everything else is folded.
        let kept = count(&model, "BatchNormalization");
        assert_eq!(kept > 0, arch.starts_with("preact"), "{arch} keeps {kept} batch norms");
        assert!(kept < case.network().layout.bn.len(), "{arch}");
        let mut known: BTreeSet<&str> = inputs.into_iter().collect();
        known.extend(graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()));
        for node in &graph.node {
            assert!(node.input.iter().all(|name| known.contains(name.as_str())), "{arch}: {:?}", node.name);
            known.extend(node.output.iter().map(String::as_str));
        }
        assert!(known.contains("logits"), "{arch}");
    }
}

#[test]
fn the_metadata_says_what_a_program_needs_to_feed_the_graph() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let case = &FAMILIES[0];
    case.checkpoint(&path);
    let (exported, model) = written(&options(&path, folder.path().join("m.onnx"), Format::Onnx, ALL));
    let entries = model
        .metadata_props
        .iter()
        .map(|entry| (entry.key.clone().expect("a key"), entry.value.clone().expect("a value")));
    let facts: BTreeMap<String, String> = entries.collect();
    for (key, value) in [
        ("arch", "tf_efficientnet_b0"),
        ("classes", r#"["class_0","class_1","class_2","class_3","class_4"]"#),
        ("domains", r#"["main","aux"]"#),
        ("outputs", r#"{"logits":"main","logits_aux":"aux"}"#),
        ("image_size", "33"),
        ("mean", "[0.485,0.456,0.406]"),
        ("std", "[0.229,0.224,0.225]"),
        ("crop_ratio", "1"),
        ("interpolation", "bilinear"),
        ("preprocessing", "none"),
        ("weights", "ema"),
        ("storage", "f32"),
        ("step", "12"),
    ] {
        assert_eq!(facts.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(model.opset_import[0].version, Some(17));
    let graph = model.graph.expect("a graph");
    let shape = |value: &dualprop::interop::onnx::message::ValueInfoProto| {
        let tensor = value.r#type.clone().and_then(|kind| kind.tensor_type).expect("a tensor");
        assert_eq!(tensor.elem_type, Some(DataType::Float as i32));
        let dims = tensor.shape.expect("a shape").dim.into_iter();
        dims.map(|dim| dim.dim_param.unwrap_or_else(|| dim.dim_value.expect("a number").to_string()))
            .collect()
    };
    let shapes: Vec<Vec<String>> = graph.input.iter().chain(&graph.output).map(shape).collect();
    assert_eq!(shapes, [vec!["N", "3", "33", "33"], vec!["N", "5"], vec!["N", "5"]]);
    let said = exported.sentence;
    assert!(
        said.contains("image f32 [N, 3, 33, 33]") && said.contains("logits, logits_aux [N, 5]"),
        "{said}"
    );
}

#[test]
fn f16_halves_the_file_and_says_what_it_costs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let path = at("net.safetensors");
    let case = &FAMILIES[5];
    let mut checkpoint = case.checkpoint(&path);
    let size = |path: &Path| std::fs::metadata(path).expect("a file").len() as f64;
    for format in Format::EACH {
        let plain = options(&path, at("plain").with_extension(format.ending()), format, "aux");
        let half =
            ExportOptions { f16: true, out: at("half").with_extension(format.ending()), ..plain.clone() };
        let whole = export(&plain).expect("an export");
        let said = export(&half).expect("an export").sentence;
        assert!(!whole.sentence.contains("f16"), "{}", whole.sentence);
        assert!(said.contains("weights as f16 are off by 0.0") && said.contains("became 0"), "{said}");
        let ratio = size(&half.out) / size(&plain.out);
        assert!((0.45..0.75).contains(&ratio), "{format:?}: {ratio}");
        let card = std::fs::read_to_string(card_of(&half.out)).expect("a card");
        assert!(card.contains("| Storage | f16: the "), "{card}");
    }

    // Safetensors: this program reads them, vectors are as they were, and weights near.
    let whole = TensorFile::read(&at("plain.safetensors")).expect("readable").tensors;
    let half = TensorFile::read(&at("half.safetensors")).expect("readable").tensors;
    assert_eq!(whole.keys().collect::<Vec<_>>(), half.keys().collect::<Vec<_>>());
    let mut moved = 0;
    for (name, tensor) in &whole {
        for (whole, half) in tensor.data.iter().zip(&half[name].data) {
            let error = (whole - half).abs();
            // Half a unit in the last place of 11 bits, and of the smallest number.
            assert!(error <= whole.abs() / 2048.0 + 3e-8, "{name}: {half} for {whole}");
            assert!(error == 0.0 || tensor.shape.len() > 1, "{name} is no weight");
            moved += usize::from(error > 0.0);
        }
    }
    assert!(moved > 1000, "{moved} weights were rounded");

    // ONNX: computed in f32 from what is stored.
    let bytes = std::fs::read(at("half.onnx")).expect("readable");
    let model = ModelProto::decode(bytes.as_slice()).expect("an ONNX file");
    let exact = std::fs::read(at("plain.onnx")).expect("readable");
    let exact = ModelProto::decode(exact.as_slice()).expect("an ONNX file");
    let pixels = pixels(case.size);
    let logits = |model| run(model, image(&pixels, case.size)).remove("logits").expect("logits").values;
    let (half, whole) = (logits(&model), logits(&exact));
    let largest = whole.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let off = half.iter().zip(&whole).fold(0.0_f32, |off, (a, b)| off.max((a - b).abs()));
    assert!(off > 0.0 && off < 0.02 * largest, "{off} of {largest}");

    // A weight that f16 cannot hold.
    checkpoint.tensors.get_mut("ema.fc.weight").expect("the classifier").data[0] = 1e5;
    checkpoint.save_atomic(&path).expect("writable");
    for format in Format::EACH {
        let out = at("never").with_extension(format.ending());
        let half = ExportOptions { f16: true, ..options(&path, out.clone(), format, "main") };
        let said = export(&half).expect_err("too large").to_string();
        assert!(said.contains("fc.weight") && said.contains("65504") && !said.contains('\n'), "{said}");
        assert!(!out.exists() && !card_of(&out).exists());
    }
}

#[test]
fn the_card_says_data_domains_accuracies_and_how_to_load() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("best.safetensors");
    let case = &FAMILIES[0];
    case.checkpoint(&path);
    let line = |step: u64, domain: &str, attack: &str, top1: f64| {
        format!(
            r#"{{"step":{step},"epoch":1.5,"split":"val","domain":"{domain}","attack":{attack},"loss":1.5,"top1":{top1},"top5":1.0,"lr":0.1,"images_per_s":1.0,"wall_s":1.0}}"#
        )
    };
    let lines = [
        line(6, "main", "null", 0.125),
        line(12, "main", "null", 0.75),
        line(12, "aux", r#""pgd:eps=4""#, 0.5),
        line(18, "main", "null", 0.25),
    ];
    std::fs::write(folder.path().join("metrics.jsonl"), lines.join("\n") + "\n").expect("writable");
    let card = |options: ExportOptions| {
        let exported = export(&options).expect("an export");
        assert_eq!(exported.card, card_of(&options.out));
        std::fs::read_to_string(exported.card).expect("a card")
    };
    let onnx = options(&path, folder.path().join("m.onnx"), Format::Onnx, ALL);
    let text = card(onnx.clone());
    for part in [
        "# m.onnx",
        "tf\\_efficientnet\\_b0 with 5 classes",
        "class\\_4",
        "| Source | shapes |",
        "| main | clean images |",
        "| aux | attacked images (pgd:eps=1,step=1,iters=1) |",
        "| val | main | clean | 75.00 | 100.00 | 1.5000 |",
        "| val | aux | pgd:eps=4 | 50.00 | 100.00 | 1.5000 |",
        "kind = \"advprop\"",
        "onnxruntime.InferenceSession(\"m.onnx\")",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("12.50") && !text.contains("25.00"), "other steps' figures: {text}");
    // Evaluations count that were of this very file and of these weights.
    let facts = |weights: &str, checksum: &str| {
        let folder = folder.path().join("evaluation");
        std::fs::create_dir_all(&folder).expect("writable");
        let row = |domain: &str, corruption: &str, top1: f64| {
            format!(
                r#"{{"data":"shapes","split":"test","domain":"{domain}","statistics":"running","attack":null,"corruption":{corruption},"severity":null,"images":8,"left_out":0,"loss":1.0,"top1":{top1},"top5":1.0}}"#
            )
        };
        let rows = [
            row("main", "null", 0.625),
            row("main", r#""fog""#, 0.5),
            row("main", r#""snow""#, 0.25),
            row("auto", "null", 0.875),
        ];
        std::fs::write(folder.join("rows.jsonl"), rows.join("\n") + "\n").expect("writable");
        let asked = format!(r#"{{"weights":"{weights}","checksum":"{checksum}"}}"#);
        std::fs::write(folder.join("evaluation.json"), asked).expect("writable");
    };
    let checksum = checksum_of(&path).expect("readable");
    for (weights, checksum, counts) in
        [("auto", checksum.as_str(), true), ("raw", &checksum, false), ("auto", "crc32c:00000000", false)]
    {
        facts(weights, checksum);
        let text = card(onnx.clone());
        for part in [
            "| test | main | clean | 62.50 |",
            "| test | main | corrupted, mean of 2 conditions | 37.50 |",
            "| test | auto | clean | 87.50 |",
        ] {
            assert_eq!(text.contains(part), counts, "{weights}, {checksum}: {part} in {text}");
        }
    }
    // Of one domain its own figures; raw weights were not what was measured.
    let aux = card(ExportOptions { domain: "aux".into(), weights: Weights::Raw, ..onnx });
    assert!(!aux.contains("| val | main") && aux.contains("which this file lacks"), "{aux}");

    // Scaled in width, timm has no such network, and the card promises nothing of the kind.
    let out = folder.path().join("m.safetensors");
    let text = card(options(&path, out, Format::Safetensors, "main"));
    assert!(text.contains("timm has no tf_efficientnet_b0 with") && !text.contains("create_model"), "{text}");
    let whole = Case { width: 1.0, depth: 1.0, stem_stride: 1, ..*case };
    let moved = folder.path().join("elsewhere");
    std::fs::create_dir(&moved).expect("writable");
    whole.checkpoint(&moved.join("net.safetensors"));
    let out = moved.join("m.safetensors");
    let text = card(options(&moved.join("net.safetensors"), out, Format::Safetensors, ALL));
    for part in
        ["bn_eps=0.001", "model.conv_stem.stride = (1, 1)", "aux_bn", "strict=True", "Nothing was measured"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_refused_export_leaves_what_was_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    FAMILIES[0].checkpoint(&path);
    let out = folder.path().join("m.onnx");
    std::fs::write(&out, "mine").expect("writable");
    let good = options(&path, out.clone(), Format::Onnx, "main");
    for (bad, part) in [
        (ExportOptions { domain: "aux2".into(), ..good.clone() }, "it has main, aux"),
        (ExportOptions { domain: "auto".into(), ..good.clone() }, "chooses a domain by image"),
        (ExportOptions { checkpoint: out.clone(), ..good.clone() }, "the file that is read"),
        (ExportOptions { out: folder.path().join("none/m.onnx"), ..good }, "its folder does not exist"),
    ] {
        let said = export(&bad).expect_err("refused").to_string();
        assert!(said.contains(part) && !said.contains('\n'), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&out).expect("still there"), "mine");
    assert!(!card_of(&out).exists());
}
