//! `dualprop compare`: runs side by side on one page.

use super::common::{DeviceOption, note, print_json, print_line};
use super::progress::Progress;
use crate::interop::atomic::write_atomic;
use crate::report::Comparison;
use crate::words::counted;
use std::path::PathBuf;

/// Compares runs on one self-contained page.
///
/// The page has what of their configurations differs, curves, tables with mean and standard deviation over
/// seeds, class activation maps side by side, and costs. Runs that differ by their seed alone are one group.
/// What was not measured is called so. A file that ends in .md gets the tables alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop compare runs/methods --out methods.html
Example: dualprop compare runs/first runs/lite0-on-imagenet-c --baseline imagenet-alexnet --out page.html")]
pub(super) struct Compare {
    /// Run folders, folders of sweeps, and folders that `eval --resume` filled of a checkpoint
    #[arg(value_name = "RUN|SWEEP|EVALUATION", required = true)]
    runs: Vec<PathBuf>,
    /// Page to write, which needs no other file, no network and no script; or a Markdown file with its tables
    #[arg(long, value_name = "FILE.html|FILE.md")]
    out: PathBuf,
    /// Print the groups, differences and tables as one JSON object too
    #[arg(long)]
    json: bool,
    /// Hold corruptions against AlexNet's errors on ImageNet-C too, for networks of its 1000 classes
    #[arg(long, value_name = "imagenet-alexnet", value_parser = ["imagenet-alexnet"])]
    baseline: Option<String>,
    #[command(flatten)]
    device: DeviceOption,
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut comparison = Comparison::read(&self.runs)?;
        comparison.with_alexnet = self.baseline.is_some();
        for warning in &comparison.warnings {
            note(&format!("warning: {warning}"));
        }
        let page = if self.out.extension().is_some_and(|ending| ending == "md") {
            comparison.markdown()
        } else {
            let mut progress = Progress::new("looking through the networks", "groups");
            comparison.look(&self.device.device, &mut |done, total| progress.update(done, total));
            drop(progress);
            comparison.page()
        };
        write_atomic(&self.out, |out| out.write_all(page.as_bytes()))?;
        if self.json {
            return print_json(&comparison.json());
        }
        let runs: usize = comparison.groups.iter().map(|group| group.runs.len()).sum();
        let groups = counted(comparison.groups.len(), "group");
        print_line(&format!("{} in {groups}: {}", counted(runs, "run"), self.out.display()))
    }
}
