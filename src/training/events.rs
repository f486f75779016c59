//! What a training run tells its front end and what a front end may ask of it. The command line and the
//! window both speak only this; neither ever touches the trainer's state.
//!
//! Small facts travel as [`Event`]s through a bounded queue (no point of a curve is lost); pictures and
//! statistics go through a [`LatestSlot`], where a newer value takes the place of one that nobody looked at.

use super::checkpoint::Meta;
use super::method::MethodLabel;
use crate::config::BranchSource;
use crate::models::init::Arenas;
use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What a front end asks of a run. Taken between two optimizer steps.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Hold after the current step.
    Pause,
    /// Go on after a pause.
    Resume,
    /// One optimizer step, then pause.
    SingleStep,
    /// Write `last.safetensors`, then end the run.
    StopAndSave,
    /// End the run without writing; the last checkpoint on disk stays.
    StopAndDiscard,
    /// Write `last.safetensors` and go on.
    SaveNow,
    /// Validate and go on.
    EvaluateNow,
    /// Multiply the schedule's learning rate by this from the next step on (1: as scheduled). Checkpoints
    /// keep it.
    ScaleLearningRate(f64),
    /// How much of the GPU the run, its validation too, leaves to others from the next step on.
    LimitWork(WorkLimit),
    /// Go on in this folder, which is where the checkpoint goes that could not be written: an answer to
    /// [`Event::CannotSave`]. Others are [`Self::Resume`], to try again, and the stops.
    SaveElsewhere(PathBuf),
    /// Send a copy of the weights that validation looks through.
    ShareWeights(WeightsReply),
}

/// How much of the GPU's time a run takes. It rests between the pieces of some milliseconds in which it hands
/// over its work, so that the desktop comes in between.
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
    /// All limits, the loosest first.
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

/// A copy of a run's weights (the moving average when there is one) with what a reader of a checkpoint would
/// know.
#[derive(Clone)]
pub struct RunWeights {
    /// What the metadata of a checkpoint of these weights would say.
    pub meta: Meta,
    /// Parameters and running statistics of all domains.
    pub arenas: Arenas,
}

/// What a run reports, in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Work is under way that no step reports: before the first step, or in a validation.
    Working(Work),
    /// The first step comes next.
    Started(RunInfo),
    /// An update was made.
    Step(StepReport),
    /// A validation was made.
    Evaluated(EvalReport),
    /// A checkpoint was written.
    Saved {
        /// The file.
        path: PathBuf,
        /// It is the best checkpoint so far, else the newest.
        best: bool,
    },
    /// A checkpoint could not be written. The run holds, with all of its weights, until it is told how to go
    /// on: [`Command::Resume`], [`Command::SaveElsewhere`] or a stop.
    CannotSave {
        /// The run folder.
        run_dir: PathBuf,
        /// What went wrong, one sentence.
        reason: String,
    },
    /// The run goes on in another folder, with all that it wrote so far.
    Moved {
        /// The run folder from now on.
        run_dir: PathBuf,
    },
    /// One sentence that the user can act on.
    Warning(String),
    /// One sentence on what the run did because it was asked to.
    Note(String),
    /// The run holds until it is told to go on.
    Paused,
    /// The run goes on after a pause.
    Resumed,
    /// Always the last event of a run.
    Finished(Finish),
}

/// Named work between the steps, how far it is and what comes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The work, in words.
    pub what: String,
    /// Units done.
    pub done: usize,
    /// Units in all; 1 where the work has no parts that could be counted.
    pub total: usize,
    /// What comes next, in words.
    pub next: &'static str,
}

impl Work {
    /// The share that is done, 0..1; `None` for work without parts.
    pub fn share(&self) -> Option<f32> {
        (self.total > 1).then(|| (self.done as f32 / self.total as f32).clamp(0.0, 1.0))
    }
}

/// Facts that hold for the whole run.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The run folder.
    pub run_dir: PathBuf,
    /// The adapter's name.
    pub adapter: String,
    /// The graphics interface: Vulkan, Metal or DX12.
    pub backend: String,
    /// The network, by timm's name.
    pub arch: String,
    /// Trainable values, every domain's BN parameters included.
    pub parameters: u64,
    /// Bytes of GPU memory that the plans allocate.
    pub planned_bytes: u64,
    /// Side of the square input, pixels.
    pub image_size: usize,
    /// Names by class index.
    pub classes: Vec<String>,
    /// Names of the BN domains: `main`, `aux`, …
    pub domains: Vec<String>,
    /// The method by its kind, or that the branches are the user's own.
    pub method: MethodLabel,
    /// Optimizer steps an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the whole run.
    pub total_steps: u64,
    /// Steps from one validation to the next; 0: the only one is at the end.
    pub validation_steps: u64,
    /// Finished steps at the start (more than 0 on a resume).
    pub first_step: u64,
    /// Images of the training set.
    pub train_images: usize,
    /// Images of the validation set.
    pub val_images: usize,
}

/// Validations that are still to come after update `step` in a run of `total` steps that validates every
/// `every` steps (0: never before its end) and at its end.
pub fn validations_after(step: u64, total: u64, every: u64) -> u64 {
    if step >= total {
        return 0;
    }
    let passed = |step: u64| step.checked_div(every).unwrap_or(0);
    passed(total - 1) - passed(step) + 1
}

/// One optimizer update. Losses and accuracies were measured before it.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Finished updates, from 1.
    pub step: u64,
    /// Epochs finished, with fraction.
    pub epoch: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Clean images per second over the last steps, pauses left out; not a number before there are two.
    pub images_per_s: f64,
    /// Seconds of training so far, pauses and validation left out.
    pub elapsed_s: f64,
    /// Mean GPU seconds a step by stage over the last steps; empty where the adapter has no timestamps.
    pub stages: Vec<(&'static str, f64)>,
    /// What of a step is waiting; `None` before the speed is known.
    pub idle: Option<Idle>,
    /// Bytes that the driver has given to the run, looked up about once a second; `None` where the back end
    /// does not tell.
    pub memory_bytes: Option<u64>,
    /// One a branch, by number.
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

/// Mean loss and accuracies of one branch's images in one step. Fractions are 0..1; the hits of a mixed image
/// count against the label with the larger share.
#[derive(Clone, Debug)]
pub struct BranchReport {
    /// The branch's number in its step, from 0: by domain, and within one in the order of the method's list.
    pub branch: usize,
    /// Where its images come from.
    pub source: BranchSource,
    /// The BN domain that they go through.
    pub domain: String,
    /// The attack SPEC on adversarial branches.
    pub attack: Option<String>,
    /// Mean training loss, nats.
    pub loss: f32,
    /// Share of images whose most probable class is the counted label.
    pub top1: f32,
    /// Share of images whose counted label is among the five most probable classes.
    pub top5: f32,
}

impl BranchReport {
    /// Which label the accuracies count, where it is not the image's own: a mixed image has two.
    pub fn counted_label(&self) -> Option<&'static str> {
        match self.source {
            BranchSource::Mixup | BranchSource::Cutmix => Some("by the larger share's label"),
            BranchSource::Clean
            | BranchSource::Augmented
            | BranchSource::Attack
            | BranchSource::Corrupted => None,
        }
    }
}

/// Short names of a step's branches, no two alike: `main`, `aux attacked`. Where two would be the same, the
/// sources are named too (`main clean`, `main cutmix`), and where even those agree the branches' numbers.
pub fn branch_names(branches: &[BranchReport]) -> Vec<String> {
    let is_attacked = |branch: &BranchReport| branch.attack.is_some();
    let name = |branch: &BranchReport| {
        let alike = |other: &&BranchReport| {
            other.domain == branch.domain && is_attacked(other) == is_attacked(branch)
        };
        let mut name = branch.domain.clone();
        if is_attacked(branch) {
            name += " attacked";
        } else if branches.iter().filter(alike).count() > 1 {
            name += &format!(" {}", branch.source.name());
        }
        if branches.iter().filter(alike).filter(|other| other.source == branch.source).count() > 1 {
            name += &format!(" {}", branch.branch);
        }
        name
    };
    branches.iter().map(name).collect()
}

/// One validation of all splits and domains.
#[derive(Clone, Debug)]
pub struct EvalReport {
    /// Finished updates.
    pub step: u64,
    /// Epochs finished, with fraction.
    pub epoch: f64,
    /// Seconds that it took; `None` where that was not kept.
    pub seconds: Option<f64>,
    /// Split by split, domain by domain, clean before attacked.
    pub rows: Vec<EvalRow>,
}

/// One validation figure set: a split seen through one BN domain, clean or attacked. Fractions are 0..1.
#[derive(Clone, Debug)]
pub struct EvalRow {
    /// `val`, `val-stylized`, …
    pub split: String,
    /// The BN domain.
    pub domain: String,
    /// The attack's SPEC; `None` for clean images.
    pub attack: Option<String>,
    /// Images measured.
    pub images: usize,
    /// Mean cross-entropy without label smoothing, nats.
    pub loss: f32,
    /// Share of images whose most probable class is the true one.
    pub top1: f32,
    /// Share of images whose true class is among the five most probable.
    pub top5: f32,
}

impl EvalRow {
    /// Where the images came from: the split's own, or those attacked.
    pub fn source(&self) -> BranchSource {
        if self.attack.is_some() { BranchSource::Attack } else { BranchSource::Clean }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", content = "reason", rename_all = "snake_case")]
pub enum Finish {
    /// All steps were made, or validations no longer got better.
    Completed,
    /// It was stopped, after its newest step was saved.
    StoppedAndSaved,
    /// It was stopped without saving; the last checkpoint stays.
    Discarded,
    /// One sentence: the cause and the next thing to do.
    Failed(String),
}

/// Pictures and statistics of the live model, made from the same few validation images each time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Finished updates.
    pub step: u64,
    /// The same few validation images each time.
    pub gallery: Vec<GalleryItem>,
    /// From input to output.
    pub bn_layers: Vec<BnLayer>,
    /// SPEC of the attack that made the adversarial images, and the domain that it went through.
    pub attack: String,
    /// The domain that the attack went through.
    pub attack_domain: String,
    /// Names by class index.
    pub classes: Vec<String>,
}

/// One validation image, attacked and explained.
#[derive(Clone, Debug)]
pub struct GalleryItem {
    /// The image's name in its data set.
    pub name: String,
    /// The true class.
    pub label: usize,
    /// Side of the square images, pixels.
    pub size: usize,
    /// `[H, W, 3]` 0..255.
    pub clean: Vec<u8>,
    /// The attacked image, rounded, `[H, W, 3]` 0..255.
    pub adversarial: Vec<u8>,
    /// Signed difference adversarial − clean in 1/255 units, `[H, W, 3]`.
    pub perturbation: Vec<f32>,
    /// One per domain, in the order of [`RunInfo::domains`].
    pub views: Vec<DomainView>,
}

/// How one domain sees an image before and after the attack.
#[derive(Clone, Debug)]
pub struct DomainView {
    /// The most probable classes of the clean image, best first, three of them.
    pub clean: Vec<Guess>,
    /// The same of the attacked image.
    pub adversarial: Vec<Guess>,
    /// Class activation map of the true class on the clean image, `[H, W]`, raw scores (scale them together).
    pub cam: Vec<f32>,
    /// The same on the adversarial image.
    pub cam_adversarial: Vec<f32>,
}

/// A class with its probability, best first, three of them.
#[derive(Clone, Copy, Debug)]
pub struct Guess {
    /// The class by index.
    pub class: usize,
    /// Its softmax probability, 0..1.
    pub p: f32,
}

/// The statistics of one BN layer in every domain.
#[derive(Clone, Debug)]
pub struct BnLayer {
    /// The layer by timm's name.
    pub name: String,
    /// One per domain.
    pub domains: Vec<BnDomain>,
}

/// One domain's vectors of a BN layer, `[channels]` each.
#[derive(Clone, Debug)]
pub struct BnDomain {
    /// Running mean of each channel.
    pub running_mean: Vec<f32>,
    /// Running variance of each channel.
    pub running_var: Vec<f32>,
    /// Learned scale of each channel.
    pub gamma: Vec<f32>,
    /// Learned shift of each channel.
    pub beta: Vec<f32>,
}

/// A mailbox with room for one value; putting a new one drops an unread old one.
#[derive(Debug)]
pub struct LatestSlot<T>(Mutex<Option<T>>);

impl<T> LatestSlot<T> {
    /// An empty slot.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(None)))
    }

    /// Puts a value in, in the place of one that nobody took.
    pub fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
    }

    /// Takes the value out, if there is one.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// Whether there is no value to take.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_validated_once() {
        let left = |step| validations_after(step, 10, 4);
        assert_eq!([0, 3, 4, 8, 9, 10].map(left), [3, 3, 2, 1, 1, 0]);
        assert_eq!([0, 4, 8].map(|step| validations_after(step, 8, 4)), [2, 1, 0]);
        assert_eq!(validations_after(3, 10, 0), 1);
    }

    fn branch(branch: usize, source: BranchSource, domain: &str) -> BranchReport {
        let attack = (source == BranchSource::Attack).then(|| "fgsm:eps=2".to_owned());
        BranchReport { branch, source, domain: domain.into(), attack, loss: 1.0, top1: 0.0, top5: 0.0 }
    }

    #[test]
    fn no_two_branches_have_one_name() {
        use BranchSource::{Attack, Clean, Cutmix, Mixup};
        let names = |branches: &[(BranchSource, &str)]| {
            let reports = branches.iter().enumerate().map(|(n, (source, domain))| branch(n, *source, domain));
            branch_names(&reports.collect::<Vec<_>>())
        };
        assert_eq!(names(&[(Clean, "main"), (Attack, "aux")]), ["main", "aux attacked"]);
        assert_eq!(names(&[(Clean, "main"), (Attack, "main")]), ["main", "main attacked"]);
        assert_eq!(names(&[(Clean, "main"), (Mixup, "aux")]), ["main", "aux"]);
        assert_eq!(
            names(&[(Clean, "main"), (Cutmix, "main"), (Attack, "aux"), (Clean, "aux")]),
            ["main clean", "main cutmix", "aux attacked", "aux"]
        );
        assert_eq!(
            names(&[(Clean, "main"), (Clean, "main"), (Attack, "aux"), (Attack, "aux")]),
            ["main clean 0", "main clean 1", "aux attacked 2", "aux attacked 3"]
        );
    }
}
