//! A pass with fixed statistics gives the logits and the image's gradient of the plain plan when its batch
//! norms are folded into the weights, and launches none of them.

use dualprop::config::FusionRule;
use dualprop::gpu::{BufferId, Caps, Device, Element, Form, StepUniform, View, run};
use dualprop::graph::{
    BnConstants, Forward, Gradients, Network, NetworkBuilder, Padding, PassBuffers, PassSpec, Plan,
    PlanBuilder, fold_weights, pad4,
};
use dualprop::kernels::ImageShape;
use dualprop::kernels::activation::Activation;
use dualprop::kernels::cross_entropy::{self, LossShape};
use dualprop::kernels::fusion::Fusion;
use dualprop::kernels::images::{self, Normalization};
use dualprop::kernels::pool;
use dualprop::kernels::reference::random::random_unit;
use dualprop::models::init::{Arenas, initialize};
use dualprop::models::{ModelOptions, build};

const PARAMS: BufferId = BufferId(0);
const RUNNING: BufferId = BufferId(1);
const FOLDED: BufferId = BufferId(2);
const PIXELS: BufferId = BufferId(3);
const ROWS: BufferId = BufferId(4);
const RESULTS: BufferId = BufferId(5);
const LOGITS: BufferId = BufferId(6);
const INPUT_GRADIENT: BufferId = BufferId(7);
const ARENA: BufferId = BufferId(8);

const CLASSES: usize = 5;
const IMAGES: usize = 3;
/// Even, so that SAME padding is lopsided.
const SIZE: usize = 34;
const DOMAINS: usize = 2;
/// The attacked domain, the second one, so that a plan that took the first one's numbers would show.
const DOMAIN: usize = 1;

/// How a pass is made.
#[derive(Clone, Copy, Debug)]
struct Way {
    form: Form,
    storage: Element,
    fusion: FusionRule,
    recompute: bool,
    /// The weights are folded by a plan before this one, as an attack does.
    folded_before: bool,
    /// With the gradient of the image.
    gradient: bool,
}

impl Way {
    /// In the form that every adapter has.
    const PLAIN: Self = Self {
        form: Form::Tiles,
        storage: Element::F32,
        fusion: FusionRule::Off,
        recompute: false,
        folded_before: false,
        gradient: true,
    };

    fn spec(self) -> PassSpec {
        PassSpec {
            input_gradient: self.gradient,
            recompute: self.recompute,
            ..PassSpec::inference(IMAGES, DOMAIN, self.fusion)
        }
    }
}

/// The families of kernels and the ways to store activations that the adapter of the tests has.
fn offered() -> (Vec<Form>, &'static [Element]) {
    let device = Device::for_tests();
    (device.forms().to_vec(), device.storages())
}

fn network(arch: &str) -> (Network, Arenas) {
    let options = ModelOptions {
        width: 0.2,
        depth: 0.3,
        stem_stride: 1,
        domains: DOMAINS,
        ..ModelOptions::plain(CLASSES, SIZE)
    };
    drawn(arch, build(arch, &options).unwrap())
}

/// A network with weights whose batch norms do something, in every domain something else.
fn drawn(arch: &str, network: Network) -> (Network, Arenas) {
    let mut arenas = initialize(arch, &network, 3);
    let mut drawn = 0;
    let mut draw = |low: f32, high: f32| {
        drawn += 1;
        low + (high - low) * random_unit(5, 6, 7, drawn)
    };
    for bn in &network.layout.bn {
        for domain in 0..DOMAINS {
            let [gamma, mean] = [bn.param_offset, bn.running_offset].map(|at| at + domain * bn.domain_stride);
            let padded = pad4(bn.channels);
            for channel in 0..bn.channels {
                arenas.params[gamma + channel] = draw(0.5, 1.5);
                arenas.params[gamma + padded + channel] = draw(-0.3, 0.3);
                arenas.running[mean + channel] = draw(-0.3, 0.3);
                arenas.running[mean + padded + channel] = draw(0.3, 1.5);
            }
        }
    }
    (network, arenas)
}

/// The plan that folds, where there is one, and that of the pass.
fn plans(network: &Network, way: Way) -> [Plan; 2] {
    let (spec, caps, area) = (way.spec(), Caps::plain(way.form), SIZE * SIZE);
    let buffers = PassBuffers { params: PARAMS, gradients: PARAMS, running: RUNNING, folded: None };
    let mut before = PlanBuilder::new();
    let mut builder = PlanBuilder::new();
    let buffers = if way.folded_before {
        fold_weights(&mut before, network, &spec, buffers, FOLDED);
        PassBuffers { folded: Some(FOLDED), ..buffers }
    } else {
        buffers
    };
    let input = builder.stored(IMAGES * area * 4, way.storage);
    let normalization = Normalization { mean: [0.5; 3], std: [0.25; 3] };
    let pixels = View::whole(PIXELS, IMAGES * area * 4);
    builder.push(images::normalize(IMAGES * area, &normalization, pixels, input, 0));
    let placed = [(network.logits, View::whole(LOGITS, IMAGES * pad4(CLASSES)))];
    let mut forward = Forward::build(&mut builder, network, spec, buffers, caps, input, &placed);
    if way.gradient {
        let d_logits = builder.tensor(IMAGES * pad4(CLASSES));
        let (table, results) = (View::whole(ROWS, IMAGES * 4), View::whole(RESULTS, IMAGES * 4));
        let shape = LossShape { rows: IMAGES, classes: CLASSES, smoothing: 0.1, negate: false };
        let loss = cross_entropy::cross_entropy(&shape, forward.logits(), table, results, Some(d_logits));
        builder.push(loss);
        let gradient = Gradients::build(&mut builder, &mut forward, d_logits).input.unwrap();
        // The mean over one pixel: a copy to f32.
        let shape = ImageShape { images: IMAGES * area, rows_per_image: 1, channels: 4 };
        let to = View::whole(INPUT_GRADIENT, IMAGES * area * 4);
        builder.push(pool::global_average(&shape, gradient, to, &Fusion::NONE));
    }
    [before, builder].map(|builder| builder.finish(ARENA, 1 << 30))
}

/// Logits and the image's gradient.
fn numbers(network: &Network, arenas: &Arenas, way: Way) -> [Vec<f32>; 2] {
    let [before, plan] = plans(network, way);
    let launches: Vec<_> = before.launches.into_iter().chain(plan.launches).collect();
    let rows = (0..IMAGES as u32).flat_map(|i| cross_entropy::table_row(i, i, 1.0, 1.0).map(f32::from_bits));
    let values = IMAGES * SIZE * SIZE * 4;
    let pixels = (0..values as u32)
        .map(|i| if i % 4 == 3 { 0.0 } else { (random_unit(1, 2, 3, i) * 255.0).floor() })
        .collect();
    let mut buffers = vec![
        arenas.params.clone(),
        arenas.running.clone(),
        vec![9.5; arenas.params.len()],
        pixels,
        rows.collect(),
        vec![0.0; IMAGES * 4],
        vec![0.0; IMAGES * pad4(CLASSES)],
        vec![0.0; values],
    ];
    buffers.extend(plan.arena.iter().map(|bytes| vec![7.5; *bytes as usize / 4]));
    run(&Device::for_tests(), &launches, &mut buffers, &StepUniform::default()).unwrap();
    assert_eq!(buffers[PARAMS.0 as usize], arenas.params, "{way:?} moved the weights");
    assert_eq!(buffers[RUNNING.0 as usize], arenas.running, "{way:?} moved the statistics");
    [LOGITS, INPUT_GRADIENT].map(|id| buffers[id.0 as usize].clone())
}

/// ‖a − b‖ / ‖b‖.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let length = norm(&mut b.iter().map(|v| f64::from(*v)));
    assert!(length > 0.0 && length.is_finite());
    norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b))) / length
}

fn folded_is_plain_up_to_rounding(arch: &str) {
    let (network, arenas) = network(arch);
    let (forms, storages) = offered();
    for form in forms {
        for &storage in storages {
            let plain = numbers(&network, &arenas, Way { form, ..Way::PLAIN });
            let found = |fusion, folded_before, gradient| {
                let way = Way { form, storage, fusion, folded_before, gradient, ..Way::PLAIN };
                let [logits, image] = numbers(&network, &arenas, way);
                let off = [
                    difference(&logits, &plain[0]),
                    if gradient { difference(&image, &plain[1]) } else { 0.0 },
                ];
                println!("{arch} {way:?}: off by {:.1e} and {:.1e}", off[0], off[1]);
                off
            };
            // f16 rounds everything that is stored, folded or not; where that turns a ReLU over is
            // chance.
            let limits = match storage {
                Element::F32 => [1e-5, 1e-4],
                Element::F16 => found(FusionRule::Off, false, true).map(|off| 3.0 * off + 1e-4),
            };
            for (fusion, folded_before, gradient) in [
                (FusionRule::Auto, true, true),
                (FusionRule::All, false, true),
                (FusionRule::Auto, false, false),
            ] {
                let off = found(fusion, folded_before, gradient);
                assert!(
                    off[0] < limits[0] && off[1] < limits[1],
                    "{arch} {form:?} {storage:?} {fusion:?}, gradient {gradient}: off by {off:?} of {limits:?}"
                );
            }
        }
    }
}

/// A test for each network, so that they run side by side.
macro_rules! folded {
    ($($name:ident: $arch:expr,)*) => {
        $(#[test] fn $name() { folded_is_plain_up_to_rounding($arch); })*
    };
}

folded! {
    a_folded_efficientnet_is_the_plain_one: "tf_efficientnet_b0",
    a_folded_efficientnet_lite_is_the_plain_one: "tf_efficientnet_lite0",
    a_folded_mobilenetv3_is_the_plain_one: "mobilenetv3_small_100",
    a_folded_resnet_is_the_plain_one: "resnet18",
    a_folded_resnet_of_bottlenecks_is_the_plain_one: "resnet50",
    a_folded_preact_resnet_is_the_plain_one: "preact_resnet18",
}

#[test]
fn recomputed_activations_and_a_second_run_give_the_same_bits() {
    for arch in ["tf_efficientnet_b0", "mobilenetv3_small_100", "resnet50"] {
        let (network, arenas) = network(arch);
        for fusion in [FusionRule::Auto, FusionRule::All] {
            let way = Way { form: offered().0[0], fusion, folded_before: true, ..Way::PLAIN };
            let first = numbers(&network, &arenas, way);
            assert_eq!(first, numbers(&network, &arenas, way), "{arch}");
            let recomputed = numbers(&network, &arenas, Way { recompute: true, ..way });
            assert_eq!(first, recomputed, "{arch} {fusion:?}, recomputed");
        }
    }
}

/// Launches of a plan whose shader's name begins so.
fn count(plan: &Plan, shader: &str) -> usize {
    plan.launches.iter().filter(|l| l.kernel.shader.starts_with(shader)).count()
}

#[test]
fn no_batch_norm_behind_a_convolution_is_left() {
    let nets = [
        ("tf_efficientnet_b0", 0),
        ("tf_efficientnet_lite0", 0),
        ("mobilenetv3_large_100", 0),
        ("resnet50", 0),
        ("preact_resnet18", 5),
    ];
    for (arch, left) in nets {
        let (network, _) = network(arch);
        let layers = network.layout.bn.len();
        for form in [Form::Subgroups, Form::Tiles] {
            let way = Way { form, fusion: FusionRule::Auto, folded_before: true, ..Way::PLAIN };
            let [before, plan] = plans(&network, way);
            assert_eq!(count(&before, "fold_batch_norm"), layers - left, "{arch} {form:?}");
            assert_eq!(count(&plan, "fold_batch_norm"), 0, "{arch} {form:?}: iterations share the weights");
            assert_eq!(count(&plan, "batch_norm_running"), left, "{arch} {form:?}");
            assert_eq!(count(&plan, "batch_norm_backward"), left, "{arch} {form:?}");
            let off = Way { fusion: FusionRule::Off, folded_before: false, ..way };
            let [_, plain] = plans(&network, off);
            assert_eq!(
                count(&plain, "batch_norm_running"),
                layers,
                "{arch} {form:?}: the oracle folds nothing"
            );
            let (folded, whole) = (plan.cost().bytes, plain.cost().bytes);
            println!(
                "{arch} {form:?}: {} launches for {}, {folded} bytes for {whole}",
                plan.launches.len(),
                plain.launches.len()
            );
            assert!(folded < whole && plan.launches.len() < plain.launches.len(), "{arch} {form:?}");

            // An inference pass folds for itself, into memory that the next layer's weights take over.
            let [_, inference] = plans(&network, Way { gradient: false, folded_before: false, ..way });
            assert_eq!(count(&inference, "fold_batch_norm"), layers - left, "{arch} {form:?}");
            assert_eq!(count(&inference, "batch_norm_running"), left, "{arch} {form:?}");
        }
    }
}

/// Layers that must not be folded, or whose gradient another kernel changes before they read it.
#[test]
fn results_with_another_reader_are_left_alone() {
    let bn = BnConstants { eps: 1e-3, momentum: 0.1 };
    let (mut net, image) = NetworkBuilder::new(SIZE, DOMAINS, bn);
    let stem = net.conv("stem", image, 8, 3, 1, Padding::Same);
    let x = net.batch_norm("stem.bn", stem, Activation::Silu);
    // The gradient of the sum is the branch's as it is, and the branch's only convolution adds to it.
    let branch = net.conv("branch", x, 8, 3, 1, Padding::Same);
    let branch = net.batch_norm("branch.bn", branch, Activation::None);
    let x = net.add(x, branch, Activation::None, 0.0);
    // Read by its batch norm and by a sum.
    let raw = net.depthwise("twice", x, 3, 1, Padding::Same);
    let normalized = net.batch_norm("twice.bn", raw, Activation::Relu);
    let x = net.add(raw, normalized, Activation::None, 0.0);
    // Behind a sum.
    let x = net.batch_norm("sum.bn", x, Activation::Relu);
    let last = net.conv("last", x, 12, 1, 1, Padding::Same);
    let x = net.batch_norm("last.bn", last, Activation::Relu);
    // A slope that no epilogue takes.
    let x = net.max_pool(x, 3, 2);
    let (network, arenas) = drawn("resnet18", net.classify("head", x, CLASSES, 0.0));
    let plain = numbers(&network, &arenas, Way::PLAIN);
    for form in offered().0 {
        for fusion in [FusionRule::Auto, FusionRule::All] {
            let way = Way { form, fusion, folded_before: true, ..Way::PLAIN };
            let [before, plan] = plans(&network, way);
            assert_eq!(count(&before, "fold_batch_norm"), 2, "the stem's and the last");
            assert_eq!(count(&plan, "activation_backward"), 1, "behind the max pool");
            let found = numbers(&network, &arenas, way);
            for (found, plain) in found.iter().zip(&plain) {
                let off = difference(found, plain);
                assert!(off < 1e-5, "{way:?}: off by {off}");
            }
        }
    }
}
