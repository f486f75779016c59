//! Ten training steps of every method and optimizer: each branch's loss at each step, and the changes of
//! weights, running statistics and EMA.

use crate::fixture::{Fixture, Report, TRAINING, folder};
use dualprop::config::Config;
use dualprop::data::{Batch, PlacedImages, Placement};
use dualprop::gpu::Device;
use dualprop::models::init::Arenas;
use dualprop::models::{ModelOptions, build, names};
use dualprop::training::buffers;
use dualprop::training::engine::{Engine, RunLength};
use dualprop::training::method;
use dualprop::training::step_layout::{Cut, StepLayout};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a case and returns its losses `[steps][branches]` and the state after them.
struct Ran {
    start: Arenas,
    losses: Vec<f32>,
    lr: Vec<f32>,
    raw: Arenas,
    average: Option<Arenas>,
    layout: dualprop::graph::ParamLayout,
    /// Bytes of all buffers.
    arena: u64,
}

fn run(device: &Arc<Device>, config: &Config, fixture: &Fixture, memory: StepLayout) -> Ran {
    let images = Fixture::read(&format!("training/{}", fixture.text("images")));
    let weights = Fixture::read(&format!("weights/{}", fixture.text("weights")));
    let (pixels, labels) = (&images.get("images").data, &images.get("labels").data);
    let size = config.data.image_size;
    let options = ModelOptions::from_config(&config.model, size, 5, method::domains(&config.method));
    let network = build(&config.model.arch, &options).unwrap();
    let layout = network.layout.clone();
    let mut start = Arenas { params: vec![0.0; layout.param_len], running: vec![0.0; layout.running_len] };
    names::import(&layout, &mut start, |name| {
        weights.tensors.get(name).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .unwrap();
    let batch_size = config.run.batch_size;
    let per_epoch = labels.len() / batch_size;
    let steps = config.run.steps.unwrap();
    let length = RunLength { steps_per_epoch: per_epoch as u64, total_steps: steps };
    let mut engine =
        Engine::with_layout(Arc::clone(device), config, &network, length, memory, &mut |_, _| {}).unwrap();
    engine.load_fresh(&start);
    for step in 0..steps {
        let first = step as usize % per_epoch * batch_size;
        let place = first..first + batch_size;
        let each = size * size * 3;
        let images: Vec<u8> =
            pixels[first * each..(first + batch_size) * each].iter().map(|v| *v as u8).collect();
        let batch = Batch {
            step,
            images: images.clone(),
            labels: labels[place.clone()].iter().map(|l| *l as u32).collect(),
            placements: vec![Placement { dx: 0, dy: 0, flip: false }; batch_size],
            // The referee's augmentation: mirrored images.
            augmented: method::wants_two_views(&config.method).then(|| PlacedImages {
                images: images.clone(),
                placements: vec![Placement { dx: 0, dy: 0, flip: true }; batch_size],
            }),
            corrupted: None,
            samples: place.map(|i| i as u32).collect(),
        };
        engine.step(step, &batch).unwrap();
    }
    engine.drain().unwrap();
    let (mut losses, mut lr) = (Vec::new(), Vec::new());
    while let Some(sums) = engine.poll().unwrap() {
        losses.extend(sums.branches.iter().map(|b| (b.loss / b.images) as f32));
        lr.push(sums.lr as f32);
    }
    let read = |params, running| {
        let made = engine.buffers();
        let params = device.read_f32(made.get(params), 0, layout.param_len).unwrap();
        let running = device.read_f32(made.get(running), 0, layout.running_len).unwrap();
        Arenas { params, running }
    };
    let raw = read(buffers::PARAMS, buffers::RUNNING);
    let average = (config.ema.decay > 0.0).then(|| read(buffers::EMA_PARAMS, buffers::EMA_RUNNING));
    let arena = engine.planned_bytes();
    Ran { start, losses, lr, raw, average, layout, arena }
}

fn changes(ran: &Ran, after: &Arenas) -> BTreeMap<String, Vec<f32>> {
    let before = names::export(&ran.layout, &ran.start);
    let after = names::export(&ran.layout, after);
    before
        .into_iter()
        .zip(after)
        .map(|((name, _, start), (_, _, end))| (name, end.iter().zip(&start).map(|(e, s)| e - s).collect()))
        .collect()
}

/// The case's configuration; its images come from the fixture, so any data path will do.
fn config_of(case: &str) -> Config {
    let text = std::fs::read_to_string(folder().join(format!("training/{case}.toml"))).unwrap();
    Config::parse(&text, case, &["data.path=\"unused\"".to_owned()]).unwrap()
}

fn check(case: &str) {
    let fixture = Fixture::read(&format!("training/{case}.safetensors"));
    let config = config_of(case);
    let device = Device::for_tests();
    let ran = run(&device, &config, &fixture, StepLayout::PLAIN);
    let mut report = Report::default();
    report.check("loss", case, &ran.losses, &fixture.get("losses").data, TRAINING.loss);
    // The first update of a warm-up has rate zero.
    report.check("lr", case, &ran.lr, &fixture.get("lr").data, 1e-6);
    compare(&fixture, "", &changes(&ran, &ran.raw), &mut report);
    if let Some(average) = &ran.average {
        compare(&fixture, "ema.", &changes(&ran, average), &mut report);
    }
    report.finish(case);
}

/// Compares the changes of single tensors and the norms of all tensors' changes.
fn compare(fixture: &Fixture, prefix: &str, found: &BTreeMap<String, Vec<f32>>, report: &mut Report) {
    let excluded: Vec<String> = serde_json::from_value(fixture.json("excluded")).unwrap();
    let left_out = |name: &str| excluded.contains(&format!("{prefix}{name}"));
    let mut compared = 0;
    for (name, change) in found {
        let Some(expected) = fixture.tensors.get(&format!("{prefix}change.{name}")) else { continue };
        if !left_out(name) {
            compared += 1;
            let kind = if name.contains("running_") { "statistics" } else { "change" };
            let limit = if kind == "change" { TRAINING.gradient } else { TRAINING.running };
            report.check(kind, &format!("{prefix}{name}"), change, &expected.data, limit);
        }
    }
    assert!(compared > 5, "only {compared} tensors compared");
    let norm = |v: &Vec<f32>| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
    let expected = &fixture.get(&format!("{prefix}norms")).data;
    assert_eq!(expected.len(), found.len(), "the fixture counts other tensors");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for ((name, change), expected) in found.iter().zip(expected) {
        if !left_out(name) {
            ours.push(norm(change));
            theirs.push(*expected);
        }
    }
    report.check("norms", prefix, &ours, &theirs, TRAINING.gradient);
}

/// Every case in the folder, so that a new fixture is a new test.
#[test]
fn ten_steps_equal_pytorch() {
    let mut cases: Vec<String> = std::fs::read_dir(folder().join("training"))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            name.strip_suffix(".toml").map(str::to_owned)
        })
        .collect();
    cases.sort();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failed = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if std::panic::catch_unwind(|| check(case)).is_err() {
                failed.push(case.as_str());
            }
        }
        failed
    };
    // As many as there are devices for tests.
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(work));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} of {} cases differ: {failed:?}", failed.len(), cases.len());
}

#[test]
fn sequential_branches_give_the_numbers_of_joint_ones() {
    for case in ["b0_advprop_sgd", "b0_mixprop_sgd", "resnet18_advprop_sgd"] {
        let fixture = Fixture::read(&format!("training/{case}.safetensors"));
        let config = config_of(case);
        let device = Device::for_tests();
        let joint = run(&device, &config, &fixture, StepLayout::PLAIN);
        let memory = StepLayout { cut: Cut::Sequential, recompute: false };
        let sequential = run(&device, &config, &fixture, memory);
        let mut report = Report::default();
        report.check("loss", case, &sequential.losses, &joint.losses, TRAINING.loss);
        for (name, change) in changes(&sequential, &sequential.raw) {
            let expected = &changes(&joint, &joint.raw)[&name];
            // Null directions are rounding noise on both sides.
            if expected.iter().any(|c| c.abs() > 1e-5) {
                report.check("change", &name, &change, expected, TRAINING.gradient);
            }
        }
        report.finish(case);
    }
}

/// The same kernels on the same values: not only the same numbers.
#[test]
fn recomputed_activations_give_the_same_bits() {
    for case in ["b0_advprop_sgd", "resnet18_adversarial_mix_sgd", "preact_resnet18_mixprop_sgd"] {
        let fixture = Fixture::read(&format!("training/{case}.safetensors"));
        let mut config = config_of(case);
        config.model.dropout = 0.3;
        config.model.drop_path = 0.3;
        let device = Device::for_tests();
        for cut in [Cut::Joint, Cut::Sequential] {
            let ran = |recompute| run(&device, &config, &fixture, StepLayout { cut, recompute });
            let (kept, recomputed) = (ran(false), ran(true));
            assert_eq!(kept.losses, recomputed.losses, "{case}");
            assert_eq!(kept.raw.params, recomputed.raw.params, "{case}");
            assert_eq!(kept.raw.running, recomputed.raw.running, "{case}");
            assert!(recomputed.arena < kept.arena, "{case}: {} of {}", recomputed.arena, kept.arena);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let case = "b0_advprop_rmsprop";
    let fixture = Fixture::read(&format!("training/{case}.safetensors"));
    let mut config = config_of(case);
    // Everything random switched on.
    config.method.attack.random_start = true;
    config.model.dropout = 0.3;
    config.model.drop_path = 0.3;
    let device = Device::for_tests();
    let first = run(&device, &config, &fixture, StepLayout::PLAIN);
    let second = run(&device, &config, &fixture, StepLayout::PLAIN);
    assert_eq!(first.losses, second.losses);
    assert_eq!(first.raw.params, second.raw.params);
    assert_eq!(first.raw.running, second.raw.running);
    config.run.seed += 1;
    let other = run(&device, &config, &fixture, StepLayout::PLAIN);
    assert_ne!(first.raw.params, other.raw.params, "the seed has no effect");
}
