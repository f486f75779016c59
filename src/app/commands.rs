//! Every command of the window in one enum: menu, toolbar, shortcut, palette, tooltip and the list of keys
//! are all made from it.

use crate::app::model::kinds::RunPhase;
use crate::app::model::run::RunView;
use crate::app::panes::{PANES, Pane};
use crate::app::theme::icons::Icon;
use crate::training::events::{Finish, WorkLimit};
use egui::{Key, KeyboardShortcut, Modifiers};

/// What a user can ask of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UiCommand {
    Start,
    Resume,
    PauseOrContinue,
    SingleStep,
    StopAndSave,
    StopAndDiscard,
    SaveNow,
    RetrySave,
    SaveElsewhere,
    EvaluateNow,
    ChangeLearningRate,
    Limit(WorkLimit),
    Preflight,
    OpenRun,
    OpenConfig,
    OpenRecent,
    SaveConfig,
    DuplicateRun,
    OpenSample,
    UndoSetUp,
    CopyCommandLine,
    StudyLive,
    StudyBest,
    OpenCheckpoint,
    OpenImages,
    ExportModel,
    Show(Pane),
    EnlargePane,
    HideSetUp,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    ResetLayout,
    ToggleTheme,
    Palette,
    Explain,
    Guide,
    Shortcuts,
    About,
    Quit,
}

/// A group of the menu bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    File,
    Run,
    Model,
    View,
    Help,
}

impl Menu {
    /// The menus from left to right.
    pub const ALL: [Self; 5] = [Self::File, Self::Run, Self::Model, Self::View, Self::Help];

    /// The word in the menu bar.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Run => "Run",
            Self::Model => "Model",
            Self::View => "View",
            Self::Help => "Help",
        }
    }
}

use UiCommand as C;

impl UiCommand {
    /// All commands in the order of menus and palette.
    pub fn all() -> impl Iterator<Item = Self> {
        let first = [
            C::OpenRun,
            C::OpenRecent,
            C::OpenConfig,
            C::SaveConfig,
            C::DuplicateRun,
            C::OpenSample,
            C::UndoSetUp,
            C::Quit,
            C::Preflight,
            C::Start,
            C::Resume,
            C::PauseOrContinue,
            C::SingleStep,
            C::StopAndSave,
            C::StopAndDiscard,
            C::SaveNow,
            C::RetrySave,
            C::SaveElsewhere,
            C::EvaluateNow,
            C::ChangeLearningRate,
            C::Limit(WorkLimit::Full),
            C::Limit(WorkLimit::Balanced),
            C::Limit(WorkLimit::Background),
            C::CopyCommandLine,
            C::StudyLive,
            C::StudyBest,
            C::OpenCheckpoint,
            C::OpenImages,
            C::ExportModel,
        ];
        let last = [
            C::EnlargePane,
            C::HideSetUp,
            C::ResetLayout,
            C::ZoomIn,
            C::ZoomOut,
            C::ZoomReset,
            C::ToggleTheme,
            C::Palette,
            C::Explain,
            C::Guide,
            C::Shortcuts,
            C::About,
        ];
        first.into_iter().chain(PANES.iter().map(|info| C::Show(info.pane))).chain(last)
    }

    /// The menu that lists the command.
    pub fn menu(self) -> Menu {
        match self {
            C::OpenRun
            | C::OpenRecent
            | C::OpenConfig
            | C::SaveConfig
            | C::DuplicateRun
            | C::OpenSample
            | C::UndoSetUp
            | C::Quit => Menu::File,
            C::StudyLive | C::StudyBest | C::OpenCheckpoint | C::OpenImages | C::ExportModel => Menu::Model,
            C::Show(_)
            | C::EnlargePane
            | C::HideSetUp
            | C::ZoomIn
            | C::ZoomOut
            | C::ZoomReset
            | C::ResetLayout
            | C::ToggleTheme => Menu::View,
            C::Palette | C::Explain | C::Guide | C::Shortcuts | C::About => Menu::Help,
            _ => Menu::Run,
        }
    }

    /// The words on the button, in the state of `run`.
    pub fn text(self, run: &RunView) -> &'static str {
        match self {
            C::Start => "Start",
            C::Resume => "Resume from checkpoint",
            C::PauseOrContinue if matches!(run.phase, RunPhase::Paused | RunPhase::Pausing) => "Continue",
            C::PauseOrContinue => "Pause",
            C::SingleStep => "Single step",
            C::StopAndSave => "Stop and save",
            C::StopAndDiscard => "Stop and discard…",
            C::SaveNow => "Save now",
            C::RetrySave => "Retry",
            C::SaveElsewhere => "Save elsewhere…",
            C::EvaluateNow => "Evaluate now",
            C::ChangeLearningRate => "Change learning rate…",
            C::Limit(WorkLimit::Full) => "GPU work: full speed",
            C::Limit(WorkLimit::Balanced) => "GPU work: balanced",
            C::Limit(WorkLimit::Background) => "GPU work: background",
            C::Preflight => "Preflight",
            C::OpenRecent => "Open recent…",
            C::DuplicateRun => "Duplicate run",
            C::OpenSample => "Open the sample run",
            C::UndoSetUp => "Undo change of the set-up",
            C::StudyLive => "Look into the live model",
            C::StudyBest => "Look into the best checkpoint",
            C::OpenCheckpoint => "Open checkpoint…",
            C::OpenImages => "Choose image files…",
            C::ExportModel => "Export model…",
            C::OpenRun => "Open run folder…",
            C::OpenConfig => "Open configuration…",
            C::SaveConfig => "Save configuration as…",
            C::CopyCommandLine => "Copy as command line",
            C::Show(pane) => pane.title(),
            C::EnlargePane => "Enlarge or restore pane",
            C::HideSetUp => "Hide or show set-up",
            C::ZoomIn => "Zoom in",
            C::ZoomOut => "Zoom out",
            C::ZoomReset => "Zoom to 100%",
            C::ResetLayout => "Reset layout",
            C::ToggleTheme => "Switch light and dark",
            C::Palette => "Command palette…",
            C::Explain => "What am I looking at",
            C::Guide => "Guide",
            C::Shortcuts => "Keyboard shortcuts",
            C::About => "About DualProp",
            C::Quit => "Quit",
        }
    }

    /// One sentence on what it does.
    pub fn help(self) -> &'static str {
        match self {
            C::Start => "Check the set-up and train with it in a new run folder",
            C::Resume => {
                "Go on from last.safetensors in the run folder, to the same bits as without the break. More steps or \
                 epochs in the set-up make the run longer"
            }
            C::PauseOrContinue => {
                "Hold training after the current step, or go on. A paused run keeps its GPU memory"
            }
            C::SingleStep => "Make one optimizer step, then pause",
            C::StopAndSave => {
                "Write last.safetensors after the current step and end the run. It can be resumed"
            }
            C::StopAndDiscard => {
                "End the run and throw its folder away, or keep the folder as of its last checkpoint; asks first"
            }
            C::SaveNow => "Write last.safetensors after the current step and go on",
            C::RetrySave => "Try again to write the checkpoint that could not be written",
            C::SaveElsewhere => "Write the checkpoint into another folder and go on there",
            C::EvaluateNow => "Validate all domains, clean and attacked, after the current step",
            C::ChangeLearningRate => {
                "Multiply the schedule's learning rate from the next step on. Checkpoints keep the factor"
            }
            C::Limit(WorkLimit::Full) => "The run takes all of the GPU's time",
            C::Limit(WorkLimit::Balanced) => {
                "The run rests between its pieces of some milliseconds, for a third of their time, so that the \
                 desktop stays smooth"
            }
            C::Limit(WorkLimit::Background) => "The run rests between its pieces, as long as they take",
            C::Preflight => {
                "Open the data, take the memory, send one batch through everything, predict the time. Trains \
                 nothing and writes nothing"
            }
            C::UndoSetUp => "Take the last change of the set-up back, a chosen preset or file too",
            C::OpenRecent => "Choose among the last runs, configurations and data folders",
            C::DuplicateRun => "Set up a new run with the configuration of the one on screen",
            C::OpenSample => "Look at a small network that was trained by AdvProp on the built-in shapes",
            C::StudyLive => "Use a copy of the live run's weights in Lab, Attention, Results and Robustness",
            C::StudyBest => {
                "Use best.safetensors of the run on screen in Lab, Attention, Results and Robustness"
            }
            C::OpenCheckpoint => {
                "Use any checkpoint, or weights of timm or torchvision, in Lab, Attention, Results and Robustness"
            }
            C::OpenImages => "Attack and explain image files of yours in Lab and Attention",
            C::ExportModel => {
                "Write a checkpoint as a model for other programs: safetensors or ONNX, with its card"
            }
            C::OpenRun => "Look at the curves of a run folder, finished or not. Needs no GPU",
            C::OpenConfig => "Fill the set-up from a TOML file",
            C::SaveConfig => "Write the set-up to a TOML file that `dualprop train` reads too",
            C::CopyCommandLine => "Copy the command that trains the same without a window",
            C::Show(pane) => pane.info().purpose,
            C::EnlargePane => "Give the pane shown last the whole window, or all panes their places back",
            C::HideSetUp => {
                "Give the room of the set-up and its neighbours to the other panes, or take it back"
            }
            C::ZoomIn => "Everything larger, by a tenth",
            C::ZoomOut => "Everything smaller, by a tenth",
            C::ZoomReset => "Everything at its own size",
            C::ResetLayout => "Put all panes back to their first places",
            C::ToggleTheme => "Change between the light and the dark theme",
            C::Palette => "Find and run any command by name",
            C::Explain => {
                "What the pane shown last shows, the formula behind it, and what colours and dashes mean"
            }
            C::Guide => {
                "Open the guide in the browser: panes, method, recipes, and what to do when something goes wrong"
            }
            C::About => "Version, licences, adapters and drivers, to be copied into a report of a fault",
            C::Shortcuts => "List all commands with their keys",
            C::Quit => "Close the window; a run at work asks first",
        }
    }

    /// The icon of its button, where it has one.
    pub fn icon(self, run: &RunView) -> Option<Icon> {
        Some(match self {
            C::Start | C::Resume => Icon::Play,
            C::PauseOrContinue if matches!(run.phase, RunPhase::Paused | RunPhase::Pausing) => Icon::Play,
            C::PauseOrContinue => Icon::Pause,
            C::SingleStep => Icon::Step,
            C::StopAndSave => Icon::Stop,
            C::StopAndDiscard => Icon::Bin,
            C::SaveNow => Icon::Save,
            C::EvaluateNow => Icon::Chart,
            _ => return None,
        })
    }

    /// The key that runs it, where it has one.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
        let (modifiers, key) = match self {
            C::Start => (Modifiers::COMMAND, Key::Enter),
            C::PauseOrContinue => (Modifiers::NONE, Key::Space),
            C::SingleStep => (Modifiers::NONE, Key::S),
            C::StopAndSave => (Modifiers::COMMAND, Key::Period),
            C::SaveNow => (Modifiers::COMMAND, Key::S),
            C::EvaluateNow => (CTRL_SHIFT, Key::E),
            C::OpenRun => (Modifiers::COMMAND, Key::O),
            C::OpenConfig => (CTRL_SHIFT, Key::O),
            C::SaveConfig => (CTRL_SHIFT, Key::S),
            C::Palette => (CTRL_SHIFT, Key::P),
            C::ToggleTheme => (CTRL_SHIFT, Key::L),
            C::Shortcuts => (Modifiers::NONE, Key::F1),
            C::Explain => (Modifiers::NONE, Key::F2),
            C::HideSetUp => (Modifiers::COMMAND, Key::B),
            C::ZoomIn => (Modifiers::COMMAND, Key::Plus),
            C::ZoomOut => (Modifiers::COMMAND, Key::Minus),
            C::ZoomReset => (Modifiers::COMMAND, Key::Num0),
            C::Quit => (Modifiers::COMMAND, Key::Q),
            C::UndoSetUp => (Modifiers::COMMAND, Key::Z),
            C::Preflight => (CTRL_SHIFT, Key::Enter),
            C::EnlargePane => (Modifiers::NONE, Key::F11),
            C::OpenRecent => (Modifiers::COMMAND, Key::R),
            C::ExportModel => (Modifiers::COMMAND, Key::E),
            C::OpenCheckpoint => (CTRL_SHIFT, Key::M),
            C::Show(pane) => return pane.info().shortcut(),
            C::Resume
            | C::RetrySave
            | C::SaveElsewhere
            | C::StopAndDiscard
            | C::ChangeLearningRate
            | C::Limit(_)
            | C::DuplicateRun
            | C::OpenSample
            | C::CopyCommandLine
            | C::StudyLive
            | C::StudyBest
            | C::OpenImages
            | C::Guide
            | C::About
            | C::ResetLayout => return None,
        };
        Some(KeyboardShortcut::new(modifiers, key))
    }

    /// Whether it can be done now; the error says why not.
    pub fn available(self, run: &RunView) -> Result<(), &'static str> {
        const NO_RUN: &str = "No run is at work";
        const STOPPING: &str = "The run is stopping";
        const BUSY: &str = "A run is at work; stop it first";
        let phase = &run.phase;
        match self {
            C::Start
            | C::Preflight
            | C::OpenRun
            | C::OpenSample
            | C::OpenConfig
            | C::OpenRecent
            | C::UndoSetUp => refuse_if(phase.is_active(), BUSY),
            C::DuplicateRun => {
                refuse_if(phase.is_active(), BUSY)?;
                refuse_if(run.dir.is_none(), "No run is on screen")
            }
            C::StudyLive => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(*phase == RunPhase::Preparing, "The run is still being prepared")
            }
            C::StudyBest => refuse_if(!run.checkpoints.best, "The run on screen has no best.safetensors yet"),
            C::Limit(limit) => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(run.limit == limit, "The run works like this already")
            }
            C::Resume => {
                refuse_if(phase.is_active(), BUSY)?;
                refuse_if(!run.checkpoints.last, "No run folder with a last.safetensors is open")?;
                refuse_if(run.at_work_elsewhere, "Another program trains in this folder")
            }
            C::PauseOrContinue | C::SingleStep | C::SaveNow | C::EvaluateNow | C::ChangeLearningRate => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(*phase == RunPhase::Stopping, STOPPING)?;
                refuse_if(*phase == RunPhase::Preparing, "The run is still being prepared")
            }
            C::RetrySave | C::SaveElsewhere => {
                refuse_if(run.unsaved.is_none(), "No checkpoint waits to be written")
            }
            C::StopAndSave | C::StopAndDiscard => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(*phase == RunPhase::Stopping, STOPPING)
            }
            _ => Ok(()),
        }
    }

    /// What the tooltip says: help, key, and why it is greyed out.
    pub fn tooltip(self, ctx: &egui::Context, run: &RunView) -> String {
        let mut text = self.help().to_owned();
        if let Some(shortcut) = self.shortcut() {
            text += &format!("\nKey: {}", ctx.format_shortcut(&shortcut));
        }
        if let Err(reason) = self.available(run) {
            text += &format!("\nNot now: {reason}");
        }
        text
    }
}

fn refuse_if(refused: bool, reason: &'static str) -> Result<(), &'static str> {
    if refused { Err(reason) } else { Ok(()) }
}

/// The command that opens a model of the run on screen, where there is one.
pub fn opening_model(run: &RunView) -> Option<UiCommand> {
    [C::StudyLive, C::StudyBest].into_iter().find(|command| command.available(run).is_ok())
}

/// Whether `run` can be gone on with after it failed or was stopped.
pub fn can_resume(run: &RunView) -> bool {
    !matches!(run.phase, RunPhase::Ended(Finish::Completed)) && C::Resume.available(run).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key() {
        let keys: Vec<_> = C::all().filter_map(C::shortcut).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key:?} is bound twice");
        }
    }

    #[test]
    fn a_run_at_work_refuses_a_second_one() {
        let mut run = RunView::default();
        assert!(C::Start.available(&run).is_ok());
        assert!(C::SingleStep.available(&run).is_err());
        run.phase = RunPhase::Paused;
        assert!(C::Start.available(&run).is_err());
        assert!(C::SingleStep.available(&run).is_ok());
    }
}
