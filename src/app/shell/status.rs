//! The bar at the bottom: state, progress, speed, time and memory of the run, each with its definition as a
//! tooltip.

use crate::app::format;
use crate::app::model::kinds::{RunPhase, ending};
use crate::app::model::remaining::Remaining;
use crate::app::model::run::RunView;
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::steady;
use crate::app::widgets::work::work_bar;
use crate::training::events::{Finish, Idle, RunInfo, WorkLimit};
use egui::{Align, Frame, Layout, Margin, ProgressBar, RichText, Ui, Vec2};

/// Width below which the bar leaves out what is not asked for at every glance.
const ROOM_FOR_ALL: f32 = 1200.0;

/// Room in points without which the adapter's name is left out: it would be a few letters and dots.
const LEAST_NAME: f32 = 60.0;

/// Draws the bar.
pub fn ui(ui: &mut Ui, run: &RunView) {
    let frame = Frame::new().inner_margin(Margin::symmetric(10, 4));
    egui::Panel::bottom("status").frame(frame).show_separator_line(true).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            let roomy = ui.available_width() >= ROOM_FOR_ALL;
            phase_ui(ui, run);
            progress_ui(ui, run, if roomy { 190.0 } else { 140.0 });
            if let Some(step) = &run.last_step {
                let rate = format!("{} images/s", format::significant(step.images_per_s));
                figure(
                    ui,
                    "rate",
                    &rate,
                    "Clean images trained per second over the last steps, pauses left out.",
                );
                stages_ui(ui, &step.stages);
                if roomy {
                    idle_ui(ui, step.idle);
                    let elapsed = format::duration(step.elapsed_s);
                    figure(
                        ui,
                        "trained",
                        &format!("{elapsed} trained"),
                        "Time spent in training steps. Pauses and validation are left out.",
                    );
                }
            }
            let is_at_work = run.phase.is_active() || run.at_work_elsewhere;
            if let Some(remaining) = run.remaining().filter(|_| is_at_work) {
                remaining_ui(ui, remaining);
            }
            if let Some((step, best)) = run.best {
                figure(
                    ui,
                    "best",
                    &format!("best {}", format::percent(best)),
                    &format!(
                        "Highest clean top-1 accuracy of the main domain on val, at step {step}. \
                         Percent of images."
                    ),
                );
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| adapter_ui(ui, run, roomy));
        });
    });
}

/// The time that is left, and what it counts.
fn remaining_ui(ui: &mut Ui, remaining: Remaining) {
    let Remaining { seconds, validations, counts_validations } = remaining;
    let time = format::duration(seconds);
    let validations = format::counted(validations, "validation");
    let steps = "Remaining steps × median time of the last 64 steps";
    let (text, help) = if counts_validations {
        let text = format!("{time} left");
        (text, format!("{steps}, and {validations} as long as the last one. Pauses do not count."))
    } else {
        let text = format!("{time} + {validations} left");
        (text, format!("{steps}. How long validations take is known after the first. Pauses do not count."))
    };
    figure(ui, "left", &text, &help);
}

/// The GPU's time for one step and, on hover, what it went to.
fn stages_ui(ui: &mut Ui, stages: &[(&'static str, f64)]) {
    if stages.is_empty() {
        return;
    }
    let total: f64 = stages.iter().map(|(_, seconds)| seconds).sum();
    let mut help = "GPU time of one optimizer step, mean of the last steps:".to_owned();
    for (stage, seconds) in stages {
        let share = format::share((seconds / total) as f32);
        help += &format!("\n{stage}: {} ms ({share})", format::significant(seconds * 1e3));
    }
    figure(ui, "stages", &format!("{} ms/step", format::significant(total * 1e3)), &help);
}

/// What of a step is waiting.
fn idle_ui(ui: &mut Ui, idle: Option<Idle>) {
    let Some(Idle { data, gpu }) = idle else { return };
    if let Some(gpu) = gpu {
        figure(
            ui,
            "idle",
            &format!("GPU idle {}", format::share(gpu as f32)),
            "Share of the last steps' time in which the GPU had none of the run's work, a work limit's rests included. \
             Percent of a step, mean of some ten steps.",
        );
    }
    figure(
        ui,
        "data",
        &format!("data wait {}", format::share(data as f32)),
        "Share of the last steps' time in which the run waited for images to be read and augmented. Percent of a step, \
         mean of some ten steps.",
    );
}

fn phase_ui(ui: &mut Ui, run: &RunView) {
    let tokens = Tokens::of(ui);
    let colour = match &run.phase {
        RunPhase::Running => tokens.good,
        RunPhase::Opened if run.at_work_elsewhere => tokens.good,
        RunPhase::Ended(Finish::Failed(_)) => tokens.error,
        RunPhase::Ended(Finish::Completed) => tokens.good,
        RunPhase::Pausing | RunPhase::Paused | RunPhase::Stopping => tokens.warning,
        _ => tokens.text_weak,
    };
    let limit = match run.limit {
        WorkLimit::Full => "",
        WorkLimit::Balanced => ", balanced",
        WorkLimit::Background => ", in the background",
    };
    let text = match run.asked {
        Some(doing) if run.phase.is_active() => format!("{}, {doing}", run.phase.label()),
        None if run.at_work_elsewhere => "At work elsewhere".to_owned(),
        _ if run.phase == RunPhase::Opened => match &run.ended {
            Some(ended) => format!("{}, {}", run.phase.label(), ending(ended)),
            None => match run.finished_steps() {
                Some(step) => format!("{}, cut off at step {}", run.phase.label(), format::count(step)),
                None => format!("{}, cut off before its first step", run.phase.label()),
            },
        },
        _ if run.phase == RunPhase::Running => format!("{}{limit}", run.phase.label()),
        _ => run.phase.label().to_owned(),
    };
    let help = match run.at_work_elsewhere {
        true => "Another program trains in this folder; what it writes is shown as it comes",
        false => "What the training thread is doing",
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(9.0), egui::Sense::hover());
        ui.painter().circle_filled(rect.center(), 4.5, colour);
        let label = steady::label(ui, "phase", RichText::new(text).color(tokens.text_strong));
        label.on_hover_text(help);
    });
}

fn progress_ui(ui: &mut Ui, run: &RunView, width: f32) {
    if let Some(work) = &run.work {
        work_bar(ui, work, width + 30.0);
    } else if let (Some(total), Some(step)) = (run.total_steps(), &run.last_step) {
        let part = step.step as f32 / total.max(1) as f32;
        let text = format!("step {} / {}", format::count(step.step), format::count(total));
        let help = format!("Finished optimizer steps of all steps of the run. Epoch {:.2}.", step.epoch);
        bar(ui, part, &text, width, &help);
    } else if let Some(step) = &run.last_step {
        figure(ui, "step", &format!("step {}", format::count(step.step)), "Finished optimizer steps");
    }
}

fn bar(ui: &mut Ui, part: f32, text: &str, width: f32, help: &str) {
    let tokens = Tokens::of(ui);
    let text = RichText::new(text).color(tokens.text_strong).small();
    let bar = ProgressBar::new(part).desired_width(width).desired_height(16.0).fill(tokens.accent_soft);
    ui.add(bar.text(text).corner_radius(4)).on_hover_text(help);
}

fn adapter_ui(ui: &mut Ui, run: &RunView, roomy: bool) {
    let tokens = Tokens::of(ui);
    let Some(info) = &run.info else {
        if let Some(dir) = &run.dir {
            figure(ui, "folder", &dir.display().to_string(), "The run folder");
        }
        return;
    };
    memory_ui(ui, info, run.last_step.as_ref().and_then(|step| step.memory_bytes), roomy);
    if ui.available_width() < LEAST_NAME {
        return;
    }
    let text = RichText::new(&info.adapter).color(tokens.text_weak);
    ui.add(egui::Label::new(text).truncate())
        .on_hover_text(format!("Training runs on {} through {}", info.adapter, info.backend));
}

/// Planned and measured memory; without much room the measured one alone.
fn memory_ui(ui: &mut Ui, info: &RunInfo, measured: Option<u64>, roomy: bool) {
    let planned = format!("{} planned", format::bytes(info.planned_bytes));
    let mut help =
        format!("{planned}: GPU memory in bytes that the run's plans ask for, known before the first step.");
    let mut text = planned.clone();
    match measured.map(|bytes| format!("{} in use", format::bytes(bytes))) {
        Some(measured) => {
            let both = format!("{planned}, {measured}");
            text = if roomy && fits(ui, &both) { both } else { measured.clone() };
            help += &format!(
                "\n{measured}: bytes that the driver has given to the run, measured about once a second. Copies on \
                 their way and what is free in its blocks come on top of the plans; compiled shaders and the driver's \
                 own memory are not in it."
            );
        }
        None => {
            let backend = &info.backend;
            help += &format!(
                "\nWhat is in use is measured from the first step on, where the back end tells; this one is {backend}."
            );
        }
    }
    // What the run does goes before what it takes.
    if fits(ui, &text) {
        figure(ui, "memory", &text, &help);
    }
}

/// Whether the words have room in what is left of the row.
fn fits(ui: &Ui, text: &str) -> bool {
    let font = egui::TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, egui::Color32::PLACEHOLDER);
    galley.size().x <= ui.available_width()
}

/// A number of the status bar with what it means; a longer or shorter one moves none of its neighbours.
fn figure(ui: &mut Ui, key: &str, text: &str, help: &str) {
    let colour = Tokens::of(ui).text;
    steady::label(ui, key, RichText::new(text).color(colour)).on_hover_text(help);
}
