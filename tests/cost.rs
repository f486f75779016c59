//! What a step costs in forward and backward passes, counted from its plans: MixProp, table 4.

use dualprop::config::{Checkpointing, Config};
use dualprop::gpu::{Caps, Direction, Element, Form, Launch};
use dualprop::graph::Network;
use dualprop::models::{ModelOptions, build};
use dualprop::training::attack_plans::{AttackPass, attack_statistics};
use dualprop::training::buffers;
use dualprop::training::method::{self, Source};
use dualprop::training::plans::{PlanContext, RowLayout};

const IMAGES: usize = 8;

/// Plans of [`IMAGES`] images that recompute activations where `model.checkpointing` is on.
fn context<'a>(config: &'a Config, network: &'a Network) -> PlanContext<'a> {
    PlanContext {
        config,
        network,
        caps: Caps::plain(Form::Tiles),
        images: IMAGES,
        chunk_limit: 1 << 40,
        recompute: config.model.checkpointing == Checkpointing::On,
        storage: Element::F32,
    }
}

/// A network of [`IMAGES`] images of 64 pixels, and the launches of a training pass.
fn launches(arch: &str, text: &str) -> (Network, Vec<Launch>) {
    let config = Config::parse(text, "test", &[]).expect("valid");
    let domains = method::domains(&config.method);
    let network = build(arch, &ModelOptions::from_config(&config.model, 64, 10, domains)).expect("known");
    let context = context(&config, &network);
    let phases = method::phases(&config.method, IMAGES, 10, 100);
    let method = &phases[0].method;
    let all = 0..method.branches.len();
    let rows = RowLayout::new(method, std::slice::from_ref(&all));
    let launches = context.train(method, all, &rows).launches;
    (network, launches)
}

/// Images that a plan sends forward and backward: rows of its losses with a gradient.
fn images(launches: &[Launch]) -> usize {
    let with_gradient =
        |l: &&Launch| l.kernel.shader == "cross_entropy" && l.kernel.constants.has(("GRADIENT", 1));
    launches.iter().filter(with_gradient).map(|l| l.params[0] as usize).sum()
}

/// Forward and backward passes a step, in units of one pass over the batch, for the run's first phase.
fn passes(text: &str) -> f64 {
    let config = Config::parse(text, "test", &[]).expect("valid");
    let domains = method::domains(&config.method);
    let options = ModelOptions { width: 0.25, domains, ..ModelOptions::plain(10, 32) };
    let network = build("resnet18", &options).expect("known");
    let context = context(&config, &network);
    let phases = method::phases(&config.method, IMAGES, 10, 100);
    let method = &phases[0].method;
    let all = 0..method.branches.len();
    let rows = RowLayout::new(method, std::slice::from_ref(&all));
    let mut total = images(&context.train(method, all, &rows).launches);
    for branch in &method.branches {
        let Source::Attack { config, through } = &branch.source else { continue };
        let place = buffers::AttackPlace { images: branch.images.len(), ..context.inference_attack_place() };
        let statistics = attack_statistics(config);
        let pass = AttackPass { through: *through, statistics, weight_gradients: method.recycle };
        let plan = context.attack_iteration(config, pass, &place);
        let of_weights = |l: &Launch| l.convolution.is_some_and(|c| c.direction == Direction::WeightGradient);
        let writes_weights = plan.launches.iter().any(of_weights);
        assert_eq!(writes_weights, method.recycle, "an attack computes no weight gradients");
        total += images(&plan.launches) * config.iterations() as usize;
    }
    total as f64 / IMAGES as f64
}

#[test]
fn the_cost_of_a_step_is_that_of_the_papers() {
    let of = |kind: &str, attack: &str| {
        passes(&format!("[method]\nkind = \"{kind}\"\n[method.attack]\n{attack}\n"))
    };
    assert_eq!(of("vanilla", ""), 1.0);
    assert_eq!(of("mixup", ""), 1.0);
    assert_eq!(of("mixprop", ""), 2.0);
    // PGD-1, PGD-3 and PGD-4: iterations follow from epsilon.
    assert_eq!(of("advprop", "epsilon = 1"), 3.0);
    assert_eq!(of("advprop", "epsilon = 2"), 5.0);
    assert_eq!(of("advprop", "epsilon = 3"), 6.0);
    assert_eq!(of("adversarial", "epsilon = 4"), 6.0);
    // Fast AdvProp: (p·K + 1), here with a quarter of the batch attacked once.
    let fast = "[method]\nkind = \"fast_advprop\"\nadversarial_share = 0.25\n";
    assert_eq!(passes(fast), 1.25);
}

/// Fine-tuning pays for what it trains: no launch of the backward pass belongs to a frozen stage.
#[test]
fn frozen_stages_cost_a_forward_pass() {
    for (arch, stages) in
        [("tf_efficientnet_b0", 10), ("resnet18", 6), ("preact_resnet18", 6), ("mobilenetv3_small_100", 9)]
    {
        let mut backward = Vec::new();
        for frozen in 0..stages {
            for recompute in ["off", "on"] {
                let text = format!("[model]\nfreeze = {frozen}\ncheckpointing = \"{recompute}\"\n");
                let (network, launches) = launches(arch, &text);
                assert_eq!(network.feature_stages(), stages - 1, "{arch}");
                let (params, running) = network.layout.before_stage(frozen);
                let begins = |launch: &Launch, id| {
                    launch.views.iter().filter(|v| v.buffer == id).map(|v| v.offset / 4).collect::<Vec<_>>()
                };
                for launch in &launches {
                    for at in begins(launch, buffers::GRADIENTS) {
                        assert!(
                            at >= params as u64,
                            "{arch}: {} writes a frozen gradient",
                            launch.kernel.shader
                        );
                    }
                    let updates = launch.kernel.shader == "batch_norm_finalize";
                    for at in begins(launch, buffers::RUNNING).into_iter().filter(|_| updates) {
                        assert!(
                            at >= running as u64,
                            "{arch}: {} moves a frozen statistic",
                            launch.kernel.shader
                        );
                    }
                }
                let of = |direction| {
                    launches
                        .iter()
                        .filter(|l| l.convolution.is_some_and(|c| c.direction == direction))
                        .count()
                };
                if recompute == "off" {
                    backward.push((of(Direction::WeightGradient), of(Direction::DataGradient)));
                }
            }
        }
        let fewer = backward.windows(2).all(|pair| pair[1].0 < pair[0].0 && pair[1].1 <= pair[0].1);
        assert!(fewer, "{arch}: gradients of weights and maps by frozen stages: {backward:?}");
        assert_eq!(backward.last(), Some(&(1, 0)), "{arch}: the classifier alone");
    }
}

/// The largest nets at their native size, one image a step, recomputing: weights, gradients, two states and
/// the EMA included.
#[test]
fn b7_and_b8_train_one_image_in_eight_gigabytes() {
    for (arch, size) in [("tf_efficientnet_b7", 600), ("tf_efficientnet_b8", 672)] {
        let config = Config::parse("[method]\nkind = \"advprop\"\n", "test", &[]).expect("valid");
        let options = ModelOptions { domains: 2, ..ModelOptions::plain(1000, size) };
        let network = build(arch, &options).expect("known");
        let context = PlanContext {
            config: &config,
            network: &network,
            caps: Caps::plain(Form::Tiles),
            images: 1,
            chunk_limit: 1 << 31,
            recompute: true,
            storage: Element::F32,
        };
        let phases = method::phases(&config.method, 1, 10, 100);
        let method = &phases[0].method;
        let passes = method.by_domain();
        let rows = RowLayout::new(method, &passes);
        let arena = passes.into_iter().map(|p| context.train(method, p, &rows).arena_bytes()).max();
        let arenas = 5 * network.layout.param_len as u64 * 4;
        let total = arena.expect("two passes") + arenas;
        assert!(total < 8 << 30, "{arch}: {total} bytes");
        // No tensor is larger than the binding limit of common adapters, 2³¹ − 1 bytes.
        assert!(arena < Some(1 << 31), "{arch}: an arena of {arena:?}");
    }
}
