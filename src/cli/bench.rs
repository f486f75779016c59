//! `dualprop bench`: the speed of a training step on this adapter.

use super::common::{DeviceOption, UsageError, note, print_json, print_line};
use super::progress::Progress;
use crate::config::Config;
use crate::graph::OnLoad;
use crate::models::registry;
use crate::session::bench::{BenchReport, InferReport, KernelTime, bench, infer};
use crate::session::tune::{TuneReport, tune};

/// Rows of the table of slow kernels.
const LISTED: usize = 12;

/// Measures training steps on made data: images a second, the stages apart, and each kernel against the
/// adapter's measured bandwidth and multiply-add rate.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop bench --arch tf_efficientnet_b0 --size 64 --batch 16 --method advprop\n\n\
        With the environment variable DUALPROP_SHADER_DUMP=DIR this and every other command writes the text of each \
        shader that it makes to DIR."
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
    /// Instead of a step, time the variants of each convolution in it, and keep the fastest ones for later
    /// runs on this adapter
    #[arg(long)]
    tune: bool,
    /// Instead of a step, measure inference: batches of --batch images from pixels to logits; --steps is
    /// the number of batches
    #[arg(long, conflicts_with_all = ["tune", "plan", "method"])]
    infer: bool,
    /// List the batch norms and gates too: which the plan takes into the kernels beside them, and why
    #[arg(long)]
    plan: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.config()?;
        if self.tune {
            let mut trying = Progress::new("trying variants", "classes");
            let report = tune(&config, &self.device.device, |done, total| trying.update(done, total))?;
            drop(trying);
            return if self.json { print_json(&report) } else { print_choices(&report) };
        }
        let mut compiling = Progress::new("compiling shaders", "pipelines");
        let progress = |done, total| compiling.update(done, total);
        if self.infer {
            let report = infer(&config, &self.device.device, self.steps, progress)?;
            drop(compiling);
            return if self.json { print_json(&report) } else { print_inference(&report) };
        }
        let report = bench(&config, &self.device.device, self.steps, progress)?;
        drop(compiling);
        if self.json {
            return print_json(&report);
        }
        print(&report)?;
        if self.plan { print_plan(&report) } else { Ok(()) }
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
            format!("method.kind={}", if self.infer { "vanilla" } else { &self.method }),
            // Fine-grained AdvProp wants a policy; the images are made, so nothing runs it.
            "data.augment=[cutout]".to_owned(),
        ];
        let sets: Vec<String> = own.iter().chain(&self.set).cloned().collect();
        // The user typed options, not keys.
        let options = ["--arch", "--size", "--batch", "--method"];
        let worded = |text: String| {
            own.iter().zip(options).fold(text, |text, (set, option)| {
                let value = set.split_once('=').map_or("", |(_, value)| value);
                text.replace(&format!("--set {set}"), &format!("{option} {value}"))
            })
        };
        Ok(Config::parse("", "bench", &sets).map_err(|e| UsageError(worded(e.to_string())))?)
    }
}

fn print_choices(r: &TuneReport) -> anyhow::Result<()> {
    print_line(&format!("convolutions on {}, slowest first", r.device))?;
    print_line(&format!(
        "{:<58} {:<34} {:<34} {:>9} {:>6}",
        "class", "the rule's variant", "best", "ms", "ratio"
    ))?;
    for row in &r.rows {
        let best = if row.best == row.rule { "the same" } else { &row.best };
        print_line(&format!(
            "{:<58} {:<34} {best:<34} {:>9.4} {:>6.2}",
            row.class, row.rule, row.best_ms, row.ratio
        ))?;
        row.refused.iter().try_for_each(|why| print_line(&format!("  refused {why}")))?;
    }
    let faster = r.rows.iter().filter(|row| row.best != row.rule).count();
    let file = r.file.display();
    print_line(&format!("{faster} of {} classes run in another variant from now on: {file}", r.rows.len()))
}

fn print_plan(r: &BenchReport) -> anyhow::Result<()> {
    print_layers("training: batch norm or gate", &r.fused)?;
    r.attack_fused.as_ref().map_or(Ok(()), |layers| print_layers("attack: batch norm or gate", layers))
}

fn print_layers(title: &str, layers: &[OnLoad]) -> anyhow::Result<()> {
    print_line("")?;
    print_line(&format!("{title:<36} {:<20} repeated on load", "applied"))?;
    for layer in layers {
        let applied = match (layer.folded, layer.on_load) {
            (false, false) => "by itself",
            (false, true) => "on load",
            (true, false) => "folded",
            (true, true) => "folded, act. on load",
        };
        let why = match layer.repeated {
            Some(passes) => {
                format!("{passes:.1} passes over the tensor, against {:.1} to store it", layer.stored)
            }
            None if layer.folded => "stored as its readers want it".to_owned(),
            None => "a kernel behind it reads stored tensors only".to_owned(),
        };
        print_line(&format!("{:<36} {applied:<20} {why}", layer.name))?;
    }
    Ok(())
}

fn print(r: &BenchReport) -> anyhow::Result<()> {
    print_line(&format!("{} on {}", r.arch, r.device))?;
    print_line(&format!(
        "{} pixels, batch {}, {}, {}, {}",
        r.image_size, r.batch_size, r.method, r.precision, r.layout
    ))?;
    let [tried, all] = r.kept_choices;
    if tried > 0 {
        print_line(&format!("{tried} of {all} classes of convolutions as `bench --tune` chose"))?;
    }
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
    print_line(&format!(
        "planned and compiled in {:.2} s, {:.2} s of it for pipelines ({}); the first step took {:.2} s",
        r.compile_s,
        r.pipelines_s,
        if r.kept_pipelines {
            "the driver had what an earlier run kept"
        } else {
            "nothing kept from an earlier run"
        },
        r.first_step_s
    ))?;
    print_line(&format!("{} dispatches a step, {:.2} µs each to encode", r.dispatches, r.encode_us))?;
    print_line(&format!(
        "GPU memory {:.1} MiB; a step computes {:.2} GFLOP and moves {:.2} GB",
        r.peak_gpu_bytes as f64 / f64::from(1 << 20),
        r.step_flops as f64 * 1e-9,
        r.step_bytes as f64 * 1e-9
    ))?;
    let on_load = r.fused.iter().filter(|layer| layer.on_load).count();
    print_line(&format!("{on_load} of {} batch norms and gates are applied on load", r.fused.len()))?;
    let (Some(bandwidth), Some(rate)) = (r.copy_bytes_per_s, r.gemm_flops_per_s) else {
        note("this adapter has no timestamps: no times by stage and kernel");
        return Ok(());
    };
    print_line(&format!(
        "measured here: {:.1} GB/s element-wise, {:.1} GFLOP/s in a multiplication",
        bandwidth * 1e-9,
        rate * 1e-9
    ))?;
    print_kernels(&r.kernels)
}

fn print_inference(r: &InferReport) -> anyhow::Result<()> {
    print_line(&format!("{} on {}", r.arch, r.device))?;
    print_line(&format!("{} pixels, batch {}, inference, f32", r.image_size, r.batch_size))?;
    print_line(&format!(
        "{:.1} images/s, {:.2} ms a batch ({} batches, the fastest {:.2} ms)",
        r.images_per_s, r.batch_ms, r.batches, r.fastest_ms
    ))?;
    print_line(&format!("  upload  {:9.2} ms", r.upload_ms))?;
    if let (Some(gpu), Some(fold)) = (r.gpu_ms, r.fold_ms) {
        print_line(&format!("  GPU     {gpu:9.2} ms, {fold:.2} ms of it to fold batch norms into weights"))?;
    }
    print_line(&format!(
        "planned and compiled in {:.2} s; the first batch took {:.2} s",
        r.compile_s, r.first_batch_s
    ))?;
    print_line(&format!("{} dispatches a batch", r.dispatches))?;
    let memory = r.gpu_bytes as f64 / f64::from(1 << 20);
    print_line(&format!("GPU memory beside the weights {memory:.1} MiB, room for an attack included"))?;
    let (Some(bandwidth), Some(rate)) = (r.copy_bytes_per_s, r.gemm_flops_per_s) else {
        note("this adapter has no timestamps: no times by kernel");
        return Ok(());
    };
    print_line(&format!(
        "a batch computes {:.2} GFLOP and moves {:.2} GB; measured here: {:.1} GB/s element-wise, {:.1} GFLOP/s in a multiplication",
        r.flops as f64 * 1e-9,
        r.bytes as f64 * 1e-9,
        bandwidth * 1e-9,
        rate * 1e-9
    ))?;
    print_kernels(&r.kernels)
}

fn print_kernels(kernels: &[KernelTime]) -> anyhow::Result<()> {
    print_line("")?;
    print_line("kernel                       stage       count        ms  GFLOP/s    GB/s  floor")?;
    for k in kernels.iter().take(LISTED) {
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
