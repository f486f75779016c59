//! Speed of the convolution kernels by shape: `cargo bench --bench kernels [-- TEXT]` runs the lines whose
//! name contains TEXT. `DUALPROP_TEST_DEVICE` picks the adapter. Reports, never judges.

use dualprop::gpu::{BufferId, Caps, Device, Form, Launch, Player, Program, StepUniform, View, step_buffer};
use dualprop::kernels::conv::{self, ConvShape};
use dualprop::kernels::depthwise::{self, DepthwiseShape};
use dualprop::kernels::fusion::Fusion;
use std::time::{Duration, Instant};

const LEAST_TIME: Duration = Duration::from_millis(400);

/// Seconds of processor time of all threads: on a busy machine with a software adapter the wall clock says
/// little.
fn processor_seconds() -> Option<f64> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 * 1e-9)
}

struct Bench {
    device: Device,
    filter: String,
}

impl Bench {
    /// Plays `launches` over buffers of `sizes` floats until [`LEAST_TIME`] is over.
    fn measure(&self, name: &str, sizes: &[usize], make: impl FnOnce(&[View]) -> Vec<Launch>) {
        if !name.contains(&self.filter) {
            return;
        }
        let views: Vec<View> = sizes.iter().zip(0..).map(|(n, i)| View::whole(BufferId(i), *n)).collect();
        let launches = make(&views);
        let cost = launches.iter().fold((0, 0), |(f, b), l| (f + l.cost.flops, b + l.cost.bytes));
        match self.time(&launches, sizes) {
            Ok((wall, processor)) => {
                let (flops, bytes) = (cost.0 as f64 * 1e-9, cost.1 as f64 * 1e-9);
                let per_core = processor.map_or(String::new(), |p| format!("{:8.1} a core", flops / p));
                println!(
                    "{name:58} {:9.3} ms {:8.1} GFLOP/s {per_core} {:7.1} GB/s",
                    wall * 1e3,
                    flops / wall,
                    bytes / wall
                );
            }
            Err(error) => println!("{name:58} {error}"),
        }
    }

    /// Seconds a round, by the wall clock and by processor time.
    fn time(
        &self,
        launches: &[Launch],
        sizes: &[usize],
    ) -> Result<(f64, Option<f64>), dualprop::gpu::GpuError> {
        let mut buffers = Vec::new();
        for size in sizes {
            let buffer = self.device.storage("bench", *size as u64 * 4)?;
            let data: Vec<f32> = (0..*size).map(|i| (i * 7919 % 1000) as f32 * 1e-3 - 0.5).collect();
            self.device.write(&buffer, 0, &data);
            buffers.push(buffer);
        }
        let step = step_buffer(&self.device, &StepUniform::default())?;
        let program = Program::new(&self.device, launches, &buffers, &step)?;
        let mut player = Player::new(&self.device);
        // The first round compiles.
        player.play(&self.device, &program)?;
        player.finish(&self.device)?;
        let (start, processor) = (Instant::now(), processor_seconds());
        let mut rounds = 0.0;
        while start.elapsed() < LEAST_TIME {
            player.play(&self.device, &program)?;
            player.finish(&self.device)?;
            rounds += 1.0;
        }
        let wall = start.elapsed().as_secs_f64() / rounds;
        let used = processor.zip(processor_seconds()).map(|(before, after)| (after - before) / rounds);
        Ok((wall, used))
    }

    fn conv(&self, name: &str, form: Form, s: &ConvShape) {
        let caps = Caps::plain(form);
        let name = |direction: &str| format!("{form:?} {name} {direction}");
        let none = &Fusion::NONE;
        let x = s.images * s.in_h * s.in_w * s.in_c;
        let y = s.images * s.out_h * s.out_w * s.out_c;
        let w = s.kernel * s.kernel * s.in_c * s.out_c;
        let partials = conv::weight_gradient_partials(&caps, s, &Fusion::NONE).max(4) as usize;
        self.measure(&name("forward"), &[x, w, y], |v| {
            vec![conv::forward(&caps, s, v[0], v[1], None, v[2], none)]
        });
        self.measure(&name("data gradient"), &[y, w, x], |v| {
            vec![conv::data_gradient(&caps, s, v[0], v[1], v[2], false, none)]
        });
        self.measure(&name("weight gradient"), &[x, y, partials, w], |v| {
            conv::weight_gradient(&caps, s, v[0], v[1], v[2], v[3], none)
        });
    }

    fn depthwise(&self, name: &str, s: &DepthwiseShape) {
        let caps = &self.device.caps();
        let none = &Fusion::NONE;
        let name = |direction: &str| format!("depthwise {name} {direction}");
        let x = s.images * s.in_h * s.in_w * s.channels;
        let y = s.images * s.out_h * s.out_w * s.channels;
        let w = s.kernel * s.kernel * s.channels;
        let partials = depthwise::weight_gradient_partials(caps, s) as usize;
        self.measure(&name("forward"), &[x, w, y], |v| {
            vec![depthwise::forward(caps, s, v[0], v[1], v[2], none)]
        });
        self.measure(&name("data gradient"), &[y, w, x], |v| {
            vec![depthwise::data_gradient(caps, s, v[0], v[1], v[2], false, none)]
        });
        self.measure(&name("weight gradient"), &[x, y, partials, w], |v| {
            depthwise::weight_gradient(caps, s, v[0], v[1], v[2], v[3], none)
        });
    }
}

/// A square convolution with padding as TensorFlow's SAME gives it.
fn same(images: usize, size: usize, [in_c, out_c]: [usize; 2], kernel: usize, stride: usize) -> ConvShape {
    let out = size.div_ceil(stride);
    let pad = ((out - 1) * stride + kernel).saturating_sub(size) / 2;
    ConvShape {
        images,
        in_h: size,
        in_w: size,
        in_c,
        out_h: out,
        out_w: out,
        out_c,
        kernel,
        stride,
        pad_top: pad,
        pad_left: pad,
    }
}

fn main() {
    let choice = std::env::var("DUALPROP_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let device = match choice.parse().map(|choice| Device::open(&choice)) {
        Ok(Ok(device)) => device,
        Ok(Err(error)) => return println!("no adapter: {error}"),
        Err(_) => return println!("DUALPROP_TEST_DEVICE={choice} names no kind of adapter"),
    };
    // Cargo passes --bench along.
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    println!("{:?}", device.report());
    let bench = Bench { device, filter };
    for form in [Form::Subgroups, Form::Tiles] {
        for [rows, from, to] in
            [[16_384, 16, 96], [4096, 96, 24], [1024, 480, 112], [256, 1152, 320], [1024, 1024, 1024]]
        {
            let name = format!("pointwise {rows} rows {from}->{to}");
            bench.conv(&name, form, &ConvShape::dense(rows, from, to));
        }
        bench.conv("3x3 16 images 16x16 64->64", form, &same(16, 16, [64, 64], 3, 1));
        bench.conv("3x3 stride 2 16 images 32x32 64->128", form, &same(16, 32, [64, 128], 3, 2));
        bench.conv("3x3 stem 32 images 32x32 4->32", form, &same(32, 32, [4, 32], 3, 1));
        bench.conv("7x7 stem 4 images 112x112 4->64", form, &same(4, 112, [4, 64], 7, 2));
    }
    for [images, size, channels, kernel, stride] in [
        [32, 32, 32, 3, 1],
        [32, 32, 96, 3, 2],
        [32, 16, 144, 5, 2],
        [32, 8, 240, 3, 1],
        [32, 8, 480, 5, 1],
        [32, 4, 1152, 5, 1],
    ] {
        let c = same(images, size, [channels; 2], kernel, stride);
        let s = DepthwiseShape {
            images,
            in_h: size,
            in_w: size,
            out_h: c.out_h,
            out_w: c.out_w,
            channels,
            kernel,
            stride,
            pad_top: c.pad_top,
            pad_left: c.pad_left,
        };
        let name = format!("{kernel}x{kernel} stride {stride} {images} images {size}x{size}x{channels}");
        bench.depthwise(&name, &s);
    }
}
