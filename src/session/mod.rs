//! A training run from its first file to its last: the thread that owns the GPU, the loop around the engine,
//! the run folder, validation and pictures. Front ends hold a [`RunHandle`]: commands in, events out.

#![warn(missing_docs)]

#[cfg_attr(api, doc(hidden))]
pub mod augmented;
#[cfg_attr(api, doc(hidden))]
pub mod bench;
mod compare_variants;
mod disk_room;
mod input;
#[cfg_attr(api, doc(hidden))]
pub mod inspect;
mod open_device;
#[cfg_attr(api, doc(hidden))]
pub mod preflight;
mod run;
mod setup;
mod starting_weights;
mod state;
#[cfg_attr(api, doc(hidden))]
pub mod sweep;
#[cfg_attr(api, doc(hidden))]
pub mod tune;

use crate::config::Config;
use crate::gpu::DeviceChoice;
use crate::training::events::{Command, Event, Finish, LatestSlot, Snapshot};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::PathBuf;
use std::sync::Arc;

/// Events that may wait for a front end before the run waits for it. A window drains them every frame.
const EVENT_QUEUE: usize = 4096;
const COMMAND_QUEUE: usize = 64;

/// What to train, where to write it and on which adapter.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The configuration, valid or not.
    pub config: Config,
    /// The run folder.
    pub out: PathBuf,
    /// Whether to go on from the folder's last checkpoint.
    pub resume: bool,
    /// The adapter to train on.
    pub device: DeviceChoice,
    /// Whether to make gallery snapshots; a front end without pictures saves the work.
    pub pictures: bool,
}

/// A running (or finished) run.
pub struct RunHandle {
    /// Takes commands; each is obeyed between two steps.
    pub commands: Sender<Command>,
    /// Gives what the run tells, in order.
    pub events: Receiver<Event>,
    /// Holds the newest pictures until they are taken.
    pub snapshot: Arc<LatestSlot<Snapshot>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl RunHandle {
    /// Waits for the run's thread. Take the events first: a full queue would keep it from ending.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread reports a panic as its last event.
            let _ = thread.join();
        }
    }
}

/// Starts a run on its own thread. Its last event is always [`Event::Finished`].
///
/// ```
/// use dualprop::config::Config;
/// use dualprop::gpu::DeviceChoice;
/// use dualprop::session::{RunOptions, spawn};
/// use dualprop::training::events::{Event, Finish};
///
/// let text = r#"
/// run = { steps = 2, batch_size = 4 }
/// data = { train_limit = 8 }
/// model = { arch = "preact_resnet18", width = 0.1, depth = 0.5 }
/// eval = { limit = 4, attack = "" }
/// "#;
/// let config = Config::parse(text, "the example", &[])?;
/// let folder = tempfile::tempdir()?;
/// let out = folder.path().join("run");
/// let run = spawn(RunOptions { config, out, resume: false, device: DeviceChoice::Auto, pictures: false });
/// for event in &run.events {
///     match event {
///         Event::Step(report) => println!("step {}: loss {:.3}", report.step, report.branches[0].loss),
///         Event::Finished(how) => {
///             assert_eq!(how, Finish::Completed);
///             break;
///         }
///         _ => {}
///     }
/// }
/// run.join();
/// # assert!(folder.path().join("run/last.safetensors").is_file());
/// # anyhow::Ok(())
/// ```
pub fn spawn(options: RunOptions) -> RunHandle {
    let (commands, command_queue) = bounded(COMMAND_QUEUE);
    let (event_queue, events) = bounded(EVENT_QUEUE);
    let snapshot = LatestSlot::new();
    let slot = Arc::clone(&snapshot);
    let failed = event_queue.clone();
    let work = move || {
        let sender = event_queue.clone();
        let front = run::FrontEnd::new(&command_queue, &sender, &slot, options.pictures);
        let run = std::panic::AssertUnwindSafe(|| run::run(&options, front));
        let finish = match std::panic::catch_unwind(run) {
            Ok(Ok(finish)) => finish,
            Ok(Err(error)) => Finish::Failed(format!("{error:#}")),
            Err(panic) => Finish::Failed(format!(
                "internal error: {}; the last checkpoint in the run folder is untouched, continue with --resume",
                panic_text(panic.as_ref())
            )),
        };
        // Nobody listens any more: the front end is gone, and with it the need to report.
        let _ = event_queue.send(Event::Finished(finish));
    };
    let thread = std::thread::Builder::new().name("training".to_owned()).spawn(work);
    let thread = match thread {
        Ok(thread) => Some(thread),
        Err(error) => {
            let _ = failed.send(Event::Finished(Finish::Failed(format!("no thread for training: {error}"))));
            None
        }
    };
    RunHandle { commands, events, snapshot, thread }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
