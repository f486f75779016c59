//! An open GPU: device, queue, pipelines made once per kernel, and the errors that arrive out of band.

use super::adapter::{self, AdapterReport, DeviceChoice};
use super::adapter_cache::AdapterCache;
use super::caps::{Caps, Form, Matrices, TunedVariants};
use super::compile_ahead::CompiledAhead;
use super::error::GpuError;
use super::launch::{Element, Kernel, Launch, PARAMS_BYTES};
use super::object_counts::Counters;
use super::pipeline_cache::PipelineCache;
use super::step_uniform::StepUniform;
use super::{shader_dump, shaders};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

/// An opened adapter. Exactly one thread may wait on it at a time (wgpu 30 panics on concurrent polls).
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    report: AdapterReport,
    caps: Caps,
    /// What the adapter offers, tested or not.
    matrices: Option<Matrices>,
    /// The families of kernels that run here.
    forms: Vec<Form>,
    /// Where things are kept between runs, if anywhere.
    cache: Option<AdapterCache>,
    limits: wgpu::Limits,
    /// Where the driver compiles late.
    pub(super) compiled_ahead: Option<CompiledAhead>,
    /// Bind group layouts by number of storage buffers: all are read-write, so the number says it all.
    storage_layouts: Mutex<BTreeMap<usize, wgpu::BindGroupLayout>>,
    uniform_layout: wgpu::BindGroupLayout,
    pipelines: Mutex<HashMap<Kernel, wgpu::ComputePipeline>>,
    /// Where the adapter offers it.
    pipeline_cache: Option<PipelineCache>,
    /// First error that wgpu reported outside any call, or the reason of a lost device.
    trouble: Arc<Mutex<Option<GpuError>>>,
    pub(super) counters: Counters,
}

/// wgpu asks for a promise where it calls a feature experimental.
#[allow(unsafe_code, reason = "cooperative matrices are experimental in wgpu 30")]
fn experiments(wanted: bool) -> wgpu::ExperimentalFeatures {
    if !wanted {
        return wgpu::ExperimentalFeatures::disabled();
    }
    // SAFETY: the only such feature is cooperative matrices; shaders that use them are ours, and a run takes
    // them only after their results were found right on this adapter.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// Opens the chosen adapter with all of its own limits, and with what earlier runs kept about it in the
    /// user's cache folder.
    pub fn open(choice: &DeviceChoice) -> Result<Self, GpuError> {
        Self::open_with(choice, AdapterCache::of_user)
    }

    /// As [`Self::open`], with `cache` to say where things are kept between runs, if anywhere.
    pub fn open_with(
        choice: &DeviceChoice,
        cache: impl FnOnce(&AdapterReport) -> Option<AdapterCache>,
    ) -> Result<Self, GpuError> {
        let (adapter, report) = adapter::pick(choice)?;
        let mut caps = adapter::caps(&adapter);
        let cache = cache(&report);
        match cache.as_ref().map(TunedVariants::load) {
            Some(Ok(tuned)) if !tuned.0.is_empty() => caps.tuned = Some(Arc::new(tuned)),
            Some(Err(sentence)) => tracing::warn!("{sentence}; `dualprop bench --tune` makes new ones"),
            _ => {}
        }
        let wanted = wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::SHADER_F16
            | wgpu::Features::PIPELINE_CACHE;
        let matrices = adapter::matrices(&adapter);
        let experimental = match matrices {
            Some(_) => wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
            None => wgpu::Features::empty(),
        };
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("dualprop"),
            required_features: (adapter.features() & wanted) | experimental,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            experimental_features: experiments(!experimental.is_empty()),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| GpuError::Refused { adapter: report.name.clone(), reason: e.to_string() })?;
        let trouble: Arc<Mutex<Option<GpuError>>> = Arc::default();
        let slot = Arc::clone(&trouble);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&slot).get_or_insert(GpuError::Reported(error.to_string()));
        }));
        let slot = Arc::clone(&trouble);
        // wgpu reports what a lost device is asked to do nowhere else.
        device.set_device_lost_callback(move |_, message| *lock(&slot) = Some(GpuError::Lost(message)));
        let uniform = |binding, size: usize, dynamic| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: dynamic,
                min_binding_size: NonZeroU64::new(size as u64),
            },
            count: None,
        };
        let uniform_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("uniforms"),
            entries: &[uniform(0, PARAMS_BYTES, true), uniform(1, size_of::<StepUniform>(), false)],
        });
        let compiled_ahead = cache.as_ref().and_then(|cache| CompiledAhead::open(&report, cache));
        let pipeline_cache = cache.clone().and_then(|cache| PipelineCache::open(&device, cache));
        Ok(Self {
            device,
            queue,
            report,
            caps,
            matrices,
            forms: [Form::Subgroups, Form::Tiles]
                .into_iter()
                .filter(|f| adapter::runs(&adapter, *f))
                .collect(),
            cache,
            limits,
            pipeline_cache,
            compiled_ahead,
            storage_layouts: Mutex::default(),
            uniform_layout,
            pipelines: Mutex::default(),
            trouble,
            counters: Counters::default(),
        })
    }

    /// A device of the software adapter, held by one test at a time. There are two, because that adapter
    /// compiles shaders on one core, which is most of what tests of kernels do. `DUALPROP_TEST_DEVICE` picks
    /// another adapter, which has one.
    ///
    /// # Panics
    /// When there is none: a missing adapter is a failure of a test run, not a reason to skip.
    pub fn for_tests() -> MutexGuard<'static, Arc<Device>> {
        static DEVICES: [OnceLock<Mutex<Arc<Device>>>; 2] = [OnceLock::new(), OnceLock::new()];
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let other = std::env::var("DUALPROP_TEST_DEVICE").ok();
        let choice = other.as_deref().unwrap_or("cpu").parse().unwrap_or_default();
        let devices = if other.is_some() { &DEVICES[..1] } else { &DEVICES };
        // What a user keeps must not decide what a test sees.
        let open = || Device::open_with(&choice, |_| None).expect("the tests need an adapter; see README.md");
        let opened =
            |place: &'static OnceLock<Mutex<Arc<Device>>>| place.get_or_init(|| Mutex::new(Arc::new(open())));
        let free = devices.iter().find_map(|place| match opened(place).try_lock() {
            Ok(device) => Some(device),
            Err(TryLockError::Poisoned(device)) => Some(device.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        free.unwrap_or_else(|| lock(opened(&devices[NEXT.fetch_add(1, Ordering::Relaxed) % devices.len()])))
    }

    /// What `dualprop devices` says about the adapter.
    pub fn report(&self) -> &AdapterReport {
        &self.report
    }

    /// For f32, with which every pass that has no other storage works.
    pub fn caps(&self) -> Caps {
        self.caps_for(Element::F32)
    }

    /// For passes that store activations so.
    pub fn caps_for(&self, storage: Element) -> Caps {
        self.caps.clone().for_storage(storage)
    }

    /// The families of kernels that run on the adapter, of which [`Self::caps`] has the fastest. That of
    /// [`Form::Subgroups`] needs subgroups of eight lanes, which some software adapters do not have.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The ways to store activations that the adapter's shaders know: f16 is optional in WebGPU.
    pub fn storages(&self) -> &'static [Element] {
        match self.device.features().contains(wgpu::Features::SHADER_F16) {
            true => &[Element::F32, Element::F16],
            false => &[Element::F32],
        }
    }

    /// Cooperative matrices that the adapter offers. [`Self::caps_for`] has them after [`Self::use_matrices`]
    /// alone.
    pub fn offered_matrices(&self) -> Option<Matrices> {
        self.matrices
    }

    /// Says that the offered matrices compute what they should.
    pub fn use_matrices(&mut self) {
        self.caps.matrices = self.matrices;
    }

    /// Where things are kept between runs, if anywhere.
    pub fn cache(&self) -> Option<&AdapterCache> {
        self.cache.as_ref()
    }

    /// Largest buffer, and largest part of one that a shader can see, in bytes.
    pub fn largest_binding(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// Bytes of the largest buffer that the device makes.
    pub fn largest_buffer(&self) -> u64 {
        self.limits.max_buffer_size
    }

    /// Fails with the first error that arrived since the last check. A lost device stays lost.
    pub fn check(&self) -> Result<(), GpuError> {
        let mut trouble = lock(&self.trouble);
        match &*trouble {
            None => Ok(()),
            Some(lost @ GpuError::Lost(_)) => Err(lost.clone()),
            Some(_) => trouble.take().map_or(Ok(()), Err),
        }
    }

    /// A zeroed storage buffer of `bytes` (rounded up to 4), or a sentence why not.
    pub fn storage(&self, what: &str, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        self.buffer(what, bytes.next_multiple_of(4).max(16), usage)
    }

    pub(super) fn buffer(
        &self,
        what: &str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, GpuError> {
        if size > self.limits.max_buffer_size {
            let limit = self.limits.max_buffer_size;
            return Err(GpuError::TooLarge { what: what.to_owned(), bytes: size, limit });
        }
        self.counters.buffer();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            Some(_) => Err(GpuError::OutOfMemory { what: what.to_owned(), bytes: size }),
            None => Ok(buffer),
        }
    }

    /// Queues `data` to be written before anything that is submitted later. wgpu makes a buffer for it; what
    /// a step writes goes through an [`super::UploadRing`].
    pub fn write<T: bytemuck::NoUninit>(&self, buffer: &wgpu::Buffer, offset_bytes: u64, data: &[T]) {
        self.counters.buffer();
        self.queue.write_buffer(buffer, offset_bytes, bytemuck::cast_slice(data));
    }

    /// Sends what was written and waits for it, so that a large upload does not pile up in memory.
    pub fn flush(&self) -> Result<(), GpuError> {
        self.queue.submit([]);
        self.wait()
    }

    /// Waits for all submitted work and returns `bytes` of a buffer. For checkpoints and results, not for
    /// steps.
    pub fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>, GpuError> {
        let padded = bytes.next_multiple_of(4);
        let staging =
            self.buffer("readback", padded, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)?;
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, padded);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let mapped = staging.get_mapped_range(..).map_err(|e| GpuError::Reported(e.to_string()))?;
        Ok(mapped[..bytes as usize].to_vec())
    }

    /// [`Self::read`] as floats.
    pub fn read_f32(
        &self,
        buffer: &wgpu::Buffer,
        offset_bytes: u64,
        count: usize,
    ) -> Result<Vec<f32>, GpuError> {
        let bytes = self.read(buffer, offset_bytes, count as u64 * 4)?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Waits until everything submitted so far is done.
    pub fn wait(&self) -> Result<(), GpuError> {
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|e| GpuError::Reported(e.to_string()))?;
        self.check()
    }

    pub(super) fn uniform_layout(&self) -> &wgpu::BindGroupLayout {
        &self.uniform_layout
    }

    pub(super) fn storage_layout(&self, count: usize) -> wgpu::BindGroupLayout {
        lock(&self.storage_layouts)
            .entry(count)
            .or_insert_with(|| {
                let entries: Vec<_> = (0..count as u32)
                    .map(|binding| wgpu::BindGroupLayoutEntry {
                        binding,
                        visibility: wgpu::ShaderStages::COMPUTE,
                        ty: wgpu::BindingType::Buffer {
                            ty: wgpu::BufferBindingType::Storage { read_only: false },
                            has_dynamic_offset: false,
                            min_binding_size: None,
                        },
                        count: None,
                    })
                    .collect();
                self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                    label: Some("storage"),
                    entries: &entries,
                })
            })
            .clone()
    }

    /// The pipeline of a kernel, made now unless [`Self::prepare`] did.
    pub(super) fn pipeline(
        &self,
        kernel: &Kernel,
        storages: usize,
    ) -> Result<wgpu::ComputePipeline, GpuError> {
        if let Some(pipeline) = lock(&self.pipelines).get(kernel) {
            return Ok(pipeline.clone());
        }
        self.counters.pipeline();
        let text = shaders::expand(kernel).map_err(Arc::new)?;
        shader_dump::dump(kernel, &text);
        let module = self.module(kernel.shader, &text);
        let storage = self.storage_layout(storages);
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.shader),
            bind_group_layouts: &[Some(&storage), Some(&self.uniform_layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.shader),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            // Tiles are written whole before they are read.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: self.pipeline_cache.as_ref().map(|kept| &kept.cache),
        });
        lock(&self.pipelines).insert(kernel.clone(), pipeline.clone());
        Ok(pipeline)
    }

    /// Shaders run without bounds checks and loop guards, which cost up to a factor of two in inner loops;
    /// the test suite runs every kernel with them (`DUALPROP_CHECKED_SHADERS=1`) to show that no index leaves
    /// its buffer.
    #[allow(unsafe_code, reason = "unchecked shaders are our own and tested with checks on")]
    fn module(&self, label: &str, text: &str) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        if std::env::var_os("DUALPROP_CHECKED_SHADERS").is_some() {
            return self.device.create_shader_module(descriptor);
        }
        // SAFETY: every kernel guards the ends of its buffers itself and all loops end.
        unsafe {
            self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        }
    }

    /// Whether an earlier run left compiled pipelines for this adapter.
    pub fn has_kept_pipelines(&self) -> bool {
        self.pipeline_cache.as_ref().is_some_and(|kept| kept.found)
    }

    /// Makes the pipelines that `launches` need on several threads, has a driver that compiles late compile
    /// them, and keeps them for the next start where the adapter offers that; `progress` hears (done, total).
    pub fn prepare<'a>(
        &self,
        launches: impl IntoIterator<Item = &'a Launch>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<(), GpuError> {
        let launches: Vec<&Launch> = launches.into_iter().collect();
        let missing: Vec<(&Kernel, usize)> = {
            let known = lock(&self.pipelines);
            let mut seen = HashSet::new();
            let kernels = launches.iter().map(|launch| (&launch.kernel, launch.views.len()));
            kernels.filter(|(kernel, _)| !known.contains_key(kernel) && seen.insert(*kernel)).collect()
        };
        let late = self.compiled_ahead.as_ref().map_or_else(Vec::new, |ahead| ahead.late(&launches));
        let total = missing.len() + late.len();
        if total == 0 {
            return self.check();
        }
        let next = AtomicUsize::new(0);
        let (sender, done) = std::sync::mpsc::channel();
        let workers = std::thread::available_parallelism().map_or(2, usize::from).min(missing.len());
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let (sender, next, missing) = (sender.clone(), &next, &missing);
                let work = move || {
                    while let Some((kernel, storages)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send(self.pipeline(kernel, *storages).map(|_| ())).is_err() {
                            break;
                        }
                    }
                };
                let spawned =
                    std::thread::Builder::new().name(format!("pipelines-{worker}")).spawn_scoped(scope, work);
                if let Err(error) = spawned {
                    return Err(GpuError::Reported(format!("no thread for shader compilation: {error}")));
                }
            }
            drop(sender);
            progress(0, total);
            for finished in 1..=missing.len() {
                let Ok(result) = done.recv() else { break };
                result?;
                progress(finished, total);
            }
            Ok(())
        })?;
        self.check()?;
        if let Some(kept) = &self.pipeline_cache {
            kept.save();
        }
        if let Some(ahead) = self.compiled_ahead.as_ref().filter(|_| !late.is_empty()) {
            let mut finished = missing.len();
            ahead.compile(&late, || {
                finished += 1;
                progress(finished, total);
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Player;

    /// As near to a pulled graphics card as a test gets: every later call fails in words, none panics or
    /// hangs.
    #[test]
    fn a_device_that_goes_away_leaves_errors_behind() {
        let device = Device::open(&DeviceChoice::Cpu).unwrap();
        let buffer = device.storage("x", 64).unwrap();
        device.device.destroy();
        let lost =
            |result: Result<(), GpuError>| assert!(matches!(result, Err(GpuError::Lost(_))), "{result:?}");
        lost(device.read(&buffer, 0, 64).map(|_| ()));
        device.write(&buffer, 0, &[1_u32; 4]);
        let mut player = Player::new(&device);
        player.copy(&device, (&buffer, 0), (&buffer, 32), 16);
        lost(player.finish(&device));
        lost(device.check());
    }
}
