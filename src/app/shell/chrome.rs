//! The bar above the panes: menus and toolbar.

use crate::app::commands::{self, Menu, UiCommand};
use crate::app::format;
use crate::app::model::run::RunView;
use crate::app::panes::Pane;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::command_button::{ButtonStyle, command_button};
use egui::{Align, Button, Frame, Layout, Margin, RichText, TextStyle, Ui};

/// Width below which the toolbar shows icons alone.
const ROOM_FOR_WORDS: f32 = 960.0;
/// Width to its right from which *Resume* has words: its own, and what stands at the right end.
const ROOM_FOR_RESUME: f32 = 300.0;
/// The longest words that the first button of the toolbar has.
const LONGEST: &str = "Continue";

/// Menus on the left, run buttons in one row. Chosen commands go to `queue`.
pub fn top_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    let frame = Frame::new().inner_margin(Margin::symmetric(8, 5));
    egui::Panel::top("top").frame(frame).show_separator_line(true).show(ui, |ui| {
        ui.horizontal(|ui| {
            for menu in Menu::ALL {
                ui.menu_button(menu.title(), |ui| menu_ui(ui, menu, run, queue));
            }
            ui.separator();
            toolbar_ui(ui, run, queue);
        });
    });
}

fn menu_ui(ui: &mut Ui, menu: Menu, run: &RunView, queue: &mut Vec<UiCommand>) {
    ui.set_min_width(240.0);
    for command in UiCommand::all().filter(|command| command.menu() == menu) {
        let mut button = Button::new(command.text(run));
        if let Some(shortcut) = command.shortcut() {
            button = button.shortcut_text(ui.ctx().format_shortcut(&shortcut));
        }
        let tooltip = command.tooltip(ui.ctx(), run);
        let response = ui.add_enabled(command.available(run).is_ok(), button);
        if response.on_hover_text(&tooltip).on_disabled_hover_text(&tooltip).clicked() {
            queue.push(command);
            ui.close();
        }
    }
}

fn toolbar_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    use UiCommand as C;
    let style = if ui.available_width() < ROOM_FOR_WORDS { ButtonStyle::Small } else { ButtonStyle::Plain };
    if run.phase.is_active() {
        command_button(ui, C::PauseOrContinue, run, queue, ButtonStyle::Primary);
        rest_ui(ui, C::PauseOrContinue.text(run));
    } else {
        command_button(ui, C::Start, run, queue, ButtonStyle::Primary);
        rest_ui(ui, C::Start.text(run));
    }
    command_button(ui, C::SingleStep, run, queue, style);
    ui.separator();
    command_button(ui, C::StopAndSave, run, queue, style);
    command_button(ui, C::StopAndDiscard, run, queue, style);
    ui.separator();
    command_button(ui, C::SaveNow, run, queue, style);
    command_button(ui, C::EvaluateNow, run, queue, style);
    // It comes when a run was stopped: last, so that nothing moves under the pointer that stopped it.
    if !run.phase.is_active() && commands::can_resume(run) {
        ui.separator();
        let style = if ui.available_width() < ROOM_FOR_RESUME { ButtonStyle::Small } else { style };
        command_button(ui, C::Resume, run, queue, style);
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let icon = if ui.visuals().dark_mode { Icon::Sun } else { Icon::Moon };
        let tooltip = C::ToggleTheme.tooltip(ui.ctx(), run);
        let response = ui.add(Button::new(icons::atom(icon, None)).frame_when_inactive(false));
        if response.accessible_name(C::ToggleTheme.text(run)).on_hover_text(tooltip).clicked() {
            queue.push(C::ToggleTheme);
        }
        notifications_ui(ui, run, queue);
    });
}

/// What the first button would take more with the longest of its words: what stands behind it stays where it
/// is while they change.
fn rest_ui(ui: &mut Ui, text: &str) {
    let font = TextStyle::Button.resolve(ui.style());
    let width = |words: &str| {
        let colour = ui.visuals().text_color();
        ui.painter().layout_no_wrap(words.to_owned(), font.clone(), colour).size().x
    };
    ui.add_space((width(LONGEST) - width(text)).max(0.0));
}

/// Warnings and errors that nobody has looked at yet; a click shows them.
fn notifications_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    if run.unseen == 0 {
        return;
    }
    let tokens = Tokens::of(ui);
    let count = RichText::new(run.unseen.to_string()).color(tokens.warning);
    let button = Button::new((icons::atom(Icon::Warning, Some(tokens.warning)), count));
    let name = format::counted(run.unseen as u64, "new warning");
    let help = "Warnings and errors of the run that were not looked at yet. Click to read them in the log";
    if ui.add(button).accessible_name(name).on_hover_text(help).clicked() {
        queue.push(UiCommand::Show(Pane::Log));
    }
}
