//! Logits by running statistics in every domain; logits, losses, all gradients and running statistics of one
//! joint training pass over several domains.

use crate::fixture::{Fixture, NETS, Report, Values};
use dualprop::config::FusionRule;
use dualprop::gpu::{BufferId, Caps, Device, StepUniform, View, run};
use dualprop::graph::{
    Forward, Gradients, Network, PassBuffers, PassSegment, PassSpec, PlanBuilder, Statistics, pad4,
};
use dualprop::kernels::cross_entropy::{self, LossShape};
use dualprop::kernels::images::{self, Normalization};
use dualprop::kernels::optimizer;
use dualprop::models::init::Arenas;
use dualprop::models::{ModelOptions, build, names};

const PARAMS: BufferId = BufferId(0);
const RUNNING: BufferId = BufferId(1);
const GRADIENTS: BufferId = BufferId(2);
const PIXELS: BufferId = BufferId(3);
const ROWS: BufferId = BufferId(4);
const RESULTS: BufferId = BufferId(5);
const LOGITS: BufferId = BufferId(6);
const INPUT_GRADIENT: BufferId = BufferId(7);
const ARENA: BufferId = BufferId(8);

pub(crate) struct Case {
    pub(crate) fixture: Fixture,
    pub(crate) network: Network,
    pub(crate) arenas: Arenas,
    pub(crate) normalization: Normalization,
}

impl Case {
    pub(crate) fn open(name: &str) -> Self {
        let fixture = Fixture::read(&format!("nets/{name}.safetensors"));
        let weights = Fixture::read(&format!("weights/{}", fixture.text("weights")));
        let classes = fixture.number("classes") as usize;
        let options = ModelOptions {
            domains: 3,
            stem_stride: fixture.number("stem_stride") as usize,
            width: fixture.number("width"),
            depth: fixture.number("depth"),
            ..ModelOptions::plain(classes, fixture.number("image_size") as usize)
        };
        let network = build(&fixture.text("arch"), &options).unwrap();
        let mut arenas = Arenas {
            params: vec![0.0; network.layout.param_len],
            running: vec![0.0; network.layout.running_len],
        };
        names::import(&network.layout, &mut arenas, |tensor| {
            weights.tensors.get(tensor).map(|t| (t.shape.as_slice(), t.data.as_slice()))
        })
        .unwrap();
        let triple = |key: &str| {
            let list = fixture.json(key);
            [0, 1, 2].map(|i| list[i].as_f64().unwrap() as f32)
        };
        let normalization = Normalization { mean: triple("mean"), std: triple("std") };
        Self { fixture, network, arenas, normalization }
    }

    fn segments(&self) -> Vec<PassSegment> {
        let list = self.fixture.json("segments");
        let number = |v: &serde_json::Value| v.as_u64().unwrap() as usize;
        let pairs = list.as_array().unwrap();
        pairs.iter().map(|p| PassSegment { images: number(&p[0]), domain: number(&p[1]) }).collect()
    }

    /// Runs a pass over all images of the fixture and returns the buffers.
    fn pass(&self, device: &Device, caps: Caps, spec: &PassSpec) -> Vec<Vec<f32>> {
        let network = &self.network;
        let (count, area) = (spec.images(), network.image_size.pow(2));
        let classes = pad4(network.classes);
        let mut builder = PlanBuilder::new();
        let input = builder.tensor(count * area * 4);
        let pixels = View::whole(PIXELS, count * area * 4);
        builder.push(images::normalize(count * area, &self.normalization, pixels, input, 0));
        let buffers = PassBuffers { params: PARAMS, gradients: GRADIENTS, running: RUNNING, folded: None };
        let placed = [(network.logits, View::whole(LOGITS, count * classes))];
        let mut forward = Forward::build(&mut builder, network, spec.clone(), buffers, caps, input, &placed);
        let shape = LossShape {
            rows: count,
            classes: network.classes,
            smoothing: self.fixture.number("label_smoothing") as f32,
            negate: false,
        };
        let (table, results) = (View::whole(ROWS, count * 4), View::whole(RESULTS, count * 4));
        let d_logits = spec.weight_gradients.then(|| builder.tensor(count * classes));
        builder.push(cross_entropy::cross_entropy(&shape, forward.logits(), table, results, d_logits));
        if let Some(d_logits) = d_logits {
            let gradients = Gradients::build(&mut builder, &mut forward, d_logits);
            // An average that forgets everything copies.
            let copy = View::whole(INPUT_GRADIENT, count * area * 4);
            builder.push(optimizer::ema(count * area * 4, copy, gradients.input.unwrap()));
        }
        let plan = builder.finish(ARENA, 1 << 30);

        let mut rows = Vec::new();
        let mut image = 0;
        for segment in &spec.segments {
            for _ in 0..segment.images {
                let label = self.fixture.get("labels").data[image] as u32;
                let row = cross_entropy::table_row(label, label, 1.0, 1.0 / segment.images as f32);
                rows.extend(row.map(f32::from_bits));
                image += 1;
            }
        }
        let rgb = &self.fixture.get("images").data;
        let pixels: Vec<f32> = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 0.0]).collect();
        let mut buffers = vec![
            self.arenas.params.clone(),
            self.arenas.running.clone(),
            vec![0.0; self.arenas.params.len()],
            pixels,
            rows,
            vec![0.0; count * 4],
            vec![0.0; count * classes],
            vec![0.0; count * area * 4],
        ];
        // Rubbish in the arena: nothing may depend on what lay there.
        buffers.extend(plan.arena.iter().map(|bytes| vec![7.5; *bytes as usize / 4]));
        let step = StepUniform { ema_rate: 1.0, ..StepUniform::default() };
        run(device, &plan.launches, &mut buffers, &step).unwrap();
        buffers
    }

    fn logits(&self, buffers: &[Vec<f32>]) -> Vec<f32> {
        let classes = self.network.classes;
        buffers[LOGITS.0 as usize]
            .chunks_exact(pad4(classes))
            .flat_map(|row| row[..classes].to_vec())
            .collect()
    }
}

fn check(name: &str) {
    let case = Case::open(name);
    // Each form that the adapter has, plain and with everything fused that can be.
    let forms = Device::for_tests().forms().to_vec();
    let ways = forms.into_iter().map(|form| [FusionRule::Off, FusionRule::All].map(|f| (form, f)));
    for (form, fusion) in ways.flatten() {
        let device = Device::for_tests();
        let mut report = Report::default();
        let count = case.fixture.get("labels").data.len();
        for domain in 0..3 {
            let spec = PassSpec::inference(count, domain, fusion);
            let buffers = case.pass(&device, Caps::plain(form), &spec);
            let key = format!("logits.{}", ["main", "aux", "aux2"][domain]);
            let expected = &case.fixture.get(&key).data;
            report.check("logits", &key, &case.logits(&buffers), expected, NETS.logits);
            assert_eq!(buffers[RUNNING.0 as usize], case.arenas.running, "evaluation moved statistics");
        }
        joint(&case, &device, Caps::plain(form), fusion, &mut report);
        report.finish(&format!("{name}, {form:?}, fusion {fusion:?}"));
    }
}

fn joint(case: &Case, device: &Device, caps: Caps, fusion: FusionRule, report: &mut Report) {
    let spec = PassSpec {
        segments: case.segments(),
        statistics: Statistics::BatchUpdating,
        regularize: false,
        weight_gradients: true,
        input_gradient: true,
        recompute: false,
        fusion,
        first_image: 0,
    };
    let buffers = case.pass(device, caps, &spec);
    let fixture = &case.fixture;
    report.check("logits", "joint", &case.logits(&buffers), &fixture.get("joint.logits").data, NETS.logits);
    let mut losses = Vec::new();
    let mut rows = buffers[RESULTS.0 as usize].chunks_exact(4);
    for segment in &spec.segments {
        let sum: f32 = rows.by_ref().take(segment.images).map(|row| row[0]).sum();
        losses.push(sum / segment.images as f32);
    }
    report.check("loss", "joint", &losses, &fixture.get("joint.losses").data, NETS.loss);

    let area = case.network.image_size.pow(2);
    let all = &buffers[INPUT_GRADIENT.0 as usize];
    let of_image = |image: usize| {
        let pixels = all[image * area * 4..(image + 1) * area * 4].chunks_exact(4);
        pixels.flat_map(|p| [p[0], p[1], p[2]]).collect::<Vec<f32>>()
    };
    // The fixture holds the first image of the first two segments.
    let found: Vec<f32> = [0, spec.segments[0].images].into_iter().flat_map(of_image).collect();
    report.check("gradient", "of the input", &found, &fixture.get("gradient_of_input").data, NETS.gradient);

    let gradients = Arenas {
        params: buffers[GRADIENTS.0 as usize].clone(),
        running: buffers[RUNNING.0 as usize].clone(),
    };
    let null: Vec<String> = serde_json::from_value(fixture.json("null_gradients")).unwrap();
    let expect =
        |prefix: &str, name: &str| -> Option<&Values> { fixture.tensors.get(&format!("{prefix}.{name}")) };
    let mut compared = 0;
    for (name, _, values) in names::export(&case.network.layout, &gradients) {
        if let Some(expected) = expect("running", &name) {
            report.check("running", &name, &values, &expected.data, NETS.running);
        } else if let Some(expected) = expect("gradient", &name) {
            compared += 1;
            // A gradient that is zero in exact arithmetic has no relative error.
            if !null.contains(&format!("gradient.{name}")) {
                report.check("gradient", &name, &values, &expected.data, NETS.gradient);
            }
        }
    }
    let held = fixture.tensors.keys().filter(|name| name.starts_with("gradient.")).count();
    assert_eq!(compared, held, "gradients compared, and in the fixture");
    unused_domains_stay(case, &spec, &gradients);
}

/// Domains without images keep their statistics and get no gradient, bit for bit.
fn unused_domains_stay(case: &Case, spec: &PassSpec, after: &Arenas) {
    let used: Vec<usize> = spec.segments.iter().map(|s| s.domain).collect();
    for bn in &case.network.layout.bn {
        for domain in (0..3).filter(|d| !used.contains(d)) {
            let running = bn.running_offset + domain * bn.domain_stride;
            let place = running..running + bn.domain_stride;
            assert_eq!(after.running[place.clone()], case.arenas.running[place], "{} moved", bn.name);
            let params = bn.param_offset + domain * bn.domain_stride;
            assert!(after.params[params..params + bn.domain_stride].iter().all(|g| *g == 0.0), "{}", bn.name);
        }
    }
}

#[test]
fn tf_efficientnet_b0_equals_pytorch_on_even_sizes() {
    check("tf_efficientnet_b0_even");
}

#[test]
fn tf_efficientnet_b0_equals_pytorch_on_odd_sizes() {
    check("tf_efficientnet_b0_odd");
}

#[test]
fn relu6_and_ends_of_fixed_width_in_an_efficientnet_lite_equals_pytorch() {
    check("tf_efficientnet_lite0_even");
}

#[test]
fn an_efficientnet_lite_on_odd_sides_in_three_domains_equals_pytorch() {
    check("tf_efficientnet_lite0_odd");
}

#[test]
fn hard_swish_and_hard_sigmoid_gates_in_a_small_mobilenetv3_equals_pytorch() {
    check("mobilenetv3_small_100_even");
}

#[test]
fn a_large_mobilenetv3_on_odd_sides_in_three_domains_equals_pytorch() {
    check("mobilenetv3_large_100_odd");
}

#[test]
fn resnet18_equals_pytorch_on_even_sizes() {
    check("resnet18_even");
}

#[test]
fn resnet18_equals_pytorch_on_odd_sizes() {
    check("resnet18_odd");
}

#[test]
fn preact_resnet18_equals_pytorch_on_even_sizes() {
    check("preact_resnet18_even");
}

#[test]
fn preact_resnet18_equals_pytorch_on_odd_sizes() {
    check("preact_resnet18_odd");
}

#[test]
fn efficientnet_b0_equals_pytorch_on_even_sizes() {
    check("efficientnet_b0_even");
}

#[test]
fn efficientnet_b0_equals_pytorch_on_odd_sizes() {
    check("efficientnet_b0_odd");
}

#[test]
fn resnet50_equals_pytorch_on_even_sizes() {
    check("resnet50_even");
}

#[test]
fn resnet50_equals_pytorch_on_odd_sizes() {
    check("resnet50_odd");
}

#[test]
fn preact_resnet50_equals_pytorch_on_even_sizes() {
    check("preact_resnet50_even");
}

#[test]
fn preact_resnet50_equals_pytorch_on_odd_sizes() {
    check("preact_resnet50_odd");
}
