//! Every preset is a run: it parses, its numbers are those that its recipe states, its network has a memory plan, and
//! a miniature of each kind of preset trains.

use dualprop::config::presets::{PRESETS, Preset};
use dualprop::config::{Checkpointing, Config, DataSource, MethodKind};
use dualprop::gpu::{Caps, DeviceChoice, Element, Form};
use dualprop::models::{ModelOptions, build};
use dualprop::session::{RunOptions, spawn};
use dualprop::training::events::{Event, Finish};
use dualprop::training::method::{Method, domains, phases};
use dualprop::training::plans::{PlanContext, RowLayout};
use std::collections::{BTreeMap, BTreeSet};
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

/// The name says method, net and data; the file must agree.
#[test]
fn presets_do_what_their_name_says() {
    for preset in PRESETS {
        let config = parse(preset, &[]);
        let words: Vec<&str> = preset.name.split('-').collect();
        for word in &words {
            let kind = match *word {
                "vanilla" => MethodKind::Vanilla,
                "mixup" => MethodKind::Mixup,
                "mixprop" => MethodKind::Mixprop,
                "advprop" => MethodKind::Advprop,
                "adversarial" => MethodKind::AdversarialMix,
                _ => continue,
            };
            assert_eq!(config.method.kind, kind, "{}", preset.name);
        }
        let has = |word: &str| words.contains(&word);
        assert_eq!(has("cifar100"), config.data.source == DataSource::Cifar100, "{}", preset.name);
        assert_eq!(has("shapes"), config.data.source == DataSource::Shapes, "{}", preset.name);
        for (word, arch) in [("preact18", "preact_resnet18"), ("preact50", "preact_resnet50")] {
            assert_eq!(has(word), config.model.arch == arch, "{}", preset.name);
        }
    }
}

/// The methods of a preset's run, of whose length nothing but the order matters here.
fn methods(config: &Config) -> Vec<Method> {
    let images = config.run.batch_size / config.run.accumulate;
    phases(&config.method, images, 1, 1).into_iter().map(|phase| phase.method).collect()
}

/// Activations and gradients of a micro-batch, one domain at a time, in bytes by the exact plan.
fn planned_bytes(config: &Config) -> u64 {
    let classes = if config.model.classes > 0 { config.model.classes } else { 1000 };
    let domains = domains(&config.method);
    let options = ModelOptions::from_config(&config.model, config.data.image_size, classes, domains);
    let network = build(&config.model.arch, &options).unwrap();
    let context = PlanContext {
        config,
        network: &network,
        caps: Caps { form: Form::Tiles },
        images: config.run.batch_size / config.run.accumulate,
        chunk_limit: u64::MAX,
        recompute: config.model.checkpointing == Checkpointing::On,
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
fn every_preset_has_a_plan_that_fits_a_large_card() {
    for preset in PRESETS {
        let bytes = planned_bytes(&parse(preset, &[]));
        assert!(bytes < 18_000_000_000, "{}: {:.1} GB a domain", preset.name, bytes as f64 / 1e9);
    }
}

/// What makes presets different programs, whatever their sizes and numbers.
fn kind_of(config: &Config) -> String {
    // `tf_efficientnet_b7` → `tf_efficientnet_b`; basic and bottleneck nets are different ones.
    let family = config.model.arch.trim_end_matches(|c: char| c.is_ascii_digit());
    let basic = config.model.arch.ends_with("18") || config.model.arch.ends_with("34");
    let (method, optimizer) = (config.method.kind, config.optimizer.kind);
    format!("{family} {basic} {method:?} {optimizer:?} {:?}", config.data.augment)
}

/// The smallest run that keeps a preset's net family, method, optimizer and augmentation.
const MINIATURE: &[&str] = &[
    "data.source=shapes",
    "data.path=",
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
fn a_miniature_of_each_kind_of_preset_takes_two_steps() {
    let mut kinds = BTreeMap::new();
    for preset in PRESETS {
        kinds.entry(kind_of(&parse(preset, &[]))).or_insert(preset);
    }
    let folder = tempfile::tempdir().unwrap();
    for preset in kinds.into_values() {
        let (config, out) = (parse(preset, MINIATURE), folder.path().join(preset.name));
        // Two epochs of one step: fine-tuning spends one in each of its phases.
        let methods = methods(&config);
        let branches = [methods.first(), methods.last()].map(|method| method.unwrap().branches.len());
        let device = DeviceChoice::Cpu;
        let handle = spawn(RunOptions { config, out: out.clone(), resume: false, device, pictures: false });
        let finish = handle.events.iter().find_map(|event| match event {
            Event::Finished(finish) => Some(finish),
            _ => None,
        });
        handle.join();
        assert_eq!(finish, Some(Finish::Completed), "{}", preset.name);
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
