//! A run's folder: what is in it, how it is written, resumed and read. Every other part of the program asks
//! here, so that a name or a field is written down once.
//!
//! | file | holds |
//! | --- | --- |
//! | `config.toml` | the resolved configuration |
//! | `args.txt` | the command line of each start |
//! | `metrics.jsonl` | a [`MetricLine`] for each branch of a step and each row of a validation |
//! | `metrics.csv` | the same lines for spreadsheets and pandas; what is no number is `NaN` |
//! | `bn_stats.jsonl` | a [`BnLine`] for each BN layer and domain at a validation |
//! | `events.out.tfevents.*` | the same figures for TensorBoard, with pictures and histograms |
//! | `last.safetensors`, `best.safetensors` | checkpoints |
//! | `pictures.safetensors` | the pictures and BN statistics of the last validation |
//! | `moments/STEP.safetensors` | those of earlier ones, as far as `eval.moments_mb` has room |
//! | `log.txt` | sentences with their time, for people |
//! | `mlflow.json` | the run's number in the store of `run.mlflow`, where there is one |
//! | `ended.json` | how the run ended ([`Ended`]); absent while it is at work and after a kill |
//! | `notes.json` | what a user wrote about the run ([`RunNotes`]); absent until then |
//! | `.lock` | locked as long as a program writes the run |

mod appender;
mod board;
mod moments;
mod notes;
mod read;
mod resume;
mod trackers;
mod write;

pub use moments::{moments, most_dispensable};
pub use read::{Follower, Metrics, MetricsFollower, Report, ended, is_at_work, log_tail};
// For this program's own modules and tests; versions do not promise these.
#[cfg_attr(api, doc(hidden))]
pub use self::{
    notes::{LONGEST_NAME, LONGEST_NOTES, RunNotes},
    resume::{may_begin_in, parting_key},
    write::{RunFolder, utc, utc_now},
};

use super::events::{BranchReport, EvalReport, EvalRow, Finish, StepReport};
use crate::config::BranchSource;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// The paths of a run folder's files; whether they exist is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles(PathBuf);

impl RunFiles {
    /// The files of the run in `dir`.
    pub fn of(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// The resolved configuration, TOML.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The command lines that started and resumed the run.
    pub fn arguments(&self) -> PathBuf {
        self.0.join("args.txt")
    }

    /// The figures of steps and validations, a [`MetricLine`] a line. A folder that has this file is a run
    /// folder.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The lines of [`Self::metrics`] as comma-separated values, with the names of the columns in the first
    /// line.
    pub fn metrics_table(&self) -> PathBuf {
        self.0.join("metrics.csv")
    }

    /// The BN statistics of validations, a [`BnLine`] a line.
    pub fn bn_stats(&self) -> PathBuf {
        self.0.join("bn_stats.jsonl")
    }

    /// Sentences with their time.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.txt")
    }

    /// The pictures of the last validation; see [`super::pictures`].
    pub fn pictures(&self) -> PathBuf {
        self.0.join("pictures.safetensors")
    }

    /// The folder of the pictures of earlier validations; see [`moments`].
    pub fn moments(&self) -> PathBuf {
        self.0.join("moments")
    }

    /// The newest checkpoint, from which a run is resumed.
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// The checkpoint of the best validation.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// The run's number in MLflow's stores.
    pub fn mlflow(&self) -> PathBuf {
        self.0.join("mlflow.json")
    }

    /// How the run ended, an [`Ended`] as JSON.
    pub fn ended(&self) -> PathBuf {
        self.0.join("ended.json")
    }

    /// What a user wrote about the run, a [`RunNotes`] as JSON.
    pub fn notes(&self) -> PathBuf {
        self.0.join("notes.json")
    }

    /// Locked as long as a run writes the folder; a killed program's lock goes with it.
    fn lock(&self) -> PathBuf {
        self.0.join(".lock")
    }
}

/// How and when a run ended: the content of `ended.json`. The file is written whole as the last thing that a
/// run does, and removed as the first thing that a resumed run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The way it ended, as `how` and, of a failure, `reason`.
    #[serde(flatten)]
    pub finish: Finish,
    /// Finished optimizer steps.
    pub step: u64,
}

/// One line of `metrics.jsonl`; the order of the fields is the file's. JSON has no number for NaN and the
/// infinities: they are written as null, and null or an absent figure is read as NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricLine {
    /// Finished optimizer steps, from 1.
    pub step: u64,
    /// Finished epochs, with fraction.
    pub epoch: f64,
    /// `train`, `val`, or the name of another validation set.
    pub split: String,
    /// The branch's number in its step ([`BranchReport::branch`]); null on validation lines.
    #[serde(default)]
    pub branch: Option<usize>,
    /// Where the images came from, on validation lines `clean` or `attack`; absent in files of earlier
    /// versions.
    #[serde(default)]
    pub source: Option<BranchSource>,
    /// The BN domain that they went through.
    pub domain: String,
    /// The attack SPEC, exactly where the images were attacked.
    #[serde(default)]
    pub attack: Option<String>,
    /// Mean loss, nats.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub loss: f32,
    /// Share of the images whose most probable class is the true one, 0..1.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub top1: f32,
    /// Share of the images whose true class is among the five most probable, 0..1.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub top5: f32,
    /// Learning rate of the step, on validation lines of the last step.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub lr: f64,
    /// Clean images a second over the last steps; null where it is not known yet.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub images_per_s: f64,
    /// Seconds of training so far, pauses and validation left out.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub wall_s: f64,
}

/// The name of the training set among the splits.
const TRAIN: &str = "train";

/// What a validation line repeats of the last step: learning rate, images a second, seconds of training.
#[derive(Clone, Copy, Debug)]
struct Pace {
    lr: f64,
    images_per_s: f64,
    wall_s: f64,
}

impl Pace {
    /// That of a run without a step.
    const UNKNOWN: Self = Self { lr: f64::NAN, images_per_s: f64::NAN, wall_s: 0.0 };

    /// What a validation behind this line repeats; a run that a resumed one goes on with told it last there.
    fn of(line: &MetricLine) -> Self {
        let wall_s = if line.wall_s.is_finite() { line.wall_s } else { 0.0 };
        Self { lr: line.lr, images_per_s: line.images_per_s, wall_s }
    }
}

impl MetricLine {
    fn is_train(&self) -> bool {
        self.split == TRAIN
    }

    fn of_branch(report: &StepReport, branch: &BranchReport) -> Self {
        Self {
            step: report.step,
            epoch: report.epoch,
            split: TRAIN.to_owned(),
            branch: Some(branch.branch),
            source: Some(branch.source),
            domain: branch.domain.clone(),
            attack: branch.attack.clone(),
            loss: branch.loss,
            top1: branch.top1,
            top5: branch.top5,
            lr: report.lr,
            images_per_s: report.images_per_s,
            wall_s: report.elapsed_s,
        }
    }

    /// The branch of a train line, the `place`th of its step. Lines of earlier versions name no source but
    /// the attack.
    fn into_branch((place, line): (usize, Self)) -> BranchReport {
        let is_attacked = line.attack.is_some();
        let source = if is_attacked { BranchSource::Attack } else { BranchSource::Clean };
        BranchReport {
            branch: line.branch.unwrap_or(place),
            source: line.source.unwrap_or(source),
            domain: line.domain,
            attack: line.attack,
            loss: line.loss,
            top1: line.top1,
            top5: line.top5,
        }
    }

    fn of_row(report: &EvalReport, row: &EvalRow, pace: Pace) -> Self {
        Self {
            step: report.step,
            epoch: report.epoch,
            split: row.split.clone(),
            branch: None,
            source: Some(row.source()),
            domain: row.domain.clone(),
            attack: row.attack.clone(),
            loss: row.loss,
            top1: row.top1,
            top5: row.top5,
            lr: pace.lr,
            images_per_s: pace.images_per_s,
            wall_s: pace.wall_s,
        }
    }
}

/// One line of `bn_stats.jsonl`: a layer's statistics in one domain, means over its channels. Earlier
/// versions left some out; those, and null, are read as NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BnLine {
    /// Finished optimizer steps.
    pub step: u64,
    /// Finished epochs, with fraction.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub epoch: f64,
    /// The BN layer by timm's name.
    pub layer: String,
    /// The BN domain.
    pub domain: String,
    /// Channels of the layer.
    #[serde(default)]
    pub channels: usize,
    /// Mean of the running means.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub running_mean: f64,
    /// Mean of the running variances.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub running_var: f64,
    /// Mean of gamma.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub weight: f64,
    /// Mean of beta.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub bias: f64,
    /// How far the domain is from the main one, nats; see [`super::bn_distance`].
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub distance: f64,
    /// The part of the distance that the means make.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub distance_of_means: f64,
    /// The part of the distance that the variances make.
    #[serde(default = "nan", deserialize_with = "number_or_null")]
    pub distance_of_variances: f64,
}

fn nan<T: From<f32>>() -> T {
    T::from(f32::NAN)
}

fn number_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + From<f32>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(nan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_endings_are_read_as_they_were_written() {
        let line = MetricLine {
            step: 3,
            epoch: 0.1,
            split: "val".into(),
            branch: None,
            source: Some(BranchSource::Attack),
            domain: "aux".into(),
            attack: Some("pgd:eps=1".into()),
            loss: 0.1,
            top1: 0.25,
            top5: 0.5,
            lr: 0.016,
            images_per_s: 1.5,
            wall_s: 2.5,
        };
        let text = serde_json::to_string(&line).expect("plain data");
        assert_eq!(serde_json::from_str::<MetricLine>(&text).expect("its own text"), line);
        let diverged =
            serde_json::to_string(&MetricLine { loss: f32::INFINITY, ..line }).expect("plain data");
        assert!(diverged.contains("\"loss\":null"), "{diverged}");
        assert!(serde_json::from_str::<MetricLine>(&diverged).expect("its own text").loss.is_nan());

        for finish in
            [Finish::Completed, Finish::StoppedAndSaved, Finish::Discarded, Finish::Failed("no disk".into())]
        {
            let ended = Ended { finish, step: 7 };
            let text = serde_json::to_string(&ended).expect("plain data");
            assert_eq!(serde_json::from_str::<Ended>(&text).expect("its own text"), ended, "{text}");
        }
        let failed = Ended { finish: Finish::Failed("no disk".into()), step: 7 };
        let text = serde_json::to_string(&failed).expect("plain data");
        assert_eq!(text, r#"{"how":"failed","reason":"no disk","step":7}"#);
    }
}
