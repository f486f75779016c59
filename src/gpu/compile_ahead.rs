//! Mesa's software adapter compiles a shader when it is first dispatched: on the one thread that runs the
//! queue, and anew for each set of launch numbers that its loops depend on. What it made it keeps in a folder
//! of its own. So each core gets a device here; their queues compile side by side, by dispatches of no
//! workgroup, and the device that asked finds the results in that folder. What was compiled is noted in the
//! program's cache, as a hash of the kernel and its numbers, so that a second start has nothing to wait for.

use super::adapter::{AdapterReport, DeviceChoice};
use super::adapter_cache::{AdapterCache, Identity};
use super::device::Device;
use super::error::GpuError;
use super::launch::{Kernel, Launch, PARAMS_BYTES};
use super::run::step_buffer;
use super::shaders;
use super::step_uniform::StepUniform;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

/// Bytes of the buffer that stands for every tensor: more than the fixed part of any.
const TENSOR_BYTES: u64 = 4096;

/// What was compiled for an adapter that compiles late.
pub(super) struct CompiledAhead {
    cache: AdapterCache,
    adapter: usize,
    /// Hashes of kernels with their numbers.
    known: Mutex<BTreeSet<u32>>,
}

/// The file that keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    identity: Identity,
    compiled: BTreeSet<u32>,
}

/// A kernel with the numbers of launches that were not compiled yet, by their hashes.
pub(super) struct Late<'a> {
    kernel: &'a Kernel,
    storages: usize,
    numbers: BTreeMap<u32, &'a [u32]>,
}

impl CompiledAhead {
    /// `None` for an adapter that compiles when pipelines are made, and where nothing can be kept.
    pub(super) fn open(report: &AdapterReport, cache: &AdapterCache) -> Option<Self> {
        let is_late = report.device_type == "software" && report.driver.starts_with("llvmpipe");
        let is_set = |name: &&str| {
            std::env::var(name)
                .is_ok_and(|value| !["", "0", "n", "no", "f", "false"].contains(&value.as_str()))
        };
        if !is_late || ["MESA_SHADER_CACHE_DISABLE", "MESA_GLSL_CACHE_DISABLE"].iter().any(is_set) {
            return None;
        }
        let kept = std::fs::read(cache.file("compiled", "json")).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let known = kept.filter(|kept| kept.identity == *cache.identity()).map(|kept| kept.compiled);
        let is_new = known.is_none();
        let known = Mutex::new(known.unwrap_or_default());
        let ahead = Self { cache: cache.clone(), adapter: report.index, known };
        // Where nothing can be written, Mesa cannot keep its part either.
        if is_new && let Err(error) = ahead.keep() {
            tracing::debug!("shaders are not compiled ahead: {error}");
            return None;
        }
        Some(ahead)
    }

    fn keep(&self) -> Result<(), String> {
        let compiled = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = Kept { identity: self.cache.identity().clone(), compiled };
        let bytes = serde_json::to_vec(&kept).map_err(|e| e.to_string())?;
        self.cache.write(&self.cache.file("compiled", "json"), &bytes)
    }

    /// The kernels of `launches` that are to be compiled, those that take longest in front.
    pub(super) fn late<'a>(&self, launches: &[&'a Launch]) -> Vec<Late<'a>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut late: HashMap<&Kernel, Late<'a>> = HashMap::new();
        for launch in launches {
            let hash = crc32c::crc32c(format!("{:?}{:?}", launch.kernel, launch.params).as_bytes());
            if !known.contains(&hash) {
                let new = || Late {
                    kernel: &launch.kernel,
                    storages: launch.views.len(),
                    numbers: BTreeMap::new(),
                };
                late.entry(&launch.kernel).or_insert_with(new).numbers.insert(hash, &launch.params);
            }
        }
        let mut late: Vec<Late<'a>> = late.into_values().collect();
        late.sort_by_cached_key(|late| {
            let text = shaders::expand(late.kernel).map_or(0, |text| text.len());
            (Reverse(text), format!("{:?}", late.kernel))
        });
        late
    }

    /// Compiles kernels on all cores; `done` hears of each. That it cannot be done costs time later, nothing
    /// else, and is said in the log.
    pub(super) fn compile(&self, late: &[Late<'_>], mut done: impl FnMut()) {
        let next = AtomicUsize::new(0);
        let (sender, compiled) = mpsc::channel();
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let work = |sender: &mpsc::Sender<Result<usize, GpuError>>| -> Result<(), GpuError> {
            let device = Device::open_with(&DeviceChoice::Index(self.adapter), |_| None)?;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(late) = late.get(index) else { return Ok(()) };
                device.compile(late)?;
                if sender.send(Ok(index)).is_err() {
                    return Ok(());
                }
            }
        };
        std::thread::scope(|scope| {
            for worker in 0..cores.min(late.len()) {
                let (sender, work) = (sender.clone(), &work);
                let named = std::thread::Builder::new().name(format!("compiling-{worker}"));
                let spawned = named.spawn_scoped(scope, move || {
                    if let Err(error) = work(&sender) {
                        // The receiver is there as long as this scope.
                        sender.send(Err(error)).unwrap_or_default();
                    }
                });
                if let Err(error) = spawned {
                    tracing::debug!("no thread to compile shaders ahead: {error}");
                }
            }
            drop(sender);
            for result in compiled {
                match result {
                    Ok(index) => {
                        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                        known.extend(late[index].numbers.keys());
                        drop(known);
                        done();
                    }
                    Err(error) => tracing::debug!("shaders are not compiled ahead: {error}"),
                }
            }
        });
        if let Err(error) = self.keep() {
            tracing::debug!("that shaders are compiled is not kept: {error}");
        }
    }
}

impl Device {
    /// Has the driver compile a kernel for all its numbers, and waits for that.
    fn compile(&self, late: &Late<'_>) -> Result<(), GpuError> {
        let tensor = self.storage("no tensor", TENSOR_BYTES)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let numbers = self.buffer("launch numbers", (late.numbers.len() * PARAMS_BYTES) as u64, usage)?;
        let step = step_buffer(self, &StepUniform::default())?;
        let params =
            wgpu::BufferBinding { buffer: &numbers, offset: 0, size: NonZeroU64::new(PARAMS_BYTES as u64) };
        let uniforms = self.bind_group(&wgpu::BindGroupDescriptor {
            label: Some("uniforms"),
            layout: self.uniform_layout(),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params) },
                wgpu::BindGroupEntry { binding: 1, resource: step.as_entire_binding() },
            ],
        });
        let entry = |binding| wgpu::BindGroupEntry { binding, resource: tensor.as_entire_binding() };
        let entries: Vec<_> = (0..late.storages as u32).map(entry).collect();
        let storage = self.bind_group(&wgpu::BindGroupDescriptor {
            label: Some(late.kernel.shader),
            layout: &self.storage_layout(late.storages),
            entries: &entries,
        });
        let pipeline = self.pipeline(late.kernel, late.storages)?;
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &storage, &[]);
        for (offset, words) in (0..).step_by(PARAMS_BYTES).zip(late.numbers.values()) {
            self.write(&numbers, offset, words);
            pass.set_bind_group(1, &uniforms, &[offset as u32]);
            pass.dispatch_workgroups(0, 0, 0);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::launch::{BufferId, Cost, View};
    use crate::gpu::params;

    params! {
        struct Count {
            count: u32,
        }
    }

    #[test]
    fn what_was_compiled_once_is_not_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let cache = |report: &AdapterReport| Some(AdapterCache::at(folder.path(), report));
            Device::open_with(&DeviceChoice::Cpu, cache).unwrap()
        };
        let zero = |count| {
            let view = View::whole(BufferId(0), 64);
            Launch::new(Kernel::new("zero", &[]), vec![view], Count { count }, [1, 1, 1], Cost::default())
        };
        let launches = [zero(8), zero(16), zero(8)];
        let late = |device: &Device, launches: &[Launch]| -> Vec<usize> {
            let ahead = device.compiled_ahead.as_ref().expect("Mesa's software adapter compiles late");
            let late = ahead.late(&launches.iter().collect::<Vec<_>>());
            late.iter().map(|late| late.numbers.len()).collect()
        };
        let device = open();
        if !device.report().driver.starts_with("llvmpipe") {
            assert!(device.compiled_ahead.is_none(), "other drivers compile when pipelines are made");
            return;
        }
        assert_eq!(late(&device, &launches), [2], "one kernel, two sets of numbers");
        let mut heard = Vec::new();
        device.prepare(&launches, |done, total| heard.push((done, total))).unwrap();
        assert_eq!(heard, [(0, 2), (1, 2), (2, 2)], "a pipeline and its compilation");
        for device in [device, open()] {
            assert_eq!(late(&device, &launches), [0; 0]);
            assert_eq!(late(&device, &[zero(4)]), [1], "other numbers");
        }
        let occupied = folder.path().join("a file");
        std::fs::write(&occupied, "").unwrap();
        let unwritable = |report: &AdapterReport| Some(AdapterCache::at(&occupied, report));
        let device = Device::open_with(&DeviceChoice::Cpu, unwritable).unwrap();
        assert!(device.compiled_ahead.is_none(), "nothing can be kept there");
        let file = AdapterCache::at(folder.path(), open().report()).file("compiled", "json");
        let kept = std::fs::read(&file).unwrap();
        std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
        assert_eq!(late(&open(), &launches), [2], "a damaged file counts as none");
    }
}
