//! Writing a run folder. Every line goes to its file in one write, so that a killed run leaves at most one
//! torn line, which `--resume` cuts off.

use super::appender::Appender;
use super::resume::{
    check_same_run, cut_lines, event_files, may_begin_in, remove_event_files, remove_temporaries, write_table,
};
use super::trackers::{self, Mlflow};
use super::{BnLine, Ended, MetricLine, Pace, RunFiles, board, moments};
use crate::config::Config;
use crate::interop::atomic::{create_folder, sentence, write_atomic};
use crate::interop::tensorboard::hparams::cut_session_end;
use crate::interop::tensorboard::{EVENT_FILES, EventWriter};
use crate::training::bn_distance;
use crate::training::checkpoint::{Checkpoint, VALIDATED};
use crate::training::events::{
    BnLayer, BranchReport, EvalReport, Finish, Snapshot, StepReport, branch_names,
};
use crate::training::pictures;
use anyhow::{Context, anyhow, bail};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An open run folder.
#[derive(Debug)]
pub struct RunFolder {
    files: RunFiles,
    /// The resolved configuration, TOML.
    config: String,
    metrics: Appender,
    table: Appender,
    bn_stats: Appender,
    log: Appender,
    events: EventWriter,
    mlflow: Mlflow,
    /// What validation lines repeat of the last step.
    pace: Pace,
    /// The step of `pictures.safetensors`.
    pictured: Option<u64>,
    /// The step of the last pictures in TensorBoard's files.
    on_board: Option<u64>,
    /// Room for the pictures of earlier validations.
    moments_bytes: u64,
    _lock: Option<File>,
}

impl RunFolder {
    /// Starts a run in a new folder (see [`may_begin_in`]), or with `resume` goes on with the one that is
    /// there: the second value is then its `last.safetensors`, and every line past that step is cut. `resume`
    /// in a folder that has no checkpoint yet starts from the beginning, so a killed run can always be
    /// started again with `--resume`.
    pub fn open(dir: &Path, config: &Config, resume: bool) -> anyhow::Result<(Self, Option<Checkpoint>)> {
        create_folder(dir)?;
        let empty = may_begin_in(dir);
        if !empty && !resume {
            bail!(
                "the run folder {} is not empty; expected a new folder, or --resume to continue the run in it",
                dir.display()
            );
        }
        let files = RunFiles::of(dir);
        let mut checkpoint = None;
        if !empty {
            let kept = files.config();
            if !kept.is_file() {
                bail!("{} holds no run to resume: it has no {}", dir.display(), name(&kept));
            }
            check_same_run(&kept, config)?;
            remove_temporaries(dir)?;
            let (last, best) = (files.last(), files.best());
            if last.exists() {
                checkpoint = Some(Checkpoint::load(&last)?);
            } else if best.exists() {
                bail!(
                    "{} has a {} but no {} to resume from; expected both (a new run can begin with its weights by \
                     run.init)",
                    dir.display(),
                    name(&best),
                    name(&last)
                );
            }
        }
        let lock = lock(&files)?;
        remove_if_there(&files.ended())?;
        if empty {
            remove_temporaries(dir)?;
            remove_event_files(dir)?;
        }
        let step = checkpoint.as_ref().map_or(0, |c| c.meta.step);
        let validated =
            checkpoint.as_ref().and_then(|c| c.loop_state.get(VALIDATED).copied()).unwrap_or(step);
        let mut of_step = Vec::new();
        let last_line = cut_lines(&files.metrics(), |line: &MetricLine| {
            if line.is_train() && line.step == step {
                of_step.push(line.clone());
            }
            line.step <= if line.is_train() { step } else { validated }
        })?;
        write_table(&files)?;
        cut_lines(&files.bn_stats(), |line: &BnLine| line.step <= validated)?;
        let pictured = moments::cut(&files, validated)?;
        write_atomic(&files.config(), |out| out.write_all(config.resolved_toml().as_bytes()))?;
        Appender::open(files.arguments())?.line(&command_line())?;
        // The step's points go with those of its validation, which is made again, and are written anew.
        let is_validated = validated >= step;
        let purge_from = (!empty).then_some(if is_validated { step + 1 } else { step });
        // A run whose end stays there looks ended; TensorBoard shows it all the same.
        event_files(dir).iter().for_each(|path| drop(cut_session_end(path)));
        let unwritten = |e: std::io::Error| anyhow!(sentence(&board_file(dir), &e));
        let mut events = EventWriter::create(dir, purge_from).map_err(unwritten)?;
        trackers::begin_session(&mut events, config).map_err(unwritten)?;
        let mlflow = Mlflow::open(&files, config, step, validated);
        let pace = last_line.map_or(Pace::UNKNOWN, |line| Pace::of(&line));
        let mut folder = Self {
            metrics: Appender::open(files.metrics())?,
            table: Appender::open(files.metrics_table())?,
            bn_stats: Appender::open(files.bn_stats())?,
            log: Appender::open(files.log())?,
            events,
            mlflow,
            pace,
            files,
            config: config.resolved_toml(),
            pictured,
            on_board: pictured,
            moments_bytes: config.eval.moments_mb << 20,
            _lock: lock,
        };
        if !is_validated && !of_step.is_empty() {
            let branches: Vec<_> = of_step.into_iter().enumerate().map(MetricLine::into_branch).collect();
            let points = folder.step_curves(&branches);
            folder.points_on_board(step, &points)?;
        }
        let begun = if empty { "started".to_string() } else { format!("resumed after step {step}") };
        folder.log(&format!("{begun} by dualprop {}", env!("CARGO_PKG_VERSION")))?;
        Ok((folder, checkpoint))
    }

    /// Seconds of training that the kept lines report; a resumed run counts on from there.
    pub fn wall_s(&self) -> f64 {
        self.pace.wall_s
    }

    /// Adds a train line for each branch, and the same figures as TensorBoard points.
    pub fn train_step(&mut self, report: &StepReport) -> anyhow::Result<()> {
        let StepReport { lr, images_per_s, elapsed_s: wall_s, .. } = *report;
        self.pace = Pace { lr, images_per_s, wall_s };
        let lines = report.branches.iter().map(|branch| MetricLine::of_branch(report, branch));
        self.metrics.json_lines(lines.clone())?;
        self.table.csv_lines(lines)?;
        let points = self.step_curves(&report.branches);
        self.points(report.step, &points)
    }

    /// The points of a step's curves, at the pace of the newest.
    fn step_curves(&self, branches: &[BranchReport]) -> Vec<(String, f32)> {
        let Pace { lr, images_per_s, .. } = self.pace;
        let mut points = vec![("lr".to_string(), lr as f32)];
        points.extend(images_per_s.is_finite().then(|| ("images_per_s".to_string(), images_per_s as f32)));
        for (name, branch) in branch_names(branches).iter().zip(branches) {
            points.extend(curves("train", name, [branch.loss, branch.top1, branch.top5]));
        }
        points
    }

    /// Adds the lines and points of a validation. Learning rate, speed and time are those of the last train
    /// step.
    pub fn evaluated(&mut self, report: &EvalReport) -> anyhow::Result<()> {
        let pace = self.pace;
        let lines = report.rows.iter().map(|row| MetricLine::of_row(report, row, pace));
        self.metrics.json_lines(lines.clone())?;
        self.table.csv_lines(lines)?;
        let points = report.rows.iter().flat_map(|row| {
            let attacked = if row.attack.is_some() { " attacked" } else { "" };
            curves(&row.split, &format!("{}{attacked}", row.domain), [row.loss, row.top1, row.top5])
        });
        let points: Vec<_> = points.collect();
        self.points(report.step, &points)
    }

    /// Adds a line for each BN layer and domain to `bn_stats.jsonl`: channel means of its four vectors, and
    /// how far it is from the main domain (see [`bn_distance`]).
    pub fn bn_stats(
        &mut self,
        step: u64,
        epoch: f64,
        domains: &[String],
        layers: &[BnLayer],
    ) -> anyhow::Result<()> {
        let lines = layers.iter().flat_map(|layer| {
            domains.iter().zip(&layer.domains).enumerate().map(move |(index, (name, domain))| {
                let distance = bn_distance::of_layer(layer, 0, index);
                BnLine {
                    step,
                    epoch,
                    layer: layer.name.clone(),
                    domain: name.clone(),
                    channels: domain.running_mean.len(),
                    running_mean: mean(&domain.running_mean),
                    running_var: mean(&domain.running_var),
                    weight: mean(&domain.gamma),
                    bias: mean(&domain.beta),
                    distance: distance.map_or(f64::NAN, |d| d.total()),
                    distance_of_means: distance.map_or(f64::NAN, |d| d.of_means),
                    distance_of_variances: distance.map_or(f64::NAN, |d| d.of_variances),
                }
            })
        });
        self.bn_stats.json_lines(lines)
    }

    /// Adds a line with the time (UTC) to `log.txt`.
    pub fn log(&mut self, line: &str) -> anyhow::Result<()> {
        self.log.line(&format!("{} {line}", utc_now()))
    }

    /// Logs a failure and says in `ended.json` that the run ended with it. The folder is the last place to
    /// look when the front end is gone; its own failure changes nothing.
    pub fn end_with_failure(&mut self, sentence: &str, step: u64) {
        let _ = self.log(&format!("failed: {sentence}"));
        let _ = self.end(&Finish::Failed(sentence.to_owned()), step);
    }

    /// Says in `ended.json` how the run ended, after `step` finished steps: the last thing that a run writes.
    pub fn end(&mut self, finish: &Finish, step: u64) -> anyhow::Result<()> {
        let on_board = self.events.session_end(trackers::session_status(finish));
        let in_store = self.mlflow.end(finish);
        let text = serde_json::to_string(&Ended { finish: finish.clone(), step })?;
        write_atomic(&self.files.ended(), |out| writeln!(out, "{text}"))?;
        on_board.map_err(|e| self.unwritten(&e)).and(in_store)
    }

    /// The folder as it is named now.
    pub fn dir(&self) -> &Path {
        self.files.dir()
    }

    /// Whether nobody has removed the folder.
    pub fn is_there(&self) -> bool {
        self.files.dir().is_dir()
    }

    /// Writes a checkpoint as `last.safetensors` of another folder, where a run may begin, or of this one
    /// after somebody removed it, and goes on there with all lines so far. On an error this folder stays the
    /// run's.
    pub fn save_elsewhere(&mut self, dir: &Path, checkpoint: &Checkpoint) -> anyhow::Result<PathBuf> {
        if !may_begin_in(dir) {
            bail!("{} is not empty; expected a new folder to go on in", dir.display());
        }
        let files = RunFiles::of(dir);
        let path = files.last();
        create_folder(dir)?;
        if let Err(error) = checkpoint.save_atomic(&path) {
            // Fails where there is anything in it, which is none of ours.
            let _ = std::fs::remove_dir(dir);
            return Err(error);
        }
        self.go_on_in(files, checkpoint.meta.step)?;
        Ok(path)
    }

    /// Takes over the files of the run as far as they can still be read, best checkpoint, pictures and notes
    /// included.
    fn go_on_in(&mut self, files: RunFiles, step: u64) -> anyhow::Result<()> {
        let dir = files.dir();
        let lock = lock(&files)?;
        write_atomic(&files.config(), |out| out.write_all(self.config.as_bytes()))?;
        Appender::open(files.arguments())?.line(&command_line())?;
        let metrics = self.metrics.copied_to(files.metrics())?;
        write_table(&files)?;
        let table = Appender::open(files.metrics_table())?;
        let bn_stats = self.bn_stats.copied_to(files.bn_stats())?;
        let log = self.log.copied_to(files.log())?;
        let pairs = [RunFiles::best, RunFiles::pictures, RunFiles::notes, RunFiles::mlflow]
            .map(|of| (of(&self.files), of(&files)));
        let of_tensorboard = event_files(self.files.dir()).into_iter().map(|path| {
            let to = dir.join(path.file_name().unwrap_or_default());
            (path, to)
        });
        let moments = moments::moments(&self.files);
        if !moments.is_empty() {
            let _ = std::fs::create_dir_all(files.moments());
        }
        let of_moments = moments.into_iter().map(|(_, path)| {
            let to = files.moments().join(path.file_name().unwrap_or_default());
            (path, to)
        });
        let all = pairs.into_iter().chain(of_tensorboard).chain(of_moments);
        for (from, to) in all.filter(|(from, to)| from != to) {
            // What cannot be read any more stays behind; the next validation writes anew.
            let _ = std::fs::copy(from, to);
        }
        let events = EventWriter::create(dir, None).map_err(|e| anyhow!(sentence(&board_file(dir), &e)))?;
        let moved = format!("it goes on in {} after step {step}", dir.display());
        let mlflow = std::mem::take(&mut self.mlflow);
        if self.is_there() && self.files != files {
            self.end_with_failure(&moved, step);
        }
        let config = std::mem::take(&mut self.config);
        let (pace, moments_bytes, on_board) = (self.pace, self.moments_bytes, self.on_board);
        let pictured = self.pictured.filter(|_| files.pictures().is_file());
        *self = Self {
            files,
            config,
            metrics,
            table,
            bn_stats,
            log,
            events,
            mlflow,
            pace,
            pictured,
            on_board,
            moments_bytes,
            _lock: lock,
        };
        let _ = self.log(&moved);
        Ok(())
    }

    /// Makes all lines durable, so that a resume from the checkpoint that is written next finds them. On an
    /// error the others are durable; lines that cannot be are no reason to lose the weights.
    pub fn sync_lines(&mut self) -> anyhow::Result<()> {
        let lines = [self.metrics.sync(), self.table.sync(), self.bn_stats.sync()];
        let on_board = self.events.sync().map_err(|e| self.unwritten(&e));
        lines.into_iter().chain([on_board]).collect()
    }

    /// Writes `last.safetensors`; see [`Self::sync_lines`] for what goes before it.
    pub fn save_last(&self, checkpoint: &Checkpoint) -> anyhow::Result<PathBuf> {
        let path = self.files.last();
        checkpoint.save_atomic(&path)?;
        Ok(path)
    }

    /// Writes `best.safetensors`.
    pub fn save_best(&self, checkpoint: &Checkpoint) -> anyhow::Result<PathBuf> {
        let path = self.files.best();
        checkpoint.save_atomic(&path)?;
        Ok(path)
    }

    /// Writes `pictures.safetensors`; what it held becomes a moment. Where that cannot be kept, the new
    /// pictures are written nevertheless.
    pub fn save_pictures(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        let before = self.pictured.filter(|step| *step < snapshot.step && self.moments_bytes > 0);
        let kept =
            before.map_or(Ok(()), |step| moments::keep(&self.files, step, snapshot.step, self.moments_bytes));
        pictures::save(&self.files.pictures(), snapshot)?;
        self.pictured = Some(snapshot.step);
        if board::is_due(snapshot.step, self.on_board) {
            let step = snapshot.step;
            let written = self.events.images(step, &board::sheets(snapshot));
            written
                .and_then(|()| self.events.histograms(step, &board::statistics(snapshot)))
                .map_err(|e| self.unwritten(&e))?;
            self.on_board = Some(step);
        }
        kept
    }

    /// Adds a point to each named curve, for TensorBoard and MLflow.
    fn points(&mut self, step: u64, points: &[(String, f32)]) -> anyhow::Result<()> {
        let on_board = self.points_on_board(step, points);
        on_board.and(self.mlflow.points(step, points))
    }

    fn points_on_board(&mut self, step: u64, points: &[(String, f32)]) -> anyhow::Result<()> {
        self.events.scalars(step, points).map_err(|e| self.unwritten(&e))
    }

    /// The sentence of TensorBoard's file that cannot be written.
    fn unwritten(&self, error: &std::io::Error) -> anyhow::Error {
        anyhow!(sentence(&board_file(self.files.dir()), error))
    }
}

/// What sentences call TensorBoard's files in `dir`.
fn board_file(dir: &Path) -> PathBuf {
    dir.join(EVENT_FILES.trim_end_matches('.'))
}

/// Keeps a second program out of the folder. `None` on file systems without locks.
fn lock(files: &RunFiles) -> anyhow::Result<Option<File>> {
    // Whoever asks [`super::is_at_work`] holds the lock for a moment.
    const ATTEMPTS: u32 = 5;
    let path = files.lock();
    let file = File::create(&path).map_err(|e| anyhow!(sentence(&path, &e)))?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
    bail!(
        "another program is writing the run folder {}; expected one that nobody writes",
        files.dir().display()
    )
}

/// Points of a figure set under their TensorBoard names, such as `val/main attacked/top1`.
fn curves(split: &str, name: &str, figures: [f32; 3]) -> [(String, f32); 3] {
    let [loss, top1, top5] = figures;
    [("loss", loss), ("top1", top1), ("top5", top5)]
        .map(|(figure, value)| (format!("{split}/{name}/{figure}"), value))
}

/// The last part of a path, for sentences.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64
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

/// The time now, as the lines of `log.txt` begin: `2026-11-21T07:30:00Z`.
pub fn utc_now() -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    utc(seconds)
}

/// The date and time of a number of seconds since 1970, as `2026-11-21T07:30:00Z`: by the Gregorian
/// rule counted from 1 March of year 0, which puts the leap day last.
pub fn utc(seconds: u64) -> String {
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
