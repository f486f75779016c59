//! The command palette: type a part of a name, choose with the arrow keys, Enter runs it.

use crate::app::commands::UiCommand;
use crate::app::model::run::RunView;
use crate::app::theme::tokens::{self, Tokens};
use egui::{Button, Id, Key, Modal, RichText, ScrollArea, TextEdit};

/// An open palette.
#[derive(Debug, Default)]
pub struct Palette {
    typed: String,
    chosen: usize,
}

impl Palette {
    /// Draws it; `false` closes it. The chosen command goes to `queue`.
    pub fn ui(&mut self, ctx: &egui::Context, run: &RunView, queue: &mut Vec<UiCommand>) -> bool {
        let (up, down, enter) = ctx.input_mut(|input| {
            let mut take = |key| input.consume_key(egui::Modifiers::NONE, key);
            (take(Key::ArrowUp), take(Key::ArrowDown), take(Key::Enter))
        });
        let mut picked = None;
        let modal = Modal::new(Id::unique("palette")).frame(crate::app::shell::dialogs::frame(ctx));
        let response = modal.show(ctx, |ui| {
            let tokens = Tokens::of(ui);
            ui.set_width(420.0);
            let edit = TextEdit::singleline(&mut self.typed).hint_text("Type a command");
            let edit = ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Command");
            edit.request_focus();
            if edit.changed() {
                self.chosen = 0;
            }
            // After the text: what was typed and Enter may come in one frame.
            let found = self.found(run);
            let last = found.len().saturating_sub(1);
            self.chosen = match (up, down) {
                (true, _) => self.chosen.saturating_sub(1),
                (_, true) => (self.chosen + 1).min(last),
                _ => self.chosen.min(last),
            };
            picked = found.get(self.chosen).copied().filter(|_| enter);
            ui.add_space(tokens::GAP_SMALL);
            ScrollArea::vertical().max_height(320.0).auto_shrink(false).show(ui, |ui| {
                if found.is_empty() {
                    ui.weak("No command has this name");
                }
                for (index, &command) in found.iter().enumerate() {
                    let available = command.available(run);
                    let colour = if available.is_ok() { tokens.text_strong } else { tokens.text_weak };
                    let text = RichText::new(command.text(run)).color(colour);
                    let mut button = Button::selectable(index == self.chosen, text)
                        .min_size(egui::vec2(ui.available_width(), 26.0));
                    if let Some(shortcut) = command.shortcut() {
                        button = button.shortcut_text(ui.ctx().format_shortcut(&shortcut));
                    } else {
                        button = button.right_text("");
                    }
                    let response = ui.add(button).on_hover_text(command.tooltip(ui.ctx(), run));
                    if index == self.chosen && (up || down) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        picked = Some(command);
                    }
                }
            });
        });
        if let Some(command) = picked {
            queue.push(command);
            return false;
        }
        !response.should_close()
    }

    /// Commands whose name holds all typed words, those that can be done now first.
    fn found(&self, run: &RunView) -> Vec<UiCommand> {
        let typed = self.typed.to_lowercase();
        let matches = |command: &UiCommand| {
            let name = command.text(run).to_lowercase();
            typed.split_whitespace().all(|word| name.contains(word))
        };
        let commands = UiCommand::all().filter(|command| *command != UiCommand::Palette);
        let mut found: Vec<UiCommand> = commands.filter(matches).collect();
        found.sort_by_key(|command| command.available(run).is_err());
        found
    }
}
