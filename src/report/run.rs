//! What a run's folder tells a comparison.

use crate::config::reading;
use crate::config::{Config, DataSource};
use crate::evaluation::network_of;
use crate::evaluation::robustness::record::{ASKED_FILE, CHECKSUM, facts_in};
use crate::evaluation::robustness::row::Row;
use crate::training::checkpoint::Checkpoint;
use crate::training::events::{EvalRow, Finish, branch_names};
use crate::training::run_folder::{BnLine, Follower, MetricsFollower, Report, RunFiles, ended};
use crate::training::step_cost;
use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What images were measured under, and through which domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// The part of the data, such as `val-stylized`; with the data set's word before it where an evaluation
    /// wrote it.
    pub split: String,
    /// The attack's SPEC.
    pub attack: Option<String>,
    /// The corruption's name.
    pub corruption: Option<String>,
    /// Its severity, 1 to 5.
    pub severity: Option<u8>,
    /// The BN domain.
    pub domain: String,
}

impl Condition {
    /// That of a row of an evaluation.
    pub fn of(row: &Row) -> Self {
        Self {
            split: format!("{}:{}", row.data, row.split),
            attack: row.attack.clone(),
            corruption: row.corruption.clone(),
            severity: row.severity,
            domain: row.domain.clone(),
        }
    }
}

/// A run, or a checkpoint that was evaluated, read once.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub dir: PathBuf,
    /// The folder's name.
    pub name: String,
    /// What it computed.
    pub config: Config,
    /// Whether this is a run; else it is an evaluated checkpoint, of which nothing is known but its rows.
    pub is_run: bool,
    /// How it ended; `None` of a run that is at work or was cut off.
    pub finish: Option<Finish>,
    /// The checkpoint whose maps are shown; of a run its best one.
    pub checkpoint: PathBuf,
    /// Finished optimizer steps.
    pub steps: u64,
    /// By branch: (finished steps, loss in nats).
    pub losses: BTreeMap<String, Vec<(f64, f64)>>,
    /// By what was measured: (finished steps, top-1 of 0..1).
    pub validations: BTreeMap<Condition, Vec<(f64, f64)>>,
    /// The rows of its evaluations.
    pub rows: Vec<Row>,
    /// Of each domain but main: the distance from main of each BN layer at the last validation, nats, in the
    /// network's order.
    pub bn_distances: BTreeMap<String, Vec<(String, f64)>>,
    /// Seconds of a step: the batch over the median of the reported images a second.
    pub step_s: Option<f64>,
    /// Seconds of training, pauses and validation left out.
    pub training_s: Option<f64>,
    /// Forward and backward passes of a step; see [`step_cost::passes`]. `None` of a checkpoint.
    pub passes: Option<f64>,
    /// Sentences on what could not be read.
    pub warnings: Vec<String>,
}

impl Run {
    /// Reads the run folder `dir`, of a finished run or of one at work, or a folder of evaluations of a
    /// checkpoint.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let files = RunFiles::of(dir);
        if !files.metrics().is_file() {
            ensure!(
                evaluation_folders(dir).iter().any(|folder| folder.join(ASKED_FILE).is_file()),
                "{} is no run folder: it has no metrics.jsonl; expected the folder of a run or of a sweep, or one \
                 that `dualprop eval --resume` filled",
                dir.display()
            );
            return Self::of_checkpoint(dir);
        }
        let config = Config::load(&files.config(), &[])?;
        let passes = Some(step_cost::passes(&config, 1, 1));
        let mut run =
            Self { finish: ended(&files), is_run: true, passes, ..Self::empty(dir, config, files.best()) };
        run.read_metrics(&files)?;
        run.read_bn(&files);
        run.read_evaluations(&dir.join("evaluation"));
        Ok(run)
    }

    /// Reads the evaluations of a checkpoint that no run folder holds.
    fn of_checkpoint(dir: &Path) -> anyhow::Result<Self> {
        let mut facts = Map::new();
        for folder in evaluation_folders(dir).iter().filter(|folder| folder.join(ASKED_FILE).is_file()) {
            let found = facts_in(folder)?;
            let first = facts.get(CHECKSUM).unwrap_or(&found[CHECKSUM]);
            ensure!(
                *first == found[CHECKSUM],
                "{} holds evaluations of several checkpoints; expected a folder for each",
                dir.display()
            );
            facts = found;
        }
        let word = |key: &str| facts.get(key).and_then(Value::as_str).unwrap_or_default();
        let checkpoint = PathBuf::from(word("checkpoint"));
        let meta = Checkpoint::load_facts(&checkpoint)
            .with_context(|| format!("the evaluation in {} is of another file now", dir.display()))?
            .meta;
        let (_, mut config) = network_of(&meta)?;
        config.data.path = word("path").to_owned();
        let source = word("data");
        let known: Option<DataSource> = serde_json::from_value(source.into()).ok();
        config.data.source = known.unwrap_or(config.data.source);
        let mut run = Self { steps: meta.step, ..Self::empty(dir, config, checkpoint) };
        if known.is_none() {
            run.warnings.push(format!("{}: {source} has no images for class activation maps", run.name));
        }
        run.read_evaluations(dir);
        Ok(run)
    }

    fn empty(dir: &Path, config: Config, checkpoint: PathBuf) -> Self {
        let name =
            dir.canonicalize().ok().and_then(|whole| Some(whole.file_name()?.to_string_lossy().into_owned()));
        Self {
            dir: dir.to_owned(),
            name: name.unwrap_or_else(|| config.run.name.clone()),
            is_run: false,
            finish: None,
            checkpoint,
            steps: 0,
            losses: BTreeMap::new(),
            validations: BTreeMap::new(),
            rows: Vec::new(),
            bn_distances: BTreeMap::new(),
            step_s: None,
            training_s: None,
            passes: None,
            warnings: Vec::new(),
            config,
        }
    }

    fn read_metrics(&mut self, files: &RunFiles) -> anyhow::Result<()> {
        let mut follower = MetricsFollower::new(files, Some(&self.config));
        let (mut rates, mut steps_per_epoch) = (Vec::new(), 1.0);
        loop {
            let found =
                follower.read().with_context(|| format!("cannot read {}", files.metrics().display()))?;
            let name = &self.name;
            self.warnings.extend(found.warning.map(|warning| format!("{name}: {warning}")));
            for report in found.reports {
                match report {
                    Report::Step(report) => {
                        self.steps = report.step;
                        steps_per_epoch = report.step as f64 / report.epoch;
                        rates
                            .extend(Some(report.images_per_s).filter(|rate| rate.is_finite() && *rate > 0.0));
                        self.training_s =
                            Some(report.elapsed_s).filter(|s| s.is_finite()).or(self.training_s);
                        for (name, branch) in branch_names(&report.branches).into_iter().zip(&report.branches)
                        {
                            let point = (report.step as f64, f64::from(branch.loss));
                            self.losses.entry(name).or_default().push(point);
                        }
                    }
                    Report::Validation(report) => {
                        for row in &report.rows {
                            let point = (report.step as f64, f64::from(row.top1));
                            self.validations.entry(condition(row)).or_default().push(point);
                        }
                    }
                }
            }
            if !found.more {
                break;
            }
        }
        rates.sort_by(f64::total_cmp);
        let median = rates.get(rates.len() / 2);
        self.step_s = median.map(|rate| self.config.run.batch_size as f64 / rate);
        if steps_per_epoch.is_finite() && self.steps > 0 {
            self.passes = Some(step_cost::passes(&self.config, steps_per_epoch.round() as u64, self.steps));
        }
        Ok(())
    }

    /// Keeps the lines of the last validation.
    fn read_bn(&mut self, files: &RunFiles) {
        let mut follower = Follower::<BnLine>::new(files.bn_stats());
        let mut last: Vec<BnLine> = Vec::new();
        // A run without validations has no such file.
        while let Ok((lines, more)) = follower.read() {
            for line in lines {
                if last.first().is_some_and(|first| first.step != line.step) {
                    last.clear();
                }
                last.push(line);
            }
            if !more {
                break;
            }
        }
        for line in last.into_iter().filter(|line| line.domain != "main" && line.distance.is_finite()) {
            self.bn_distances.entry(line.domain).or_default().push((line.layer, line.distance));
        }
    }

    fn read_evaluations(&mut self, folder: &Path) {
        let (rows, warnings) = evaluation_rows(folder);
        self.rows.extend(rows);
        self.warnings.extend(warnings);
    }

    /// The mean of a domain's distance from main over the BN layers, nats.
    pub fn bn_distance(&self, domain: &str) -> f64 {
        let layers = self.bn_distances.get(domain).map_or(&[][..], Vec::as_slice);
        layers.iter().map(|(_, distance)| distance).sum::<f64>() / layers.len() as f64
    }
}

/// The rows of the [`evaluation_folders`] in `folder`, with sentences on those that cannot be read.
pub fn evaluation_rows(folder: &Path) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for folder in evaluation_folders(folder) {
        let file = folder.join("rows.jsonl");
        let Ok(text) = reading::read_text(&file, reading::MOST_TEXT) else { continue };
        for (line, number) in text.lines().zip(1..) {
            match serde_json::from_str(line) {
                Ok(row) => rows.push(row),
                Err(_) => {
                    let shown = file.display();
                    warnings.push(format!("{shown}: line {number} cannot be read and is left out"));
                }
            }
        }
    }
    (rows, warnings)
}

/// Where evaluations may lie: `folder` and the folders in it.
pub fn evaluation_folders(folder: &Path) -> Vec<PathBuf> {
    let inner = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = inner.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.insert(0, folder.to_owned());
    folders
}

fn condition(row: &EvalRow) -> Condition {
    Condition {
        split: row.split.clone(),
        attack: row.attack.clone(),
        corruption: None,
        severity: None,
        domain: row.domain.clone(),
    }
}
