//! The runs of a sweep, one after another through the same code as a single run. A sweep's folder holds a run
//! folder for each of its runs beside `sweep.toml`, `base.toml` and `sweep.jsonl`; starting it again goes on
//! where it ended, was stopped or killed.

mod forecast;
mod record;
mod standing;

pub use forecast::{Forecast, Prediction, Shape, predict};
pub use record::{RunRecord, RunState, SweepFiles, records};
pub use standing::{Standing, standing};

use super::{RunOptions, spawn};
use crate::config::sweep::{BASE_FILE, Sweep};
use crate::gpu::DeviceChoice;
use crate::interop::atomic::{create_folder, sentence, write_atomic};
use crate::training::events::{Command, Event, Finish};
use anyhow::{anyhow, bail};
use crossbeam_channel::Sender;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a sweep tells its front end.
#[derive(Clone, Debug)]
pub enum SweepEvent {
    /// The run of that index begins, or goes on from its checkpoint.
    Begins {
        /// Its place among the sweep's runs, from 0.
        index: usize,
        /// Whether it was begun before.
        resumes: bool,
        /// Predicted seconds of the runs behind it; `None` before a run is complete.
        later_s: Option<f64>,
        /// The work of the runs behind it, in multiples of its own.
        later_times: f64,
    },
    /// What the run at hand tells.
    Run(Event),
    /// The run of that index is over, or was passed over.
    Ends {
        /// Its place among the sweep's runs, from 0.
        index: usize,
        /// How it stands now.
        record: RunRecord,
    },
}

/// How a front end reaches the run at hand from another thread, such as a handler of Ctrl-C.
#[derive(Debug, Default)]
pub struct Control {
    at_hand: Mutex<AtHand>,
}

#[derive(Debug, Default)]
struct AtHand {
    commands: Option<Sender<Command>>,
    is_stopping: bool,
}

impl Control {
    /// Asks the run at hand to save and stop, and the sweep to begin no other. False where that was asked for
    /// before, or the run cannot hear it.
    pub fn stop(&self) -> bool {
        let mut at_hand = self.lock();
        let is_first = !std::mem::replace(&mut at_hand.is_stopping, true);
        let commands = at_hand.commands.as_ref();
        is_first && commands.is_none_or(|commands| commands.try_send(Command::StopAndSave).is_ok())
    }

    /// The way to the run at hand, if there is one.
    pub fn commands(&self) -> Option<Sender<Command>> {
        self.lock().commands.clone()
    }

    /// Whether a stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// Takes up the commands of a run that has begun, and tells it of a stop that was asked for meanwhile.
    fn take_up(&self, commands: Option<Sender<Command>>) {
        let mut at_hand = self.lock();
        if let Some(commands) = commands.as_ref().filter(|_| at_hand.is_stopping) {
            // A run that cannot hear it ends by itself.
            let _ = commands.try_send(Command::StopAndSave);
        }
        at_hand.commands = commands;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Trains the runs of `sweep` that are not complete yet, in order, each in its folder in `out`. A run that
/// fails, or whose folder holds something else, is recorded with the reason, and the next one begins. Returns
/// how every run stands, in order. `Err` is what keeps the sweep itself from starting: nothing was trained
/// then.
pub fn run(
    sweep: &Sweep,
    out: &Path,
    device: &DeviceChoice,
    control: &Control,
    tell: &mut dyn FnMut(SweepEvent),
) -> anyhow::Result<Vec<RunRecord>> {
    let mut forecast = Forecast::new(sweep)?;
    let _lock = open_folder(sweep, out)?;
    let files = SweepFiles::of(out);
    let mut records: Vec<RunRecord> = record::begun(sweep, &records(&files), forecast.shapes());
    for (record, index) in records.iter().zip(0..) {
        forecast.measured(index, record);
    }
    record::write(&files, &records)?;
    for (index, run) in sweep.runs.iter().enumerate() {
        let dir = out.join(&run.name);
        let resumes = match standing(&dir, &run.config) {
            Standing::New => false,
            Standing::Begun => true,
            Standing::Complete => {
                records[index].set(RunState::Completed, None);
                records[index].step = forecast.shapes()[index].total_steps;
                record::write(&files, &records)?;
                tell(SweepEvent::Ends { index, record: records[index].clone() });
                continue;
            }
            Standing::Foreign(reason) => {
                records[index].set(RunState::Refused, Some(reason));
                record::write(&files, &records)?;
                tell(SweepEvent::Ends { index, record: records[index].clone() });
                continue;
            }
        };
        if control.is_stopping() {
            break;
        }
        records[index].set(RunState::Running, None);
        record::write(&files, &records)?;
        let (later_s, later_times) = (forecast.later_seconds(index), forecast.later_times(index));
        tell(SweepEvent::Begins { index, resumes, later_s, later_times });
        let options = RunOptions {
            config: run.config.clone(),
            out: dir,
            resume: resumes,
            device: device.clone(),
            pictures: false,
        };
        let before_s = if resumes { records[index].seconds } else { 0.0 };
        let (finish, step, seconds) = train(options, control, tell);
        let record = &mut records[index];
        record.seconds = before_s + seconds;
        record.step = step.unwrap_or(record.step);
        match finish {
            Finish::Completed => record.set(RunState::Completed, None),
            Finish::StoppedAndSaved | Finish::Discarded => record.set(RunState::Stopped, None),
            Finish::Failed(reason) => record.set(RunState::Failed, Some(reason)),
        }
        forecast.measured(index, record);
        let ended = record.clone();
        let was_stopped = ended.state == RunState::Stopped;
        record::write(&files, &records)?;
        tell(SweepEvent::Ends { index, record: ended });
        if was_stopped {
            break;
        }
    }
    Ok(records)
}

/// One run to its end: how it ended, its last finished step where it made one, and the seconds it took.
fn train(
    options: RunOptions,
    control: &Control,
    tell: &mut dyn FnMut(SweepEvent),
) -> (Finish, Option<u64>, f64) {
    let begun = Instant::now();
    let handle = spawn(options);
    control.take_up(Some(handle.commands.clone()));
    let (mut finish, mut step) = (None, None);
    for event in &handle.events {
        match &event {
            Event::Started(info) => step = Some(info.first_step),
            Event::Step(report) => step = Some(report.step),
            Event::Finished(how) => finish = Some(how.clone()),
            _ => {}
        }
        tell(SweepEvent::Run(event));
        if finish.is_some() {
            break;
        }
    }
    control.take_up(None);
    handle.join();
    let silent = || Finish::Failed("training ended without a word; the log in its folder may say why".into());
    (finish.unwrap_or_else(silent), step, begun.elapsed().as_secs_f64())
}

/// Makes the sweep's folder, or takes up the one that is there, and writes what the sweep is. The folder is
/// locked as long as the returned file is open; a killed program's lock goes with it.
fn open_folder(sweep: &Sweep, out: &Path) -> anyhow::Result<File> {
    let files = SweepFiles::of(out);
    let is_empty = std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !files.sweep().is_file() {
        bail!("{} is not empty and holds no sweep; expected a new folder, or one of a sweep", out.display());
    }
    create_folder(out)?;
    let path = files.lock();
    let lock = File::options().write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(|error| anyhow!(sentence(&path, &error)))?;
    // Not every file system has locks.
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        bail!(
            "another program runs the sweep in {} now; wait for it or choose another folder",
            out.display()
        );
    }
    write_atomic(&out.join(BASE_FILE), |file| file.write_all(sweep.base.resolved_toml().as_bytes()))?;
    write_atomic(&files.sweep(), |file| file.write_all(sweep.resolved_toml().as_bytes()))?;
    Ok(lock)
}
