//! Opens run folders, so that finished runs and runs of the command line can be looked at without a GPU.

use super::kinds::{Level, RunPhase};
use super::run::{Checkpoints, Length, RunView};
use crate::config::path_faults::no_folder;
use crate::config::{Config, Domain};
use crate::training::method::{self, MethodLabel};
use crate::training::run_folder::{self, Metrics, MetricsFollower, Report, RunFiles};
use anyhow::{Context as _, bail};
use std::path::Path;

/// The run in `dir` with all of its curves, and its configuration when it can be read. Takes seconds for a
/// long run.
pub fn read(dir: &Path) -> anyhow::Result<(RunView, Option<Config>)> {
    let OpenedFolder { mut run, config, mut follower } = open(dir)?;
    while take_in(&mut run, follower.read().context(UNREADABLE)?) {}
    Ok((run, config))
}

const UNREADABLE: &str = "cannot read metrics.jsonl";

/// An opened run folder: the run with the beginning of its curves, its configuration when it can be read, and
/// what reads on, also while the run still writes.
#[derive(Debug)]
pub struct OpenedFolder {
    pub run: RunView,
    pub config: Option<Config>,
    pub follower: MetricsFollower,
}

/// Opens the run folder `dir`.
pub fn open(dir: &Path) -> anyhow::Result<OpenedFolder> {
    if dir.is_file() {
        bail!("{} is a file; expected a run folder, which holds metrics.jsonl", dir.display());
    }
    if !dir.is_dir() {
        bail!("{}; expected a run folder with metrics.jsonl", no_folder(dir));
    }
    let files = RunFiles::of(dir);
    let mut run = RunView::starting(dir.to_owned());
    run.phase = RunPhase::Opened;
    let config = read_config(&files, &mut run);
    let mut follower = MetricsFollower::new(&files, config.as_ref());
    let beginning = follower.read().with_context(|| {
        format!("cannot read {}; expected a run folder, which holds metrics.jsonl", files.metrics().display())
    })?;
    take_in(&mut run, beginning);
    for line in run_folder::log_tail(&files) {
        run.log_of_folder(&line);
    }
    run.ended = run_folder::ended(&files);
    run.at_work_elsewhere = run_folder::is_at_work(&files);
    run.log(Level::Info, format!("Opened {}", dir.display()));
    run.checkpoints = checkpoints_in(&files);
    Ok(OpenedFolder { run, config, follower })
}

/// Which checkpoints lie in a run folder.
pub fn checkpoints_in(files: &RunFiles) -> Checkpoints {
    Checkpoints { last: files.last().is_file(), best: files.best().is_file() }
}

/// Folds in what a look at the metrics found; true while there is more to read at once.
pub fn take_in(run: &mut RunView, found: Metrics) -> bool {
    for report in found.reports {
        match report {
            Report::Step(report) => run.step(report),
            Report::Validation(report) => run.evaluated(report),
        }
    }
    if let Some(warning) = found.warning {
        run.log(Level::Warning, warning);
    }
    found.more
}

fn read_config(files: &RunFiles, run: &mut RunView) -> Option<Config> {
    match Config::load(&files.config(), &[]) {
        Ok(config) => {
            run.method = MethodLabel::of(&config.method).to_string();
            run.length = Some(Length::of(&config.run));
            run.validation_epochs = config.eval.every_epochs;
            // By index, not as branches happen to mention them.
            run.domains = Domain::names_of(method::domains(&config.method));
            Some(config)
        }
        Err(error) => {
            run.log(Level::Warning, format!("The configuration was left out: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::Finish;

    /// Written by the version before branches had numbers and an ending its file.
    #[test]
    fn a_folder_of_an_earlier_version_opens() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(dir.path());
        let mut lines = String::new();
        for step in [1, 2] {
            for (split, domain) in [("train", "main"), ("train", "aux"), ("val", "main"), ("val", "aux")] {
                lines += &format!(
                    "{{\"step\":{step},\"epoch\":0.5,\"split\":{split:?},\"domain\":{domain:?},\"attack\":null,\
                     \"loss\":2.5,\"top1\":0.25,\"top5\":0.5,\"lr\":0.1,\"images_per_s\":10.0,\"wall_s\":1.0}}\n"
                );
            }
        }
        std::fs::write(files.metrics(), lines).expect("writable");
        let config = "[run]\ndeterministic = true\n[method]\nkind = \"mixprop\"\n";
        std::fs::write(files.config(), config).expect("writable");
        std::fs::write(files.log(), "2026-11-21T07:30:00Z stopped after step 2\n").expect("writable");
        let (run, config) = read(dir.path()).expect("a run folder");
        assert!(config.is_some());
        let images: Vec<_> = run.loss.keys().map(|key| (key.domain, key.images())).collect();
        assert_eq!(images, [(0, "clean"), (1, "mixup")]);
        assert_eq!((run.accuracy["val"].len(), run.best), (2, Some((1, 25.0))));
        assert_eq!(run.ended, None, "nothing but the log tells");
        let steps: Vec<_> =
            run.log.iter().map(|line| (line.step, line.text.contains("stopped after"))).collect();
        assert!(steps.contains(&(None, true)), "a line of the folder's log is of no known step: {steps:?}");
        assert_eq!(steps.last(), Some(&(Some(2), false)), "the window's own are");
    }

    #[test]
    fn a_folder_says_how_its_run_ended() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(dir.path());
        std::fs::write(files.metrics(), "").expect("writable");
        let text = r#"{"how":"failed","reason":"the disk is full","step":7}"#;
        std::fs::write(files.ended(), text).expect("writable");
        let (run, _) = read(dir.path()).expect("a run folder");
        assert_eq!(run.ended, Some(Finish::Failed("the disk is full".into())));
    }

    #[test]
    fn a_folder_without_metrics_says_what_was_expected() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = open(dir.path()).expect_err("nothing to open");
        assert!(error.to_string().contains("metrics.jsonl"), "{error}");
    }
}
