//! Below the form: the learning rate that the run will have, and the last preflight with what each branch trains on.

use super::Shared;
use super::plots::plot;
use crate::app::form::Form;
use crate::app::format;
use crate::app::icons::{self, Icon};
use crate::app::preflight::{Finding, Report};
use crate::app::tokens::{self, Tokens};
use crate::config::{Config, DataSource};
use crate::data::Dataset as _;
use crate::data::shapes::{Shapes, ShapesSplit};
use crate::session::preflight::{BranchPreview, Forecast};
use crate::training::schedule::learning_rate;
use egui::{Frame, ProgressBar, RichText, Ui, vec2};
use egui_plot::{HoverPosition, Line, PlotPoint, PlotPoints};

const SCHEDULE_HEIGHT: f32 = 92.0;
/// Points of the drawn schedule.
const POINTS: u64 = 240;
/// Side of a preview, points.
const SIDE: f32 = 56.0;

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

/// Steps an epoch and of the whole run, where the data need not be opened for it.
fn length(config: &Config) -> Option<(u64, u64)> {
    let data = &config.data;
    if data.source != DataSource::Shapes || !data.classes_file.is_empty() || data.class_limit > 0 {
        return None;
    }
    let all = Shapes::new(ShapesSplit::Train).len();
    let images = if data.train_limit == 0 { all } else { data.train_limit.min(all) };
    let steps_per_epoch = (images / config.run.batch_size.max(1)).max(1) as u64;
    let total = config.run.steps.unwrap_or((config.run.epochs * steps_per_epoch as f64).ceil() as u64);
    Some((steps_per_epoch, total))
}

/// The learning rate over the run's steps.
pub fn schedule_ui(ui: &mut Ui, form: &Form, report: &Report, schedule: &mut Schedule) {
    schedule.refresh(form.config(), report.forecast.as_ref());
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Learning rate over steps").small().color(tokens.text_weak)).on_hover_text(
            "What the schedule makes of the learning rate, warm-up included, at each optimizer step. No unit.",
        );
        if schedule.points.is_empty() {
            let text = RichText::new("known after a preflight, which counts the images").small();
            ui.label(text.color(tokens.text_weak));
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
    let plot = plot("schedule", SCHEDULE_HEIGHT, tokens)
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
pub fn preflight_ui(ui: &mut Ui, shared: &mut Shared<'_>, report: &Report) {
    let tokens = Tokens::of(ui);
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
    if let Some(forecast) = &report.forecast {
        let text = format!(
            "About {} for {} steps",
            format::duration(forecast.seconds()),
            format::count(forecast.total_steps)
        );
        ui.label(RichText::new(text).strong().color(tokens.text_strong)).on_hover_text(format!(
            "Steps × {} ms, the mean of the timed steps with reading of the data. Validation comes on top. The \
             first steps of a run are its slowest.",
            format::significant(1e3 * forecast.seconds_per_step)
        ));
    }
    if let Some(previews) = &report.previews {
        previews_ui(ui, shared, previews, report.generation);
    }
}

/// A row of images for each branch.
fn previews_ui(ui: &mut Ui, shared: &mut Shared<'_>, previews: &[BranchPreview], generation: u64) {
    let tokens = Tokens::of(ui);
    let Some(size) = previews.first().map(|preview| preview.size) else { return };
    let images = previews.iter().flat_map(|preview| preview.images.iter().map(Vec::as_slice));
    let textures = shared.pictures.previews.textures(ui.ctx(), generation, size, images);
    let mut next = textures.iter();
    let heading = RichText::new("What the first step trains on").small().color(tokens.text_weak);
    ui.label(heading).on_hover_text(
        "The first images of each branch's first batch as the network gets them: augmented, attacked on the run's \
         first weights, mixed",
    );
    for preview in previews {
        Frame::new().fill(tokens.raised).corner_radius(4).inner_margin(tokens::GAP_SMALL).show(ui, |ui| {
            let text = format!("{} → {}", preview.source, preview.domain);
            ui.label(RichText::new(text).small().color(tokens.text))
                .on_hover_text("Source of the images and the BN domain that they go through");
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(3.0, 3.0);
                for (number, texture) in next.by_ref().take(preview.images.len()).enumerate() {
                    let image = egui::Image::new(texture).fit_to_exact_size(vec2(SIDE, SIDE));
                    let label = format!("{} image {} for {}", preview.source, number + 1, preview.domain);
                    ui.add(image.corner_radius(2).alt_text(label));
                }
            });
        });
    }
}
