//! What a training run tells its front end and what a front end may ask of it. The command line and the window
//! both speak only this; neither ever touches the trainer's state.
//!
//! Small facts travel as [`Event`]s through a bounded queue (no point of a curve is lost); pictures and statistics
//! go through a [`LatestSlot`], where a newer value takes the place of one that nobody looked at.

use super::checkpoint::Meta;
use crate::models::init::Arenas;
use crossbeam_channel::Sender;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What a front end asks of a run. Taken between two optimizer steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Pause,
    Resume,
    /// One optimizer step, then pause.
    SingleStep,
    /// Write `last.safetensors`, then end the run.
    StopAndSave,
    /// End the run without writing; the last checkpoint on disk stays.
    StopAndDiscard,
    SaveNow,
    EvaluateNow,
    /// Multiply the schedule's learning rate by this from the next step on (1: as scheduled). Checkpoints keep it.
    ScaleLearningRate(f64),
    /// How much of the GPU the run, its validation too, leaves to others from the next step on.
    LimitWork(WorkLimit),
    /// Send a copy of the weights that validation looks through.
    ShareWeights(WeightsReply),
}

/// How much of the GPU's time a run takes. It rests between the pieces of some milliseconds in which it hands over its
/// work, so that the desktop comes in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkLimit {
    /// All of it.
    #[default]
    Full,
    /// A rest after each piece of a third of its time, so about three quarters.
    Balanced,
    /// A rest as long as the piece, so about half.
    Background,
}

impl WorkLimit {
    pub const ALL: [Self; 3] = [Self::Full, Self::Balanced, Self::Background];

    /// Rest after a piece of work, as a share of its time.
    pub fn rest(self) -> f64 {
        match self {
            Self::Full => 0.0,
            Self::Balanced => 1.0 / 3.0,
            Self::Background => 1.0,
        }
    }
}

/// Where a copy of the weights goes.
#[derive(Clone, Debug)]
pub struct WeightsReply(pub Sender<RunWeights>);

impl PartialEq for WeightsReply {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

/// A copy of a run's weights (the moving average when there is one) with what a reader of a checkpoint would know.
#[derive(Clone)]
pub struct RunWeights {
    pub meta: Meta,
    pub arenas: Arenas,
}

/// What a run reports, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// Work before the first step: `done` of `total` of the named thing (data files, shader pipelines).
    Preparing {
        what: String,
        done: usize,
        total: usize,
    },
    Started(RunInfo),
    Step(StepReport),
    Evaluated(EvalReport),
    Saved {
        path: PathBuf,
        best: bool,
    },
    /// One sentence that the user can act on.
    Warning(String),
    Paused,
    Resumed,
    /// Always the last event of a run.
    Finished(Finish),
}

/// Facts that hold for the whole run.
#[derive(Clone, Debug)]
pub struct RunInfo {
    pub run_dir: PathBuf,
    pub adapter: String,
    pub backend: String,
    pub arch: String,
    /// Trainable values, every domain's BN parameters included.
    pub parameters: u64,
    /// Bytes of GPU memory that the plans allocate.
    pub planned_bytes: u64,
    pub image_size: usize,
    pub classes: Vec<String>,
    /// Names of the BN domains: `main`, `aux`, …
    pub domains: Vec<String>,
    pub method: String,
    pub steps_per_epoch: u64,
    pub total_steps: u64,
    /// Finished steps at the start (more than 0 on a resume).
    pub first_step: u64,
    pub train_images: usize,
    pub val_images: usize,
}

/// One optimizer update. Losses and accuracies were measured before it.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Finished updates, from 1.
    pub step: u64,
    /// Epochs finished, with fraction.
    pub epoch: f64,
    pub lr: f64,
    /// Clean images per second over the last steps, pauses left out.
    pub images_per_s: f64,
    /// Seconds of training so far, pauses and validation left out.
    pub elapsed_s: f64,
    /// Mean GPU seconds a step by stage over the last steps; empty where the adapter has no timestamps.
    pub stages: Vec<(&'static str, f64)>,
    /// What of a step is waiting; `None` before the speed is known.
    pub idle: Option<Idle>,
    /// Bytes that the driver has given to the run, looked up about once a second; `None` where the back end does not
    /// tell.
    pub memory_bytes: Option<u64>,
    pub branches: Vec<BranchReport>,
}

/// Shares of the last steps' time, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Idle {
    /// The run waited for images to be read.
    pub data: f64,
    /// The GPU had nothing to do; `None` where the adapter has no timestamps.
    pub gpu: Option<f64>,
}

impl std::fmt::Display for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(gpu) = self.gpu {
            write!(f, "GPU idle {:.0}%, ", 100.0 * gpu)?;
        }
        write!(f, "waiting for images {:.0}%", 100.0 * self.data)
    }
}

/// Mean loss and accuracies of one branch's images in one step. Fractions are 0..1.
#[derive(Clone, Debug)]
pub struct BranchReport {
    pub domain: String,
    /// The attack SPEC on adversarial branches.
    pub attack: Option<String>,
    pub loss: f32,
    pub top1: f32,
    pub top5: f32,
}

#[derive(Clone, Debug)]
pub struct EvalReport {
    pub step: u64,
    pub epoch: f64,
    pub rows: Vec<EvalRow>,
}

/// One validation figure set: a split seen through one BN domain, clean or attacked. Fractions are 0..1.
#[derive(Clone, Debug)]
pub struct EvalRow {
    /// `val`, `val-stylized`, …
    pub split: String,
    pub domain: String,
    pub attack: Option<String>,
    pub images: usize,
    pub loss: f32,
    pub top1: f32,
    pub top5: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    Completed,
    StoppedAndSaved,
    Discarded,
    /// One sentence: the cause and the next thing to do.
    Failed(String),
}

/// Pictures and statistics of the live model, made from the same few validation images each time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub step: u64,
    pub gallery: Vec<GalleryItem>,
    pub bn_layers: Vec<BnLayer>,
    /// SPEC of the attack that made the adversarial images, and the domain that it went through.
    pub attack: String,
    pub attack_domain: String,
    /// Names by class index.
    pub classes: Vec<String>,
}

/// One validation image, attacked and explained.
#[derive(Clone, Debug)]
pub struct GalleryItem {
    pub name: String,
    pub label: usize,
    /// Side of the square images, pixels.
    pub size: usize,
    /// `[H, W, 3]` 0..255.
    pub clean: Vec<u8>,
    pub adversarial: Vec<u8>,
    /// Signed difference adversarial − clean in 1/255 units, `[H, W, 3]`.
    pub perturbation: Vec<f32>,
    /// One per domain, in the order of [`RunInfo::domains`].
    pub views: Vec<DomainView>,
}

/// How one domain sees an image before and after the attack.
#[derive(Clone, Debug)]
pub struct DomainView {
    pub clean: Vec<Guess>,
    pub adversarial: Vec<Guess>,
    /// Class activation map of the true class on the clean image, `[H, W]`, raw scores (scale them together).
    pub cam: Vec<f32>,
    /// The same on the adversarial image.
    pub cam_adversarial: Vec<f32>,
}

/// A class with its probability, best first, three of them.
#[derive(Clone, Copy, Debug)]
pub struct Guess {
    pub class: usize,
    pub p: f32,
}

/// The statistics of one BN layer in every domain.
#[derive(Clone, Debug)]
pub struct BnLayer {
    pub name: String,
    /// One per domain.
    pub domains: Vec<BnDomain>,
}

#[derive(Clone, Debug)]
pub struct BnDomain {
    pub running_mean: Vec<f32>,
    pub running_var: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// A mailbox with room for one value; putting a new one drops an unread old one.
#[derive(Debug)]
pub struct LatestSlot<T>(Mutex<Option<T>>);

impl<T> LatestSlot<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(None)))
    }

    pub fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
    }

    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none()
    }
}
