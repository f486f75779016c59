//! Looking into a model beside a run: a thread with a GPU device of its own that attacks, explains and
//! measures what a window asks for. It works on a checkpoint or on a copy of a live run's weights, so a run
//! is disturbed only for as long as that copy takes. Of several requests of one kind only the newest is
//! answered.

mod corrupted;
mod distribution;
mod examine;
mod gather;
mod hold;
mod look;
mod measure;
mod opened;
mod robustness;
mod seen;
mod sweep;
mod worker;

pub use corrupted::{Corrupt, CorruptedImage, CorruptedVersion};
pub use distribution::{BINS, Distribution, DistributionRequest, Distributions, RANGE};
pub use examine::{Change, Examine, Examined};
pub use gather::{Gather, Gathered, MOST_GATHERED};
pub use hold::Hold;
pub use look::{Look, Looked, LookedItem};
pub use measure::{Measure, Measured, MeasuredView};
pub use opened::ImageChoice;
pub use robustness::{MeasureRobustness, Robustness};
pub use seen::AttackCall;
pub use sweep::{EPSILONS, Sweep, SweepFigures, SweepPoint, Swept};

use crate::config::AttackConfig;
use crate::gpu::DeviceChoice;
use crate::training::events::{BnLayer, Command};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::PathBuf;
use std::sync::Arc;

const REQUESTS: usize = 64;
const ANSWERS: usize = 256;

/// Where the weights come from that an inspector looks into.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A checkpoint's file.
    Checkpoint(PathBuf),
    /// The run that takes these commands.
    Run(Sender<Command>),
}

/// What may be asked of an inspector. Everything but `Open` and `Refresh` needs an opened model.
#[derive(Clone, Debug)]
pub enum Request {
    /// Open a model on an adapter; what was asked of another one is forgotten.
    Open {
        /// Where its weights come from.
        subject: Subject,
        /// The adapter to work on.
        device: DeviceChoice,
    },
    /// Take the live run's newest weights; does nothing for a checkpoint, or when the run has ended.
    Refresh,
    /// Attack and explain a few images.
    Look(Look),
    /// See one image closely, as it is and changed.
    Examine(Examine),
    /// Show some images of a set as one domain sees them.
    Gather(Gather),
    /// Attack some images at rising strengths.
    Sweep(Sweep),
    /// See a whole set through every domain.
    Measure(Measure),
    /// Take histograms of what enters a BN layer.
    Distributions(DistributionRequest),
    /// Measure a set clean, attacked and corrupted.
    MeasureRobustness(MeasureRobustness),
    /// Corrupt an image at every severity.
    Corrupt(Corrupt),
    /// End a sweep or a measurement.
    Stop,
}

/// What an opened model is, with the sets that it can be shown.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Name of the architecture.
    pub arch: String,
    /// Finished optimizer steps.
    pub step: u64,
    /// Class names, of the outputs in order.
    pub classes: Vec<String>,
    /// Names of the BN domains, by index.
    pub domains: Vec<String>,
    /// Names of what a [`Look`] shows images through: the domains, and the choice by image where there
    /// are several.
    pub views: Vec<String>,
    /// Side of the input, pixels.
    pub image_size: usize,
    /// The attack that the model was trained with.
    pub attack: AttackConfig,
    /// Evaluation sets with their numbers of images.
    pub splits: Vec<(String, usize)>,
    /// Why there are no sets, when the data of the run cannot be opened here.
    pub data_fault: Option<String>,
    /// What a bare state dict was taken for, in one sentence: nothing is known of its data, and there are no
    /// sets.
    pub taken_for: Option<String>,
    /// Statistics and affine parameters of the BN layers, from input to output.
    pub bn_layers: Vec<BnLayer>,
}

/// What an inspector answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The model that was asked for is open.
    Opened(Arc<ModelInfo>),
    /// The live run's newest weights are in use, of this many finished steps.
    Refreshed(u64),
    /// The images that were asked for, attacked and explained.
    Looked(Arc<Looked>),
    /// The image that was asked for, as it is and changed.
    Examined(Arc<Examined>),
    /// The images that were asked for by number.
    Gathered(Arc<Gathered>),
    /// The points of a sweep so far; more follow until there is one for each of [`EPSILONS`].
    Swept(Arc<Swept>),
    /// A measurement is at work: (images done, of all).
    Measuring(usize, usize),
    /// A measurement so far, or whole.
    Measured(Arc<Measured>),
    /// A measurement of robustness is at work: (images done, of all), counted anew under each condition and
    /// domain.
    MeasuringRobustness(usize, usize),
    /// A measurement of robustness so far, or whole.
    Robustness(Arc<Robustness>),
    /// The image that was asked for at every severity.
    Corrupted(Arc<CorruptedImage>),
    /// The histograms that were asked for.
    Distributed(Arc<Distributions>),
    /// A sweep or measurement was ended before its end.
    Stopped,
    /// The last request failed, for this reason in one sentence.
    Failed(String),
}

/// The ends of an inspector's channels: requests in, answers out.
#[derive(Debug)]
pub struct Inspector {
    /// Takes requests; of each kind only the newest is answered.
    pub requests: Sender<Request>,
    /// Gives the answers, in order.
    pub answers: Receiver<Answer>,
    /// By which a window asks long work to give way to a frame.
    pub hold: Hold,
}

/// Starts the thread; it ends when the handle is dropped. `wake` is called after each answer.
pub fn spawn(wake: Arc<dyn Fn() + Send + Sync>) -> anyhow::Result<Inspector> {
    let (requests, request_queue) = bounded(REQUESTS);
    let (answer_queue, answers) = bounded(ANSWERS);
    let hold = Hold::default();
    let held = hold.clone();
    let work = move || {
        let failed = answer_queue.clone();
        let rung = Arc::clone(&wake);
        let run = std::panic::AssertUnwindSafe(|| worker::run(&request_queue, &answer_queue, &*wake, held));
        if let Err(panic) = std::panic::catch_unwind(run) {
            let text = super::panic_text(panic.as_ref());
            // Nobody listens when the window is gone.
            let _ = failed.send(Answer::Failed(format!("internal error: {text}; open the model again")));
            rung();
        }
    };
    std::thread::Builder::new().name("inspect".to_owned()).spawn(work)?;
    Ok(Inspector { requests, answers, hold })
}
