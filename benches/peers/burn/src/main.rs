//! Times a vanilla training step of EfficientNet-B0 in burn's wgpu back end, the step that `dualprop bench
//! --method vanilla` times: batch norm by batch statistics, dropout and drop-path at 0.2, smoothed
//! cross-entropy, RMSProp with weight decay. No fusion, so that each kernel is burn's own; autotune on.
//!
//!     burn-peer --size 64 --batch 16 --steps 10 [--device cpu]
//!
//! Prints one JSON object. Random images and labels, 1000 classes, no data loading. Paddings are symmetric,
//! as in timm's `efficientnet_b0`; sizes and work are those of `tf_efficientnet_b0`.

mod efficientnet;

use burn::backend::{Autodiff, Wgpu, wgpu::WgpuDevice};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{GradientsParams, Optimizer, RmsPropConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use efficientnet::{CLASSES, EfficientNet};
use std::time::Instant;

type Train = Autodiff<Wgpu>;

/// Steps before the measured ones: autotune tries its kernels in the first.
const WARM_UP: usize = 3;

struct Arguments {
    size: usize,
    batch: usize,
    steps: usize,
    device: WgpuDevice,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments { size: 224, batch: 8, steps: 10, device: WgpuDevice::DefaultDevice };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} wants a value"))?;
        let number =
            || value.parse::<usize>().ok().filter(|n| *n > 0).ok_or(format!("{word} {value} is no count"));
        match word.as_str() {
            "--size" => parsed.size = number()?,
            "--batch" => parsed.batch = number()?,
            "--steps" => parsed.steps = number()?,
            "--device" if value == "cpu" => parsed.device = WgpuDevice::Cpu,
            "--device" => {}
            _ => return Err(format!("{word} is not known; there is --size, --batch, --steps, --device")),
        }
    }
    Ok(parsed)
}

fn main() {
    match arguments() {
        Ok(arguments) => run(&arguments),
        Err(sentence) => {
            eprintln!("burn-peer: {sentence}");
            std::process::exit(2);
        }
    }
}

fn run(Arguments { size, batch, steps, device }: &Arguments) {
    let mut net = EfficientNet::<Train>::new(device);
    let mut optimizer = RmsPropConfig::new()
        .with_alpha(0.9)
        .with_momentum(0.9)
        .with_epsilon(1e-3)
        .with_weight_decay(Some(WeightDecayConfig::new(1e-5)))
        .init();
    let loss = CrossEntropyLossConfig::new().with_smoothing(Some(0.1)).init(device);
    let images =
        Tensor::<Train, 4>::random([*batch, 3, *size, *size], Distribution::Uniform(-1.0, 1.0), device);
    let labels: Vec<i32> = (0..*batch).map(|i| (i * 37 % CLASSES) as i32).collect();
    let labels = Tensor::<Train, 1, Int>::from_ints(labels.as_slice(), device);
    let mut times = Vec::new();
    for step in 0..WARM_UP + steps {
        let begun = Instant::now();
        let value = loss.forward(net.forward(images.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(value.backward(), &net);
        net = optimizer.step(1e-4, net, gradients);
        Train::sync(device).expect("the device works");
        if step >= WARM_UP {
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let report = serde_json::json!({
        "program": "burn 0.21.0",
        "backend": if cfg!(feature = "vulkan") { "vulkan (SPIR-V)" } else { "wgpu (WGSL)" },
        "arch": "efficientnet_b0",
        "size": size,
        "batch": batch,
        "method": "vanilla",
        "images_per_s": *batch as f64 / median,
        "step_ms": 1e3 * median,
    });
    println!("{report}");
}
