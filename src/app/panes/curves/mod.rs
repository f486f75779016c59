//! Curves: the training loss of each branch, and the validation accuracy as the four lines
//! (clean | attacked) × (main | aux).

mod figures;

use super::{Shared, once_there};
use crate::app::commands::UiCommand;
use crate::app::format;
use crate::app::model::kinds::{LineKey, StepAxis};
use crate::app::model::run::RunView;
use crate::app::model::series::{MAX_SMOOTHING, Series};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::axis::{axis_ui, full_line_name, placed};
use crate::app::widgets::command_button::empty_ui;
use crate::app::widgets::export::{ExportRequest, Menu};
use crate::app::widgets::legend::{Entry, legend_ui};
use crate::app::widgets::plots::{log_y, percent_y, plot};
use crate::app::widgets::table::Table;
use egui::{ComboBox, RichText, Slider, Ui, vec2};
use egui_plot::{HoverPosition, Line, PlotPoint, PlotPoints, Points, Text};
use std::collections::BTreeMap;

/// Width for two plots side by side and height for two on top of each other, points.
const ROOM_FOR_TWO: f32 = 760.0;
const ROOM_FOR_STACK: f32 = 440.0;

/// How the curves are drawn.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CurvesView {
    /// Factor of the moving average, 0..=0.999.
    pub smoothing: f64,
    pub log_loss: bool,
    /// What the horizontal axes count.
    pub axis: StepAxis,
    /// Which plot is shown where there is room for one.
    pub accuracy_first: bool,
    /// Split of the accuracy plot; the first reported one when it is unknown.
    pub split: String,
    #[serde(skip)]
    hidden_loss: Vec<LineKey>,
    #[serde(skip)]
    hidden_accuracy: Vec<LineKey>,
    #[serde(skip)]
    drawn: Drawn,
}

impl Default for CurvesView {
    fn default() -> Self {
        Self {
            smoothing: 0.9,
            log_loss: false,
            axis: StepAxis::Step,
            accuracy_first: false,
            split: String::new(),
            hidden_loss: Vec::new(),
            hidden_accuracy: Vec::new(),
            drawn: Drawn::default(),
        }
    }
}

/// The loss curves as drawn, made again only when points, smoothing or axis change.
#[derive(Debug, Default)]
struct Drawn {
    made_for: Option<(u64, u64, bool, StepAxis)>,
    lines: BTreeMap<LineKey, [Vec<PlotPoint>; 2]>,
}

impl Drawn {
    fn refresh(&mut self, run: &RunView, smoothing: f64, log: bool, axis: StepAxis) {
        let wanted = Some((run.curves_generation, smoothing.to_bits(), log, axis));
        if self.made_for == wanted {
            return;
        }
        let draw = |(key, series): (&LineKey, &Series)| {
            let lines = [series.raw(log), series.smoothed(smoothing, log)];
            (*key, lines.map(|points| placed(run, axis, points)))
        };
        self.lines = run.loss.iter().map(draw).collect();
        self.made_for = wanted;
    }
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut CurvesView) {
    let run = shared.run;
    if run.loss.is_empty() && run.accuracy.is_empty() {
        let text = format!(
            "Training loss of each branch and validation accuracy of each domain, clean and attacked. {}",
            once_there(run, "They come with the first step and the first validation")
        );
        empty_ui(ui, "No curves yet", &text, run, &[UiCommand::Start, UiCommand::OpenRun], shared.queue);
        return;
    }
    let height = ui.available_height();
    if ui.available_width() > ROOM_FOR_TWO {
        ui.columns_const(|[left, right]| {
            loss_ui(left, run, view, height, shared.exports);
            accuracy_ui(right, run, view, height, shared.exports);
        });
    } else if height < ROOM_FOR_STACK {
        ui.horizontal(|ui| {
            ui.selectable_value(&mut view.accuracy_first, false, "Loss");
            ui.selectable_value(&mut view.accuracy_first, true, "Accuracy");
        });
        let height = ui.available_height();
        if view.accuracy_first {
            accuracy_ui(ui, run, view, height, shared.exports);
        } else {
            loss_ui(ui, run, view, height, shared.exports);
        }
    } else {
        let half = (height - tokens::GAP) / 2.0;
        let exports = &mut *shared.exports;
        ui.allocate_ui(vec2(ui.available_width(), half), |ui| loss_ui(ui, run, view, half, exports));
        ui.allocate_ui(vec2(ui.available_width(), half), |ui| accuracy_ui(ui, run, view, half, exports));
    }
}

fn title(ui: &mut Ui, text: &str, help: &str) {
    let strong = RichText::new(text).strong().color(Tokens::of(ui).text_strong);
    ui.label(strong).on_hover_text(help);
}

fn loss_ui(ui: &mut Ui, run: &RunView, view: &mut CurvesView, height: f32, exports: &mut Vec<ExportRequest>) {
    let bottom = ui.cursor().top() + height;
    ui.horizontal_wrapped(|ui| {
        title(
            ui,
            "Training loss",
            "Mean cross-entropy over one branch's images of a step, label smoothing included, measured before \
             the update. In nats.",
        );
        ui.add_space(tokens::GAP);
        ui.checkbox(&mut view.log_loss, "Log").on_hover_text("Logarithmic axis, base 10");
        ui.spacing_mut().slider_width = 48.0;
        ui.label("Smoothing");
        let slider = Slider::new(&mut view.smoothing, 0.0..=MAX_SMOOTHING).max_decimals(3).show_value(true);
        ui.add(slider).accessible_name("Smoothing").on_hover_text(
            "Smoothing: factor of an exponential moving average, freed of its start's pull to zero. 0 shows \
             the raw values, which stay visible behind the line. No unit, up to 0.999.",
        );
        axis_ui(ui, &mut view.axis);
        let (figure, table) = (|| figures::loss(run, view), || table(run, &run.loss, "loss (nats)"));
        Menu::new("Training loss").figure(&figure).table(&table).ui(ui, exports);
    });
    let axis = view.axis;
    view.drawn.refresh(run, view.smoothing, view.log_loss, axis);
    let entries: Vec<Entry<'_>> = run
        .loss
        .iter()
        .map(|(key, series)| Entry {
            key: *key,
            name: full_line_name(run, key),
            value: format::significant(series.last().unwrap_or(f64::NAN)),
            help: "Newest training loss of this branch, not smoothed. In nats.",
        })
        .collect();
    legend_ui(ui, &entries, &mut view.hidden_loss);

    let log = view.log_loss;
    let smoothing = view.smoothing;
    let hidden = &view.hidden_loss;
    let tokens = Tokens::of(ui);
    let drawn = &view.drawn.lines;
    let hover = move |hover: &HoverPosition<'_>| {
        let (step, mut text) = hovered_step(run, axis, hover, run.loss.values().next()?)?;
        for (key, series) in run.loss.iter().filter(|(key, _)| !hidden.contains(key)) {
            let raw = format::significant(series.nearest(step)?.1);
            text += &format!("\n{}: {raw}", full_line_name(run, key));
            let smoothed = drawn.get(key).and_then(|[_, line]| value_at(line, run.place(axis, step)));
            if let Some(value) = smoothed.filter(|_| smoothing > 0.0) {
                let value = if log { 10f64.powf(value) } else { value };
                text += &format!(" ({} smoothed)", format::significant(value));
            }
        }
        Some(text)
    };
    let mut plot = plot("loss", bottom - ui.cursor().top(), [axis.title(), figures::LOSS], tokens)
        .label_formatter(hover);
    if log {
        plot = log_y(plot);
    }
    let response = plot.show(ui, |plot| {
        for (key, [raw, smoothed]) in drawn.iter().filter(|(key, _)| !hidden.contains(key)) {
            if smoothing > 0.0 {
                let line = Line::new(format!("{} raw", full_line_name(run, key)), PlotPoints::Borrowed(raw));
                plot.line(line.color(tokens.data_raw(key.data())).width(1.0).allow_hover(false));
            }
            let line = Line::new(full_line_name(run, key), PlotPoints::Borrowed(smoothed));
            let line = line.color(tokens.data(key.data())).style(tokens::dash(key.domain));
            plot.line(line.width(tokens::LINE_WIDTH).allow_band(false));
            if let [only] = smoothed[..] {
                let point = Points::new(full_line_name(run, key), PlotPoints::Owned(vec![only]));
                plot.points(
                    point.color(tokens.data(key.data())).shape(tokens::marker(key.domain)).radius(2.6),
                );
            }
        }
    });
    response.response.accessible_name("Training loss plot");
}

/// The measured step nearest to the pointer and the first line of the hover text.
fn hovered_step(
    run: &RunView,
    axis: StepAxis,
    hover: &HoverPosition<'_>,
    series: &Series,
) -> Option<(f64, String)> {
    let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
    let (step, _) = series.nearest(run.step_at(axis, position.x))?;
    let mut text = format!("step {}", format::count(step));
    if axis != StepAxis::Step {
        let place = run.place(axis, step as f64);
        text += &format!(", {} {}", format::significant(place), axis.name());
    }
    Some((step as f64, text))
}

/// A row for each step that has a value, a column for each line.
fn table(run: &RunView, lines: &BTreeMap<LineKey, Series>, unit: &str) -> Table {
    let names = lines.keys().map(|key| format!("{} {unit}", full_line_name(run, key)));
    let mut table = Table::new(["step", "epoch", "minutes"].map(str::to_owned).into_iter().chain(names));
    let mut rows: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (column, series) in lines.values().enumerate() {
        for (step, value) in series.points() {
            let row = rows.entry(*step).or_insert_with(|| vec![String::new(); lines.len()]);
            row[column] = value.to_string();
        }
    }
    for (step, values) in rows {
        let places = StepAxis::ALL.map(|axis| run.place(axis, step as f64).to_string());
        table.row(places.into_iter().chain(values));
    }
    table
}

/// The drawn value at or just before a place of the horizontal axis.
fn value_at(line: &[PlotPoint], step: f64) -> Option<f64> {
    let after = line.partition_point(|point| point.x <= step);
    line.get(after.checked_sub(1)?).map(|point| point.y)
}

fn accuracy_ui(
    ui: &mut Ui,
    run: &RunView,
    view: &mut CurvesView,
    height: f32,
    exports: &mut Vec<ExportRequest>,
) {
    let axis = view.axis;
    let bottom = ui.cursor().top() + height;
    let first = run.splits.first().cloned().unwrap_or_default();
    let split = if run.splits.contains(&view.split) { view.split.clone() } else { first };
    accuracy_header_ui(ui, run, view, &split, exports);
    let Some(curves) = run.accuracy.get(&split) else {
        let text = match run.phase.is_active() {
            true => "The first validation is still to come. “Evaluate now” makes one after the current step.",
            false if run.at_work_elsewhere => "The first validation is still to come.",
            false => "This run was not validated.",
        };
        ui.add_space(((bottom - ui.cursor().top()) / 2.0 - 30.0).max(0.0));
        ui.vertical_centered(|ui| ui.weak(text));
        return;
    };
    let entries: Vec<Entry<'_>> = curves
        .iter()
        .map(|(key, series)| Entry {
            key: *key,
            name: full_line_name(run, key),
            value: format::percent(series.last().unwrap_or(f64::NAN)),
            help: "Top-1 accuracy at the last validation, percent of images.",
        })
        .collect();
    legend_ui(ui, &entries, &mut view.hidden_accuracy);
    let tokens = Tokens::of(ui);
    let hidden = &view.hidden_accuracy;
    let hover = |hover: &HoverPosition<'_>| {
        let (step, mut text) = hovered_step(run, axis, hover, curves.values().next()?)?;
        for (key, series) in curves.iter().filter(|(key, _)| !hidden.contains(key)) {
            text += &format!("\n{}: {}", full_line_name(run, key), format::percent(series.nearest(step)?.1));
        }
        Some(text)
    };
    let titles = [axis.title(), figures::ACCURACY];
    let plot = percent_y(plot("accuracy", bottom - ui.cursor().top(), titles, tokens))
        .label_formatter(hover)
        .include_x(run.last_step.as_ref().map_or(0.0, |report| run.place(axis, report.step as f64)))
        // Room above the highest line for the mark of the best.
        .include_y(1.18 * run.best.map_or(0.0, |(_, best)| best));
    let response = plot.show(ui, |plot| {
        for (key, series) in curves.iter().filter(|(key, _)| !hidden.contains(key)) {
            let colour = tokens.data(key.data());
            let drawn = placed(run, axis, series.raw(false));
            let line = Line::new(full_line_name(run, key), PlotPoints::Owned(drawn.clone()));
            plot.line(line.color(colour).style(tokens::dash(key.domain)).width(tokens::LINE_WIDTH));
            let points = Points::new(full_line_name(run, key), PlotPoints::Owned(drawn));
            let points = points.color(colour).shape(tokens::marker(key.domain)).radius(2.6);
            plot.points(points.allow_hover(false));
        }
        let best_key = LineKey::of_validation(0, false);
        let is_main = split == crate::app::model::kinds::MAIN_SPLIT && !hidden.contains(&best_key);
        if let Some((step, best)) = run.best.filter(|_| is_main) {
            let at = PlotPoint::new(run.place(axis, step as f64), best);
            let star = Points::new("best", PlotPoints::Owned(vec![at]));
            let star = star.shape(egui_plot::MarkerShape::Asterisk).radius(7.0);
            plot.points(star.color(tokens.text_strong).allow_hover(false));
            let text =
                RichText::new(format!("best {} ", format::percent(best))).color(tokens.text_strong).small();
            let above = plot.transform().dvalue_dpos()[1].abs() * 7.0;
            let place = PlotPoint::new(at.x, at.y + above);
            plot.text(Text::new("best", place, text).anchor(egui::Align2::RIGHT_BOTTOM).allow_hover(false));
        }
    });
    response.response.accessible_name("Validation accuracy plot");
}

/// The title of the accuracy plot, the choice of the split and the export menu.
fn accuracy_header_ui(
    ui: &mut Ui,
    run: &RunView,
    view: &mut CurvesView,
    split: &str,
    exports: &mut Vec<ExportRequest>,
) {
    ui.horizontal_wrapped(|ui| {
        title(
            ui,
            "Validation accuracy",
            "Top-1: share of the split's images whose most probable class is the true one, in percent. Colour \
             is the data, dash is the BN domain.",
        );
        if run.splits.len() > 1 {
            ui.add_space(tokens::GAP);
            let mut chosen = split.to_owned();
            let combo = ComboBox::from_id_salt("split").selected_text(&chosen).width(96.0);
            let response = combo.show_ui(ui, |ui| {
                for name in &run.splits {
                    ui.selectable_value(&mut chosen, name.clone(), name);
                }
            });
            response.response.accessible_name("Split").on_hover_text("Set of images that is measured");
            if chosen != split {
                view.split = chosen;
            }
        }
        if let Some(curves) = run.accuracy.get(split) {
            let name = format!("Accuracy on {split}");
            let (figure, table) =
                (|| figures::accuracy(run, view, split, curves), || table(run, curves, "top-1 (%)"));
            Menu::new(&name).figure(&figure).table(&table).ui(ui, exports);
        }
    });
}
