//! Every preset is a run: it parses, its numbers are those that its recipe states, its network has a memory
//! plan, and a miniature of each kind of preset trains.

mod common;

use dualprop::config::presets::{PRESETS, Preset};
use dualprop::config::{Checkpointing, Config, DataSource, MethodKind};
use dualprop::gpu::{Caps, Element, Form};
use dualprop::models::registry::find;
use dualprop::models::{ModelOptions, build};
use dualprop::session::spawn;
use dualprop::training::events::Finish;
use dualprop::training::method::{Method, domains, phases};
use dualprop::training::plans::{PlanContext, RowLayout};
use std::collections::BTreeSet;
use std::path::Path;

fn parse(preset: &Preset, sets: &[&str]) -> Config {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    Config::parse(preset.text, preset.name, &sets).unwrap_or_else(|e| panic!("{}: {e}", preset.name))
}

#[test]
fn every_file_of_the_folder_is_a_valid_preset_under_its_own_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/presets");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(PRESETS.iter().map(|p| p.name.to_owned()).collect::<BTreeSet<_>>(), files);
    assert_eq!(files.len(), PRESETS.len(), "a name stands twice");
    for preset in PRESETS {
        assert_eq!(parse(preset, &[]).run.name, preset.name);
        assert!(preset.text.starts_with("# "), "{} begins with what it is", preset.name);
    }
}

/// Parts of names with the method that they promise; the first that a name has counts.
const METHODS: &[(&str, MethodKind)] = &[
    ("fast-advprop", MethodKind::FastAdvprop),
    ("fine-grained", MethodKind::AdvpropFineGrained),
    ("finetune", MethodKind::AdversarialFinetune),
    ("adversarial", MethodKind::AdversarialMix),
    ("advprop", MethodKind::Advprop),
    ("mixprop", MethodKind::Mixprop),
    ("mixup", MethodKind::Mixup),
    ("vanilla", MethodKind::Vanilla),
];

#[test]
fn presets_do_what_their_name_says() {
    for Preset { name, text, .. } in PRESETS {
        let config = Config::parse(text, name, &[]).unwrap();
        let (_, kind) = METHODS.iter().find(|(part, _)| name.contains(part)).expect("a method in the name");
        assert_eq!(config.method.kind, *kind, "{name}");
        let words: Vec<&str> = name.split('-').collect();
        let source = match () {
            () if words.contains(&"shapes") => DataSource::Shapes,
            () if words.contains(&"cifar100") => DataSource::Cifar100,
            () => DataSource::Folder,
        };
        assert_eq!(config.data.source, source, "{name}");
        let nets = words.iter().filter_map(|word| {
            let size = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            match word.strip_suffix(size).filter(|_| !size.is_empty())? {
                "b" => Some(format!("tf_efficientnet_b{size}")),
                "lite" => Some(format!("tf_efficientnet_lite{size}")),
                "mobilenetv" if words.contains(&"large") => Some(format!("mobilenetv{size}_large_100")),
                "mobilenetv" => Some(format!("mobilenetv{size}_small_100")),
                "preact" => Some(format!("preact_resnet{size}")),
                "resnet" => Some(format!("resnet{size}")),
                _ => None,
            }
        });
        assert!(nets.into_iter().all(|net| net == config.model.arch), "{name}: {}", config.model.arch);
    }
}

/// EfficientNets on ImageNet take resolution, dropout and learning rate from the published tables and rules.
#[test]
fn imagenet_recipes_of_efficientnet_follow_its_tables() {
    let mut found = 0;
    for preset in PRESETS.iter().filter(|p| p.name.ends_with("-imagenet")) {
        let config = parse(preset, &[]);
        if !config.model.arch.contains("efficientnet") {
            continue;
        }
        found += 1;
        let net = find(&config.model.arch).unwrap();
        assert_eq!(config.data.image_size, net.input_size, "{}", preset.name);
        assert_eq!(config.model.dropout, net.dropout, "{}", preset.name);
        let rate = 0.016 * config.run.batch_size as f64 / 256.0;
        assert!((config.optimizer.lr - rate).abs() < 1e-12, "{}", preset.name);
        assert!(config.optimizer.decay_bias && !config.optimizer.decay_bn, "{}", preset.name);
    }
    assert_eq!(found, 12, "AdvProp from B0 to B8 and with Lite0, fine-grained and fine-tuning");
}

#[test]
fn the_class_lists_that_presets_name_are_there() {
    let lists: BTreeSet<String> = PRESETS.iter().map(|p| parse(p, &[]).data.classes_file).collect();
    assert_eq!(lists, ["", "imagenet100"].map(str::to_owned).into());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/classes/imagenet100.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let classes: BTreeSet<&str> = text.lines().collect();
    assert_eq!((classes.len(), text.lines().count()), (100, 100));
    let wordnet = |id: &str| id.strip_prefix('n').is_some_and(|n| n.len() == 8 && n.parse::<u32>().is_ok());
    assert!(classes.iter().all(|id| wordnet(id)), "{classes:?}");
    // Indigo bunting, tench, wombat and sea slug, which MixProp's figure 3 shows.
    assert!(["n01537544", "n01440764", "n01883070", "n01950731"].iter().all(|id| classes.contains(id)));
}

/// The methods of a preset's run, of whose length nothing but the order matters here.
fn methods(config: &Config) -> Vec<Method> {
    let images = config.run.batch_size / config.run.accumulate;
    phases(&config.method, images, 1, 1).into_iter().map(|phase| phase.method).collect()
}

/// Activations and gradients of a micro-batch in the smallest layout that the preset allows, in bytes by the
/// exact plan.
fn planned_bytes(config: &Config) -> u64 {
    let classes = if config.model.classes > 0 { config.model.classes } else { 1000 };
    let domains = domains(&config.method);
    let options = ModelOptions::from_config(&config.model, config.data.image_size, classes, domains);
    let network = build(&config.model.arch, &options).unwrap();
    let context = PlanContext {
        config,
        network: &network,
        caps: Caps::plain(Form::Tiles),
        images: config.run.batch_size / config.run.accumulate,
        chunk_limit: u64::MAX,
        recompute: config.model.checkpointing != Checkpointing::Off,
        storage: Element::F32,
    };
    let plans = methods(config).into_iter().flat_map(|method| {
        let passes = method.by_domain();
        let rows = RowLayout::new(&method, &passes);
        let bytes = |pass| context.train(&method, pass, &rows).arena_bytes();
        passes.into_iter().map(bytes).collect::<Vec<_>>()
    });
    plans.max().unwrap()
}

#[test]
fn every_preset_has_a_plan_for_a_card_of_16_gb() {
    for preset in PRESETS {
        let bytes = planned_bytes(&parse(preset, &[]));
        // Weights, optimizer, average and images take less than the rest, 1.9 GB for B8.
        assert!(bytes < 12_000_000_000, "{}: {:.1} GB a domain", preset.name, bytes as f64 / 1e9);
    }
}

/// The smallest run that keeps a preset's net family, method, optimizer and augmentation.
const MINIATURE: &[&str] = &[
    "data.source=shapes",
    "data.path=",
    "run.init=",
    "data.classes_file=",
    "data.image_size=32",
    "data.train_limit=8",
    "model.width=0.1",
    "model.depth=0.1",
    "run.steps=2",
    "run.batch_size=8",
    "run.accumulate=2",
    "method.adversarial_epochs=1",
    "eval.every_epochs=0",
    "eval.limit=8",
    "eval.attack=",
];

#[test]
fn a_miniature_of_every_preset_takes_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    for preset in PRESETS {
        let mut config = parse(preset, MINIATURE);
        if config.method.kind == MethodKind::FastAdvprop {
            // A share of four images is one, and a batch norm over 1 × 1 features has no variance then.
            config.run.accumulate = 1;
        }
        let out = folder.path().join(preset.name);
        // Two epochs of one step: fine-tuning spends one in each of its phases.
        let methods = methods(&config);
        let branches = [methods.first(), methods.last()].map(|method| method.unwrap().branches.len());
        let finish = common::finish(spawn(common::options(config, &out, false)));
        assert_eq!(finish, Finish::Completed, "{}", preset.name);
        let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let losses: Vec<f64> = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["split"] == "train")
            .map(|line| line["loss"].as_f64().expect("a number"))
            .collect();
        assert_eq!(losses.len(), branches.iter().sum::<usize>(), "{}: {losses:?}", preset.name);
    }
}
