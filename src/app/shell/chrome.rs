//! The bars above the panes: menus and toolbar, and below them what needs an answer: notices, a failure, an
//! unfinished run.

use crate::app::commands::{self, Menu, UiCommand};
use crate::app::model::run::RunView;
use crate::app::panes::Pane;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::command_button::{ButtonStyle, command_button};
use egui::{Align, Button, Frame, Layout, Margin, RichText, Ui};
use std::path::Path;

/// Width below which the toolbar shows icons alone.
const ROOM_FOR_WORDS: f32 = 960.0;

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
    } else {
        command_button(ui, C::Start, run, queue, ButtonStyle::Primary);
        if commands::can_resume(run) {
            command_button(ui, C::Resume, run, queue, ButtonStyle::Plain);
        }
    }
    command_button(ui, C::SingleStep, run, queue, style);
    ui.separator();
    command_button(ui, C::StopAndSave, run, queue, style);
    command_button(ui, C::StopAndDiscard, run, queue, style);
    ui.separator();
    command_button(ui, C::SaveNow, run, queue, style);
    command_button(ui, C::EvaluateNow, run, queue, style);
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

/// Warnings and errors that nobody has looked at yet; a click shows them.
fn notifications_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    if run.unseen == 0 {
        return;
    }
    let tokens = Tokens::of(ui);
    let count = RichText::new(run.unseen.to_string()).color(tokens.warning);
    let button = Button::new((icons::atom(Icon::Warning, Some(tokens.warning)), count));
    let name = format!("{} new warnings", run.unseen);
    let help = "Warnings and errors of the run that were not looked at yet. Click to read them in the log";
    if ui.add(button).accessible_name(name).on_hover_text(help).clicked() {
        queue.push(UiCommand::Show(Pane::Log));
    }
}

/// How long a notice of something done stays, seconds.
const TOAST_SECONDS: f64 = 8.0;

/// A sentence of the window's own, such as why Start refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Done(String),
    Refused(String),
}

/// The notice, until it is dismissed, and how a run failed, with the next thing to do.
pub fn banners_ui(ui: &mut Ui, run: &RunView, notice: &mut Option<Notice>, queue: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let dismissed = match notice {
        None => false,
        Some(Notice::Done(text)) => toast_ui(ui, text),
        Some(Notice::Refused(text)) => {
            let frame = Frame::new().fill(tokens.warning_soft).inner_margin(Margin::symmetric(12, 6));
            let shown = egui::Panel::top("notice").frame(frame).show(ui, |ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let dismissed = ui.button("Dismiss").clicked();
                    ui.with_layout(Layout::left_to_right(Align::Center).with_main_wrap(true), |ui| {
                        icons::show(ui, Icon::Warning, tokens.warning, "notice");
                        ui.label(RichText::new(&*text).color(tokens.text_strong));
                    });
                    dismissed
                })
                .inner
            });
            shown.inner
        }
    };
    if dismissed {
        *notice = None;
    }
    failure_ui(ui, run, queue);
    unsaved_ui(ui, run, queue);
}

/// A checkpoint that could not be written, and how the run may go on.
fn unsaved_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let Some(reason) = &run.unsaved else { return };
    let frame = Frame::new().fill(tokens.error_soft).inner_margin(Margin::symmetric(12, 8));
    egui::Panel::top("unsaved").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            icons::show(ui, Icon::Warning, tokens.error, "failure");
            ui.label(RichText::new("The run waits with its weights").color(tokens.error).strong());
            ui.label(RichText::new(reason).color(tokens.text_strong));
        });
        ui.horizontal(|ui| {
            command_button(ui, UiCommand::RetrySave, run, queue, ButtonStyle::Primary);
            command_button(ui, UiCommand::SaveElsewhere, run, queue, ButtonStyle::Plain);
            command_button(ui, UiCommand::StopAndDiscard, run, queue, ButtonStyle::Plain);
        });
    });
}

/// Good news over the lower right corner, where it moves nothing, for some seconds; true when it is to go.
fn toast_ui(ui: &Ui, text: &str) -> bool {
    let tokens = Tokens::of(ui);
    let (ctx, id) = (ui.ctx(), egui::Id::unique(("notice", text)));
    let now = ctx.input(|input| input.time);
    let since = ctx.data_mut(|data| *data.get_temp_mut_or(id, now));
    let frame = Frame::popup(ui.style()).fill(tokens.accent_soft).inner_margin(Margin::symmetric(12, 6));
    let corner = egui::vec2(-12.0, -40.0);
    let shown = egui::Area::new(egui::Id::unique("toast")).anchor(egui::Align2::RIGHT_BOTTOM, corner).show(
        ctx,
        |ui| {
            let row = frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    icons::show(ui, Icon::Check, tokens.text_strong, "notice");
                    ui.label(RichText::new(text).color(tokens.text_strong));
                    ui.button("Dismiss").clicked()
                })
            });
            row.inner.inner
        },
    );
    let over = shown.inner || now - since > TOAST_SECONDS;
    if over {
        ctx.data_mut(|data| data.remove_temp::<f64>(id));
    } else {
        ctx.request_repaint_after(std::time::Duration::from_secs(1));
    }
    over
}

/// Offers to go on with the run in `dir`; true: go on, false: leave it.
pub fn unfinished_ui(ui: &mut Ui, dir: &Path) -> Option<bool> {
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.warning_soft).inner_margin(Margin::symmetric(12, 8));
    let mut answer = None;
    egui::Panel::top("unfinished").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            icons::show(ui, Icon::Warning, tokens.warning, "notice");
            let text = format!("The run in {} was cut off before its end.", dir.display());
            ui.label(RichText::new(text).color(tokens.text_strong));
            let help = "Go on from its last checkpoint, to the same bits as without the break";
            if ui.button("Continue the run").on_hover_text(help).clicked() {
                answer = Some(true);
            }
            if ui.button("Not now").on_hover_text("It stays as it is and can be opened later").clicked() {
                answer = Some(false);
            }
        });
    });
    answer
}

fn failure_ui(ui: &mut Ui, run: &RunView, queue: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let Some(sentence) = run.failure() else { return };
    let frame = Frame::new().fill(tokens.error_soft).inner_margin(Margin::symmetric(12, 8));
    egui::Panel::top("failure").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            icons::show(ui, Icon::Warning, tokens.error, "failure");
            ui.label(RichText::new("Training failed").color(tokens.error).strong());
            ui.label(RichText::new(sentence).color(tokens.text_strong));
        });
        ui.horizontal(|ui| {
            if commands::can_resume(run) {
                command_button(ui, UiCommand::Resume, run, queue, ButtonStyle::Primary);
            } else {
                ui.label(
                    RichText::new("Nothing was saved yet; change the set-up and start again")
                        .color(tokens.text),
                );
            }
            if ui.button("Show log").clicked() {
                queue.push(UiCommand::Show(Pane::Log));
            }
        });
    });
}
