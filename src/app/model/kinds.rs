//! The words of the window's model: kinds of data, lines, axes, phases, log levels.

use crate::training::events::Finish;

/// The split whose best value is marked and that the status speaks of.
pub const MAIN_SPLIT: &str = "val";
/// The domain that every run has.
pub const MAIN_DOMAIN: &str = "main";

/// What was done to the images behind a number. It decides the colour of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKind {
    Clean,
    Attacked,
    Mixed,
}

impl DataKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Attacked => "attacked",
            Self::Mixed => "mixed",
        }
    }

    /// The data of a training branch: an attack names itself, mixup only shows in the method.
    pub(super) fn of_branch(method: &str, domain: &str, attack: Option<&str>) -> Self {
        match (attack, method) {
            (Some(_), _) => Self::Attacked,
            (None, "mixup") => Self::Mixed,
            (None, "mixprop") if domain != MAIN_DOMAIN => Self::Mixed,
            (None, _) => Self::Clean,
        }
    }
}

/// What the horizontal axis of a curve counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum StepAxis {
    #[default]
    Step,
    Epoch,
    Time,
}

impl StepAxis {
    pub const ALL: [Self; 3] = [Self::Step, Self::Epoch, Self::Time];

    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "steps",
            Self::Epoch => "epochs",
            Self::Time => "minutes",
        }
    }
}

/// Where a run stands, as the user sees it.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Phase {
    /// Nothing was started or opened.
    #[default]
    Idle,
    Preparing,
    Running,
    /// Pause was asked for and the current step is not over.
    Pausing,
    Paused,
    Stopping,
    Ended(Finish),
    /// The curves of a run folder, without a training thread.
    Opened,
}

impl Phase {
    /// A training thread is at work or waits for commands.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Preparing | Self::Running | Self::Pausing | Self::Paused | Self::Stopping)
    }

    pub fn label(&self) -> &'static str {
        match self {
            Self::Idle => "Ready",
            Self::Preparing => "Preparing…",
            Self::Running => "Running",
            Self::Pausing => "Pausing…",
            Self::Paused => "Paused",
            Self::Stopping => "Stopping…",
            Self::Ended(Finish::Completed) => "Completed",
            Self::Ended(Finish::StoppedAndSaved) => "Stopped and saved",
            Self::Ended(Finish::Discarded) => "Stopped, discarded",
            Self::Ended(Finish::Failed(_)) => "Failed",
            Self::Opened => "Run folder",
        }
    }
}

/// A line of a curve plot: which data through which domain (an index into [`RunView::domains`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    pub domain: usize,
    pub data: DataKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Warning,
    Error,
}

#[derive(Clone, Debug)]
pub struct LogLine {
    pub level: Level,
    /// Finished steps when it was written.
    pub step: u64,
    pub text: String,
}
