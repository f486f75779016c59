//! Set-ups that several tests share: a tiny run on the built-in data, an engine with fresh weights.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use dualprop::config::Config;
use dualprop::data::{Batch, Placement};
use dualprop::gpu::{Device, DeviceChoice};
use dualprop::models::init::{Arenas, initialize};
use dualprop::models::{ModelOptions, build};
use dualprop::session::{RunHandle, RunOptions};
use dualprop::training::buffers;
use dualprop::training::engine::{Engine, RunLength};
use dualprop::training::events::{Event, Finish};
use dualprop::training::method;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A run that takes seconds on a software adapter: 40 images of the `shapes` set, five steps an epoch, a net
/// of a tenth of B0's width. What a test wants otherwise it sets.
pub(crate) const TINY: &str = r#"
[run]
steps = 6
batch_size = 8
[data]
source = "shapes"
train_limit = 40
[model]
arch = "tf_efficientnet_b0"
width = 0.1
depth = 0.3
[method]
kind = "advprop"
[method.attack]
epsilon = 2.0
[optimizer]
kind = "rmsprop"
lr = 0.002
[schedule]
warmup_epochs = 0.0
[ema]
decay = 0.9
[eval]
limit = 16
attack = "fgsm:eps=2"
"#;

/// The configuration `text` with `sets` of the form `key=value` over it, later ones over earlier ones.
pub(crate) fn config(text: &str, sets: &[&str]) -> Config {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Config::parse(text, "test", &sets).unwrap()
}

/// Held by a test that trains: runs share two cores with everything else, so one goes at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run of `config` into the folder `out` on the software adapter, without pictures.
pub(crate) fn options(config: Config, out: &Path, resume: bool) -> RunOptions {
    RunOptions { config, out: out.to_owned(), resume, device: DeviceChoice::Cpu, pictures: false }
}

/// How a run ended; waits for that.
pub(crate) fn finish(run: RunHandle) -> Finish {
    let finish = run.events.iter().find_map(|e| if let Event::Finished(f) = e { Some(f) } else { None });
    run.join();
    finish.expect("a run's last event says how it ended")
}

/// An engine for the network of `config` with `classes` outputs, and the fresh weights that it begins with.
pub(crate) fn engine(
    device: &Arc<Device>,
    config: &Config,
    classes: usize,
    length: RunLength,
) -> (Engine, Arenas) {
    let domains = method::domains(&config.method);
    let options = ModelOptions::from_config(&config.model, config.data.image_size, classes, domains);
    let network = build(&config.model.arch, &options).unwrap();
    let arenas = initialize(&config.model.arch, &network, 1);
    let mut engine = Engine::new(Arc::clone(device), config, network, length, |_, _| {}, |_| {}).unwrap();
    engine.load_fresh(&arenas);
    (engine, arenas)
}

/// The engine's present weights.
pub(crate) fn weights(device: &Device, engine: &Engine) -> Vec<f32> {
    let count = engine.network().layout.param_len;
    device.read_f32(engine.buffers().get(buffers::PARAMS), 0, count).unwrap()
}

/// A batch of images `[n, S, S, 3]` without crop and flip; the classes take turns.
pub(crate) fn batch(images: Vec<u8>, count: usize, classes: usize) -> Batch {
    Batch {
        step: 0,
        images,
        labels: (0..count).map(|i| (i % classes) as u32).collect(),
        placements: vec![Placement::default(); count],
        augmented: None,
        corrupted: None,
        samples: (0..count as u32).collect(),
    }
}
