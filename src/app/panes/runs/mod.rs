//! Runs: any number of run folders side by side, in a table and in one plot. Runs that differ in their seed
//! alone are drawn as their mean with the span between the lowest and the highest. Sweeps that they belong to
//! stand above them.

mod sweeps;

use super::Shared;
use crate::app::commands::UiCommand;
use crate::app::format;
use crate::app::model::kinds::{DataKind, LineKey, MAIN_SPLIT, StepAxis};
use crate::app::model::run::RunView;
use crate::app::model::runs::{ListedRun, Runs, Spread, spread};
use crate::app::model::series::Series;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::axis::{axis_ui, line_name, placed};
use crate::app::widgets::command_button::empty_ui;
use crate::app::widgets::export::{self, Table};
use crate::app::widgets::plots::plot;
use egui::{ComboBox, Grid, RichText, ScrollArea, Ui, vec2};
use egui_plot::{FilledArea, HoverPosition, Line, PlotPoint, PlotPoints, Points};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Width from which the table stands beside the plot.
const ROOM_FOR_TWO: f32 = 760.0;
const TABLE_WIDTH: f32 = 440.0;
/// Points of a group's line at most.
const DRAWN_POINTS: usize = 1600;

/// What is drawn of the runs.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RunsView {
    /// The training loss instead of an accuracy.
    pub loss: bool,
    pub split: String,
    pub domain: usize,
    pub attacked: bool,
    pub axis: StepAxis,
    /// Runs that differ in their seed alone as one line.
    pub grouped: bool,
    #[serde(skip)]
    drawn: Lines,
}

impl Default for RunsView {
    fn default() -> Self {
        Self {
            loss: false,
            split: MAIN_SPLIT.to_owned(),
            domain: 0,
            attacked: false,
            axis: StepAxis::Step,
            grouped: true,
            drawn: Lines::default(),
        }
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
}

/// What the pane asks of the window.
#[derive(Clone, Debug, PartialEq)]
pub enum RunsRequest {
    Search,
    Open(PathBuf),
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView) {
    let request = contents_ui(ui, shared, view);
    *shared.runs_request = request;
}

fn contents_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView) -> Option<RunsRequest> {
    let mut request = None;
    let Some(listed) = shared.runs.listed.clone() else {
        if !shared.runs.searching {
            request = Some(RunsRequest::Search);
        }
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label("Looking for run folders…");
        });
        return request;
    };
    let sweeps = shared.runs.sweeps.clone();
    sweeps::ui(ui, &sweeps);
    if listed.is_empty() {
        let text = "Every run folder beside the one on screen and among the recent ones can be compared here. None \
                    was found yet.";
        let commands = [UiCommand::OpenRun];
        empty_ui(ui, "No runs yet", text, shared.run, &commands, shared.queue);
        ui.vertical_centered(|ui| {
            if ui.button("Search again").clicked() {
                request = Some(RunsRequest::Search);
            }
        });
        return request;
    }
    if ui.available_width() > ROOM_FOR_TWO {
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(TABLE_WIDTH);
                request = table_ui(ui, shared.runs, &listed);
            });
            ui.vertical(|ui| {
                ui.set_width(ui.available_width());
                plot_ui(ui, shared, view, &listed);
            });
        });
    } else {
        let height = ui.available_height();
        ui.allocate_ui(vec2(ui.available_width(), 0.45 * height), |ui| {
            request = table_ui(ui, shared.runs, &listed);
        });
        plot_ui(ui, shared, view, &listed);
    }
    request
}

fn table_ui(ui: &mut Ui, runs: &mut Runs, listed: &[ListedRun]) -> Option<RunsRequest> {
    let mut request = None;
    ui.horizontal(|ui| {
        ui.label(RichText::new(format::counted(listed.len() as u64, "run")).strong());
        let help = "Read the run folders again";
        if ui.add_enabled(!runs.searching, egui::Button::new("Search again")).on_hover_text(help).clicked() {
            request = Some(RunsRequest::Search);
        }
        if ui.button("None").on_hover_text("Take all runs out of the plot").clicked() {
            runs.chosen.clear();
        }
    });
    let tokens = Tokens::of(ui);
    ScrollArea::both().id_salt("runs table").auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("runs").num_columns(6).spacing([12.0, 4.0]).striped(true).show(ui, |ui| {
            for (name, help) in [
                ("Run", "Folder; tick it to draw it"),
                ("Method", "Training method"),
                ("Seed", "Seed of weights, order and augmentation"),
                ("Steps", "Finished optimizer steps"),
                ("Clean", "Highest top-1 of main on val, percent"),
                ("Attacked", "Highest top-1 of main on val under the attack that is named, percent"),
            ] {
                ui.label(RichText::new(name).small().color(tokens.text_weak)).on_hover_text(help);
            }
            ui.end_row();
            for run in listed {
                if let Some(asked) = row_ui(ui, runs, run) {
                    request = Some(asked);
                }
            }
        });
    });
    request
}

fn row_ui(ui: &mut Ui, runs: &mut Runs, run: &ListedRun) -> Option<RunsRequest> {
    let mut request = None;
    let mut on = runs.chosen.contains(&run.dir);
    ui.horizontal(|ui| {
        let response = ui.checkbox(&mut on, "").on_hover_text("Draw this run");
        if response.accessible_name(format!("Compare {}", run.name)).changed() {
            if on {
                runs.chosen.insert(run.dir.clone());
            } else {
                runs.chosen.remove(&run.dir);
            }
        }
        let help = format!("{}\n{}\nClick to open it", run.dir.display(), run.arch);
        if ui.link(&run.name).on_hover_text(help).clicked() {
            request = Some(RunsRequest::Open(run.dir.clone()));
        }
    });
    ui.label(&run.method);
    ui.label(run.seed.map_or_else(|| "–".to_owned(), |seed| seed.to_string()));
    ui.label(run.run.last_step.as_ref().map_or_else(|| "–".to_owned(), |step| format::count(step.step)));
    let best = |attacked| run.best(0, attacked).map_or_else(|| "–".to_owned(), |best| format!("{best:.1}%"));
    ui.label(best(false));
    match run.attack() {
        Some(spec) => drop(ui.label(format!("{} {}", best(true), format::attack(spec))).on_hover_text(spec)),
        None => drop(ui.label(best(true))),
    }
    ui.end_row();
    request
}

/// A line to draw: one run, or several that differ in their seed alone.
#[derive(Debug)]
struct Drawn {
    name: String,
    runs: usize,
    /// The attack behind its figures, if they are of attacked images.
    attack: Option<String>,
    /// Over steps, for the table; low and high are the mean's own for a single run.
    spread: Vec<Spread>,
    points: Vec<PlotPoint>,
    /// Places, lowest and highest values of a group.
    band: [Vec<f64>; 3],
}

/// All that decides the lines.
type Key = (usize, BTreeSet<PathBuf>, (bool, String, usize, bool, StepAxis, bool));

/// The lines, made again only when something that decides them changes.
#[derive(Debug, Default)]
struct Lines {
    made_for: Option<Key>,
    lines: Vec<Drawn>,
}

impl RunsView {
    fn refresh(&mut self, runs: &Runs, listed: &Arc<Vec<ListedRun>>) {
        let chosen = (self.loss, self.split.clone(), self.domain, self.attacked, self.axis, self.grouped);
        let wanted = Some((Arc::as_ptr(listed) as usize, runs.chosen.clone(), chosen));
        if self.drawn.made_for != wanted {
            self.drawn.lines = self.lines(runs, listed);
            self.drawn.made_for = wanted;
        }
    }

    fn lines(&self, runs: &Runs, listed: &[ListedRun]) -> Vec<Drawn> {
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
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let attack = first.attack().filter(|_| self.attacked && !self.loss);
        let attack = attack.map(|spec| format::attack(spec).to_owned());
        Some(Drawn { name: names.join(", "), runs: series.len(), attack, spread, points, band })
    }
}

fn plot_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView, listed: &Arc<Vec<ListedRun>>) {
    view.refresh(shared.runs, listed);
    ui.horizontal_wrapped(|ui| {
        quantity_ui(ui, view, listed);
        axis_ui(ui, &mut view.axis);
        ui.checkbox(&mut view.grouped, "Group seeds").on_hover_text(
            "Runs whose configurations differ in seed and name alone as their mean, with the span between the lowest \
             and the highest",
        );
        let (lines, unit) = (&view.drawn.lines, view.unit());
        export::menu_ui(ui, "Compared runs", shared.area, || table(lines, unit), shared.exports);
    });
    let lines = &view.drawn.lines;
    if lines.is_empty() {
        ui.add_space(tokens::GAP);
        ui.weak("Tick runs in the table to draw them.");
        return;
    }
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        for (index, line) in lines.iter().enumerate() {
            let last = line.spread.last().map_or(f64::NAN, |at| at.mean);
            let of = if line.runs > 1 { format!(" (mean of {})", line.runs) } else { String::new() };
            let under = line.attack.as_ref().map_or_else(String::new, |attack| format!(" under {attack}"));
            let text = format!("━ {}{of} {} {}{under}", line.name, format::significant(last), view.unit());
            ui.label(RichText::new(text).small().color(tokens.run(index)));
        }
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
    let plot = plot("runs", ui.available_height(), tokens).label_formatter(hover);
    let response = plot.show(ui, |plot| {
        for (index, line) in lines.iter().enumerate() {
            let colour = tokens.run(index);
            if line.runs > 1 {
                let [xs, low, high] = &line.band;
                let band = FilledArea::new(format!("{} span", line.name), xs, low, high);
                plot.add(band.fill_color(colour.gamma_multiply(0.18)).allow_hover(false));
            }
            if let [only] = line.points[..] {
                let point = Points::new(line.name.clone(), PlotPoints::Owned(vec![only]));
                plot.points(point.color(colour).radius(3.0));
            }
            let curve = Line::new(line.name.clone(), PlotPoints::Borrowed(&line.points)).color(colour);
            plot.line(curve.width(tokens::LINE_WIDTH).style(tokens::dash(view.domain)));
        }
    });
    response.response.accessible_name("Compared runs plot");
}

/// Which quantity of which line.
fn quantity_ui(ui: &mut Ui, view: &mut RunsView, listed: &[ListedRun]) {
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
