//! The window's only way to a training run: commands in, events and pictures out. Nothing else in the window
//! knows who trains, so tests and demonstrations can play a run from a script.

use crate::config::Config;
use crate::gpu::DeviceChoice;
use crate::session::inspect::Inspector;
use crate::session::preflight::Preflight;
use crate::training::events::{Command, Event, LatestSlot, Snapshot};
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Events waiting for the window. A window that sleeps this long holds the trainer back rather than lose a
/// point.
const QUEUE: usize = 4096;
/// Events taken in one frame, so that a burst cannot freeze the window.
const EVENTS_PER_FRAME: usize = 2048;

/// Asks the window to look at its events soon. May be called from any thread, as often as one likes.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the user asked to train.
#[derive(Clone, Debug)]
pub struct RunRequest {
    pub config: Config,
    /// The run folder to write to.
    pub out: PathBuf,
    /// Go on from `last.safetensors` in the run folder.
    pub resume: bool,
    pub device: DeviceChoice,
}

/// A device that the set-up offers.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceItem {
    pub choice: DeviceChoice,
    /// Adapter, backend and type in words.
    pub label: String,
    /// Name and version of the driver; empty where the back end tells none.
    pub driver: String,
}

/// Starts what runs on threads of its own: runs, studies and preflights.
pub trait Launcher {
    /// Starts a run on a thread of its own and returns at once. An error is one sentence for the user.
    fn start(&self, request: RunRequest, wake: Wake) -> anyhow::Result<RunLink>;

    /// Starts the thread that looks into models. An error is one sentence for the user.
    fn study(&self, wake: Wake) -> anyhow::Result<Inspector>;

    /// Starts a check of what `request` would train, without training it.
    fn preflight(&self, request: RunRequest, wake: Wake) -> anyhow::Result<Receiver<Preflight>>;

    /// The adapters of this computer, best first. May take a second; called on a thread of its own.
    fn list_devices(&self) -> fn() -> Vec<DeviceItem>;

    /// Puts a folder into the system's trash; false where there is none. Called on a thread of its own.
    fn trash(&self) -> fn(&Path) -> bool;

    /// Shows a folder or a file in the program that the system has for it. Called on a thread of its own.
    fn open_path(&self) -> fn(&Path) -> std::io::Result<()>;
}

/// The three channel ends of one run.
#[derive(Debug)]
pub struct RunLink {
    pub commands: Sender<Command>,
    pub events: Receiver<Event>,
    pub snapshot: Arc<LatestSlot<Snapshot>>,
}

/// What came through the link since the last look.
#[derive(Debug, Default)]
pub struct Drained {
    pub events: Vec<Event>,
    pub snapshot: Option<Snapshot>,
    /// The trainer's end of the link is gone.
    pub closed: bool,
}

impl std::fmt::Debug for dyn Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Launcher")
    }
}

impl RunLink {
    /// Puts a named thread between the trainer's events and the window that wakes the window for each one,
    /// and does `after` when the run has ended.
    pub fn waking(self, wake: Wake, after: impl FnOnce() + Send + 'static) -> anyhow::Result<Self> {
        let (sender, receiver) = bounded(QUEUE);
        let events = self.events;
        std::thread::Builder::new().name("dualprop-wake".into()).spawn(move || {
            for event in events {
                if sender.send(event).is_err() {
                    break;
                }
                wake();
            }
            drop(sender);
            wake();
            after();
        })?;
        Ok(Self { events: receiver, ..self })
    }

    /// Takes what is there without waiting.
    pub fn drain(&self) -> Drained {
        let mut drained = Drained::default();
        while drained.events.len() < EVENTS_PER_FRAME {
            match self.events.try_recv() {
                Ok(event) => drained.events.push(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    drained.closed = true;
                    break;
                }
            }
        }
        drained.snapshot = self.snapshot.take();
        drained
    }

    /// Sends a command without waiting; the error says why it did not go.
    pub fn send(&self, command: Command) -> Result<(), &'static str> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => "The run has not taken the last commands yet; wait for the current step",
            TrySendError::Disconnected(_) => "The run has already ended",
        })
    }
}
