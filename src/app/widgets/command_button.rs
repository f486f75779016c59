//! Buttons of commands, which explain themselves, and what a pane offers while it has nothing to show.

use crate::app::commands::UiCommand;
use crate::app::model::run::RunView;
use crate::app::theme::icons;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::work::work_bar;
use egui::{Button, RichText, Ui};

/// How a command's button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonStyle {
    /// Filled with the accent colour.
    Primary,
    Plain,
    /// Without its words, where it has an icon.
    Small,
}

/// A button that puts a command into `queue`; greyed out with the reason while it cannot be done.
pub fn command_button(
    ui: &mut Ui,
    command: UiCommand,
    run: &RunView,
    queue: &mut Vec<UiCommand>,
    style: ButtonStyle,
) {
    let tokens = Tokens::of(ui);
    let text = command.text(run);
    let available = command.available(run);
    let filled = style == ButtonStyle::Primary && available.is_ok();
    let mut label = RichText::new(text);
    if filled {
        label = label.color(tokens.on_accent).strong();
    }
    let mut button = match command.icon(run) {
        Some(icon) if style == ButtonStyle::Small => Button::new(icons::atom(icon, None)),
        Some(icon) => Button::new((icons::atom(icon, filled.then_some(tokens.on_accent)), label)),
        None => Button::new(label),
    };
    if filled {
        button = button.fill(tokens.accent);
    }
    let tooltip = command.tooltip(ui.ctx(), run);
    let response = ui.add_enabled(available.is_ok(), button).accessible_name(text);
    if response.on_hover_text(&tooltip).on_disabled_hover_text(&tooltip).clicked() {
        queue.push(command);
    }
}

/// What a pane shows while it has nothing: what will be here and how to get it.
pub fn empty_ui(
    ui: &mut Ui,
    title: &str,
    text: &str,
    run: &RunView,
    commands: &[UiCommand],
    queue: &mut Vec<UiCommand>,
) {
    let tokens = Tokens::of(ui);
    let offered = commands.iter().copied().filter(|command| command.available(run).is_ok());
    let offered: Vec<UiCommand> = offered.collect();
    // Before the first step, that is what everything waits for.
    let work = run.work.as_ref().filter(|_| run.last_step.is_none());
    let height = 92.0 + 34.0 * (offered.len() + usize::from(work.is_some())) as f32;
    ui.add_space(((ui.available_height() - height) / 2.0).max(tokens::GAP));
    ui.vertical_centered(|ui| {
        ui.set_max_width(420.0);
        ui.label(RichText::new(title).heading().color(tokens.text_strong));
        ui.add_space(tokens::GAP_SMALL);
        ui.label(RichText::new(text).color(tokens.text_weak));
        ui.add_space(tokens::GAP_SMALL);
        if let Some(work) = work {
            work_bar(ui, work, 300.0);
            ui.label(RichText::new(format!("Then: {}", work.next)).small().color(tokens.text_weak));
        }
        for command in offered {
            let style = if command == UiCommand::Start { ButtonStyle::Primary } else { ButtonStyle::Plain };
            command_button(ui, command, run, queue, style);
        }
    });
}
