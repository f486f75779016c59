//! What a run's folder tells a comparison.

use crate::config::Config;
use crate::evaluation::robustness::row::Row;
use crate::training::events::{EvalRow, Finish, branch_names};
use crate::training::run_folder::{BnLine, Follower, MetricsFollower, Report, RunFiles, ended};
use crate::training::step_cost;
use anyhow::{Context as _, ensure};
use serde::Serialize;
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

/// A run, read once.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub dir: PathBuf,
    /// The folder's name.
    pub name: String,
    /// What it computed.
    pub config: Config,
    /// How it ended; `None` of a run that is at work or was cut off.
    pub finish: Option<Finish>,
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
    /// Forward and backward passes of a step; see [`step_cost::passes`].
    pub passes: f64,
    /// Sentences on what could not be read.
    pub warnings: Vec<String>,
}

impl Run {
    /// Reads the run folder `dir`, of a finished run or of one at work.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let files = RunFiles::of(dir);
        ensure!(
            files.metrics().is_file(),
            "{} is no run folder: it has no metrics.jsonl; expected the folder of a run or of a sweep",
            dir.display()
        );
        let config = Config::load(&files.config(), &[])?;
        let name =
            dir.canonicalize().ok().and_then(|whole| Some(whole.file_name()?.to_string_lossy().into_owned()));
        let mut run = Self {
            dir: dir.to_owned(),
            name: name.unwrap_or_else(|| config.run.name.clone()),
            finish: ended(&files),
            steps: 0,
            losses: BTreeMap::new(),
            validations: BTreeMap::new(),
            rows: Vec::new(),
            bn_distances: BTreeMap::new(),
            step_s: None,
            training_s: None,
            passes: step_cost::passes(&config, 1, 1),
            warnings: Vec::new(),
            config,
        };
        run.read_metrics(&files)?;
        run.read_bn(&files);
        run.read_evaluations();
        Ok(run)
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
            self.passes = step_cost::passes(&self.config, steps_per_epoch.round() as u64, self.steps);
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

    /// Reads `evaluation/rows.jsonl` and those of folders in `evaluation`, one an evaluation.
    fn read_evaluations(&mut self) {
        let folder = self.dir.join("evaluation");
        let inner = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut folders: Vec<PathBuf> = inner.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders.insert(0, folder);
        for folder in folders {
            let file = folder.join("rows.jsonl");
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            for (line, number) in text.lines().zip(1..) {
                match serde_json::from_str(line) {
                    Ok(row) => self.rows.push(row),
                    Err(_) => {
                        let shown = file.display();
                        self.warnings.push(format!("{shown}: line {number} cannot be read and is left out"));
                    }
                }
            }
        }
    }

    /// The mean of a domain's distance from main over the BN layers, nats.
    pub fn bn_distance(&self, domain: &str) -> f64 {
        let layers = self.bn_distances.get(domain).map_or(&[][..], Vec::as_slice);
        layers.iter().map(|(_, distance)| distance).sum::<f64>() / layers.len() as f64
    }
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
