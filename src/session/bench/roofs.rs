//! The adapter's own limits, measured: how fast it copies and multiplies. The floor of a kernel's time is
//! what the slower of the two allows.

use super::KernelTime;
use crate::gpu::profile::{DispatchTime, profile};
use crate::gpu::{BufferId, Device, Element, Launch, Program, StepUniform, View, step_buffer};
use crate::kernels::conv::{self, ConvShape};
use crate::kernels::fusion::Fusion;
use crate::kernels::optimizer;
use anyhow::Context as _;
use std::collections::BTreeMap;

/// Floats of the copy test: 64 MiB read, 64 MiB read and written.
const COPY_FLOATS: usize = 16 << 20;
/// Rows, inner and columns of the multiplication that measures the adapter.
const GEMM: [usize; 3] = [2048, 512, 512];

/// The adapter's measured limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roofs {
    /// Bytes of global memory a second.
    pub(super) bytes_per_s: f64,
    /// Floating-point operations a second.
    pub(super) flops_per_s: f64,
}

impl Roofs {
    /// The least seconds that a dispatch's work can take.
    fn seconds(self, time: &DispatchTime) -> f64 {
        (time.cost.bytes as f64 / self.bytes_per_s).max(time.cost.flops as f64 / self.flops_per_s)
    }
}

/// Measures the limits of the adapter for multiplications that store activations as `storage`; `None` where
/// the adapter has no timestamps.
pub(super) fn roofs(device: &Device, storage: Element) -> anyhow::Result<Option<Roofs>> {
    let id = |number, floats| View::whole(BufferId(number), floats);
    let copy = optimizer::ema(COPY_FLOATS, id(0, COPY_FLOATS), id(1, COPY_FLOATS));
    let Some(bytes_per_s) = rate(device, &copy, |time| time.cost.bytes)? else { return Ok(None) };
    let [rows, inner, columns] = GEMM;
    let shape = ConvShape {
        images: 1,
        in_h: rows,
        in_w: 1,
        in_c: inner,
        out_h: rows,
        out_w: 1,
        out_c: columns,
        kernel: 1,
        stride: 1,
        pad_top: 0,
        pad_left: 0,
    };
    let stored = |number, numbers| View::stored(BufferId(number), numbers, storage);
    let (x, w, y) = (stored(0, rows * inner), id(1, inner * columns), stored(2, rows * columns));
    let multiply = conv::forward(&device.caps_for(storage), &shape, x, w, None, y, &Fusion::NONE);
    let flops_per_s = rate(device, &multiply, |time| time.cost.flops)?;
    Ok(flops_per_s.map(|flops_per_s| Roofs { bytes_per_s, flops_per_s }))
}

/// The best rate, work a second, of several runs of one launch over buffers of its own; `None` without
/// timestamps.
fn rate(
    device: &Device,
    launch: &Launch,
    work: impl Fn(&DispatchTime) -> u64,
) -> anyhow::Result<Option<f64>> {
    const RUNS: usize = 5;
    let buffers: Vec<wgpu::Buffer> =
        launch.views.iter().map(|view| device.storage("bench", view.size)).collect::<Result<_, _>>()?;
    let step = step_buffer(device, &StepUniform::default())?;
    let program = Program::new(device, &vec![launch.clone(); RUNS], &buffers, &step)?;
    let Some(times) = profile(device, &program)? else { return Ok(None) };
    let best =
        times.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).context("no dispatch was timed")?;
    Ok(Some(work(best) as f64 / best.seconds.max(1e-9)))
}

/// By stage: the share of its time that the floor of its dispatches would take.
pub(super) fn floor_shares(times: &[(&'static str, DispatchTime)], roofs: Roofs) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (stage, time) in times {
        let sum = sums.entry(stage).or_default();
        sum.0 += roofs.seconds(time);
        sum.1 += time.seconds;
    }
    sums.into_iter().map(|(stage, (floor, real))| (stage.to_owned(), floor / real.max(1e-12))).collect()
}

/// The times of a step by stage and kernel, slowest first.
pub(super) fn kernel_times(times: &[(&'static str, DispatchTime)], roofs: Roofs) -> Vec<KernelTime> {
    let mut groups: BTreeMap<(&str, &str), Vec<&DispatchTime>> = BTreeMap::new();
    for (stage, time) in times {
        groups.entry((stage, time.shader)).or_default().push(time);
    }
    let mut kernels: Vec<KernelTime> = groups
        .into_iter()
        .map(|((stage, shader), times)| {
            let sum = |part: &dyn Fn(&DispatchTime) -> f64| times.iter().map(|t| part(t)).sum::<f64>();
            let seconds = sum(&|t| t.seconds).max(1e-12);
            KernelTime {
                kernel: shader.to_owned(),
                stage: stage.to_owned(),
                dispatches: times.len(),
                ms: seconds * 1e3,
                gflop_per_s: sum(&|t| t.cost.flops as f64) * 1e-9 / seconds,
                gb_per_s: sum(&|t| t.cost.bytes as f64) * 1e-9 / seconds,
                floor_share: sum(&|t| roofs.seconds(t)) / seconds,
            }
        })
        .collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kernels
}
