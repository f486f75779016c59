//! What a shell shows of a run: a bar on a terminal, plain lines elsewhere, and what is done where a
//! checkpoint cannot be written.

use super::common::{note, print_line};
use super::progress::{duration, style};
use crate::evaluation::interval;
use crate::training::events::{
    BranchReport, Command, EvalReport, Event, RunInfo, StepReport, Work, branch_names, validations_after,
};
use crate::words::counted;
use crossbeam_channel::Sender;
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two attempts to write a checkpoint.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two plain lines about steps.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// What the command line does about a checkpoint that cannot be written: it tries a folder beside the run's
/// once, then the run's own again and again until there is room.
#[derive(Default)]
pub(super) struct Rescue {
    /// Answers since the last checkpoint that was written.
    answers: u32,
}

impl Rescue {
    /// Shows an event and answers it by `commands` where it asks for that.
    pub(super) fn show(&mut self, view: &mut View, event: Event, commands: Option<&Sender<Command>>) {
        let unsaved =
            if let Event::CannotSave { run_dir, .. } = &event { Some(run_dir.clone()) } else { None };
        if matches!(event, Event::Saved { .. }) {
            *self = Self::default();
        }
        // A run outlives its screen: output that cannot be written is no reason to stop.
        let _ = view.show(event);
        if let (Some(run_dir), Some(commands)) = (unsaved, commands) {
            self.answer(&run_dir, commands);
        }
    }

    fn answer(&mut self, run_dir: &Path, commands: &Sender<Command>) {
        self.answers += 1;
        let beside = free_neighbour(run_dir).filter(|_| self.answers == 1);
        let command = match beside {
            Some(dir) => {
                note(&format!("trying to go on in {}", dir.display()));
                Command::SaveElsewhere(dir)
            }
            None => {
                if self.answers == 2 {
                    let seconds = RETRY_INTERVAL.as_secs();
                    note(&format!(
                        "the run waits with its weights and tries again every {seconds} seconds; free some space, or \
                         leave with Ctrl-C twice"
                    ));
                }
                std::thread::sleep(RETRY_INTERVAL);
                Command::Resume
            }
        };
        // A run that is gone says so by its last event.
        let _ = commands.send(command);
    }
}

/// A folder beside `dir`, named after it, where a run may begin.
fn free_neighbour(dir: &Path) -> Option<PathBuf> {
    let name = dir.file_name()?.to_string_lossy().into_owned();
    (2..100).map(|n| dir.with_file_name(format!("{name}-{n}"))).find(|dir| !dir.exists())
}

/// Shows events: a bar on a terminal, lines elsewhere.
pub(super) struct View {
    /// Clean images of a step.
    batch_size: usize,
    bar: Option<ProgressBar>,
    info: Option<RunInfo>,
    last_line: Option<Instant>,
    /// The work between the steps, to print each stage once.
    working_at: String,
    /// Seconds that the last validation took.
    validation_s: Option<f64>,
    /// What the runs behind this one take, where it is one of several.
    later: Later,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Later {
    /// Nothing.
    Nothing,
    /// Runs that take so many seconds.
    Seconds(f64),
    /// Runs that take so many times as long as this one.
    Times(f64),
}

impl View {
    pub(super) fn new(batch_size: usize, later: Later) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            bar.set_style(style("{wide_bar} {pos}/{len}  {msg}"));
            bar
        });
        Self {
            batch_size,
            bar,
            info: None,
            last_line: None,
            working_at: String::new(),
            validation_s: None,
            later,
        }
    }

    pub(super) fn show(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Working(work) => self.work(work),
            Event::Started(info) => self.started(info),
            Event::Step(report) => self.step(&report),
            Event::Evaluated(report) => {
                self.validation_s = report.seconds.or(self.validation_s);
                evaluation_lines(&report).iter().try_for_each(|line| self.line(line))
            }
            Event::Saved { path, best } => {
                let what = if best { "best so far, saved" } else { "saved" };
                self.line(&format!("{what} {}", path.display()))
            }
            Event::Warning(text) => {
                self.aside(|| note(&format!("warning: {text}")));
                Ok(())
            }
            Event::CannotSave { reason, .. } => {
                self.aside(|| note(&format!("warning: {reason}")));
                Ok(())
            }
            Event::Moved { run_dir } => {
                self.line(&format!("the run goes on in {0}; resume it with --out {0}", run_dir.display()))
            }
            Event::Note(text) => self.line(&text),
            Event::Paused => self.line("paused"),
            Event::Resumed => self.line("resumed"),
            Event::Finished(_) => Ok(()),
        }
    }

    fn work(&mut self, work: Work) -> anyhow::Result<()> {
        if let Some(bar) = &self.bar {
            bar.set_length(work.total as u64);
            bar.set_position(work.done as u64);
            bar.set_message(format!("{}, then {}", work.what, work.next));
            return Ok(());
        }
        if self.working_at == work.what {
            return Ok(());
        }
        let Work { what, total, .. } = work;
        self.line(&if total > 1 { format!("{what} ({total})…") } else { format!("{what}…") })?;
        self.working_at = what;
        Ok(())
    }

    fn started(&mut self, info: RunInfo) -> anyhow::Result<()> {
        let mebibytes = info.planned_bytes as f64 / f64::from(1 << 20);
        self.line(&format!("run folder:  {}", info.run_dir.display()))?;
        self.line(&format!("device:      {} ({})", info.adapter, info.backend))?;
        self.line(&format!(
            "network:     {}, {} parameters, {} classes, {} pixels, domains {}",
            info.arch,
            info.parameters,
            info.classes.len(),
            info.image_size,
            info.domains.join(", ")
        ))?;
        self.line(&format!("method:      {}", info.method))?;
        self.line(&format!("GPU memory:  {mebibytes:.1} MiB planned ({} bytes)", info.planned_bytes))?;
        self.line(&format!(
            "data:        {} training and {}, {} an epoch",
            info.train_images,
            counted(info.val_images, "validation image"),
            counted(info.steps_per_epoch as usize, "step")
        ))?;
        let from = if info.first_step > 0 {
            format!(", going on after step {}", info.first_step)
        } else {
            String::new()
        };
        self.line(&format!("steps:       {}{from}", info.total_steps))?;
        if let Some(bar) = &self.bar {
            bar.set_length(info.total_steps);
            bar.set_position(info.first_step);
        }
        self.info = Some(info);
        Ok(())
    }

    fn step(&mut self, report: &StepReport) -> anyhow::Result<()> {
        let Some(info) = &self.info else { return Ok(()) };
        let images_left = info.total_steps.saturating_sub(report.step) as f64 * self.batch_size as f64;
        let steps_s = images_left / report.images_per_s;
        let left = validations_after(report.step, info.total_steps, info.validation_steps);
        let validations_s = self.validation_s.unwrap_or(0.0) * left as f64;
        let eta = match left {
            0 => duration(steps_s),
            left => match self.validation_s {
                Some(_) => duration(steps_s + validations_s),
                None => format!("{} + {}", duration(steps_s), counted(left as usize, "validation")),
            },
        };
        let rate = match report.images_per_s {
            rate if rate.is_finite() => format!("{rate:.1}"),
            _ => "–".to_owned(),
        };
        let names = branch_names(&report.branches);
        let branches: Vec<String> =
            names.iter().zip(&report.branches).map(|(name, branch)| branch_words(name, branch)).collect();
        let message = format!(
            "epoch {:.2}  {}  lr {:.4}  {rate} images/s{}  ETA {eta}{}",
            report.epoch,
            branches.join("  "),
            report.lr,
            report.idle.map_or(String::new(), |idle| format!(" ({idle})")),
            match self.later {
                Later::Nothing => String::new(),
                Later::Seconds(later_s) =>
                    format!(", of all runs {}", duration(steps_s + validations_s + later_s)),
                Later::Times(times) => {
                    let run_s = info.total_steps as f64 * self.batch_size as f64 / report.images_per_s;
                    format!(", of all runs {}", duration(steps_s + validations_s + times * run_s))
                }
            }
        );
        if let Some(bar) = &self.bar {
            // Other work had the bar meanwhile.
            bar.set_length(info.total_steps);
            bar.set_position(report.step);
            bar.set_message(message);
            return Ok(());
        }
        let last = report.step == info.total_steps;
        if last || self.last_line.is_none_or(|t| t.elapsed() >= LINE_INTERVAL) {
            self.last_line = Some(Instant::now());
            let total = info.total_steps;
            self.line(&format!("step {}/{total}  {message}", report.step))?;
        }
        Ok(())
    }

    fn line(&self, line: &str) -> anyhow::Result<()> {
        self.aside(|| print_line(line))
    }

    /// Prints something while the bar is away.
    fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    pub(super) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A branch's figures in a step's line.
fn branch_words(name: &str, branch: &BranchReport) -> String {
    let label = branch.counted_label().map_or(String::new(), |which| format!(" ({which})"));
    format!("{name} loss {:.3} top-1 {:.1}%{label}", branch.loss, 100.0 * branch.top1)
}

fn evaluation_lines(report: &EvalReport) -> Vec<String> {
    report
        .rows
        .iter()
        .map(|row| {
            format!(
                "step {}  {:<13} {:<5} {:<28} top-1 {:5.1}%{}  top-5 {:5.1}%  loss {:.3}",
                report.step,
                row.split,
                row.domain,
                row.attack.as_deref().unwrap_or("clean"),
                100.0 * row.top1,
                interval::words(row.top1, row.images),
                100.0 * row.top5,
                row.loss
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BranchSource;

    #[test]
    fn the_accuracy_of_mixed_images_says_which_label_it_counts() {
        let branch = |source| BranchReport {
            branch: 0,
            source,
            domain: "aux".into(),
            attack: None,
            loss: 1.5,
            top1: 0.25,
            top5: 0.5,
        };
        let words = |source| branch_words("aux", &branch(source));
        assert_eq!(words(BranchSource::Clean), "aux loss 1.500 top-1 25.0%");
        for mixed in [BranchSource::Mixup, BranchSource::Cutmix] {
            assert_eq!(words(mixed), "aux loss 1.500 top-1 25.0% (by the larger share's label)");
        }
    }
}
