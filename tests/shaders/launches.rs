//! What the plans of whole runs launch is among the permutations that `main.rs` holds to the shaders.

use dualprop::config::Config;
use dualprop::gpu::{Caps, Element, Field, Form, Kernel, Launch, Matrices};
use dualprop::kernels::all_permutations;
use dualprop::models::{ModelOptions, build, registry};
use dualprop::training::attack_plans::{AttackPass, attack_statistics};
use dualprop::training::method::{self, Source};
use dualprop::training::plans::{PlanContext, RowLayout};
use std::collections::HashMap;

const IMAGES: usize = 8;

/// The launches of a run's training passes, attacks and inference, for its first phase.
fn launches_of(config: &Config, arch: &str, caps: &Caps, storage: Element) -> Vec<Launch> {
    let domains = method::domains(&config.method);
    let options = ModelOptions { width: 0.25, depth: 0.3, domains, ..ModelOptions::plain(10, 33) };
    let network = build(arch, &options).expect("known");
    let context = PlanContext {
        config,
        network: &network,
        caps: caps.clone().for_storage(storage),
        images: IMAGES,
        chunk_limit: 1 << 40,
        recompute: true,
        storage,
    };
    let phases = method::phases(&config.method, IMAGES, 10, 100);
    let method = &phases[0].method;
    let all = 0..method.branches.len();
    let rows = RowLayout::new(method, std::slice::from_ref(&all));
    let mut launches = context.prepare(method, IMAGES).launches;
    launches.extend(context.train(method, all, &rows).launches);
    launches.push(context.metrics(method, &rows));
    launches.extend(context.inference(0).launches);
    for branch in &method.branches {
        let Source::Attack { config, through } = &branch.source else { continue };
        let place = context.inference_attack_place();
        let statistics = attack_statistics(config);
        let pass = AttackPass { through: *through, statistics, weight_gradients: method.recycle };
        launches.extend(context.attack_start(config, pass, &place).launches);
        launches.extend(context.attack_iteration(config, pass, &place).launches);
    }
    launches
}

#[test]
fn every_launch_of_a_run_is_a_permutation() {
    let known: HashMap<Kernel, (&[Field], usize)> =
        all_permutations().into_iter().map(|p| (p.kernel, (p.fields, p.views))).collect();
    let matrices = |side, lanes| Caps {
        matrices: Some(Matrices { side, lanes, vectors: true }),
        ..Caps::plain(Form::Tiles)
    };
    let adapters = [
        (Caps::plain(Form::Tiles), Element::F32),
        (Caps::plain(Form::Subgroups), Element::F32),
        (Caps::plain(Form::Tiles), Element::F16),
        (Caps::plain(Form::Subgroups), Element::F16),
        (matrices(16, 32), Element::F16),
    ];
    let methods = [
        "kind = \"advprop\"",
        "kind = \"advprop_fine_grained\"\nattack = { bn_stats = \"running\" }",
        "kind = \"fast_advprop\"",
        "kind = \"mixprop\"\nattack = { kind = \"ifgsm\" }",
        "branch = [{ source = \"cutmix\" }, { source = \"attack\", domain = \"aux\", share = 0.5 }]\n\
         attack = { kind = \"gd\" }",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for arch in registry::names() {
        for (number, method) in methods.iter().enumerate() {
            let fusion = ["auto", "off", "all"][number % 3];
            let text = format!("[run]\nfusion = \"{fusion}\"\n[method]\n{method}\n");
            let config = Config::parse(&text, "test", &[]).expect("valid");
            for (caps, storage) in &adapters {
                for launch in launches_of(&config, arch, caps, *storage) {
                    let kernel = &launch.kernel;
                    let Some((fields, views)) = known.get(kernel) else {
                        panic!("{arch}, {caps:?}: {kernel:?} is no permutation");
                    };
                    assert_eq!(launch.fields, *fields, "{arch}: numbers of {kernel:?}");
                    assert_eq!(launch.views.len(), *views, "{arch}: tensors of {kernel:?}");
                    seen.insert(kernel.shader);
                }
            }
        }
    }
    // The shaders of optimizers, of the loss scale and of dropout's bare form are launched beside the plans.
    println!("{} shaders: {seen:?}", seen.len());
}
