//! Every command of the window in one enum: menu, toolbar, shortcut, palette, tooltip and the list of keys are
//! all made from it.

use super::icons::Icon;
use super::model::{Phase, RunView};
use crate::training::events::Finish;
use egui::{Key, KeyboardShortcut, Modifiers};

/// The panes, in the order of their menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Pane {
    SetUp,
    Curves,
    Gallery,
    Attention,
    Domains,
    Log,
}

impl Pane {
    pub const ALL: [Self; 6] =
        [Self::SetUp, Self::Curves, Self::Gallery, Self::Attention, Self::Domains, Self::Log];

    pub fn title(self) -> &'static str {
        match self {
            Self::SetUp => "Set-up",
            Self::Curves => "Curves",
            Self::Gallery => "Gallery",
            Self::Attention => "Attention",
            Self::Domains => "BN domains",
            Self::Log => "Log",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::SetUp => "Choose what to train and how",
            Self::Curves => "Training loss and validation accuracy over steps",
            Self::Gallery => "Validation images, their perturbations and the predictions before and after",
            Self::Attention => "Where each domain looks: class activation maps on one scale",
            Self::Domains => "How far the domains' batch-norm statistics lie apart, layer by layer",
            Self::Log => "What the run reported",
        }
    }
}

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
    EvaluateNow,
    OpenRun,
    OpenConfig,
    SaveConfig,
    CopyCommandLine,
    Show(Pane),
    ResetLayout,
    ToggleTheme,
    Palette,
    Shortcuts,
    Quit,
}

/// A group of the menu bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    File,
    Run,
    View,
    Help,
}

impl Menu {
    pub const ALL: [Self; 4] = [Self::File, Self::Run, Self::View, Self::Help];

    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Run => "Run",
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
            C::OpenConfig,
            C::SaveConfig,
            C::Quit,
            C::Start,
            C::Resume,
            C::PauseOrContinue,
            C::SingleStep,
            C::StopAndSave,
            C::StopAndDiscard,
            C::SaveNow,
            C::EvaluateNow,
            C::CopyCommandLine,
        ];
        let last = [C::ResetLayout, C::ToggleTheme, C::Palette, C::Shortcuts];
        first.into_iter().chain(Pane::ALL.map(C::Show)).chain(last)
    }

    pub fn menu(self) -> Menu {
        match self {
            C::OpenRun | C::OpenConfig | C::SaveConfig | C::Quit => Menu::File,
            C::Show(_) | C::ResetLayout | C::ToggleTheme => Menu::View,
            C::Palette | C::Shortcuts => Menu::Help,
            _ => Menu::Run,
        }
    }

    /// The words on the button, in the state of `run`.
    pub fn text(self, run: &RunView) -> &'static str {
        match self {
            C::Start => "Start",
            C::Resume => "Resume from checkpoint",
            C::PauseOrContinue if matches!(run.phase, Phase::Paused | Phase::Pausing) => "Continue",
            C::PauseOrContinue => "Pause",
            C::SingleStep => "Single step",
            C::StopAndSave => "Stop and save",
            C::StopAndDiscard => "Stop and discard…",
            C::SaveNow => "Save now",
            C::EvaluateNow => "Evaluate now",
            C::OpenRun => "Open run folder…",
            C::OpenConfig => "Open configuration…",
            C::SaveConfig => "Save configuration as…",
            C::CopyCommandLine => "Copy as command line",
            C::Show(pane) => pane.title(),
            C::ResetLayout => "Reset layout",
            C::ToggleTheme => "Switch light and dark",
            C::Palette => "Command palette…",
            C::Shortcuts => "Keyboard shortcuts",
            C::Quit => "Quit",
        }
    }

    /// One sentence on what it does.
    pub fn help(self) -> &'static str {
        match self {
            C::Start => "Check the set-up and train with it in a new run folder",
            C::Resume => {
                "Go on from last.safetensors in the run folder, to the same bits as without the break"
            }
            C::PauseOrContinue => {
                "Hold training after the current step, or go on. A paused run keeps its GPU memory"
            }
            C::SingleStep => "Make one optimizer step, then pause",
            C::StopAndSave => {
                "Write last.safetensors after the current step and end the run. It can be resumed"
            }
            C::StopAndDiscard => "End the run without writing. The last checkpoint on disk stays",
            C::SaveNow => "Write last.safetensors after the current step and go on",
            C::EvaluateNow => "Validate all domains, clean and attacked, after the current step",
            C::OpenRun => "Look at the curves of a run folder, finished or not. Needs no GPU",
            C::OpenConfig => "Fill the set-up from a TOML file",
            C::SaveConfig => "Write the set-up to a TOML file that `dualprop train` reads too",
            C::CopyCommandLine => "Copy the command that trains the same without a window",
            C::Show(pane) => pane.purpose(),
            C::ResetLayout => "Put all panes back to their first places",
            C::ToggleTheme => "Change between the light and the dark theme",
            C::Palette => "Find and run any command by name",
            C::Shortcuts => "List all commands with their keys",
            C::Quit => "Close the window; a run at work asks first",
        }
    }

    pub fn icon(self, run: &RunView) -> Option<Icon> {
        Some(match self {
            C::Start | C::Resume => Icon::Play,
            C::PauseOrContinue if matches!(run.phase, Phase::Paused | Phase::Pausing) => Icon::Play,
            C::PauseOrContinue => Icon::Pause,
            C::SingleStep => Icon::Step,
            C::StopAndSave => Icon::Stop,
            C::StopAndDiscard => Icon::Bin,
            C::SaveNow => Icon::Save,
            C::EvaluateNow => Icon::Chart,
            _ => return None,
        })
    }

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
            C::Quit => (Modifiers::COMMAND, Key::Q),
            C::Show(pane) => {
                let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6];
                (Modifiers::COMMAND, keys[pane as usize])
            }
            C::Resume | C::StopAndDiscard | C::CopyCommandLine | C::ResetLayout => return None,
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
            C::Start | C::OpenRun | C::OpenConfig => refuse_if(phase.is_active(), BUSY),
            C::Resume => {
                refuse_if(phase.is_active(), BUSY)?;
                let has_checkpoint =
                    run.dir.as_ref().is_some_and(|dir| dir.join("last.safetensors").is_file());
                refuse_if(!has_checkpoint, "No run folder with a last.safetensors is open")
            }
            C::PauseOrContinue | C::SingleStep | C::SaveNow | C::EvaluateNow => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(*phase == Phase::Stopping, STOPPING)?;
                refuse_if(*phase == Phase::Preparing, "The run is still being prepared")
            }
            C::StopAndSave | C::StopAndDiscard => {
                refuse_if(!phase.is_active(), NO_RUN)?;
                refuse_if(*phase == Phase::Stopping, STOPPING)
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

/// Whether `run` can be gone on with after it failed or was stopped.
pub fn can_resume(run: &RunView) -> bool {
    !matches!(run.phase, Phase::Ended(Finish::Completed)) && C::Resume.available(run).is_ok()
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
        run.phase = Phase::Paused;
        assert!(C::Start.available(&run).is_err());
        assert!(C::SingleStep.available(&run).is_ok());
    }
}
