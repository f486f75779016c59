//! The plot of the chosen runs: each a line, or those that differ in their seed alone as their mean with the
//! span between the lowest and the highest.

use super::RunsView;
use super::figure::Words;
use crate::app::format;
use crate::app::model::kinds::{DataKind, LineKey, StepAxis};
use crate::app::model::run::RunView;
use crate::app::model::runs::{ListedRun, Runs, Spread, spread};
use crate::app::model::series::Series;
use crate::app::panes::Shared;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::axis::{axis_ui, line_name, placed};
use crate::app::widgets::export::Menu;
use crate::app::widgets::legend::run_entry;
use crate::app::widgets::plots::{percent_y, plot};
use crate::app::widgets::table::Table;
use egui::{ComboBox, ScrollArea, Ui};
use egui_plot::{FilledArea, HoverPosition, Line, PlotPoint, PlotPoints, Points};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Points of a group's line at most.
const DRAWN_POINTS: usize = 1600;
/// Height of the names of the lines, points, before they scroll.
const LEGEND_HEIGHT: f32 = 66.0;
/// Share of the room below the controls that they take at most.
const LEGEND_SHARE: f32 = 0.25;

/// A line to draw: one run, or several that differ in their seed alone.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) name: String,
    dirs: Vec<PathBuf>,
    pub(super) runs: usize,
    /// The attack behind its figures, if they are of attacked images.
    pub(super) attack: Option<String>,
    /// Over steps, for the table; low and high are the mean's own for a single run.
    spread: Vec<Spread>,
    pub(super) points: Vec<PlotPoint>,
    /// Places, lowest and highest values of a group.
    pub(super) band: [Vec<f64>; 3],
}

/// All that decides the lines.
type Key = (u64, BTreeSet<PathBuf>, (bool, String, usize, bool, StepAxis, bool));

/// The lines, made again only when something that decides them changes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    made_for: Option<Key>,
    pub(super) lines: Vec<Drawn>,
}

impl Lines {
    /// The number of the line that a run is drawn as, which gives its look, and whether it is one point
    /// alone.
    pub(super) fn of_run(&self, dir: &Path) -> Option<(usize, bool)> {
        let index = self.lines.iter().position(|line| line.dirs.iter().any(|known| known == dir))?;
        Some((index, self.lines[index].points.len() == 1))
    }
}

impl RunsView {
    fn series<'a>(&self, run: &'a RunView) -> Option<&'a Series> {
        let data = if self.attacked { DataKind::Attacked } else { DataKind::Clean };
        if self.loss {
            let mut lines = run.loss.iter();
            return lines
                .find(|(key, _)| key.domain == self.domain && key.data() == data)
                .map(|(_, line)| line);
        }
        run.accuracy.get(&self.split)?.get(&LineKey::of_validation(self.domain, self.attacked))
    }

    fn unit(&self) -> &'static str {
        if self.loss { "nats" } else { "%" }
    }

    /// The title of the vertical axis.
    pub(super) fn quantity(&self) -> &'static str {
        if self.loss { "Training loss (nats)" } else { "Top-1 accuracy (%)" }
    }

    /// Brings the lines up to date.
    pub(super) fn refresh(&mut self, runs: &Runs, listed: &[Arc<ListedRun>]) {
        let chosen = (self.loss, self.split.clone(), self.domain, self.attacked, self.axis, self.grouped);
        let wanted = Some((runs.generation, runs.chosen.clone(), chosen));
        if self.drawn.made_for != wanted {
            self.drawn.lines = self.lines(runs, listed);
            self.drawn.made_for = wanted;
        }
    }

    fn lines(&self, runs: &Runs, listed: &[Arc<ListedRun>]) -> Vec<Drawn> {
        let mut groups: BTreeMap<String, Vec<&ListedRun>> = BTreeMap::new();
        for run in listed.iter().filter(|run| runs.chosen.contains(&run.dir)) {
            let key = if self.grouped { run.group.clone() } else { run.dir.display().to_string() };
            groups.entry(key).or_default().push(run);
        }
        let alone = |runs: &[&ListedRun]| runs.iter().filter_map(|run| self.line(&[run])).collect::<Vec<_>>();
        let of_group = |runs: Vec<&ListedRun>| {
            let seeds: BTreeSet<Option<u64>> = runs.iter().map(|run| run.seed).collect();
            // One run twice has no spread over seeds, and runs without a common step have no mean.
            let mean = (seeds.len() == runs.len()).then(|| self.line(&runs)).flatten();
            mean.filter(|line| !line.spread.is_empty()).map_or_else(|| alone(&runs), |line| vec![line])
        };
        groups.into_values().flat_map(of_group).collect()
    }

    /// `None` where no run has the wanted figures.
    fn line(&self, runs: &[&ListedRun]) -> Option<Drawn> {
        let first = runs.first()?;
        let series: Vec<&Series> = runs.iter().filter_map(|run| self.series(&run.run)).collect();
        let lines: Vec<&[(u64, f64)]> = series.iter().map(|series| series.points()).collect();
        let spread = spread(&lines);
        let place = |step: u64| first.run.place(self.axis, step as f64);
        let stride = spread.len().div_ceil(DRAWN_POINTS).max(1);
        let thinned: Vec<&Spread> = spread.iter().step_by(stride).collect();
        let (points, band) = if series.len() > 1 {
            let points = thinned.iter().map(|at| PlotPoint::new(place(at.step), at.mean)).collect();
            let of = |value: fn(&Spread) -> f64| thinned.iter().map(|at| value(at)).collect::<Vec<f64>>();
            let xs = thinned.iter().map(|at| place(at.step)).collect();
            (points, [xs, of(|at| at.low), of(|at| at.high)])
        } else {
            (placed(&first.run, self.axis, series.first()?.raw(false)), [const { Vec::new() }; 3])
        };
        let names: Vec<String> = runs.iter().map(|run| run.label()).collect();
        let attack = first.attack().filter(|_| self.attacked && !self.loss);
        let attack = attack.map(|spec| format::attack(spec).to_owned());
        let dirs = runs.iter().map(|run| run.dir.clone()).collect();
        Some(Drawn { name: names.join(", "), dirs, runs: series.len(), attack, spread, points, band })
    }
}

/// Draws the plot and what is chosen for it.
pub(super) fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView, listed: &[Arc<ListedRun>]) {
    ui.horizontal_wrapped(|ui| {
        quantity_ui(ui, view, listed);
        axis_ui(ui, &mut view.axis);
        ui.checkbox(&mut view.grouped, "Group seeds").on_hover_text(
            "Runs whose configurations differ in seed and name alone as their mean, with the span between the lowest \
             and the highest",
        );
        let widest = listed.iter().max_by_key(|run| run.run.domains.len());
        let (figure, table) =
            (|| view.figure(widest.map(AsRef::as_ref)), || table(&view.drawn.lines, view.unit()));
        Menu::new("Compared runs").figure(&figure).table(&table).ui(ui, shared.exports);
    });
    let lines = &view.drawn.lines;
    if lines.is_empty() {
        ui.add_space(tokens::GAP);
        ui.weak("Choose runs in the table to draw them.");
        return;
    }
    let tokens = Tokens::of(ui);
    let most = LEGEND_HEIGHT.min(LEGEND_SHARE * ui.available_height());
    let names = ScrollArea::vertical().id_salt("names of lines").min_scrolled_height(0.0).max_height(most);
    names.show(ui, |ui| {
        // Rows of names stand as close as lines of small text.
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.horizontal_wrapped(|ui| {
            for (index, line) in lines.iter().enumerate() {
                let last = line.spread.last().map_or(f64::NAN, |at| at.mean);
                let figure = if view.loss {
                    format!("{} nats", format::significant(last))
                } else {
                    format::percent(last)
                };
                let Words { of, under } = line.words();
                let look = tokens.run(index);
                let is_point = line.points.len() == 1;
                run_entry(ui, (look, is_point), &format!("{}{of}{under}", line.name), &figure);
            }
        });
    });
    let unit = view.unit();
    let hover = |hover: &HoverPosition<'_>| {
        let HoverPosition::NearDataPoint { plot_name, position, .. } = hover else { return None };
        Some(format!(
            "{plot_name}\n{} {}: {} {unit}",
            format::significant(position.x),
            view.axis.name(),
            format::significant(position.y)
        ))
    };
    let titles = [view.axis.title(), view.quantity()];
    let plot = plot("runs", ui.available_height(), titles, tokens).label_formatter(hover);
    let plot = if view.loss { plot } else { percent_y(plot) };
    let response = plot.show(ui, |plot| {
        for (index, line) in lines.iter().enumerate() {
            let look = tokens.run(index);
            let colour = look.colour;
            if line.runs > 1 {
                let [xs, low, high] = &line.band;
                let band = FilledArea::new(format!("{} span", line.name), xs, low, high);
                plot.add(band.fill_color(colour.gamma_multiply(0.18)).allow_hover(false));
            }
            if let [only] = line.points[..] {
                let point = Points::new(line.name.clone(), PlotPoints::Owned(vec![only]));
                plot.points(point.color(colour).shape(look.marker()).radius(3.5));
            }
            let curve = Line::new(line.name.clone(), PlotPoints::Borrowed(&line.points)).color(colour);
            plot.line(curve.width(tokens::LINE_WIDTH).style(look.dash()));
        }
    });
    response.response.accessible_name("Compared runs plot");
}

/// Which quantity of which line.
fn quantity_ui(ui: &mut Ui, view: &mut RunsView, listed: &[Arc<ListedRun>]) {
    let splits: BTreeSet<&String> = listed.iter().flat_map(|run| &run.run.splits).collect();
    let shown = if view.loss { "training loss".to_owned() } else { format!("accuracy on {}", view.split) };
    let combo = ComboBox::from_id_salt("quantity").selected_text(shown).width(150.0);
    let response = combo.show_ui(ui, |ui| {
        for split in splits {
            let chosen = !view.loss && view.split == *split;
            if ui.selectable_label(chosen, format!("accuracy on {split}")).clicked() {
                (view.loss, view.split) = (false, split.clone());
            }
        }
        ui.selectable_value(&mut view.loss, true, "training loss");
    });
    response.response.accessible_name("Compared quantity").on_hover_text(
        "Top-1 accuracy of a validation set, percent of its images; or the mean training loss of a branch, nats",
    );
    let widest = listed.iter().max_by_key(|run| run.run.domains.len());
    let Some(run) = widest.map(|run| &run.run) else { return };
    let line = |domain, attacked| line_name(run, &LineKey::of_validation(domain, attacked));
    let combo = ComboBox::from_id_salt("compared line").width(110.0);
    let response = combo.selected_text(line(view.domain, view.attacked)).show_ui(ui, |ui| {
        for domain in 0..run.domains.len() {
            for attacked in [false, true] {
                let chosen = (view.domain, view.attacked) == (domain, attacked);
                if ui.selectable_label(chosen, line(domain, attacked)).clicked() {
                    (view.domain, view.attacked) = (domain, attacked);
                }
            }
        }
    });
    response.response.accessible_name("Compared line").on_hover_text("BN domain and kind of images");
}

fn table(lines: &[Drawn], unit: &str) -> Table {
    let mut table = Table::new([
        "runs".to_owned(),
        "step".to_owned(),
        format!("mean ({unit})"),
        "low".into(),
        "high".into(),
    ]);
    for line in lines {
        for at in &line.spread {
            let figures = [at.mean, at.low, at.high].map(|value| value.to_string());
            table.row([line.name.clone(), at.step.to_string()].into_iter().chain(figures));
        }
    }
    table
}
