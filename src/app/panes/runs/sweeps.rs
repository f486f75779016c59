//! The sweeps that the listed runs belong to: how far each is, and its settings with mean and spread over
//! seeds.

use crate::app::format;
use crate::app::model::sweeps::{ListedSweep, SweepGroup};
use crate::app::theme::tokens::{self, Tokens};
use crate::session::sweep::{RunRecord, RunState};
use egui::{CollapsingHeader, Grid, ProgressBar, RichText, ScrollArea, Ui};

/// Height of a pane from which the settings are open at first, points.
const ROOM_FOR_SETTINGS: f32 = 360.0;
/// Height of a sweep's settings, points, before they scroll.
const HEIGHT: f32 = 130.0;

/// Draws all sweeps.
pub(super) fn ui(ui: &mut Ui, sweeps: &[ListedSweep]) {
    for sweep in sweeps {
        let has_room = ui.available_height() > ROOM_FOR_SETTINGS;
        ui.horizontal_wrapped(|ui| standing_ui(ui, sweep));
        let settings = CollapsingHeader::new("Settings over seeds").id_salt(&sweep.dir);
        settings.default_open(has_room).show(ui, |ui| {
            let area = ScrollArea::both().id_salt((&sweep.dir, "settings")).max_height(HEIGHT);
            area.auto_shrink([false, true]).show(ui, |ui| groups_ui(ui, sweep));
        });
    }
}

/// How many runs are in which state.
fn standing_ui(ui: &mut Ui, sweep: &ListedSweep) {
    let tokens = Tokens::of(ui);
    let title = RichText::new(format!("Sweep {}", sweep.name)).strong().color(tokens.text_strong);
    ui.label(title).on_hover_text(sweep.dir.display().to_string());
    let (done, all) = (sweep.count(RunState::Completed), sweep.records.len());
    let text = RichText::new(format!("{done}/{} runs", format::count(all as u64))).small();
    let bar = ProgressBar::new(sweep.share()).desired_width(140.0).desired_height(16.0);
    ui.add(bar.fill(tokens.accent_soft).corner_radius(4).text(text.color(tokens.text_strong)))
        .on_hover_text("Steps done of all steps of the sweep, as it wrote them last");
    let running = sweep.count(RunState::Running);
    let states = [
        (done, "completed", tokens.good),
        (running - sweep.cut_off, "running", tokens.text),
        (sweep.cut_off, "cut off", tokens.warning),
        (sweep.count(RunState::Stopped), "stopped", tokens.warning),
        (sweep.count(RunState::Failed), "failed", tokens.error),
        (sweep.count(RunState::Refused), "refused", tokens.error),
        (sweep.count(RunState::Waiting), "left", tokens.text_weak),
    ];
    for (count, word, colour) in states.into_iter().filter(|(count, ..)| *count > 0) {
        let response =
            ui.label(RichText::new(format!("{} {word}", format::count(count as u64))).color(colour));
        let reasons = reasons(&sweep.records, word);
        if !reasons.is_empty() {
            response.on_hover_text(reasons.join("\n"));
        }
    }
}

/// The runs in the state of that word that have a reason, with it.
fn reasons(records: &[RunRecord], word: &str) -> Vec<String> {
    let of_word = records.iter().filter(|record| record.state.word() == word);
    of_word.filter_map(|record| Some(format!("{}: {}", record.run, record.reason.as_ref()?))).collect()
}

fn groups_ui(ui: &mut Ui, sweep: &ListedSweep) {
    let tokens = Tokens::of(ui);
    let mut lines: Vec<&str> = Vec::new();
    for (line, _) in sweep.groups.iter().flat_map(|group| &group.figures) {
        if !lines.contains(&line.as_str()) {
            lines.push(line);
        }
    }
    Grid::new(("settings", &sweep.dir)).striped(true).spacing([14.0, 4.0]).show(ui, |ui| {
        let weak = |text: &str| RichText::new(text).small().color(tokens.text_weak);
        ui.label(weak("Settings")).on_hover_text("What sets the runs apart, without the seed");
        ui.label(weak("Runs")).on_hover_text("Completed runs of all, each with a seed of its own");
        for line in &lines {
            ui.label(weak(line)).on_hover_text(
                "Top-1 on val at the last validation, percent: mean of the completed runs ± the sample standard \
                 deviation over their seeds",
            );
        }
        ui.end_row();
        for group in &sweep.groups {
            group_ui(ui, group, &lines);
        }
    });
    ui.add_space(tokens::GAP_SMALL);
}

fn group_ui(ui: &mut Ui, group: &SweepGroup, lines: &[&str]) {
    let tokens = Tokens::of(ui);
    ui.label(&group.name);
    ui.label(RichText::new(format!("{}/{}", group.completed, group.runs)).color(tokens.text_weak));
    for line in lines {
        let figure = group.figures.iter().find(|(name, _)| name == line).map(|(_, figure)| figure);
        let text = figure.map_or_else(
            || "–".to_owned(),
            |figure| {
                let spread = figure.spread.map_or_else(String::new, |spread| format!(" ± {spread:.1}"));
                format!("{}{spread}", format::percent(figure.mean))
            },
        );
        let response = ui.label(RichText::new(text).color(tokens.text_strong));
        if let Some(figure) = figure {
            response.on_hover_text(format!("Of {}", format::counted(figure.n as u64, "run")));
        }
    }
    ui.end_row();
}
