//! A row for each condition, a column for each domain: clean, attacked, and every corruption's mean over its
//! severities.

use super::{RobustnessView, baseline};
use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::theme::tokens::{LIGHT, Tokens};
use crate::app::widgets::table::Table;
use crate::evaluation::interval;
use crate::evaluation::robustness::mce::Mce;
use crate::evaluation::robustness::row::Row;
use crate::session::inspect::Robustness;
use egui::{Color32, Grid, RichText, ScrollArea, Ui, vec2};

/// What one condition came to through one domain.
struct Cell {
    /// Share of right images, 0..1.
    top1: f32,
    images: usize,
    /// What the pointer is told.
    help: String,
}

/// A condition, with a cell for each domain.
struct Line {
    name: String,
    help: &'static str,
    colour: Color32,
    cells: Vec<Option<Cell>>,
}

/// Draws the table. While others are `at_work`, nothing is said of the corruptions that are missing.
pub(super) fn ui(ui: &mut Ui, view: &mut RobustnessView, measured: &Robustness, at_work: bool) {
    let tokens = Tokens::of(ui);
    let domains = measured.domains();
    let mce = mean_errors(view, measured);
    if !mce.is_empty() {
        ui.checkbox(&mut view.over_alexnet, "over the errors of AlexNet on ImageNet-C").on_hover_text(
            "Divide each corruption's error by AlexNet's, as the mCE of ImageNet-C does. Says something of models of \
             ImageNet only",
        );
    }
    ScrollArea::horizontal().id_salt("robustness table").show(ui, |ui| {
        Grid::new("robustness").striped(true).spacing(vec2(18.0, 4.0)).show(ui, |ui| {
            let heading = |ui: &mut Ui, text: &str, help: &str| {
                ui.label(RichText::new(text).small().color(tokens.text_weak)).on_hover_text(help);
            };
            heading(ui, "Top-1", "Share of the images whose most probable class is the true one, in percent");
            heading(ui, "Images", "Images that were measured under the condition");
            for domain in &domains {
                heading(ui, domain, "BN domain that the images go through, by running statistics");
            }
            for domain in domains.iter().skip(1) {
                let help = "How far the domain's accuracy is above that of the first, in points of percent";
                heading(ui, &format!("{domain} − {}", domains[0]), help);
            }
            ui.end_row();
            for line in images_lines(tokens, measured, &domains) {
                line_ui(ui, &line);
            }
            mean_error_ui(ui, &mce);
            for line in corruption_lines(tokens, measured, &mce) {
                line_ui(ui, &line);
            }
        });
    });
    for mce in mce.iter().filter(|_| !at_work) {
        let text = format!("{}: {}", mce.domain, mce.summary());
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    }
}

/// The mean corruption errors by domain, over what is chosen.
pub(super) fn mean_errors(view: &RobustnessView, measured: &Robustness) -> Vec<Mce> {
    let baseline = baseline(view);
    measured.mce(baseline.as_ref().map(|(name, errors)| (*name, errors)))
}

/// Clean and attacked images.
fn images_lines(tokens: &Tokens, measured: &Robustness, domains: &[&str]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let of_first = measured.rows.iter().filter(|row| row.domain == domains[0] && row.corruption.is_none());
    for first in of_first {
        let of_domain = |domain: &&str| {
            let same =
                |row: &&Row| row.domain == **domain && row.corruption.is_none() && row.attack == first.attack;
            measured.rows.iter().find(same).map(cell)
        };
        let (name, kind, help) = match &first.attack {
            None => ("clean".to_owned(), DataKind::Clean, "Images as they are"),
            Some(attack) => {
                (attack.clone(), DataKind::Attacked, "Attacked through the domain that is measured")
            }
        };
        let cells = domains.iter().map(of_domain).collect();
        lines.push(Line { name, help, colour: tokens.data(kind), cells });
    }
    lines
}

/// Each corruption that was measured.
fn corruption_lines(tokens: &Tokens, measured: &Robustness, mce: &[Mce]) -> Vec<Line> {
    let colour = tokens.text;
    let mut lines = Vec::new();
    for name in mce.first().into_iter().flat_map(Mce::names) {
        let of_domain = |mce: &Mce| {
            let error = mce.by_corruption.get(name)?.error;
            Some(mean_cell(measured, &mce.domain, name, 1.0 - error as f32))
        };
        let cells = mce.iter().map(of_domain).collect();
        let help = "Mean over the severities that were measured";
        lines.push(Line { name: name.to_owned(), help, colour, cells });
    }
    lines
}

fn cell(row: &Row) -> Cell {
    let help = format!(
        "top-1 {}, top-5 {}, loss {} nats, on {}",
        format::share(row.top1),
        format::share(row.top5),
        format::significant(f64::from(row.loss)),
        format::counted(row.images as u64, "image")
    );
    Cell { top1: row.top1, images: row.images, help }
}

fn mean_cell(measured: &Robustness, domain: &str, corruption: &str, top1: f32) -> Cell {
    let rows = measured.rows.iter();
    let rows = rows.filter(|row| row.domain == domain && row.corruption.as_deref() == Some(corruption));
    let mut images = 0;
    let severities: Vec<String> = rows
        .map(|row| {
            images = images.max(row.images);
            format!("severity {}: {}", row.severity.unwrap_or(0), format::share(row.top1))
        })
        .collect();
    let help = format!(
        "Mean of {}. The interval is that of a single severity: all are of the same images",
        severities.join(", ")
    );
    Cell { top1, images, help }
}

fn line_ui(ui: &mut Ui, line: &Line) {
    let tokens = Tokens::of(ui);
    ui.label(RichText::new(&line.name).color(line.colour)).on_hover_text(line.help);
    let images = line.cells.iter().flatten().map(|cell| cell.images).max().unwrap_or(0);
    ui.label(RichText::new(format::count(images as u64)).color(tokens.text_weak));
    for cell in &line.cells {
        match cell {
            Some(cell) => {
                let trust = interval::words(cell.top1, cell.images);
                let text = format!("{}{trust}", format::share(cell.top1));
                ui.label(RichText::new(text).color(tokens.text_strong)).on_hover_text(&cell.help);
            }
            None => drop(ui.label("–")),
        }
    }
    let first = line.cells.first().and_then(Option::as_ref);
    for cell in line.cells.iter().skip(1) {
        let gap = first.zip(cell.as_ref()).map(|(first, cell)| 100.0 * (cell.top1 - first.top1));
        ui.label(RichText::new(gap.map_or_else(|| "–".to_owned(), signed)).color(tokens.text));
    }
    ui.end_row();
}

/// The mean corruption error, by the name of what it is divided by.
fn mean_error_ui(ui: &mut Ui, mce: &[Mce]) {
    let Some(first) = mce.first() else { return };
    let tokens = Tokens::of(ui);
    let name = match (&first.normalised_by, first.missing.is_empty()) {
        (Some(baseline), true) => format!("mCE over {baseline}"),
        (Some(baseline), false) => format!("mean over {baseline} of what was measured"),
        (None, true) => "mean corruption error".to_owned(),
        (None, false) => "mean error of what was measured".to_owned(),
    };
    let help = "Of the 15 main corruptions; below it is said over what";
    ui.label(RichText::new(name).strong().color(tokens.text_strong)).on_hover_text(help);
    ui.label("");
    let figure = |mce: &Mce| mce.value.or(mce.mean_of_measured);
    for mce in mce {
        let of_value = |value| match mce.normalised_by {
            Some(_) => format!("{value:.1}"),
            None => format::percent(value),
        };
        let text = figure(mce).map_or_else(|| "–".to_owned(), of_value);
        ui.label(RichText::new(text).strong().color(tokens.text_strong)).on_hover_text(mce.summary());
    }
    for mce in mce.iter().skip(1) {
        let gap = figure(mce).zip(figure(first)).map(|(one, first)| (one - first) as f32);
        ui.label(RichText::new(gap.map_or_else(|| "–".to_owned(), signed)).color(tokens.text));
    }
    ui.end_row();
}

/// With a sign, and a real minus.
fn signed(points: f32) -> String {
    format!("{points:+.1}").replace('-', "−")
}

/// The table as it is on screen, for people: a row a condition, a column a domain.
pub(super) fn readable(view: &RobustnessView, measured: &Robustness) -> Table {
    let domains = measured.domains();
    let mce = mean_errors(view, measured);
    let headings = ["Top-1 (%)", "images"].into_iter().chain(domains.iter().copied());
    let mut table = Table::new(headings);
    let images = images_lines(&LIGHT, measured, &domains);
    for line in images.iter().chain(&corruption_lines(&LIGHT, measured, &mce)) {
        let images = line.cells.iter().flatten().map(|cell| cell.images).max().unwrap_or(0);
        let cells = line.cells.iter().map(|cell| match cell {
            Some(cell) => format!("{}{}", format::share(cell.top1), interval::words(cell.top1, cell.images)),
            None => "–".to_owned(),
        });
        table.row([line.name.clone(), images.to_string()].into_iter().chain(cells));
    }
    table
}

/// All rows, as they were measured.
pub(super) fn of_rows(rows: &[Row]) -> Table {
    let headings = [
        "data",
        "split",
        "domain",
        "statistics",
        "attack",
        "corruption",
        "severity",
        "images",
        "left out",
        "loss (nats)",
        "top-1 (%)",
        "top-5 (%)",
    ];
    let mut table = Table::new(headings);
    for row in rows {
        table.row([
            row.data.clone(),
            row.split.clone(),
            row.domain.clone(),
            row.statistics.clone(),
            row.attack.clone().unwrap_or_default(),
            row.corruption.clone().unwrap_or_default(),
            row.severity.map(|severity| severity.to_string()).unwrap_or_default(),
            row.images.to_string(),
            row.left_out.to_string(),
            row.loss.to_string(),
            (100.0 * row.top1).to_string(),
            (100.0 * row.top5).to_string(),
        ]);
    }
    table
}
