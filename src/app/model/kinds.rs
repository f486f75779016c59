//! The words of the window's model: kinds of data, lines, axes, phases, log levels.

use crate::config::BranchSource;
use crate::training::events::Finish;

/// The split whose best value is marked and that the status speaks of.
pub const MAIN_SPLIT: &str = "val";

/// What was done to the images behind a number. It decides the colour of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKind {
    Clean,
    Attacked,
    Mixed,
}

impl DataKind {
    /// All kinds, in the order of legends.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Attacked, Self::Mixed];

    /// The word in legends.
    pub fn label(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Attacked => "attacked",
            Self::Mixed => "mixed",
        }
    }

    /// The kind of data that a training branch with this source sees.
    pub fn of_source(source: BranchSource) -> Self {
        match source {
            BranchSource::Clean | BranchSource::Augmented | BranchSource::Corrupted => Self::Clean,
            BranchSource::Attack => Self::Attacked,
            BranchSource::Mixup | BranchSource::Cutmix => Self::Mixed,
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
    /// All axes in the order of their menu.
    pub const ALL: [Self; 3] = [Self::Step, Self::Epoch, Self::Time];

    /// The word in the menu, and the unit of the axis.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "steps",
            Self::Epoch => "epochs",
            Self::Time => "minutes",
        }
    }

    /// What a plot's axis is called, with its unit.
    pub fn title(self) -> &'static str {
        match self {
            Self::Step => "Optimizer steps",
            Self::Epoch => "Epochs",
            Self::Time => "Training time (min)",
        }
    }
}

/// Where a run stands, as the user sees it.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum RunPhase {
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

impl RunPhase {
    /// A training thread is at work or waits for commands.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Preparing | Self::Running | Self::Pausing | Self::Paused | Self::Stopping)
    }

    /// The words in the status bar.
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

/// A line of a curve plot: which images through which domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// An index into [`super::run::RunView::domains`].
    pub domain: usize,
    /// Where the images come from.
    pub source: BranchSource,
    /// The training branch's number in its step; `None` for validation.
    pub branch: Option<usize>,
}

impl LineKey {
    /// The line of validations through `domain`.
    pub fn of_validation(domain: usize, attacked: bool) -> Self {
        let source = if attacked { BranchSource::Attack } else { BranchSource::Clean };
        Self { domain, source, branch: None }
    }

    /// The kind of data, which decides the line's colour.
    pub fn data(self) -> DataKind {
        DataKind::of_source(self.source)
    }

    /// What the images are called in legends.
    pub fn images(self) -> &'static str {
        if self.source == BranchSource::Attack { DataKind::Attacked.label() } else { self.source.name() }
    }
}

/// How a run ended, in a word for the status bar.
pub fn ending(finish: &Finish) -> &'static str {
    match finish {
        Finish::Completed => "completed",
        Finish::StoppedAndSaved | Finish::Discarded => "stopped",
        Finish::Failed(_) => "failed",
    }
}

/// How grave a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    pub level: Level,
    /// When it was written, in UTC: `2026-11-21T07:30:00Z`; empty where that is not known.
    pub time: String,
    /// Finished steps when it was written; `None` where that is not known, as of the lines of a file.
    pub step: Option<u64>,
    pub text: String,
}

impl LogLine {
    /// Its date and its time of the day, `["2026-11-21", "07:30:00"]`, where they are known.
    pub fn date_and_time(&self) -> Option<[&str; 2]> {
        let (date, time) = self.time.strip_suffix('Z')?.split_once('T')?;
        Some([date, time])
    }
}
