//! Log: what the run reported, newest last, with a filter by level.

use super::Shared;
use crate::app::model::kinds::{Level, LogLine};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::empty_ui;
use egui::{RichText, ScrollArea, TextStyle, TextWrapMode, Ui};

/// Where a time would stand.
const NO_TIME: &str = "        ";

/// Which lines are shown.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LogView {
    pub info: bool,
    pub warnings: bool,
    pub errors: bool,
}

impl Default for LogView {
    fn default() -> Self {
        Self { info: true, warnings: true, errors: true }
    }
}

impl LogView {
    fn shows(&self, level: Level) -> bool {
        match level {
            Level::Info => self.info,
            Level::Warning => self.warnings,
            Level::Error => self.errors,
        }
    }
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut LogView) {
    let run = shared.run;
    if run.log.is_empty() {
        let text = "Messages of the run appear here: what was saved, what was skipped, what went wrong.";
        empty_ui(ui, "Nothing to report", text, run, &[], shared.queue);
        return;
    }
    let lines: Vec<&LogLine> = run.log.iter().filter(|line| view.shows(line.level)).collect();
    ui.horizontal_wrapped(|ui| {
        let count = |level| run.log.iter().filter(|line| line.level == level).count();
        ui.checkbox(&mut view.info, format!("Info {}", count(Level::Info)));
        ui.checkbox(&mut view.warnings, format!("Warnings {}", count(Level::Warning)));
        ui.checkbox(&mut view.errors, format!("Errors {}", count(Level::Error)));
        if ui.button("Copy").on_hover_text("Copy the shown lines to the clipboard").clicked() {
            let text: Vec<String> = lines.iter().map(|line| plain(line)).collect();
            ui.ctx().copy_text(text.join("\n"));
        }
    });
    ui.add_space(tokens::GAP_SMALL);
    let tokens = Tokens::of(ui);
    ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).show(ui, |ui| {
        ui.style_mut().wrap_mode = Some(TextWrapMode::Wrap);
        let mut day = None;
        for line in lines {
            let (mark, colour) = match line.level {
                Level::Info => (None, tokens.text),
                Level::Warning => (Some((Icon::Warning, "warning")), tokens.warning),
                Level::Error => (Some((Icon::Cross, "error")), tokens.error),
            };
            let [date, time] = line.date_and_time().unwrap_or(["", NO_TIME]);
            if day.replace(date) != Some(date) && !date.is_empty() {
                ui.label(RichText::new(date).small().color(tokens.text_weak))
                    .on_hover_text("The day, in UTC");
            }
            ui.horizontal_top(|ui| {
                let weak =
                    |text: &str| RichText::new(text).text_style(TextStyle::Monospace).color(tokens.text_weak);
                ui.label(weak(time)).on_hover_text("When it was written, in UTC");
                let step = line.step.map_or_else(String::new, |step| step.to_string());
                ui.label(weak(&format!("{step:>6}"))).on_hover_text(
                    "Finished steps when it was written; lines that come from the run folder's log have none",
                );
                if let Some((icon, meaning)) = mark {
                    icons::show(ui, icon, colour, meaning);
                }
                ui.label(RichText::new(&line.text).color(colour));
            });
        }
    });
}

fn plain(line: &LogLine) -> String {
    let level = match line.level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let time = if line.time.is_empty() { String::new() } else { format!("{} ", line.time) };
    let step = line.step.map_or_else(String::new, |step| format!("step {step} "));
    format!("{time}{step}{level}: {}", line.text)
}
