//! What the window knows of the model that it looks into: folded from the study's answers, as the run's view
//! is from its events. Panes read it and ask for what they want next by requests.

use super::launcher::{Launcher, Wake};
use super::progress::Progress;
use crate::gpu::DeviceChoice;
use crate::session::inspect::{
    Answer, Corrupt, CorruptedImage, DistributionRequest, Distributions, EPSILONS, Examine, Examined, Gather,
    Gathered, Inspector, Look, Looked, Measured, ModelInfo, Request, Robustness, Subject, Swept,
};
use crate::training::events::Command;
use crossbeam_channel::{Sender, TryRecvError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a software adapter draws a frame of a large window, about.
const FRAME: Duration = Duration::from_millis(80);

/// The model that the study looks into.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelChoice {
    /// A copy of the weights of the run in this folder, taken while the run was at work.
    Run(PathBuf),
    File(PathBuf),
}

impl ModelChoice {
    /// `best of first`, `run first`, or the file's name.
    pub fn label(&self) -> String {
        let path = match self {
            Self::Run(dir) => {
                let name = dir.file_name().unwrap_or(dir.as_os_str());
                return format!("run {}", name.to_string_lossy());
            }
            Self::File(path) => path,
        };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        match (stem.as_deref(), path.parent().and_then(|dir| dir.file_name())) {
            (Some(stem @ ("best" | "last")), Some(run)) => format!("{stem} of {}", run.to_string_lossy()),
            _ => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// The folder of the run, or the file.
    pub fn path(&self) -> &Path {
        let (Self::Run(path) | Self::File(path)) = self;
        path
    }

    /// Whether it is a model of the run in `dir`, however the two are written. Looks at no disk.
    pub fn is_of_run(&self, dir: &Path) -> bool {
        let own = match self {
            Self::Run(of) => Some(of.as_path()),
            Self::File(path) => path.parent(),
        };
        let whole = |path: &Path| std::path::absolute(path).ok();
        own == Some(dir) || own.and_then(whole).is_some_and(|own| whole(dir) == Some(own))
    }
}

/// What has become of the run that the opened weights are copied from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// A file, or a run that is at work.
    #[default]
    There,
    /// The run has ended, and the last copy stays in use.
    Ended,
    /// The run has ended and is gone on with.
    Resumed,
}

/// The study as the panes see it.
#[derive(Debug, Default)]
pub struct Study {
    handle: Option<Inspector>,
    /// The model that was asked for.
    pub choice: Option<ModelChoice>,
    source: Source,
    /// What is known of the model once it is open.
    pub info: Option<Arc<ModelInfo>>,
    /// Finished steps of the weights in use.
    pub step: u64,
    pub looked: Option<Arc<Looked>>,
    /// Grows with each look; textures are made again when it changes.
    pub look_generation: u64,
    /// The newest look that was asked for, and whether its answer is still to come.
    asked_look: Option<Look>,
    pub looking: bool,
    /// The image of the large view, as it was answered last.
    pub examined: Option<Arc<Examined>>,
    /// Grows with each such answer.
    pub examined_generation: u64,
    asked_examine: Option<Examine>,
    pub examining: bool,
    /// Images of a cell of the confusion matrix.
    pub gathered: Option<Arc<Gathered>>,
    /// Grows with each such answer.
    pub gathered_generation: u64,
    asked_gather: Option<Gather>,
    pub gathering: bool,
    pub swept: Option<Arc<Swept>>,
    /// How many ε a sweep has done.
    pub sweeping: Option<Progress>,
    /// What was measured last, whole or as far as it came.
    pub measured: Option<Arc<Measured>>,
    pub measure_generation: u64,
    pub measuring: Option<Progress>,
    /// What was measured last, whole or as far as it came.
    pub robustness: Option<Arc<Robustness>>,
    pub measuring_robustness: Option<Progress>,
    /// Was asked to end what it measures, which it does after the images at hand.
    pub cancelling: bool,
    pub corrupted: Option<Arc<CorruptedImage>>,
    /// Grows with each corrupted image.
    pub corrupted_generation: u64,
    asked_corrupted: Option<Corrupt>,
    pub corrupting: bool,
    pub distributions: Option<Arc<Distributions>>,
    asked_distributions: Option<DistributionRequest>,
    pub distributing: bool,
    pub fault: Option<String>,
}

impl Study {
    /// The name of the opened model, for what leaves the window: `best of first`.
    pub fn caption(&self) -> String {
        self.choice.as_ref().map_or_else(|| "a model".to_owned(), ModelChoice::label)
    }

    /// Opens a model; what was known of another is forgotten. `commands` lead to the run at work. The thread
    /// is a new one: a late answer of the other model must not be taken for one of this.
    pub fn open(
        &mut self,
        choice: ModelChoice,
        commands: Option<&Sender<Command>>,
        device: DeviceChoice,
        launcher: &dyn Launcher,
        wake: &Wake,
    ) {
        *self = Self {
            look_generation: self.look_generation + 1,
            measure_generation: self.measure_generation + 1,
            corrupted_generation: self.corrupted_generation + 1,
            examined_generation: self.examined_generation + 1,
            gathered_generation: self.gathered_generation + 1,
            ..Self::default()
        };
        let subject = match (&choice, commands) {
            (ModelChoice::File(path), _) => Subject::Checkpoint(path.clone()),
            (ModelChoice::Run(_), Some(commands)) => Subject::Run(commands.clone()),
            (ModelChoice::Run(_), None) => {
                self.fault = Some("No run is at work; open a checkpoint instead".to_owned());
                return;
            }
        };
        match launcher.study(wake.clone()) {
            Ok(handle) => self.handle = Some(handle),
            Err(error) => {
                self.fault = Some(format!("{error:#}"));
                return;
            }
        }
        self.choice = Some(choice);
        self.send(Request::Open { subject, device });
    }

    /// Hears that the run at work has ended.
    pub fn run_ended(&mut self) {
        if matches!(self.choice, Some(ModelChoice::Run(_))) {
            self.source = Source::Ended;
        }
    }

    /// Hears that the ended run in `dir` is gone on with.
    pub fn run_resumed(&mut self, dir: &Path) {
        if self.source == Source::Ended && self.choice.as_ref().is_some_and(|choice| choice.is_of_run(dir)) {
            self.source = Source::Resumed;
        }
    }

    /// The weights are a run's that is at work and can give newer ones.
    pub fn is_live(&self) -> bool {
        matches!(self.choice, Some(ModelChoice::Run(_))) && self.source == Source::There
    }

    /// The weights are the last copy from a run before it was gone on with; the model can be opened again.
    pub fn is_behind(&self) -> bool {
        self.source == Source::Resumed
    }

    /// The finished steps of the weights in use, and whether the run that they are of is over.
    pub fn step_text(&self) -> String {
        let of = if self.source == Source::There { "" } else { " of the ended run" };
        format!("step {}{of}", self.step)
    }

    /// Asks long work on the model to leave the cores to the window for a frame.
    pub fn make_way(&self) {
        self.handle.iter().for_each(|handle| handle.hold.ask(FRAME));
    }

    fn send(&mut self, request: Request) {
        let sent = self.handle.as_ref().is_some_and(|handle| handle.requests.try_send(request).is_ok());
        if !sent {
            self.fault = Some("The study does not take requests any more; open the model again".to_owned());
        }
    }

    /// Sends what panes ask for.
    pub fn ask_all(&mut self, requests: Vec<Request>) {
        for request in requests {
            match &request {
                Request::Look(look) => {
                    self.asked_look = Some(look.clone());
                    self.looking = true;
                }
                Request::Examine(asked) => {
                    self.asked_examine = Some(asked.clone());
                    self.examining = true;
                }
                Request::Gather(asked) => {
                    self.asked_gather = Some(asked.clone());
                    self.gathering = true;
                }
                Request::Distributions(asked) => {
                    self.asked_distributions = Some(asked.clone());
                    self.distributing = true;
                }
                Request::Sweep(_) => (self.sweeping, self.swept) = (Some(Progress::BEGUN), None),
                Request::Measure(_) => (self.measuring, self.measured) = (Some(Progress::BEGUN), None),
                Request::MeasureRobustness(_) => {
                    (self.measuring_robustness, self.robustness) = (Some(Progress::BEGUN), None);
                }
                Request::Corrupt(asked) => {
                    self.asked_corrupted = Some(asked.clone());
                    self.corrupting = true;
                }
                Request::Stop => self.cancelling = self.is_busy(),
                Request::Open { .. } | Request::Refresh => {}
            }
            self.fault = None;
            self.send(request);
        }
    }

    /// Whether this look was asked for already: the newest one, answered or not.
    pub fn has_asked(&self, look: &Look) -> bool {
        self.asked_look.as_ref() == Some(look)
    }

    /// Whether this image was asked for already: the newest, answered or not.
    pub fn has_asked_examine(&self, request: &Examine) -> bool {
        self.asked_examine.as_ref() == Some(request)
    }

    /// Whether these images were asked for already: the newest, answered or not.
    pub fn has_asked_gather(&self, request: &Gather) -> bool {
        self.asked_gather.as_ref() == Some(request)
    }

    /// Whether these distributions were asked for already: the newest, answered or not.
    pub fn has_asked_distributions(&self, request: &DistributionRequest) -> bool {
        self.asked_distributions.as_ref() == Some(request)
    }

    /// Whether this corrupted image was asked for already: the newest, answered or not.
    pub fn has_asked_corrupted(&self, request: &Corrupt) -> bool {
        self.asked_corrupted.as_ref() == Some(request)
    }

    /// Forgets what was asked, so that panes ask again: the weights are others now.
    fn ask_again(&mut self) {
        (self.asked_look, self.asked_distributions, self.asked_corrupted) = (None, None, None);
        (self.asked_examine, self.asked_gather) = (None, None);
    }

    /// Takes in what came; true when something did.
    pub fn take_answers(&mut self) -> bool {
        let mut came = false;
        loop {
            let Some(handle) = &self.handle else { return came };
            match handle.answers.try_recv() {
                Ok(answer) => self.apply(answer),
                Err(TryRecvError::Empty) => return came,
                Err(TryRecvError::Disconnected) => {
                    (self.handle, self.info, self.choice) = (None, None, None);
                    self.fault.get_or_insert_with(|| "The study ended; open the model again".to_owned());
                }
            }
            came = true;
        }
    }

    fn apply(&mut self, answer: Answer) {
        match answer {
            Answer::Opened(info) => {
                self.step = info.step;
                self.info = Some(info);
                self.ask_again();
            }
            Answer::Refreshed(step) => {
                self.step = step;
                self.ask_again();
            }
            Answer::Looked(looked) => {
                self.looking = self.asked_look.as_ref().is_some_and(|asked| *asked != looked.request);
                self.looked = Some(looked);
                self.look_generation += 1;
            }
            Answer::Examined(examined) => {
                self.examining = self.asked_examine.as_ref().is_some_and(|asked| *asked != examined.request);
                self.examined = Some(examined);
                self.examined_generation += 1;
            }
            Answer::Gathered(gathered) => {
                self.gathering = self.asked_gather.as_ref().is_some_and(|asked| *asked != gathered.request);
                self.gathered = Some(gathered);
                self.gathered_generation += 1;
            }
            Answer::Swept(swept) => {
                let done = swept.points.len();
                let before = self.sweeping.filter(|_| done < EPSILONS.len());
                self.sweeping = before.map(|before| before.heard(done, EPSILONS.len()));
                self.swept = Some(swept);
            }
            Answer::Measuring(done, total) => {
                self.measuring = Some(self.measuring.unwrap_or(Progress::BEGUN).heard(done, total));
            }
            Answer::Measured(measured) => {
                if measured.finished {
                    self.measuring = None;
                }
                self.measured = Some(measured);
                self.measure_generation += 1;
            }
            Answer::MeasuringRobustness(done, total) => {
                let before = self.measuring_robustness.unwrap_or(Progress::BEGUN);
                self.measuring_robustness = Some(before.heard(done, total));
            }
            Answer::Robustness(measured) => {
                if measured.finished {
                    self.measuring_robustness = None;
                }
                self.robustness = Some(measured);
            }
            Answer::Corrupted(image) => {
                self.corrupting = self.asked_corrupted.as_ref().is_some_and(|asked| *asked != image.request);
                self.corrupted = Some(image);
                self.corrupted_generation += 1;
            }
            Answer::Distributed(found) => {
                self.distributing = false;
                self.distributions = Some(found);
            }
            Answer::Stopped => {
                (self.sweeping, self.measuring, self.measuring_robustness) = (None, None, None);
            }
            Answer::Failed(sentence) => {
                (self.looking, self.distributing, self.sweeping) = (false, false, None);
                (self.examining, self.gathering) = (false, false);
                (self.measuring, self.measuring_robustness, self.corrupting) = (None, None, false);
                if self.info.is_none() {
                    self.choice = None;
                }
                self.fault = Some(sentence);
            }
        }
        self.cancelling &= self.is_busy();
    }

    /// A sweep or a measurement is under way.
    pub fn is_busy(&self) -> bool {
        self.sweeping.is_some() || self.measuring.is_some() || self.measuring_robustness.is_some()
    }
}
