//! Runs a few launches over plain vectors: for tests, self-tests and tools. Training replays plans instead.

use super::device::Device;
use super::error::GpuError;
use super::launch::Launch;
use super::program::Program;
use super::replay::Player;
use super::step_uniform::StepUniform;

/// Uploads `buffers` (buffer `i` backs `BufferId(i)`), plays `launches`, and reads all of them back.
pub fn run(
    device: &Device,
    launches: &[Launch],
    buffers: &mut [Vec<f32>],
    step: &StepUniform,
) -> Result<(), GpuError> {
    let made: Vec<wgpu::Buffer> = buffers
        .iter()
        .map(|data| {
            let buffer = device.storage("run", data.len() as u64 * 4)?;
            device.write(&buffer, 0, data);
            Ok(buffer)
        })
        .collect::<Result<_, GpuError>>()?;
    let step = step_buffer(device, step)?;
    let program = Program::new(device, launches, &made, &step)?;
    let mut player = Player::new(device);
    player.play(device, &program)?;
    player.finish(device)?;
    for (data, buffer) in buffers.iter_mut().zip(&made) {
        if !data.is_empty() {
            *data = device.read_f32(buffer, 0, data.len())?;
        }
    }
    Ok(())
}

/// A uniform buffer with the numbers of one step.
pub fn step_buffer(device: &Device, step: &StepUniform) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = device.buffer("step", size_of::<StepUniform>() as u64, usage)?;
    device.write(&buffer, 0, std::slice::from_ref(step));
    Ok(buffer)
}
