//! How fast images are classified on this adapter, on made data: whole batches as validation and every
//! command on a checkpoint send them, and what of their time the GPU works.

use super::roofs::{Roofs, kernel_times, roofs};
use super::{CLASSES, KernelTime, made_bytes, network};
use crate::config::Config;
use crate::evaluation::inference::{ImageBatch, Inference};
use crate::gpu::profile::DispatchTime;
use crate::gpu::{Device, DeviceChoice, Element, Gpu};
use crate::models::init;
use crate::session::open_device;
use anyhow::ensure;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Batches before the measured ones.
const WARM_UP: u64 = 2;

/// What a bench of inference measured.
#[derive(Clone, Debug, Serialize)]
pub struct InferReport {
    /// Name of the architecture.
    pub arch: String,
    /// Side of an image, pixels.
    pub image_size: usize,
    /// Images of a batch.
    pub batch_size: usize,
    /// Adapter and backend.
    pub device: String,
    /// Images a second, by the wall clock.
    pub images_per_s: f64,
    /// Milliseconds a batch in the mean, by the wall clock: from pixels to logits in the host's memory.
    pub batch_ms: f64,
    /// Milliseconds of the fastest batch.
    pub fastest_ms: f64,
    /// Measured batches.
    pub batches: u64,
    /// Milliseconds to hand a batch's pixels to the GPU.
    pub upload_ms: f64,
    /// GPU milliseconds of a batch; absent, as those below, without timestamps.
    pub gpu_ms: Option<f64>,
    /// The part of [`Self::gpu_ms`] that folds batch norms into weights, whatever the batch.
    pub fold_ms: Option<f64>,
    /// Seconds to plan, allocate and compile.
    pub compile_s: f64,
    /// Seconds of the first batch; some drivers compile only here.
    pub first_batch_s: f64,
    /// Dispatches of a batch.
    pub dispatches: usize,
    /// GPU memory beyond the weights, an attack's included.
    pub gpu_bytes: u64,
    /// Floating-point operations of a batch.
    pub flops: u64,
    /// Bytes of global memory that a batch moves.
    pub bytes: u64,
    /// Bytes a second that an element-wise kernel moves on this adapter.
    pub copy_bytes_per_s: Option<f64>,
    /// Floating-point operations a second of a matrix multiplication on this adapter.
    pub gemm_flops_per_s: Option<f64>,
    /// Kernels by their time in a batch, slowest first.
    pub kernels: Vec<KernelTime>,
}

/// Measures `batches` batches of `run.batch_size` random images through a network of random weights and 1000
/// classes. `progress` hears (pipelines done, of all). Fails where the adapter takes only smaller batches.
pub fn infer(
    config: &Config,
    device: &DeviceChoice,
    batches: u64,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<InferReport> {
    config.validate()?;
    let device = open_device::open(device, config.run.precision)?;
    let network = network(config)?;
    let (count, size) = (config.run.batch_size, config.data.image_size);
    let begun = Instant::now();
    let arenas = init::initialize(&config.model.arch, &network, config.run.seed);
    let [weights, running] = [&arenas.params, &arenas.running].map(|values| on_gpu(&device, values));
    let mut inference = Inference::new(&device, config, &network, count, &weights?, &running?, progress)?;
    let compile_s = begun.elapsed().as_secs_f64();
    ensure!(
        inference.batch() == count,
        "{} takes at most {} images of {size} pixels at a time; expected --batch {0} or smaller",
        device.report().name,
        inference.batch()
    );

    let pixels: Vec<f32> = made_bytes(count * size * size * 3).map(f32::from).collect();
    let numbers: Vec<u32> = (0..count as u32).collect();
    let labels: Vec<u32> = numbers.iter().map(|number| number * 37 % CLASSES as u32).collect();
    let images = ImageBatch { pixels: &pixels, labels: &labels, ids: &numbers };
    let mut gpu = Gpu::new(Arc::clone(&device));
    let mut seconds_of_one = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        inference.forward(&mut gpu, images, 0)?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let first_batch_s = seconds_of_one()?;
    for _ in 0..WARM_UP {
        seconds_of_one()?;
    }
    let times = (0..batches).map(|_| seconds_of_one()).collect::<anyhow::Result<Vec<f64>>>()?;
    let upload_s = inference.upload_seconds(&device, images)?;
    let dispatches = inference.profile(&device, count, 0)?.unwrap_or_default();
    let roofs = roofs(&device, Element::F32)?.filter(|_| !dispatches.is_empty());
    let mean_s = times.iter().sum::<f64>() / times.len().max(1) as f64;
    let staged: Vec<(&'static str, DispatchTime)> =
        dispatches.iter().map(|time| (stage(time), *time)).collect();
    let gpu_ms = |wanted: &dyn Fn(&str) -> bool| {
        let seconds = staged.iter().filter(|(stage, _)| wanted(stage)).map(|(_, time)| time.seconds);
        roofs.map(|_| seconds.sum::<f64>() * 1e3)
    };
    let adapter = device.report();
    Ok(InferReport {
        arch: config.model.arch.clone(),
        image_size: size,
        batch_size: count,
        device: format!("{} ({})", adapter.name, adapter.backend),
        images_per_s: count as f64 / mean_s,
        batch_ms: mean_s * 1e3,
        fastest_ms: times.iter().copied().fold(f64::INFINITY, f64::min) * 1e3,
        batches,
        upload_ms: upload_s * 1e3,
        gpu_ms: gpu_ms(&|_| true),
        fold_ms: gpu_ms(&|stage| stage == FOLD),
        compile_s,
        first_batch_s,
        dispatches: inference.dispatches(&device, count, 0)?,
        gpu_bytes: inference.bytes(),
        flops: dispatches.iter().map(|time| time.cost.flops).sum(),
        bytes: dispatches.iter().map(|time| time.cost.bytes).sum(),
        copy_bytes_per_s: roofs.map(|r: Roofs| r.bytes_per_s),
        gemm_flops_per_s: roofs.map(|r| r.flops_per_s),
        kernels: roofs.map(|r| kernel_times(&staged, r)).unwrap_or_default(),
    })
}

const FOLD: &str = "fold";

/// What a dispatch of inference is for.
fn stage(time: &DispatchTime) -> &'static str {
    if time.shader == "fold_batch_norm" { FOLD } else { "forward" }
}

fn on_gpu(device: &Device, values: &[f32]) -> anyhow::Result<wgpu::Buffer> {
    let buffer = device.storage("weights", values.len() as u64 * 4)?;
    device.write(&buffer, 0, values);
    Ok(buffer)
}
