//! Times each dispatch of a program apart, for reports of where a step's time goes. A dispatch in a pass of
//! its own cannot overlap its neighbours, so the sum is somewhat longer than the program's time.

use super::device::Device;
use super::error::GpuError;
use super::launch::Cost;
use super::program::Program;

/// Dispatches of one submit.
const CHUNK: usize = 256;

/// One dispatch and its time.
#[derive(Clone, Copy, Debug)]
pub struct DispatchTime {
    /// The shader that ran.
    pub shader: &'static str,
    /// The work of the dispatch.
    pub cost: Cost,
    /// How long the dispatch took.
    pub seconds: f64,
}

/// Runs `program` once, one dispatch at a time. `None` where the adapter has no timestamps.
pub fn profile(device: &Device, program: &Program) -> Result<Option<Vec<DispatchTime>>, GpuError> {
    if !device.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Ok(None);
    }
    let set = device.device.create_query_set(&wgpu::QuerySetDescriptor {
        label: Some("dispatch times"),
        ty: wgpu::QueryType::Timestamp,
        count: 2 * CHUNK as u32,
    });
    let bytes = 16 * CHUNK as u64;
    let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
    let resolved = device.buffer("dispatch times", bytes, usage)?;
    let period = f64::from(device.queue.get_timestamp_period()) * 1e-9;
    let mut times = Vec::with_capacity(program.dispatches.len());
    for chunk in program.dispatches.chunks(CHUNK) {
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (index, dispatch) in (0_u32..).zip(chunk) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &set,
                    beginning_of_pass_write_index: Some(2 * index),
                    end_of_pass_write_index: Some(2 * index + 1),
                }),
            });
            dispatch.encode(&mut pass, &program.uniforms);
        }
        encoder.resolve_query_set(&set, 0..2 * chunk.len() as u32, &resolved, 0);
        device.queue.submit([encoder.finish()]);
        let ticks = device.read(&resolved, 0, 16 * chunk.len() as u64)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&ticks);
        times.extend(chunk.iter().zip(ticks.chunks_exact(2)).map(|(dispatch, pair)| DispatchTime {
            shader: dispatch.shader,
            cost: dispatch.cost,
            seconds: pair[1].saturating_sub(pair[0]) as f64 * period,
        }));
    }
    Ok(Some(times))
}
