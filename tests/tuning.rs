//! What is kept about an adapter between runs: choices of timed trials and compiled pipelines.

mod common;

use dualprop::config::Config;
use dualprop::gpu::{AdapterCache, Device, DeviceChoice, tuned_variants};
use dualprop::session::tune::tune_on;
use dualprop::training::engine::RunLength;
use std::path::Path;
use std::sync::Arc;

const SIZE: usize = 16;
const IMAGES: usize = 4;
const CLASSES: usize = 1000;

fn config() -> Config {
    let sets = [
        "model.arch=tf_efficientnet_b0",
        "model.width=0.25",
        "model.depth=0.3",
        "data.image_size=16",
        "run.batch_size=4",
        "method.kind=advprop",
    ];
    common::config("", &sets)
}

fn open(folder: Option<&Path>) -> Arc<Device> {
    let choice = std::env::var("DUALPROP_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let choice: DeviceChoice = choice.parse().unwrap_or_default();
    let kept = |report: &_| folder.map(|folder| AdapterCache::at(folder, report));
    Arc::new(Device::open_with(&choice, kept).unwrap())
}

/// The weights after two steps, how many classes of convolutions ran as kept choices say, and how many there
/// are.
fn train(device: &Arc<Device>, config: &Config) -> (Vec<f32>, usize, usize) {
    let length = RunLength { steps_per_epoch: 10, total_steps: 10 };
    let (mut engine, _) = common::engine(device, config, CLASSES, length);
    let images = (0..IMAGES * SIZE * SIZE * 3).map(|i| (i * i % 251) as u8).collect();
    let batch = common::batch(images, IMAGES, CLASSES);
    for step in 0..2 {
        engine.step(step, &batch).unwrap();
    }
    engine.drain().unwrap();
    (common::weights(device, &engine), engine.kept_choices().len(), engine.convolutions().len())
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn kept_choices_steer_later_runs_and_change_nothing_beyond_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let config = config();
    let (plain, kept, all) = train(&open(None), &config);
    assert_eq!(kept, 0);
    assert!(all > 20, "{all} classes of convolutions");

    let device = open(Some(folder.path()));
    let mut heard = Vec::new();
    let report = tune_on(&device, &config, |done, total| heard.push((done, total))).unwrap();
    assert_eq!(report.rows.len(), all);
    assert_eq!(heard.last(), Some(&(all, all)));
    for row in &report.rows {
        assert!(row.refused.is_empty(), "{row:?}");
        assert!(row.ratio >= 1.0 && row.best_ms > 0.0, "{row:?}");
    }
    drop(device);

    let tuned = open(Some(folder.path()));
    let (first, kept, _) = train(&tuned, &config);
    assert_eq!(kept, all, "every class has its choice");
    let (second, _, _) = train(&open(Some(folder.path())), &config);
    assert!(first.iter().zip(&second).all(|(a, b)| a.to_bits() == b.to_bits()), "same choices, same bits");
    // Two steps of a sign attack and RMSProp: rounding turns a few signs, and a step is at most about the
    // rate.
    assert!(largest_difference(&first, &plain) < 2e-3, "{}", largest_difference(&first, &plain));

    std::fs::write(tuned_variants::file(tuned.cache().unwrap()), "{").unwrap();
    let (again, kept, _) = train(&open(Some(folder.path())), &config);
    assert_eq!(kept, 0, "a damaged file counts for nothing");
    assert!(again.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()), "back to the rules");
}

#[test]
fn compiled_pipelines_are_kept_and_a_damaged_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = config();
    let first = open(Some(folder.path()));
    assert!(!first.has_kept_pipelines());
    let (plain, ..) = train(&first, &config);
    let file = first.cache().unwrap().file("pipelines", "bin");
    if !first.report().features.iter().any(|f| f == "pipeline_cache") {
        assert!(!file.exists(), "this adapter offers nothing to keep");
        return;
    }
    let sound = std::fs::read(&file).unwrap();
    let second = open(Some(folder.path()));
    assert!(second.has_kept_pipelines());
    assert_eq!(train(&second, &config).0, plain);

    std::fs::write(&file, &sound[..sound.len() / 2]).unwrap();
    let third = open(Some(folder.path()));
    assert!(!third.has_kept_pipelines());
    assert_eq!(train(&third, &config).0, plain);
    assert!(open(Some(folder.path())).has_kept_pipelines(), "the file is sound again");
}
