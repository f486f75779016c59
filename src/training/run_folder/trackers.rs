//! A run for experiment trackers: what TensorBoard's table of hyperparameters and MLflow's file store get
//! of its configuration and its end. That they cannot be written stops nothing.

use super::RunFiles;
use crate::config::reading;
use crate::config::{Config, Domain, schema};
use crate::interop::atomic::write_atomic;
use crate::interop::mlflow::{self, MlflowRun};
use crate::interop::tensorboard::EventWriter;
use crate::interop::tensorboard::hparams::{self, Hparam};
use crate::training::events::Finish;
use serde_json::json;
use std::io;
use std::path::Path;
use toml::Value;

/// Says TensorBoard the configuration's keys with their values, and which curves its table shows: top-1 of
/// every domain, clean and attacked. TensorBoard takes those of one run for all that it shows, so that
/// domains which this run lacks are among them.
pub(super) fn begin_session(events: &mut EventWriter, config: &Config) -> io::Result<()> {
    let hparam = |(path, value): (&'static str, Value)| {
        let value = match value {
            Value::Boolean(flag) => hparams::Value::Flag(flag),
            Value::Integer(number) => hparams::Value::Number(number as f64),
            Value::Float(number) => hparams::Value::Number(number),
            other => hparams::Value::Text(text(other)),
        };
        let description = schema::field(path).map_or("", |field| field.help).to_owned();
        Hparam { name: path.to_owned(), description, value }
    };
    let hparams: Vec<Hparam> = keys(config).map(hparam).collect();
    let metrics = Domain::NAMES.iter().flat_map(|domain| ["", " attacked"].map(|how| (domain, how)));
    let metrics: Vec<String> = metrics.map(|(domain, how)| format!("val/{domain}{how}/top1")).collect();
    events.experiment(&hparams, &metrics)?;
    events.session_start(&hparams)
}

/// How TensorBoard's table calls the end of a run.
pub(super) fn session_status(finish: &Finish) -> hparams::Status {
    match finish {
        Finish::Failed(_) => hparams::Status::Failure,
        Finish::Completed | Finish::StoppedAndSaved | Finish::Discarded => hparams::Status::Success,
    }
}

/// The run in the file store of `run.mlflow`, where there is one.
#[derive(Debug, Default)]
pub(super) struct Mlflow {
    run: Option<MlflowRun>,
    /// Why there is none, until it is told.
    fault: Option<anyhow::Error>,
}

impl Mlflow {
    /// Begins or goes on with the run, whose number in the store is kept in the run folder. Of earlier points
    /// those stay that a run does not make again after step `step`, with validations up to `validated`.
    pub(super) fn open(files: &RunFiles, config: &Config, step: u64, validated: u64) -> Self {
        if config.run.mlflow.is_empty() {
            return Self::default();
        }
        let params: Vec<(String, String)> =
            keys(config).map(|(path, value)| (path.to_owned(), text(value))).collect();
        let open = || -> anyhow::Result<MlflowRun> {
            let root = Path::new(&config.run.mlflow);
            let mut run = MlflowRun::open(root, &run_id(files)?, &config.run.name, &params)?;
            let is_of_step = |name: &str| name.starts_with("train/") || !name.contains('/');
            run.cut(|name, at| at <= if is_of_step(name) { step } else { validated })?;
            Ok(run)
        };
        match open() {
            Ok(run) => Self { run: Some(run), fault: None },
            Err(error) => Self { run: None, fault: Some(error) },
        }
    }

    /// Adds a point to each named curve. Fails once, and then the store gets no more.
    pub(super) fn points(&mut self, step: u64, points: &[(String, f32)]) -> anyhow::Result<()> {
        self.attempt(|run| run.points(step, points))
    }

    /// Says how the run ended.
    pub(super) fn end(&mut self, finish: &Finish) -> anyhow::Result<()> {
        let status = match finish {
            Finish::Completed => mlflow::Status::Finished,
            Finish::StoppedAndSaved | Finish::Discarded => mlflow::Status::Killed,
            Finish::Failed(_) => mlflow::Status::Failed,
        };
        self.attempt(|run| run.set(status))
    }

    fn attempt(&mut self, work: impl FnOnce(&mut MlflowRun) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let done = self.run.as_mut().map_or(Ok(()), work);
        if done.is_err() {
            self.run = None;
        }
        done
    }
}

/// The run's number in MLflow's stores: 32 hexadecimal digits, drawn once and kept in the run folder.
fn run_id(files: &RunFiles) -> anyhow::Result<String> {
    const KEY: &str = "run_id";
    let path = files.mlflow();
    let kept: Option<serde_json::Value> =
        reading::read_text(&path, reading::MOST_TEXT).ok().and_then(|text| serde_json::from_str(&text).ok());
    let known = kept.as_ref().and_then(|kept| kept[KEY].as_str());
    if let Some(id) = known.filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Ok(id.to_owned());
    }
    let id = format!("{:032x}", rand::random::<u128>());
    write_atomic(&path, |out| writeln!(out, "{}", json!({ KEY: id })))?;
    Ok(id)
}

/// The keys that the configuration has a value for, in the order of the file.
fn keys(config: &Config) -> impl Iterator<Item = (&'static str, Value)> {
    schema::fields().iter().filter_map(|field| Some((field.path, config.get(field.path)?)))
}

/// A value as people write it, a text without quotes.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
