//! Launches made ready for replay: pipelines, bind groups and dispatch sizes are fixed once, so that a step
//! only walks a list. One uniform buffer holds the numbers of all launches, bound at a dynamic offset.

use super::device::Device;
use super::error::GpuError;
use super::launch::{Cost, Element, Launch, PARAMS_BYTES, View};
use std::collections::HashMap;

/// One dispatch, ready to encode.
pub(super) struct Prepared {
    pub(super) shader: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) storage: wgpu::BindGroup,
    pub(super) params_offset: u32,
    pub(super) grid: [u32; 3],
    pub(super) cost: Cost,
}

impl Prepared {
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>, uniforms: &wgpu::BindGroup) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.storage, &[]);
        pass.set_bind_group(1, uniforms, &[self.params_offset]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A list of launches bound to real buffers.
pub struct Program {
    pub(super) dispatches: Vec<Prepared>,
    pub(super) uniforms: wgpu::BindGroup,
}

impl Program {
    /// Binds `launches` to `buffers` (by `BufferId`); `step` holds the [`super::StepUniform`].
    pub fn new(
        device: &Device,
        launches: &[Launch],
        buffers: &[wgpu::Buffer],
        step: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let mut numbers = vec![0_u32; launches.len().max(1) * PARAMS_BYTES / 4];
        for (slot, launch) in numbers.chunks_exact_mut(PARAMS_BYTES / 4).zip(launches) {
            slot[..launch.params.len()].copy_from_slice(&launch.params);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = device.buffer("launch numbers", numbers.len() as u64 * 4, usage)?;
        device.write(&params, 0, &numbers);
        let uniforms = device.bind_group(&wgpu::BindGroupDescriptor {
            label: Some("uniforms"),
            layout: device.uniform_layout(),
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &params,
                        offset: 0,
                        size: std::num::NonZeroU64::new(PARAMS_BYTES as u64),
                    }),
                },
                wgpu::BindGroupEntry { binding: 1, resource: step.as_entire_binding() },
            ],
        });
        let mut groups: HashMap<&[View], wgpu::BindGroup> = HashMap::new();
        let mut dispatches = Vec::with_capacity(launches.len());
        for (index, launch) in launches.iter().enumerate() {
            let storage = match groups.get(launch.views.as_slice()) {
                Some(group) => group.clone(),
                None => {
                    let group = bind(device, launch, buffers)?;
                    groups.insert(&launch.views, group.clone());
                    group
                }
            };
            dispatches.push(Prepared {
                shader: launch.kernel.shader,
                pipeline: device.pipeline(&launch.kernel, launch.views.len())?,
                storage,
                params_offset: (index * PARAMS_BYTES) as u32,
                grid: launch.grid,
                cost: launch.cost,
            });
        }
        device.check()?;
        Ok(Self { dispatches, uniforms })
    }

    /// Seconds of the processor to encode all dispatches once, in one pass, without running them.
    pub fn encode_seconds(&self, device: &Device) -> f64 {
        let begun = std::time::Instant::now();
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        self.dispatches.iter().for_each(|dispatch| dispatch.encode(&mut pass, &self.uniforms));
        drop(pass);
        drop(encoder.finish());
        begun.elapsed().as_secs_f64()
    }

    /// Number of dispatches.
    pub fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// Whether there is no dispatch.
    pub fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }
}

fn bind(device: &Device, launch: &Launch, buffers: &[wgpu::Buffer]) -> Result<wgpu::BindGroup, GpuError> {
    let half = launch.views.iter().any(|v| v.element == Element::F16);
    debug_assert!(
        !half || launch.kernel.constants.has(Element::F16.constant()),
        "{} would read f16 as f32",
        launch.kernel.shader
    );
    let limit = device.largest_binding();
    if let Some(view) = launch.views.iter().find(|v| v.size > limit) {
        let what = format!("a tensor of {}", launch.kernel.shader);
        return Err(GpuError::TooLarge { what, bytes: view.size, limit });
    }
    let entries: Vec<_> = launch
        .views
        .iter()
        .enumerate()
        .map(|(binding, view)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers[view.buffer.0 as usize],
                offset: view.offset,
                size: std::num::NonZeroU64::new(view.size),
            }),
        })
        .collect();
    Ok(device.bind_group(&wgpu::BindGroupDescriptor {
        label: Some(launch.kernel.shader),
        layout: &device.storage_layout(entries.len()),
        entries: &entries,
    }))
}
