//! Auto-PGD against its authors' code: the same images fooled, and the same loss of what the attack returns.

use crate::fixture::{Fixture, folder};
use dualprop::config::{Config, EvaluationAttack};
use dualprop::evaluation::inference::{ImageBatch, Inference};
use dualprop::gpu::{Device, Gpu};
use dualprop::models::init::Arenas;
use dualprop::models::{ModelOptions, build, names};
use std::sync::Arc;

/// Largest difference of an image's loss, relative to the largest loss. The files hold images on which
/// float32 and float64 PyTorch end within 2e-4 of each other; one sign that flips moves an image further than
/// this.
const LOSS: f64 = 2e-3;

fn check(case: &str) {
    let fixture = Fixture::read(&format!("attacks/{case}"));
    let weights = Fixture::read(&format!("weights/{}", fixture.text("weights")));
    let size = fixture.number("image_size") as usize;
    let options = ModelOptions {
        domains: 3,
        stem_stride: fixture.number("stem_stride") as usize,
        width: fixture.number("width"),
        depth: fixture.number("depth"),
        ..ModelOptions::plain(fixture.number("classes") as usize, size)
    };
    let network = build(&fixture.text("arch"), &options).unwrap();
    let layout = &network.layout;
    let mut arenas = Arenas { params: vec![0.0; layout.param_len], running: vec![0.0; layout.running_len] };
    names::import(layout, &mut arenas, |tensor| {
        weights.tensors.get(tensor).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .unwrap();
    let mut config = Config::default();
    let triple = |key: &str| [0, 1, 2].map(|i| fixture.json(key)[i].as_f64().unwrap() as f32);
    (config.data.mean, config.data.std) = (triple("mean"), triple("std"));
    let device = Device::for_tests();
    let mut gpu = Gpu::new(Arc::clone(&device));
    let [params, running] = [&arenas.params, &arenas.running].map(|values| {
        let buffer = gpu.device.storage("arena", values.len() as u64 * 4).unwrap();
        gpu.device.write(&buffer, 0, values);
        buffer
    });
    let labels: Vec<u32> = fixture.get("labels").data.iter().map(|label| *label as u32).collect();
    let ids: Vec<u32> = (0..labels.len() as u32).collect();
    let images = ImageBatch { pixels: &fixture.get("images").data, labels: &labels, ids: &ids };
    let mut inference =
        Inference::new(&device, &config, &network, labels.len(), &params, &running, |_, _| {}).unwrap();
    let attack = EvaluationAttack::parse_spec(&fixture.text("attack")).unwrap();
    let found = inference.strongest(&mut gpu, images, &attack, 0, 1, true).unwrap();
    let right: Vec<bool> = fixture.get("right").data.iter().map(|hit| *hit > 0.5).collect();
    assert_eq!(found.outcome.top1, right, "{case}: images that are still right");
    let expected = &fixture.get("loss").data;
    let largest = expected.iter().fold(0.0_f64, |most, loss| most.max(f64::from(*loss)));
    let apart = found.outcome.loss.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    let worst = apart.fold(0.0, f64::max) / largest;
    println!("{case}: losses {worst:.1e} apart at most");
    assert!(worst < LOSS, "{case}: {:?} instead of {expected:?}", found.outcome.loss);
    for (pixel, clean) in found.pixels.iter().zip(images.pixels) {
        assert!((pixel - clean).abs() <= attack.epsilon() && (0.0..=255.0).contains(pixel));
    }
}

/// Every case in the folder, so that a new fixture is a new test.
#[test]
fn auto_pgd_fools_the_images_that_its_authors_code_fools() {
    let entries = std::fs::read_dir(folder().join("attacks")).unwrap();
    let mut cases: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    cases.sort();
    assert!(cases.len() >= 5, "only {} cases", cases.len());
    cases.iter().for_each(|case| check(case));
}
