//! What the plans of whole runs launch has the numbers and tensors of its shader, with every tile and fusion
//! that the plans of the known architectures choose.

use super::{each, module, portable, same_bindings, same_params, same_step};
use dualprop::config::Config;
use dualprop::gpu::{Caps, Element, Form, Kernel, Launch, Matrices};
use dualprop::kernels::{Permutation, all_permutations};
use dualprop::models::{ModelOptions, build, registry};
use dualprop::training::attack_plans::{AttackPass, attack_statistics};
use dualprop::training::method::{self, Source};
use dualprop::training::plans::{PlanContext, RowLayout};
use std::collections::{BTreeSet, HashMap};

const IMAGES: usize = 8;

/// The launches of a run's training passes, attacks and inference, for its first phase.
fn launches_of(config: &Config, arch: &str, caps: &Caps, storage: Element) -> Vec<Launch> {
    let domains = method::domains(&config.method);
    let options = ModelOptions {
        width: 0.25,
        depth: 0.3,
        dropout: 0.1,
        drop_path: 0.1,
        domains,
        ..ModelOptions::plain(10, 33)
    };
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
    // Inference stores f32 whatever training stores.
    if storage == Element::F32 {
        launches.extend(context.inference(0).launches);
    }
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
fn every_launch_of_a_run_fits_its_shader() {
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
        "kind = \"advprop_fine_grained\"\nattack = { kind = \"mifgsm\", bn_stats = \"running\" }",
        "kind = \"fast_advprop\"",
        "kind = \"mixprop\"",
        "branch = [{ source = \"cutmix\" }, { source = \"attack\", domain = \"aux\", share = 0.5 }]\n\
         attack = { kind = \"gd\" }",
    ];
    let mut kernels: HashMap<Kernel, Permutation> = HashMap::new();
    for arch in registry::names() {
        for (number, method) in methods.iter().enumerate() {
            let fusion = ["auto", "off", "all"][number % 3];
            let text =
                format!("[data]\naugment = [\"cutout\"]\n[run]\nfusion = \"{fusion}\"\n[method]\n{method}\n");
            let config = Config::parse(&text, "test", &[]).expect("valid");
            for (caps, storage) in &adapters {
                for launch in launches_of(&config, arch, caps, *storage) {
                    let Launch { kernel, fields, views, .. } = launch;
                    let for_matrices = caps.matrices.is_some();
                    let new =
                        Permutation { kernel: kernel.clone(), fields, views: views.len(), for_matrices };
                    let known = kernels.entry(kernel).or_insert_with(|| new.clone());
                    assert_eq!(
                        (known.fields, known.views),
                        (new.fields, new.views),
                        "{arch}: {:?}",
                        new.kernel
                    );
                }
            }
        }
    }
    let launched: BTreeSet<&str> = kernels.keys().map(|kernel| kernel.shader).collect();
    let permutations = all_permutations();
    let beside: BTreeSet<&str> =
        permutations.iter().map(|p| p.kernel.shader).filter(|shader| !launched.contains(shader)).collect();
    let kernels: Vec<Permutation> = kernels.into_values().collect();
    each(&kernels, |kernel| {
        let (module, _) = module(&kernel.kernel)?;
        portable(kernel, &module)?;
        same_params(kernel, &module)?;
        same_step(&module)?;
        same_bindings(kernel, &module)
    });
    // What a step launches between its plans, and what only evaluation attacks with: `tests/kernels` runs
    // them.
    let beside_plans = [
        "apgd_check",
        "apgd_step",
        "clip_gradient",
        "dlr_loss",
        "ema",
        "gradient_norm",
        "gradient_norm_partials",
        "loss_scale_check",
        "loss_scale_update",
        "optimizer_adamw",
        "optimizer_rmsprop",
        "optimizer_sgd",
        "square_propose",
    ];
    assert_eq!(Vec::from_iter(beside), beside_plans, "shaders that no plan launches");
}
