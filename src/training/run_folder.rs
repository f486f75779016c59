//! A run's folder: resolved configuration, command lines, curves, checkpoints and log. Every line goes to the file
//! in one write, so that a killed run leaves at most one torn line, which `--resume` cuts off.

mod resume;

pub use resume::parting_key;

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use super::bn_distance::{self, Distance};
use super::checkpoint::{Checkpoint, VALIDATED};
use super::events::{BnLayer, EvalReport, Snapshot, StepReport};
use super::pictures;
use crate::config::Config;
use crate::interop::atomic::{create_folder, sentence, write_atomic};
use crate::interop::tensorboard::EventWriter;
use resume::{check_same_run, cut_lines, remove_later_pictures, remove_temporaries};

const CONFIG: &str = "config.toml";
const ARGUMENTS: &str = "args.txt";
const METRICS: &str = "metrics.jsonl";
const BN_STATS: &str = "bn_stats.jsonl";
const LOG: &str = "log.txt";
const PICTURES: &str = "pictures.safetensors";
const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
/// Locked as long as a run writes the folder; a killed program's lock goes with it.
const LOCK: &str = ".lock";

/// One line of `metrics.jsonl`; the field order is the file's.
#[derive(Clone, Debug, Serialize)]
struct Metric<'a> {
    step: u64,
    epoch: f64,
    split: &'a str,
    domain: &'a str,
    attack: Option<&'a str>,
    loss: f32,
    top1: f32,
    top5: f32,
    lr: f64,
    images_per_s: f64,
    wall_s: f64,
}

/// An open run folder.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    metrics: Appender,
    bn_stats: Appender,
    log: Appender,
    events: EventWriter,
    /// Of the last step: what validation lines repeat.
    lr: f64,
    images_per_s: f64,
    wall_s: f64,
    _lock: Option<File>,
}

impl RunFolder {
    /// Starts a run in a new or empty folder, or with `resume` goes on with the one that is there: the second
    /// value is then its `last.safetensors`, and every line past that step is cut. `resume` in a folder that has
    /// no checkpoint yet starts from the beginning, so a killed run can always be started again with `--resume`.
    pub fn open(dir: &Path, config: &Config, resume: bool) -> anyhow::Result<(Self, Option<Checkpoint>)> {
        create_folder(dir)?;
        let empty = is_empty(dir)?;
        if !empty && !resume {
            bail!(
                "the run folder {} is not empty; expected a new folder, or --resume to continue the run in it",
                dir.display()
            );
        }
        let mut checkpoint = None;
        if !empty {
            let kept = dir.join(CONFIG);
            if !kept.is_file() {
                bail!("{} holds no run to resume: it has no {CONFIG}", dir.display());
            }
            check_same_run(&kept, config)?;
            remove_temporaries(dir)?;
            if dir.join(LAST).exists() {
                checkpoint = Some(Checkpoint::load(&dir.join(LAST))?);
            } else if dir.join(BEST).exists() {
                bail!(
                    "{} has a {BEST} but no {LAST} to resume from; expected both (a new run can begin with its weights by \
                     run.init)",
                    dir.display()
                );
            }
        }
        let lock = lock(dir)?;
        let step = checkpoint.as_ref().map_or(0, |c| c.meta.step);
        let validated =
            checkpoint.as_ref().and_then(|c| c.loop_state.get(VALIDATED).copied()).unwrap_or(step);
        let wall_s = cut_lines(&dir.join(METRICS), step, validated)?;
        cut_lines(&dir.join(BN_STATS), validated, validated)?;
        remove_later_pictures(dir, validated)?;
        write_atomic(&dir.join(CONFIG), |out| out.write_all(config.resolved_toml().as_bytes()))?;
        Appender::open(dir.join(ARGUMENTS))?.line(&command_line())?;
        let purge_from = (!empty).then_some(step + 1);
        let events = EventWriter::create(dir, purge_from).map_err(|e| anyhow!(sentence(dir, &e)))?;
        let mut folder = Self {
            dir: dir.to_path_buf(),
            metrics: Appender::open(dir.join(METRICS))?,
            bn_stats: Appender::open(dir.join(BN_STATS))?,
            log: Appender::open(dir.join(LOG))?,
            events,
            lr: 0.0,
            images_per_s: 0.0,
            wall_s,
            _lock: lock,
        };
        let begun = if empty { "started".to_string() } else { format!("resumed after step {step}") };
        folder.log(&format!("{begun} by dualprop {}", env!("CARGO_PKG_VERSION")))?;
        Ok((folder, checkpoint))
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Seconds of training that the kept lines report; a resumed run counts on from there.
    pub fn wall_s(&self) -> f64 {
        self.wall_s
    }

    /// Adds a train line for each branch, and the same figures as TensorBoard points.
    pub fn train_step(&mut self, report: &StepReport) -> anyhow::Result<()> {
        (self.lr, self.images_per_s, self.wall_s) = (report.lr, report.images_per_s, report.elapsed_s);
        let mut points = vec![
            ("lr".to_string(), report.lr as f32),
            ("images_per_s".to_string(), report.images_per_s as f32),
        ];
        let mut lines = String::new();
        for branch in &report.branches {
            let figures = [branch.loss, branch.top1, branch.top5];
            let attack = branch.attack.as_deref();
            lines += &self.metric(report.step, report.epoch, "train", &branch.domain, attack, figures)?;
            points.extend(curves("train", &branch.domain, attack, figures));
        }
        self.metrics.text(&lines)?;
        self.points(report.step, &points)
    }

    /// Adds the lines and points of a validation. `lr`, speed and time are those of the last train step.
    pub fn evaluated(&mut self, report: &EvalReport) -> anyhow::Result<()> {
        let mut points = Vec::new();
        let mut lines = String::new();
        for row in &report.rows {
            let figures = [row.loss, row.top1, row.top5];
            let attack = row.attack.as_deref();
            lines += &self.metric(report.step, report.epoch, &row.split, &row.domain, attack, figures)?;
            points.extend(curves(&row.split, &row.domain, attack, figures));
        }
        self.metrics.text(&lines)?;
        self.points(report.step, &points)
    }

    /// Adds a line for each BN layer and domain to `bn_stats.jsonl`: channel means of its four vectors, and how far
    /// it is from the main domain (see [`super::bn_distance`]).
    pub fn bn_stats(
        &mut self,
        step: u64,
        epoch: f64,
        domains: &[String],
        layers: &[BnLayer],
    ) -> anyhow::Result<()> {
        let mut lines = String::new();
        for layer in layers {
            for (i, (name, domain)) in domains.iter().zip(&layer.domains).enumerate() {
                let distance = bn_distance::of_layer(layer, 0, i);
                let line = serde_json::json!({
                    "step": step,
                    "epoch": epoch,
                    "layer": layer.name,
                    "domain": name,
                    "channels": domain.running_mean.len(),
                    "running_mean": mean(&domain.running_mean),
                    "running_var": mean(&domain.running_var),
                    "weight": mean(&domain.gamma),
                    "bias": mean(&domain.beta),
                    "distance": distance.map(Distance::total),
                    "distance_of_means": distance.map(|d| d.of_means),
                    "distance_of_variances": distance.map(|d| d.of_variances),
                });
                lines += &format!("{line}\n");
            }
        }
        self.bn_stats.text(&lines)
    }

    /// Adds a line with the time (UTC) to `log.txt`.
    pub fn log(&mut self, line: &str) -> anyhow::Result<()> {
        self.log.line(&format!("{} {line}", utc_now()))
    }

    /// Writes `last.safetensors`. The lines up to its step are synced before, so that a resume finds them.
    pub fn save_last(&self, checkpoint: &Checkpoint) -> anyhow::Result<PathBuf> {
        self.metrics.sync()?;
        self.bn_stats.sync()?;
        self.events.sync().map_err(|e| anyhow!(sentence(&self.dir, &e)))?;
        let path = self.dir.join(LAST);
        checkpoint.save_atomic(&path)?;
        Ok(path)
    }

    /// Writes `best.safetensors`.
    pub fn save_best(&self, checkpoint: &Checkpoint) -> anyhow::Result<PathBuf> {
        let path = self.dir.join(BEST);
        checkpoint.save_atomic(&path)?;
        Ok(path)
    }

    /// Writes `pictures.safetensors`.
    pub fn save_pictures(&self, snapshot: &Snapshot) -> anyhow::Result<()> {
        pictures::save(&pictures_file(&self.dir), snapshot)
    }

    fn metric(
        &self,
        step: u64,
        epoch: f64,
        split: &str,
        domain: &str,
        attack: Option<&str>,
        [loss, top1, top5]: [f32; 3],
    ) -> anyhow::Result<String> {
        let Self { lr, images_per_s, wall_s, .. } = *self;
        let line = Metric { step, epoch, split, domain, attack, loss, top1, top5, lr, images_per_s, wall_s };
        Ok(serde_json::to_string(&line)? + "\n")
    }

    fn points(&mut self, step: u64, points: &[(String, f32)]) -> anyhow::Result<()> {
        self.events
            .scalars(step, points)
            .map_err(|e| anyhow!(sentence(&self.dir.join("events.out.tfevents"), &e)))
    }
}

/// Keeps a second program out of the folder. `None` on file systems without locks.
fn lock(dir: &Path) -> anyhow::Result<Option<File>> {
    // Whoever asks [`is_at_work`] holds the lock for a moment.
    const ATTEMPTS: u32 = 5;
    let Ok(file) = File::create(dir.join(LOCK)) else { return Ok(None) };
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
    bail!("another program is writing the run folder {}; expected one that nobody writes", dir.display())
}

/// Whether some program is writing a run into the folder now.
pub fn is_at_work(dir: &Path) -> bool {
    let file = File::open(dir.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// TensorBoard names of a figure set, such as `val/main attacked/top1`.
fn curves(split: &str, domain: &str, attack: Option<&str>, figures: [f32; 3]) -> Vec<(String, f32)> {
    let attacked = if attack.is_some() { " attacked" } else { "" };
    ["loss", "top1", "top5"]
        .into_iter()
        .zip(figures)
        .map(|(name, value)| (format!("{split}/{domain}{attacked}/{name}"), value))
        .collect()
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64
}

/// A file that only grows.
#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let file = File::options().append(true).create(true).open(&path);
        let file = file.map_err(|e| anyhow!(sentence(&path, &e)))?;
        Ok(Self { path, file })
    }

    fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.file.write_all(text.as_bytes()).map_err(|e| anyhow!(sentence(&self.path, &e)))
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        self.text(&format!("{}\n", line.replace('\n', " ")))
    }

    fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_data().map_err(|e| anyhow!(sentence(&self.path, &e)))
    }
}

fn is_empty(dir: &Path) -> anyhow::Result<bool> {
    let mut entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot list the run folder {}", dir.display()))?;
    Ok(entries.next().is_none())
}

/// Where the run in `dir` keeps the pictures of its last validation; see [`pictures`].
pub fn pictures_file(dir: &Path) -> PathBuf {
    dir.join(PICTURES)
}

/// The program's arguments, quoted where a shell would need it.
fn command_line() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    let words = std::env::args_os().map(|word| {
        let word = word.to_string_lossy().into_owned();
        let bare = !word.is_empty() && word.chars().all(plain);
        if bare { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `2026-11-21T07:30:00Z`.
fn utc_now() -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    utc(seconds)
}

/// The calendar date of a number of seconds since 1970, by the Gregorian rule counted from 1 March of year 0, which
/// puts the leap day last.
fn utc(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_246_205), "2026-11-21T07:30:05Z");
    }
}
