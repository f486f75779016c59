//! Training images that stay on the GPU train the same net, bit for bit, as those that are sent with each
//! step.

mod common;

use dualprop::data::{Dataset, EvalReader, Loader, LoaderOptions, Recipe, Views};
use dualprop::gpu::Device;
use dualprop::training::engine::RunLength;
use std::sync::Arc;

const CLASSES: [&str; 3] = ["a", "b", "c"];
const IMAGES: usize = 22;
/// Odd, so that an image does not end on a whole word.
const SIZE: usize = 17;
const STEPS: u64 = 6;

struct Made(Vec<String>);

impl Dataset for Made {
    fn len(&self) -> usize {
        IMAGES
    }

    fn class_names(&self) -> &[String] {
        &self.0
    }

    fn label(&self, index: usize) -> usize {
        index % CLASSES.len()
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        Ok((0..size * size * 3).map(|i| (i * (7 * index + 1) % 253) as u8).collect())
    }
}

fn weights(method: &str, accumulate: usize, hold: bool) -> Vec<f32> {
    let sets = [
        "model.arch=resnet18",
        "model.width=0.1",
        "model.depth=0.5",
        "data.image_size=17",
        "data.augment=[crop, flip]",
        "run.batch_size=8",
        &format!("run.accumulate={accumulate}"),
        &format!("method.kind={method}"),
    ];
    let config = common::config("", &sets);
    let device = Device::for_tests();
    let length = RunLength { steps_per_epoch: 2, total_steps: STEPS };
    let (mut engine, _) = common::engine(&device, &config, CLASSES.len(), length);
    let set: Arc<dyn Dataset> = Arc::new(Made(CLASSES.map(str::to_owned).to_vec()));
    if hold {
        let images = EvalReader::read_whole(Arc::clone(&set), SIZE, |_, _| {}).unwrap().unwrap();
        assert!(engine.hold_images(&images).unwrap());
    }
    let loading = LoaderOptions {
        batch_size: 8,
        image_size: SIZE,
        shuffle: true,
        balanced: false,
        seed: 3,
        recipe: Recipe::from_config(&config.data),
        corrupting: None,
        views: if hold { Views::Placements } else { Views::One { policy: true } },
        start_step: 0,
        workers: 2,
    };
    let mut loader = Loader::start(set, loading).unwrap();
    for step in 0..STEPS {
        engine.step(step, &loader.next().unwrap()).unwrap();
    }
    engine.drain().unwrap();
    common::weights(&device, &engine)
}

#[test]
fn held_images_train_the_same_bits() {
    for (method, accumulate) in [("advprop", 1), ("mixup", 2), ("fast_advprop", 2)] {
        let (sent, held) = (weights(method, accumulate, false), weights(method, accumulate, true));
        assert!(sent.iter().zip(&held).all(|(a, b)| a.to_bits() == b.to_bits()), "{method}");
        assert!(sent.iter().all(|w| w.is_finite()), "{method}");
    }
}
