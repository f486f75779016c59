//! Reads a run folder, so that finished runs and runs of the command line can be looked at without a GPU.

use super::kinds::{Level, Phase};
use super::run::{Length, RunView};
use crate::config::Config;
use crate::training::checkpoint::domain_names;
use crate::training::events::{BranchReport, EvalReport, EvalRow, StepReport};
use crate::training::method;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// One line of `metrics.jsonl`.
#[derive(Deserialize)]
struct Line {
    step: u64,
    epoch: f64,
    split: String,
    domain: String,
    #[serde(default)]
    attack: Option<String>,
    /// Absent where JSON has no number for it (NaN, infinity).
    loss: Option<f32>,
    top1: Option<f32>,
    top5: Option<f32>,
    lr: Option<f64>,
    images_per_s: Option<f64>,
    wall_s: Option<f64>,
}

/// Bytes of metrics taken in at one look, so that a long run's file never holds up a frame.
const LOOK: u64 = 1 << 20;

/// The run in `dir` with all of its curves, and its configuration when it can be read. Takes seconds for a long run.
pub fn read(dir: &Path) -> anyhow::Result<(RunView, Option<Config>)> {
    let (mut run, config, mut follower) = open(dir)?;
    while follower.read(&mut run).context(UNREADABLE)? {}
    Ok((run, config))
}

const UNREADABLE: &str = "cannot read metrics.jsonl";

/// The run in `dir` with the beginning of its curves, its configuration when it can be read, and what reads on, also
/// while the run still writes.
pub fn open(dir: &Path) -> anyhow::Result<(RunView, Option<Config>, Follower)> {
    if !dir.is_dir() {
        bail!("{} is not a folder; expected a run folder with metrics.jsonl", dir.display());
    }
    let mut run = RunView::starting(dir.to_owned());
    run.phase = Phase::Opened;
    let mut follower = Follower::new(dir.join("metrics.jsonl"));
    follower.open().with_context(|| {
        let path = follower.path.display();
        format!("cannot read {path}; expected a run folder, which holds metrics.jsonl")
    })?;
    let config = read_config(dir, &mut run);
    follower.read(&mut run).context(UNREADABLE)?;
    read_log(&dir.join("log.txt"), &mut run);
    run.log(Level::Info, format!("Opened {}", dir.display()));
    Ok((run, config, follower))
}

/// Reads what a run, of the command line perhaps, appends to its metrics.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// Bytes of whole lines taken in.
    offset: u64,
    lines: usize,
    told_of_broken: bool,
}

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, lines: 0, told_of_broken: false }
    }

    fn open(&self) -> std::io::Result<File> {
        File::open(&self.path)
    }

    /// True when lines that were taken in are no longer there: a resumed run cuts those past its checkpoint.
    pub fn was_cut(&self) -> bool {
        self.open().and_then(|file| file.metadata()).is_ok_and(|data| data.len() < self.offset)
    }

    /// Takes in some of the lines that have come since the last call; true while there is more to read at once. A last
    /// line without an end waits: the run is still writing it, or a crash cut it short.
    pub fn read(&mut self, run: &mut RunView) -> std::io::Result<bool> {
        self.read_part(run, LOOK)
    }

    fn read_part(&mut self, run: &mut RunView, most: u64) -> std::io::Result<bool> {
        let mut file = self.open()?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.take(most).read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let more = text.len() as u64 == most && whole > 0;
        self.take(&text[..whole], more, run);
        Ok(more)
    }

    /// Folds whole lines in: neighbouring lines of one step and split belong to one report. With `more` to come the
    /// last report may lack lines, and waits. Broken lines are named once.
    fn take(&mut self, text: &[u8], more: bool, run: &mut RunView) {
        let mut first_broken = None;
        let mut group: Vec<Line> = Vec::new();
        // Bytes and lines of whole reports.
        let (mut bytes, mut lines) = (0, 0);
        let (mut bytes_now, mut lines_now) = (0, 0);
        for text in text.split_inclusive(|byte| *byte == b'\n') {
            let before = (bytes_now, lines_now);
            bytes_now += text.len();
            lines_now += 1;
            if text.trim_ascii().is_empty() {
                continue;
            }
            let Ok(line) = serde_json::from_slice::<Line>(text) else {
                first_broken.get_or_insert(self.lines + lines_now);
                continue;
            };
            let starts_new =
                group.first().is_some_and(|g| g.step != line.step || is_train(g) != is_train(&line));
            if starts_new {
                (bytes, lines) = before;
                fold(run, std::mem::take(&mut group));
            }
            group.push(line);
        }
        if !more || bytes == 0 {
            (bytes, lines) = (bytes_now, lines_now);
            fold(run, group);
        }
        self.offset += bytes as u64;
        self.lines += lines;
        if let (Some(first), false) = (first_broken, self.told_of_broken) {
            self.told_of_broken = true;
            let text = format!("metrics.jsonl: unreadable lines are left out, the first is line {first}");
            run.log(Level::Warning, text);
        }
    }
}

/// Takes in the end of the run's log; a folder without one is none the worse.
fn read_log(path: &Path, run: &mut RunView) {
    const MOST: u64 = 1 << 16;
    let Ok(mut file) = File::open(path) else { return };
    let length = file.metadata().map_or(0, |data| data.len());
    let from = length.saturating_sub(MOST);
    let mut text = Vec::new();
    if file.seek(SeekFrom::Start(from)).and_then(|_| file.take(MOST).read_to_end(&mut text)).is_err() {
        return;
    }
    let text = String::from_utf8_lossy(&text);
    // Where the beginning is left out, the first line is a part.
    for line in text.lines().skip(usize::from(from > 0)) {
        run.log(Level::Info, line);
        // The time comes first.
        let words = line.split_once(' ').map_or("", |(_, words)| words);
        let endings = [
            ("complete", "completed"),
            ("was complete", "completed"),
            ("stopped", "stopped"),
            ("failed", "failed"),
        ];
        run.ended = endings.into_iter().find(|(start, _)| words.starts_with(start)).map(|(_, ending)| ending);
    }
}

fn read_config(dir: &Path, run: &mut RunView) -> Option<Config> {
    let path = dir.join("config.toml");
    match Config::load(&path, &[]) {
        Ok(config) => {
            run.method = method_name(&config);
            let length = config.run.steps.map_or(Length::Epochs(config.run.epochs), Length::Steps);
            run.length = Some(length);
            // By index, not as branches happen to mention them.
            run.domains = domain_names(method::domains(&config.method));
            Some(config)
        }
        Err(error) => {
            run.log(Level::Warning, format!("The configuration was left out: {error}"));
            None
        }
    }
}

fn method_name(config: &Config) -> String {
    let value = config.get("method.kind");
    value.as_ref().and_then(toml::Value::as_str).unwrap_or_default().to_owned()
}

fn is_train(line: &Line) -> bool {
    line.split == "train"
}

fn fold(run: &mut RunView, lines: Vec<Line>) {
    let Some(first) = lines.first() else { return };
    let (step, epoch) = (first.step, first.epoch);
    if is_train(first) {
        run.step(StepReport {
            step,
            epoch,
            lr: first.lr.unwrap_or(f64::NAN),
            images_per_s: first.images_per_s.unwrap_or(f64::NAN),
            elapsed_s: first.wall_s.unwrap_or(f64::NAN),
            stages: Vec::new(),
            idle: None,
            memory_bytes: None,
            branches: lines
                .into_iter()
                .map(|line| BranchReport {
                    domain: line.domain,
                    attack: line.attack,
                    loss: line.loss.unwrap_or(f32::NAN),
                    top1: line.top1.unwrap_or(f32::NAN),
                    top5: line.top5.unwrap_or(f32::NAN),
                })
                .collect(),
        });
    } else {
        let rows = lines.into_iter().map(|line| EvalRow {
            split: line.split,
            domain: line.domain,
            attack: line.attack,
            images: 0,
            loss: line.loss.unwrap_or(f32::NAN),
            top1: line.top1.unwrap_or(f32::NAN),
            top5: line.top5.unwrap_or(f32::NAN),
        });
        run.evaluated(EvalReport { step, epoch, rows: rows.collect() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"step":1,"epoch":0.5,"split":"train","domain":"main","attack":null,"loss":2.3,"top1":0.1,"top5":0.5,"lr":0.0,"images_per_s":10.0,"wall_s":1.0}
{"step":1,"epoch":0.5,"split":"train","domain":"aux","attack":"pgd:eps=1","loss":2.5,"top1":0.1,"top5":0.5,"lr":0.0,"images_per_s":10.0,"wall_s":1.0}
not json
{"step":2,"epoch":1.0,"split":"train","domain":"main","attack":null,"loss":null,"top1":0.2,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":2,"epoch":1.0,"split":"val","domain":"main","attack":null,"loss":2.0,"top1":0.25,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":2,"epoch":1.0,"split":"val","domain":"main","attack":"pgd:eps=4","loss":2.0,"top1":0.125,"top5":0.5,"lr":0.1,"images_per_s":10.0,"wall_s":2.0}
{"step":3,"epo"#;

    #[test]
    fn lines_become_curves_and_broken_ones_are_told() {
        let mut run = RunView::default();
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("metrics.jsonl");
        std::fs::write(&path, LINES).expect("writable");
        let mut follower = Follower::new(path.clone());
        assert!(!follower.read(&mut run).expect("readable"));
        assert_eq!(run.domains, ["main", "aux"]);
        assert_eq!(run.loss.len(), 2);
        assert_eq!(run.accuracy["val"].len(), 2);
        assert_eq!(run.best, Some((2, 25.0)));
        let warnings: Vec<_> = run.log.iter().filter(|line| line.level == Level::Warning).collect();
        assert_eq!(warnings.len(), 1, "the cut last line is no warning: {warnings:?}");
        assert!(warnings[0].text.contains("line 3"), "{}", warnings[0].text);

        // The run goes on writing: the cut line's end, and no more until there is more.
        assert!(!follower.read(&mut run).expect("readable"));
        assert_eq!(run.loss.len(), 2);
        let rest =
            r#"ch":1.5,"split":"train","domain":"main","attack":null,"loss":1.0,"top1":0.5,"top5":0.5}"#;
        std::fs::write(&path, format!("{LINES}{rest}\n")).expect("writable");
        assert!(!follower.read(&mut run).expect("readable") && !follower.was_cut());
        assert_eq!(run.last_step.as_ref().map(|s| s.step), Some(3));
        std::fs::write(&path, LINES).expect("writable");
        assert!(follower.was_cut());
    }

    #[test]
    fn a_long_file_read_in_parts_gives_the_same_reports() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("metrics.jsonl");
        std::fs::write(&path, LINES).expect("writable");
        let reports = |most: u64| {
            let (mut run, mut follower) = (RunView::default(), Follower::new(path.clone()));
            let mut parts = 1;
            while follower.read_part(&mut run, most).expect("readable") {
                parts += 1;
            }
            let warnings: Vec<String> =
                run.log.iter().filter(|line| line.level == Level::Warning).map(|l| l.text.clone()).collect();
            let seen = (warnings, format!("{:?} {:?} {:?}", run.loss, run.accuracy, run.last_eval));
            (parts, follower.offset, seen)
        };
        let (parts, offset, whole) = reports(LOOK);
        assert_eq!((parts, offset as usize), (1, LINES.rfind('\n').expect("lines") + 1));
        // Any size that holds a report of two lines.
        for most in [400, 401, 500, 640, 740] {
            let (parts, end, seen) = reports(most);
            assert!(parts > 1 && end == offset, "{most} bytes at a time: {parts} parts, {end}");
            assert_eq!(seen, whole, "{most} bytes at a time");
        }
    }

    #[test]
    fn a_folder_without_metrics_says_what_was_expected() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = open(dir.path()).expect_err("nothing to open");
        assert!(error.to_string().contains("metrics.jsonl"), "{error}");
    }
}
