//! What a run leaves in its folder.

use super::{folder, once, says, written};
use dualprop::report::Run;
use dualprop::training::events::branch_names;
use dualprop::training::pictures::{load, save};
use dualprop::training::run_folder::{BnLine, Follower, MetricsFollower, Report, RunFiles};

/// `metrics.jsonl` of a run at work, and as `bn_stats.jsonl`.
pub(super) fn metrics(bytes: &[u8]) {
    let path = written("run/metrics.jsonl", bytes);
    let files = RunFiles::of(path.parent().expect("a folder"));
    let mut follower = MetricsFollower::new(&files, None);
    loop {
        let found = follower.read().expect("readable");
        found.warning.into_iter().for_each(|text| says(&text, "metrics.jsonl"));
        for report in &found.reports {
            if let Report::Step(step) = report {
                assert_eq!(branch_names(&step.branches).len(), step.branches.len());
            }
        }
        if !found.more {
            break;
        }
    }
    written("run/bn_stats.jsonl", bytes);
    let mut lines = Follower::<BnLine>::new(files.bn_stats());
    while lines.read().expect("readable").1 {}
    once("run/config.toml", b"[method]\nkind = \"adversarial_finetune\"\n");
    match Run::read(files.dir()) {
        Ok(run) => run.warnings.into_iter().for_each(|text| says(&text, "")),
        Err(error) => says(&format!("{error:#}"), ""),
    }
}

/// `pictures.safetensors`.
pub(super) fn pictures(bytes: &[u8]) {
    let path = written("pictures.safetensors", bytes);
    match load(&path) {
        Ok(snapshot) => {
            let again = folder().join("again.safetensors");
            save(&again, &snapshot).expect("writable");
            let read = load(&again).expect("what was just written");
            assert_eq!(format!("{read:?}"), format!("{snapshot:?}"));
        }
        Err(error) => says(&format!("{error:#}"), "pictures.safetensors"),
    }
}
