//! The sweeps that the listed runs belong to: how far each is, and its settings with mean and spread over
//! seeds.

use crate::app::format;
use crate::app::model::sweeps::{ListedSweep, SweepGroup};
use crate::app::theme::tokens::{self, Tokens};
use crate::session::sweep::{RunRecord, RunState};
use egui::collapsing_header::CollapsingState;
use egui::{Button, Grid, ProgressBar, RichText, ScrollArea, Ui};

/// Share of the pane that the sweeps take at most, before they scroll: the table has the rest.
const MOST: f32 = 0.4;

/// Draws all sweeps, each a line that opens its settings.
pub(super) fn ui(ui: &mut Ui, sweeps: &[ListedSweep]) {
    if sweeps.is_empty() {
        return;
    }
    let most = MOST * ui.available_height();
    let area = ScrollArea::both().id_salt("sweeps").auto_shrink([false, true]).max_height(most);
    area.show(ui, |ui| {
        for sweep in sweeps {
            let id = ui.make_persistent_id(("sweep", &sweep.dir));
            let mut settings = CollapsingState::load_with_default_open(ui.ctx(), id, false);
            ui.horizontal(|ui| standing_ui(ui, sweep, &mut settings));
            settings.show_body_unindented(ui, |ui| groups_ui(ui, sweep));
        }
    });
}

/// The name, which shows and hides the settings, and how many runs are in which state.
fn standing_ui(ui: &mut Ui, sweep: &ListedSweep, settings: &mut CollapsingState) {
    let tokens = Tokens::of(ui);
    let (mark, verb) = if settings.is_open() { ("▾", "hide") } else { ("▸", "show") };
    let title = RichText::new(format!("{mark} Sweep {}", sweep.name)).color(tokens.text_strong);
    let name = format!("Sweep {}, {verb} settings over seeds", sweep.name);
    let help =
        format!("{}\nClick to {verb} its settings with mean and spread over seeds", sweep.dir.display());
    let response = ui.add(Button::new(title).frame(false)).accessible_name(name).on_hover_text(help);
    if response.clicked() {
        settings.toggle(ui);
    }
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
    Grid::new(("settings", &sweep.dir)).striped(true).min_row_height(18.0).spacing([14.0, 4.0]).show(ui, |ui| {
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
