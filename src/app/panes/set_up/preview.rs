//! Below the form: the learning rate that the run will have, and the last preflight with what each branch
//! trains on.

use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::model::preflight::Finding;
use crate::app::panes::Shared;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::{self, Axis, Body, Figure, Lines};
use crate::app::widgets::pictures::{Plain, SHOWN_LARGE, clickable, options};
use crate::app::widgets::plots::plot;
use crate::app::widgets::table::Table;
use crate::app::widgets::tips;
use crate::config::{Config, DataSource};
use crate::data::Dataset as _;
use crate::data::shapes::{Shapes, ShapesSplit};
use crate::session::preflight::{BranchPreview, Forecast, MixedPreview};
use crate::training::schedule::{learning_rate, total_steps};
use egui::{Frame, ProgressBar, RichText, Slider, Ui, vec2};
use egui_plot::{HoverPosition, Line, PlotPoint, PlotPoints};
use std::collections::BTreeMap;

const SCHEDULE_HEIGHT: f32 = 118.0;
const SCHEDULE_TITLES: [&str; 2] = ["Optimizer steps", "Learning rate"];
/// Points of the drawn schedule.
const POINTS: u64 = 240;
/// Side of a preview, points.
const SIDE: f32 = 56.0;

/// How the schedule and the previews are drawn.
#[derive(Debug, Default)]
pub struct PreviewView {
    pub schedule: Schedule,
    pub mixing: MixingPreview,
}

/// The mixing ratios that the user chose for the previews, by branch; those of one preflight mean nothing for
/// the next.
#[derive(Debug, Default)]
pub struct MixingPreview {
    chosen_for: u64,
    lambdas: BTreeMap<usize, f32>,
}

/// The schedule as drawn, made again when the configuration or the forecast changes.
#[derive(Debug, Default)]
pub struct Schedule {
    made_for: Option<(Config, Option<(u64, u64)>)>,
    points: Vec<PlotPoint>,
    total_steps: u64,
    steps_per_epoch: u64,
}

impl Schedule {
    /// Nothing to draw without the length of an epoch, which the data decides.
    fn refresh(&mut self, config: &Config, forecast: Option<&Forecast>) {
        let known = forecast.map(|forecast| (forecast.steps_per_epoch, forecast.total_steps));
        if self.made_for.as_ref().is_some_and(|(made, length)| made == config && *length == known) {
            return;
        }
        self.made_for = Some((config.clone(), known));
        self.points.clear();
        let Some((steps_per_epoch, total)) = known.or_else(|| length(config)) else { return };
        (self.steps_per_epoch, self.total_steps) = (steps_per_epoch, total);
        let count = POINTS.min(total);
        self.points = (0..=count)
            .map(|n| {
                let step = n * total.saturating_sub(1) / count.max(1);
                let base = config.optimizer.lr;
                let lr = learning_rate(&config.schedule, base, step, steps_per_epoch, total);
                PlotPoint::new(step as f64, lr)
            })
            .collect();
    }
}

impl Schedule {
    fn figure(&self, name: &str) -> Figure {
        let line = figure::Series {
            name: String::new(),
            colour: tokens::LIGHT.accent,
            drawn: figure::Drawn::Line { dash: egui_plot::LineStyle::Solid, marker: None },
            points: figure::points(&self.points),
            band: Vec::new(),
        };
        Figure {
            title: "Learning rate schedule".to_owned(),
            subject: format!("run {name}, {} steps, {} an epoch", self.total_steps, self.steps_per_epoch),
            body: Body::Lines(Lines {
                x: Axis::new(SCHEDULE_TITLES[0]),
                y: Axis::new(SCHEDULE_TITLES[1]).spanning([0.0]),
                series: vec![line],
                marks: Vec::new(),
            }),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["step", "epoch", "learning rate"]);
        for point in &self.points {
            let epoch = point.x / self.steps_per_epoch.max(1) as f64;
            table.row([point.x.to_string(), epoch.to_string(), point.y.to_string()]);
        }
        table
    }
}

/// Steps an epoch and of the whole run, where the data need not be opened for it.
fn length(config: &Config) -> Option<(u64, u64)> {
    let data = &config.data;
    if data.source != DataSource::Shapes
        || !data.classes_file.is_empty()
        || data.class_limit > 0
        || data.imbalance > 1.0
    {
        return None;
    }
    let all = Shapes::new(ShapesSplit::Train).len();
    let images = if data.train_limit == 0 { all } else { data.train_limit.min(all) };
    let steps_per_epoch = (images / config.run.batch_size.max(1)).max(1) as u64;
    Some((steps_per_epoch, total_steps(&config.run, steps_per_epoch)))
}

/// The learning rate over the run's steps.
pub fn schedule_ui(ui: &mut Ui, shared: &mut Shared<'_>, schedule: &mut Schedule) {
    let (form, report) = (&*shared.form, shared.report);
    let forecast = report.forecast.as_ref().filter(|_| !report.is_outdated(form));
    schedule.refresh(form.config(), forecast);
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Learning rate over steps").small().color(tokens.text_weak)).on_hover_text(
            "What the schedule makes of the learning rate, warm-up included, at each optimizer step. No unit.",
        );
        if form.has_faults() {
            let text = RichText::new("of the last valid values").small();
            ui.label(text.color(tokens.warning));
        }
        if schedule.points.is_empty() {
            let text = RichText::new("known after a preflight, which counts the images").small();
            ui.label(text.color(tokens.text_weak));
        } else {
            let (figure, table) = (|| schedule.figure(&form.config().run.name), || schedule.table());
            Menu::new("Learning rate schedule").figure(&figure).table(&table).ui(ui, shared.exports);
        }
    });
    if schedule.points.is_empty() {
        return;
    }
    let points = &schedule.points;
    let per_epoch = schedule.steps_per_epoch.max(1) as f64;
    let hover = |hover: &HoverPosition<'_>| {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
        let after = points.partition_point(|point| point.x <= position.x).max(1);
        let point = points.get(after - 1)?;
        let epoch = format::significant(point.x / per_epoch);
        Some(format!("step {}, epoch {epoch}\nlearning rate {}", point.x, format::significant(point.y)))
    };
    let plot = plot("schedule", SCHEDULE_HEIGHT, SCHEDULE_TITLES, tokens)
        .allow_drag(false)
        .allow_zoom(false)
        .include_y(0.0)
        .y_axis_formatter(|mark, _| format::plain(mark.value))
        .label_formatter(hover);
    let response = plot.show(ui, |plot| {
        let line = Line::new("learning rate", PlotPoints::Borrowed(points)).color(tokens.accent);
        plot.line(line.width(tokens::LINE_WIDTH));
    });
    response.response.accessible_name("Learning rate schedule plot");
}

/// What the last preflight found, and what the one at work is at.
pub fn preflight_ui(ui: &mut Ui, shared: &mut Shared<'_>, mixing: &mut MixingPreview) {
    let (form, report) = (&*shared.form, shared.report);
    let tokens = Tokens::of(ui);
    let is_outdated = report.is_outdated(form);
    if is_outdated {
        let text = "The set-up has changed since the last preflight. Of the one before:";
        ui.label(RichText::new(text).small().color(tokens.warning));
    }
    for finding in &report.findings {
        let (icon, colour, meaning, text) = match finding {
            Finding::Passed { what, finding } => {
                (Icon::Check, tokens.good, "passed", format!("{what}: {finding}"))
            }
            Finding::Warning(text) => (Icon::Warning, tokens.warning, "warning", text.clone()),
            Finding::Refused { what, reason } => {
                (Icon::Cross, tokens.error, "refused", format!("{what}: {reason}"))
            }
        };
        ui.horizontal(|ui| {
            icons::show(ui, icon, colour, meaning);
            ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text)).wrap());
        });
    }
    // Where the next finding will stand, so that those before it stay where they are.
    if let Some((what, done, total)) = &report.working {
        ui.horizontal(|ui| {
            ui.spinner();
            if *total > 1 {
                let bar = ProgressBar::new(*done as f32 / *total as f32).desired_width(120.0);
                ui.add(bar.desired_height(14.0));
            }
            ui.label(RichText::new(what).small().color(tokens.text_weak));
        });
    }
    if is_outdated {
        // Time and pictures would be taken for those of the set-up on screen.
        return;
    }
    if let Some(forecast) = &report.forecast {
        let text = format!(
            "About {} for {}",
            format::duration(forecast.seconds()),
            format::counted(forecast.total_steps, "step")
        );
        ui.label(RichText::new(text).strong().color(tokens.text_strong)).on_hover_text(format!(
            "Steps × {} ms, the mean of the timed steps with reading of the data. Validation comes on top. The \
             first steps of a run are its slowest.",
            format::significant(1e3 * forecast.seconds_per_step)
        ));
    }
    if let Some(previews) = &report.previews {
        previews_ui(ui, shared, previews, report.generation, mixing);
    }
}

/// A row of images for each branch.
fn previews_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    previews: &[BranchPreview],
    generation: u64,
    mixing: &mut MixingPreview,
) {
    let tokens = Tokens::of(ui);
    if mixing.chosen_for != generation {
        *mixing = MixingPreview { chosen_for: generation, ..MixingPreview::default() };
    }
    shared.pictures.previews.resize_with(previews.len(), Plain::default);
    let heading = RichText::new("What the first step trains on").small().color(tokens.text_weak);
    ui.label(heading).on_hover_text(
        "The first images of each branch's first batch as the network gets them: augmented, attacked on the run's \
         first weights, mixed",
    );
    for (index, (preview, pictures)) in previews.iter().zip(&mut shared.pictures.previews).enumerate() {
        Frame::new().fill(tokens.raised).corner_radius(4).inner_margin(tokens::GAP_SMALL).show(ui, |ui| {
            let text = format!("{} → {}", preview.source, preview.domain);
            ui.label(RichText::new(text).small().color(tokens.text))
                .on_hover_text("Source of the images and the BN domain that they go through");
            let mixed = preview.mixed.as_ref();
            let chosen = mixed.and_then(|mixed| lambda_ui(ui, mixed, index, mixing).map(|l| (mixed, l)));
            let made_for = (generation, chosen.map_or(f32::NAN, |(_, lambda)| lambda).to_bits());
            let images = || match chosen {
                Some((mixed, lambda)) => mixed.at(lambda),
                None => preview.images.clone(),
            };
            let textures = pictures.textures(ui.ctx(), made_for, preview.size, options(preview.size), images);
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(3.0, 3.0);
                for (number, texture) in textures.iter().enumerate() {
                    let name = |number: usize| {
                        format!("{} image {} for {}", preview.source, number + 1, preview.domain)
                    };
                    let response = clickable(ui, texture, SIDE, &name(number), SHOWN_LARGE);
                    if response.clicked() {
                        let named = images().into_iter().enumerate().map(|(n, rgb)| (name(n), rgb));
                        let list = SubjectList::of_preview(named.collect(), preview.size, number);
                        *shared.large = Some(list.opened_by(&response));
                    }
                }
            });
        });
    }
}

/// The mixing ratio of a branch's pictures; `None` while it is the drawn one.
fn lambda_ui(ui: &mut Ui, mixed: &MixedPreview, branch: usize, mixing: &mut MixingPreview) -> Option<f32> {
    let drawn = format::significant(f64::from(mixed.lambda));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 90.0;
        let mut lambda = mixing.lambdas.get(&branch).copied().unwrap_or(mixed.lambda);
        let slider = Slider::new(&mut lambda, 0.0..=1.0).text("λ").max_decimals(2);
        let help = format!(
            "Mixing ratio λ, the share of the first image of each pair, 0 to 1. The first step draws {drawn}. It \
             changes these pictures alone; a run draws λ for every step"
        );
        let response = tips::above(ui.add(slider), help);
        if response.accessible_name(format!("Mixing ratio of branch {}", branch + 1)).changed() {
            mixing.lambdas.insert(branch, lambda);
        }
        let moved = mixing.lambdas.contains_key(&branch);
        let button = egui::Button::new(RichText::new(format!("as drawn: {drawn}")).small());
        if ui.add_enabled(moved, button).on_hover_text("Back to the λ that the first step draws").clicked() {
            mixing.lambdas.remove(&branch);
        }
    });
    mixing.lambdas.get(&branch).copied()
}
