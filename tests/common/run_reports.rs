//! What a run would report, for tests of its folder.

use dualprop::config::{BranchSource, Config, Domain};
use dualprop::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta};
use dualprop::training::events::{BnDomain, BnLayer, BranchReport, EvalReport, EvalRow, StepReport};

/// A checkpoint of two domains without tensors.
pub(crate) fn checkpoint(step: u64) -> Checkpoint {
    let meta = Meta {
        format_version: FORMAT_VERSION,
        arch: "resnet18".into(),
        classes: vec!["a".into(), "b".into()],
        domains: Domain::names_of(2),
        image_size: 32,
        mean: [0.5; 3],
        std: [0.5; 3],
        config: Config::default().resolved_toml(),
        step,
        epoch: step as f64 / 10.0,
    };
    Checkpoint { meta, tensors: Default::default(), loop_state: Default::default() }
}

/// What AdvProp reports of a step.
pub(crate) fn step(step: u64) -> StepReport {
    let branch = |branch: usize, source: BranchSource, domain: &str, attack: Option<&str>| BranchReport {
        branch,
        source,
        domain: domain.into(),
        attack: attack.map(String::from),
        loss: 2.5,
        top1: 0.25,
        top5: 0.75,
    };
    StepReport {
        step,
        epoch: step as f64 / 10.0,
        lr: 0.1,
        images_per_s: 100.0,
        elapsed_s: step as f64 / 2.0,
        stages: Vec::new(),
        idle: None,
        memory_bytes: None,
        branches: vec![
            branch(0, BranchSource::Clean, "main", None),
            branch(1, BranchSource::Attack, "aux", Some("pgd:eps=1,step=1,iters=1")),
        ],
    }
}

/// A validation of one row.
pub(crate) fn validation(step: u64) -> EvalReport {
    let row = EvalRow {
        split: "val-stylized".into(),
        domain: "aux".into(),
        attack: None,
        images: 100,
        loss: 1.5,
        top1: 0.5,
        top5: 1.0,
    };
    EvalReport { step, epoch: step as f64 / 10.0, seconds: None, rows: vec![row] }
}

/// A layer of two domains and four channels.
pub(crate) fn layer() -> BnLayer {
    let domain = |mean: f32| BnDomain {
        running_mean: vec![mean; 4],
        running_var: vec![1.0; 4],
        gamma: vec![1.0; 4],
        beta: vec![0.0; 4],
    };
    BnLayer { name: "bn1".into(), domains: vec![domain(0.0), domain(3.0)] }
}
