//! Reading a run folder, finished, cut off, or of a run at work: its figures as they come in, the end of its
//! log, and how it ended. Lines of earlier versions are read with what they have.

use super::{Ended, MetricLine, RunFiles};
use crate::config::reading;
use crate::config::{BranchSource, Config};
use crate::training::checkpoint::{Checkpoint, VALIDATED};
use crate::training::events::{EvalReport, EvalRow, Finish, StepReport};
use crate::training::{method, schedule};
use serde::de::DeserializeOwned;
use std::fs::TryLockError;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::marker::PhantomData;
use std::path::PathBuf;

/// Bytes of a file taken in at one look, so that a long run's file is read in parts.
const LOOK: u64 = 1 << 20;
/// Bytes of the log's end that are read.
const LOG_TAIL: u64 = 1 << 16;

/// Whether some program is writing a run into the folder now.
pub fn is_at_work(files: &RunFiles) -> bool {
    let file = reading::open(&files.lock());
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// How the run in the folder ended; `None` for one that is at work or was cut off, by a kill or a crash. A
/// folder of an earlier version does not say: its run counts as completed where the checkpoint has all steps
/// and their validation, else as cut off.
pub fn ended(files: &RunFiles) -> Option<Finish> {
    match reading::read(&files.ended(), reading::MOST_TEXT) {
        // Damaged, it says as little as an absent one.
        Ok(bytes) => serde_json::from_slice::<Ended>(&bytes).ok().map(|ended| ended.finish),
        Err(_) => has_all_steps(files).then_some(Finish::Completed),
    }
}

fn has_all_steps(files: &RunFiles) -> bool {
    // Most folders that do not say how they ended have no checkpoint: it is looked for first.
    let Ok(checkpoint) = Checkpoint::load_facts(&files.last()) else { return false };
    let Ok(config) = Config::load(&files.config(), &[]) else { return false };
    let (step, epoch) = (checkpoint.meta.step, checkpoint.meta.epoch);
    let steps_per_epoch = (step as f64 / epoch).round() as u64;
    let validated = checkpoint.loop_state.get(VALIDATED).copied().unwrap_or(step);
    step > 0 && validated >= step && step >= schedule::total_steps(&config.run, steps_per_epoch)
}

/// The last lines of the run's log, some hundred; none where there is no log.
pub fn log_tail(files: &RunFiles) -> Vec<String> {
    let read = || -> io::Result<(u64, Vec<u8>)> {
        let mut file = reading::open(&files.log())?;
        let from = file.metadata()?.len().saturating_sub(LOG_TAIL);
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut text)?;
        Ok((from, text))
    };
    let (from, text) = read().unwrap_or_default();
    // Where the beginning is left out, the first line is a part.
    String::from_utf8_lossy(&text).lines().skip(usize::from(from > 0)).map(str::to_owned).collect()
}

/// Reads a file of JSON lines that grows, part by part: each call gives the lines that have come since the
/// last one.
#[derive(Debug)]
pub struct Follower<L> {
    path: PathBuf,
    /// Bytes of whole lines taken in.
    offset: u64,
    /// Lines taken in.
    lines: usize,
    line: PhantomData<L>,
}

/// What one look at a file of JSON lines found.
#[derive(Debug)]
struct Part<L> {
    lines: Vec<L>,
    /// Number of the first line that cannot be read, from 1.
    first_broken: Option<usize>,
    /// There is more to read at once.
    more: bool,
}

impl<L: DeserializeOwned> Follower<L> {
    /// Begins at the start of the file, which may not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, lines: 0, line: PhantomData }
    }

    /// Whether lines that were taken in are no longer there: a resumed run cuts those past its checkpoint.
    pub fn was_cut(&self) -> bool {
        self.path.metadata().is_ok_and(|data| data.len() < self.offset)
    }

    /// Begins again at the start of the file.
    pub fn restart(&mut self) {
        (self.offset, self.lines) = (0, 0);
    }

    /// Some of the lines that have come since the last call, and whether there are more to read at once. A
    /// last line without an end waits: the run is still writing it, or a crash cut it short. Lines that
    /// cannot be read are left out.
    pub fn read(&mut self) -> io::Result<(Vec<L>, bool)> {
        self.part(LOOK).map(|part| (part.lines, part.more))
    }

    fn part(&mut self, most: u64) -> io::Result<Part<L>> {
        let mut file = reading::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.take(most).read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut part =
            Part { lines: Vec::new(), first_broken: None, more: text.len() as u64 == most && whole > 0 };
        for text in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            self.lines += 1;
            if text.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(text) {
                Ok(line) => part.lines.push(line),
                Err(_) => {
                    part.first_broken.get_or_insert(self.lines);
                }
            }
        }
        self.offset += whole as u64;
        Ok(part)
    }
}

/// What the lines of one step, or of one validation, tell together.
#[derive(Clone, Debug)]
pub enum Report {
    /// An optimizer step.
    Step(StepReport),
    /// A validation.
    Validation(EvalReport),
}

/// What one look at `metrics.jsonl` found.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// In the order of the file.
    pub reports: Vec<Report>,
    /// A sentence on lines that cannot be read, once for a file.
    pub warning: Option<String>,
    /// There is more to read at once.
    pub more: bool,
}

/// Reads the figures of a run as they come in.
#[derive(Debug)]
pub struct MetricsFollower {
    lines: Follower<MetricLine>,
    /// Lines of a report that may not be whole yet.
    begun: Vec<MetricLine>,
    told_of_broken: bool,
    /// The sources of the method's branches, for lines of earlier versions, which do not name theirs.
    sources: Vec<BranchSource>,
}

impl MetricsFollower {
    /// Begins at the start of `metrics.jsonl`. `config` is the run's, where it can be read: it says what the
    /// branches of an earlier version's lines were.
    pub fn new(files: &RunFiles, config: Option<&Config>) -> Self {
        let sources = config.map_or_else(Vec::new, |config| {
            let images = config.run.batch_size / config.run.accumulate.max(1);
            let first = method::phases(&config.method, images, 1, 1).into_iter().next();
            first.map_or_else(Vec::new, |phase| {
                phase.method.branches.iter().map(|b| b.source.kind()).collect()
            })
        });
        Self { lines: Follower::new(files.metrics()), begun: Vec::new(), told_of_broken: false, sources }
    }

    /// Whether lines that were taken in are no longer there; see [`Follower::was_cut`].
    pub fn was_cut(&self) -> bool {
        self.lines.was_cut()
    }

    /// Takes in some of what has come since the last call.
    pub fn read(&mut self) -> io::Result<Metrics> {
        self.read_part(LOOK)
    }

    /// Neighbouring lines of one step and split belong to one report. With more to come the last report may
    /// lack lines, and waits.
    fn read_part(&mut self, most: u64) -> io::Result<Metrics> {
        let part = self.lines.part(most)?;
        let mut made = Metrics { more: part.more, ..Metrics::default() };
        for line in part.lines {
            let is_next = self
                .begun
                .first()
                .is_some_and(|first| first.step != line.step || first.is_train() != line.is_train());
            if is_next {
                made.reports.extend(self.finish());
            }
            self.begun.push(line);
        }
        if !part.more {
            made.reports.extend(self.finish());
        }
        if let Some(first) = part.first_broken.filter(|_| !self.told_of_broken) {
            self.told_of_broken = true;
            let text = format!("metrics.jsonl: unreadable lines are left out, the first is line {first}");
            made.warning = Some(text);
        }
        Ok(made)
    }

    /// The report of the lines begun.
    fn finish(&mut self) -> Option<Report> {
        let lines = std::mem::take(&mut self.begun);
        let first = lines.first()?;
        let (step, epoch, is_train) = (first.step, first.epoch, first.is_train());
        let (lr, images_per_s, elapsed_s) = (first.lr, first.images_per_s, first.wall_s);
        if !is_train {
            let rows = lines.into_iter().map(|line| EvalRow {
                split: line.split,
                domain: line.domain,
                attack: line.attack,
                images: 0,
                loss: line.loss,
                top1: line.top1,
                top5: line.top5,
            });
            return Some(Report::Validation(EvalReport { step, epoch, seconds: None, rows: rows.collect() }));
        }
        let branches = lines.into_iter().enumerate().map(|(place, mut line)| {
            line.source = line.source.or_else(|| Some(self.source(place, line.attack.is_some())));
            MetricLine::into_branch((place, line))
        });
        Some(Report::Step(StepReport {
            step,
            epoch,
            lr,
            images_per_s,
            elapsed_s,
            stages: Vec::new(),
            idle: None,
            memory_bytes: None,
            branches: branches.collect(),
        }))
    }

    /// The source of the branch at `place` in a step of an earlier version, whose line names the attack
    /// alone.
    fn source(&self, place: usize, is_attacked: bool) -> BranchSource {
        if is_attacked {
            return BranchSource::Attack;
        }
        // Fine-tuning turns from attacked images to clean ones.
        let known = self.sources.get(place).copied().filter(|source| *source != BranchSource::Attack);
        known.unwrap_or(BranchSource::Clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MethodConfig, MethodKind};

    /// Lines of the version before branches and sources were named, the last one torn.
    const LINES: &str = r#"{"step":1,"epoch":0.5,"split":"train","domain":"main","attack":null,"loss":2.3,"top1":0.1,"top5":0.5,"lr":0.0,"images_per_s":10.0,"wall_s":1.0}
{"step":1,"epoch":0.5,"split":"train","domain":"aux","attack":"pgd:eps=1","loss":2.5,"top1":0.1,"top5":0.5,"lr":0.0,"images_per_s":10.0,"wall_s":1.0}
not json
{"step":2,"epoch":1.0,"split":"train","domain":"main","attack":null,"loss":null,"top1":0.2,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":2,"epoch":1.0,"split":"val","domain":"main","attack":null,"loss":2.0,"top1":0.25,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":2,"epoch":1.0,"split":"val","domain":"main","attack":"pgd:eps=4","loss":2.0,"top1":0.125,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":3,"epo"#;

    fn folder(lines: &str) -> (tempfile::TempDir, RunFiles) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(folder.path());
        std::fs::write(files.metrics(), lines).expect("writable");
        (folder, files)
    }

    #[test]
    fn lines_become_reports_and_broken_ones_are_told() {
        let (_folder, files) = folder(LINES);
        let mut follower = MetricsFollower::new(&files, None);
        let found = follower.read().expect("readable");
        assert!(!found.more);
        let [Report::Step(first), Report::Step(second), Report::Validation(validation)] = &found.reports[..]
        else {
            panic!("{:?}", found.reports)
        };
        let branches: Vec<_> =
            first.branches.iter().map(|b| (b.branch, b.source, b.domain.as_str())).collect();
        assert_eq!(branches, [(0, BranchSource::Clean, "main"), (1, BranchSource::Attack, "aux")]);
        assert!(second.branches[0].loss.is_nan() && second.lr == 0.1);
        assert_eq!(validation.rows.len(), 2);
        assert!(found.warning.is_some_and(|text| text.contains("line 3")), "the torn line is no warning");

        // The run goes on writing: the torn line's end, and no more until there is more.
        assert!(follower.read().expect("readable").reports.is_empty());
        let rest =
            r#"ch":1.5,"split":"train","domain":"main","attack":null,"loss":1.0,"top1":0.5,"top5":0.5}"#;
        std::fs::write(files.metrics(), format!("{LINES}{rest}\n")).expect("writable");
        let found = follower.read().expect("readable");
        assert!(matches!(&found.reports[..], [Report::Step(report)] if report.step == 3));
        assert!(!follower.was_cut());
        std::fs::write(files.metrics(), LINES).expect("writable");
        assert!(follower.was_cut());
    }

    #[test]
    fn a_long_file_read_in_parts_gives_the_same_reports() {
        let (_folder, files) = folder(LINES);
        let reports = |most: u64| {
            let mut follower = MetricsFollower::new(&files, None);
            let (mut parts, mut reports, mut warnings) = (0, Vec::new(), Vec::new());
            loop {
                let found = follower.read_part(most).expect("readable");
                parts += 1;
                reports.extend(found.reports);
                warnings.extend(found.warning);
                if !found.more {
                    // NaN is unlike itself.
                    return (parts, follower.lines.offset, format!("{reports:?} {warnings:?}"));
                }
            }
        };
        let (parts, offset, whole) = reports(LOOK);
        assert_eq!((parts, offset as usize), (1, LINES.rfind('\n').expect("lines") + 1));
        // Any size that holds a line.
        for most in [200, 400, 401, 500, 640, 740] {
            let (parts, end, seen) = reports(most);
            assert!(parts > 1 && end == offset, "{most} bytes at a time: {parts} parts, {end}");
            assert_eq!(seen, whole, "{most} bytes at a time");
        }
    }

    #[test]
    fn the_configuration_says_what_earlier_lines_leave_out() {
        let line = |domain: &str| {
            format!(
                "{{\"step\":1,\"epoch\":0.5,\"split\":\"train\",\"domain\":{domain:?},\"attack\":null}}\n"
            )
        };
        let (_folder, files) = folder(&(line("main") + &line("aux")));
        let method = MethodConfig { kind: MethodKind::Mixprop, ..MethodConfig::default() };
        let config = Config { method, ..Config::default() };
        let found = MetricsFollower::new(&files, Some(&config)).read().expect("readable");
        let Report::Step(report) = &found.reports[0] else { panic!("{:?}", found.reports) };
        let sources: Vec<BranchSource> = report.branches.iter().map(|b| b.source).collect();
        assert_eq!(sources, [BranchSource::Clean, BranchSource::Mixup]);
    }
}
