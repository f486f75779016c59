//! How fast a training step is on this adapter, on made data: the step as a user has it, its stages, and
//! against the adapter's own measured copy bandwidth and multiply-add rate, the floor that no kernel can
//! pass.

mod infer;
mod roofs;

use super::open_device;
use crate::config::Config;
use crate::data::{Batch, PlacedImages, Placement};
use crate::gpu::profile::DispatchTime;
use crate::gpu::{Caps, Device, DeviceChoice};
use crate::graph::{Network, OnLoad, PassSpec, Statistics, plan_on_load};
use crate::models::{ModelOptions, build, init};
use crate::training::engine::{Engine, RunLength};
use crate::training::method;
use crate::training::precision;
pub use infer::{InferReport, infer};
use roofs::{Roofs, floor_shares, kernel_times, roofs};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Steps before the measured ones: pipelines warm up and the submit lengths settle.
const WARM_UP: u64 = 3;
/// Classes of the network.
const CLASSES: usize = 1000;

/// What a bench measured.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Name of the architecture.
    pub arch: String,
    /// Kind of the method.
    pub method: String,
    /// `f32` or `f16`.
    pub precision: String,
    /// Side of an image, pixels.
    pub image_size: usize,
    /// Clean images of a step.
    pub batch_size: usize,
    /// Adapter and backend.
    pub device: String,
    /// How the step was laid out in memory.
    pub layout: String,
    /// Classes of convolutions that run as a timed trial chose, of all.
    pub kept_choices: [usize; 2],
    /// Clean images a second, by the wall clock.
    pub images_per_s: f64,
    /// Milliseconds a step, by the wall clock.
    pub step_ms: f64,
    /// Measured steps.
    pub steps: u64,
    /// GPU milliseconds a step of the training passes forward; absent, as the other stages, without
    /// timestamps.
    pub forward_ms: Option<f64>,
    /// GPU milliseconds a step of all attacks.
    pub attack_ms: Option<f64>,
    /// GPU milliseconds a step of the training passes backward.
    pub backward_ms: Option<f64>,
    /// GPU milliseconds a step of the update.
    pub optimizer_ms: Option<f64>,
    /// GPU milliseconds a step of crop, flip, mixing and cleared gradients.
    pub prepare_ms: Option<f64>,
    /// Seconds to plan, allocate and compile.
    pub compile_s: f64,
    /// The part of [`Self::compile_s`] that went into pipelines.
    pub pipelines_s: f64,
    /// Whether pipelines were at hand from an earlier run.
    pub kept_pipelines: bool,
    /// Seconds of the first step; some drivers compile only here.
    pub first_step_s: f64,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// The processor's microseconds to encode one dispatch.
    pub encode_us: f64,
    /// GPU memory of the run.
    pub peak_gpu_bytes: u64,
    /// Floating-point operations of a step's plan.
    pub step_flops: u64,
    /// Bytes of global memory that a step's plan moves.
    pub step_bytes: u64,
    /// Bytes a second that an element-wise kernel moves on this adapter.
    pub copy_bytes_per_s: Option<f64>,
    /// Floating-point operations a second of a matrix multiplication on this adapter.
    pub gemm_flops_per_s: Option<f64>,
    /// Batch norms and gates of a training pass: where the plan applies them.
    pub fused: Vec<OnLoad>,
    /// The same of an attack's pass, where it normalises by running statistics; else it is as in training.
    pub attack_fused: Option<Vec<OnLoad>>,
    /// By stage: the share of its time that the floor would take.
    pub floor_share: BTreeMap<String, f64>,
    /// Kernels by their time in a step, slowest first.
    pub kernels: Vec<KernelTime>,
}

/// The time of one kernel in one stage of a step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// Name of the shader.
    pub kernel: String,
    /// The stage of the step: prepare, attack, forward, backward or optimizer.
    pub stage: String,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// GPU milliseconds a step of all of them.
    pub ms: f64,
    /// Billions of floating-point operations a second.
    pub gflop_per_s: f64,
    /// Billions of bytes of global memory a second.
    pub gb_per_s: f64,
    /// The floor's time over this one's.
    pub floor_share: f64,
}

/// Measures `steps` steps of a configuration. Images and labels are random, the network has 1000 classes.
/// `progress` hears (pipelines done, of all).
pub fn bench(
    config: &Config,
    device: &DeviceChoice,
    steps: u64,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<BenchReport> {
    config.validate()?;
    let device = open_device::open(device, config.run.precision)?;
    let mut prepared = Prepared::new(&device, config, WARM_UP + steps, progress)?;
    let timed = Timed::new(&mut prepared.engine, &made_batch(config), steps)?;
    let dispatches = prepared.engine.profile()?;
    let storage = precision::storage(config.run.precision, device.report())?;
    let roofs = roofs(&device, storage)?;
    Ok(report(config, &prepared, &timed, &dispatches, &device.caps_for(storage), roofs))
}

/// A step that is ready to run, and what it took to make it.
struct Prepared {
    engine: Engine,
    /// Seconds to plan, allocate and compile.
    compile_s: f64,
    /// The part of it that went into pipelines.
    pipelines_s: f64,
    /// How the step is laid out in memory, with what the engine said while it looked for a layout.
    layout: String,
}

impl Prepared {
    fn new(
        device: &Arc<Device>,
        config: &Config,
        total_steps: u64,
        mut progress: impl FnMut(usize, usize),
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let network = network(config)?;
        let arenas = init::initialize(&config.model.arch, &network, config.run.seed);
        let length = RunLength { steps_per_epoch: 1000, total_steps };
        let mut notices = Vec::new();
        let mut pipelines = (Instant::now(), 0.0);
        let compiling = |done, total| {
            if done == 0 {
                pipelines.0 = Instant::now();
            }
            pipelines.1 = pipelines.0.elapsed().as_secs_f64();
            progress(done, total);
        };
        let notice = |text| notices.push(text);
        let mut engine = Engine::new(Arc::clone(device), config, network, length, compiling, notice)?;
        engine.load_fresh(&arenas);
        let compile_s = begun.elapsed().as_secs_f64();
        let mut layout = engine.layout().to_string();
        for notice in notices {
            layout = format!("{layout} ({notice})");
        }
        Ok(Self { engine, compile_s, pipelines_s: pipelines.1, layout })
    }
}

/// Wall-clock and GPU times of the measured steps.
struct Timed {
    first_step_s: f64,
    steps: u64,
    /// Mean seconds a step.
    step_s: f64,
    /// Mean GPU seconds a step by stage; empty where the adapter has no timestamps.
    stages: BTreeMap<&'static str, f64>,
}

impl Timed {
    fn new(engine: &mut Engine, batch: &Batch, steps: u64) -> anyhow::Result<Self> {
        let first_step_s = seconds_of(engine, batch, 0..1)?;
        seconds_of(engine, batch, 1..WARM_UP)?;
        let step_s = seconds_of(engine, batch, WARM_UP..WARM_UP + steps)? / steps as f64;
        let stages = engine.stage_seconds().into_iter().collect();
        Ok(Self { first_step_s, steps, step_s, stages })
    }

    /// GPU milliseconds a step of one stage.
    fn stage_ms(&self, stage: &str) -> Option<f64> {
        self.stages.get(stage).map(|seconds| seconds * 1e3)
    }
}

/// Seconds by the wall clock until these steps are done.
fn seconds_of(engine: &mut Engine, batch: &Batch, steps: Range<u64>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    for step in steps {
        engine.step(step, batch)?;
    }
    engine.drain()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Puts the measurements together. `dispatches` are those of a step with their stages, `roofs` the adapter's
/// limits where it has timestamps.
fn report(
    config: &Config,
    prepared: &Prepared,
    timed: &Timed,
    dispatches: &[(&'static str, DispatchTime)],
    caps: &Caps,
    roofs: Option<Roofs>,
) -> BenchReport {
    let engine = &prepared.engine;
    let (device, network) = (engine.device(), engine.network());
    let adapter = device.report();
    let (encoded, encode_s) = engine.encode_seconds();
    BenchReport {
        arch: config.model.arch.clone(),
        method: word(config, "method.kind"),
        precision: word(config, "run.precision"),
        image_size: config.data.image_size,
        batch_size: config.run.batch_size,
        device: format!("{} ({})", adapter.name, adapter.backend),
        layout: prepared.layout.clone(),
        kept_choices: [engine.kept_choices().len(), engine.convolutions().len()],
        images_per_s: config.run.batch_size as f64 / timed.step_s,
        step_ms: timed.step_s * 1e3,
        steps: timed.steps,
        forward_ms: timed.stage_ms("forward"),
        attack_ms: timed.stage_ms("attack"),
        backward_ms: timed.stage_ms("backward"),
        optimizer_ms: timed.stage_ms("optimizer"),
        prepare_ms: timed.stage_ms("prepare"),
        compile_s: prepared.compile_s,
        pipelines_s: prepared.pipelines_s,
        kept_pipelines: device.has_kept_pipelines(),
        first_step_s: timed.first_step_s,
        dispatches: encoded,
        encode_us: encode_s * 1e6 / encoded as f64,
        peak_gpu_bytes: engine.planned_bytes(),
        step_flops: dispatches.iter().map(|(_, t)| t.cost.flops).sum(),
        step_bytes: dispatches.iter().map(|(_, t)| t.cost.bytes).sum(),
        copy_bytes_per_s: roofs.map(|r| r.bytes_per_s),
        gemm_flops_per_s: roofs.map(|r| r.flops_per_s),
        fused: plan_on_load(network, caps, &training_pass(config), &[]),
        attack_fused: engine
            .attacks_with_running_statistics()
            .then(|| plan_on_load(network, caps, &attack_pass(config), &[])),
        floor_share: roofs.map(|r| floor_shares(dispatches, r)).unwrap_or_default(),
        kernels: roofs.map(|r| kernel_times(dispatches, r)).unwrap_or_default(),
    }
}

fn training_pass(config: &Config) -> PassSpec {
    PassSpec {
        statistics: Statistics::BatchUpdating,
        weight_gradients: true,
        ..PassSpec::inference(config.run.batch_size, 0, config.run.fusion)
    }
}

fn attack_pass(config: &Config) -> PassSpec {
    PassSpec { input_gradient: true, ..PassSpec::inference(config.run.batch_size, 0, config.run.fusion) }
}

/// The network of a configuration with the bench's number of classes.
pub(super) fn network(config: &Config) -> anyhow::Result<Network> {
    let domains = method::domains(&config.method);
    let options = ModelOptions::from_config(&config.model, config.data.image_size, CLASSES, domains);
    build(&config.model.arch, &options)
}

fn word(config: &Config, key: &str) -> String {
    config.get(key).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A fixed sequence of bytes; what they are does not change what is computed.
fn made_bytes(count: usize) -> impl Iterator<Item = u8> {
    (0..count).scan(1_u32, |state, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    })
}

fn made_batch(config: &Config) -> Batch {
    let (images, size) = (config.run.batch_size, config.data.image_size);
    let bytes: Vec<u8> = made_bytes(images * size * size * 3).collect();
    let placements = vec![Placement::default(); images];
    let view = || PlacedImages { images: bytes.clone(), placements: placements.clone() };
    let augmented = method::wants_two_views(&config.method).then(view);
    let corrupted = method::wants_corrupted(&config.method).then(view);
    Batch {
        step: 0,
        images: bytes,
        labels: (0..images).map(|i| (i * 37 % CLASSES) as u32).collect(),
        placements,
        augmented,
        corrupted,
        samples: (0..images as u32).collect(),
    }
}
