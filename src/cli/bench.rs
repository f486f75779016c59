//! `dualprop bench`: the speed of a training step on this adapter.

use super::common::{DeviceOption, UsageError, note, print_json, print_line};
use crate::config::Config;
use crate::models::registry;
use crate::session::bench::{BenchReport, bench};

/// Rows of the table of slow kernels.
const LISTED: usize = 12;

/// Measures training steps on made data: images a second, the stages apart, and each kernel against the adapter's
/// measured bandwidth and multiply-add rate.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop bench --arch tf_efficientnet_b0 --size 64 --batch 16 --method advprop"
)]
pub(super) struct Bench {
    /// Architecture, as `dualprop models` lists them
    #[arg(long, default_value = "tf_efficientnet_b0")]
    arch: String,
    /// Side of the images, pixels; by default the architecture's own
    #[arg(long)]
    size: Option<usize>,
    /// Images of a step
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Training method
    #[arg(long, default_value = "advprop")]
    method: String,
    /// Measured steps
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    steps: u64,
    /// Override a key of the configuration, such as run.precision=f16; may be repeated
    #[arg(long, value_name = "key=value")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceOption,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.config()?;
        let report = bench(&config, &self.device.device, self.steps)?;
        if self.json { print_json(&report) } else { print(&report) }
    }

    fn config(&self) -> anyhow::Result<Config> {
        let size = match self.size {
            Some(size) => size,
            None => registry::find(&self.arch).map_err(|e| UsageError(format!("--arch: {e}")))?.input_size,
        };
        let own = [
            format!("model.arch={}", self.arch),
            format!("data.image_size={size}"),
            format!("run.batch_size={}", self.batch),
            format!("method.kind={}", self.method),
            // Fine-grained AdvProp wants a policy; the images are made, so nothing runs it.
            "data.augment=[cutout]".to_owned(),
        ];
        let sets: Vec<String> = own.into_iter().chain(self.set.iter().cloned()).collect();
        Ok(Config::parse("", "bench", &sets).map_err(|e| UsageError(e.to_string()))?)
    }
}

fn print(r: &BenchReport) -> anyhow::Result<()> {
    print_line(&format!("{} on {}", r.arch, r.device))?;
    print_line(&format!(
        "{} pixels, batch {}, {}, {}, {}",
        r.image_size, r.batch_size, r.method, r.precision, r.layout
    ))?;
    print_line(&format!("{:.1} images/s, {:.2} ms a step ({} steps)", r.images_per_s, r.step_ms, r.steps))?;
    let stages = [
        ("prepare", r.prepare_ms),
        ("attack", r.attack_ms),
        ("forward", r.forward_ms),
        ("backward", r.backward_ms),
        ("optimizer", r.optimizer_ms),
    ];
    for (name, ms) in stages {
        let Some(ms) = ms else { continue };
        let share = r.floor_share.get(name).map_or(String::new(), |s| format!(", floor {:.0}%", 100.0 * s));
        print_line(&format!("  {name:<10} {ms:9.2} ms{share}"))?;
    }
    print_line(&format!("planned and compiled in {:.1} s", r.compile_s))?;
    print_line(&format!(
        "GPU memory {:.1} MiB; a step computes {:.2} GFLOP and moves {:.2} GB",
        r.peak_gpu_bytes as f64 / f64::from(1 << 20),
        r.step_flops as f64 * 1e-9,
        r.step_bytes as f64 * 1e-9
    ))?;
    let (Some(bandwidth), Some(rate)) = (r.copy_bytes_per_s, r.gemm_flops_per_s) else {
        note("this adapter has no timestamps: no times by stage and kernel");
        return Ok(());
    };
    print_line(&format!(
        "measured here: {:.1} GB/s element-wise, {:.1} GFLOP/s in a multiplication",
        bandwidth * 1e-9,
        rate * 1e-9
    ))?;
    print_line("")?;
    print_line("kernel                       stage       count        ms  GFLOP/s    GB/s  floor")?;
    for k in r.kernels.iter().take(LISTED) {
        print_line(&format!(
            "{:<28} {:<10} {:>6} {:>9.2} {:>8.1} {:>7.1} {:>5.0}%",
            k.kernel,
            k.stage,
            k.dispatches,
            k.ms,
            k.gflop_per_s,
            k.gb_per_s,
            100.0 * k.floor_share
        ))?;
    }
    Ok(())
}
