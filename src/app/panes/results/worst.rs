//! The images that a model gets most wrong.

use super::ResultsView;
use crate::app::format;
use crate::app::panes::{Names, Shared};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::cards::guess_ui;
use crate::app::widgets::class_choice;
use crate::app::widgets::pictures::options;
use crate::evaluation::confusion::Example;
use crate::session::inspect::MeasuredView;
use egui::{Align, Layout, RichText, ScrollArea, Ui, vec2};

/// Side of a picture, points.
const SIDE: f32 = 72.0;

/// The gallery of one view, of all classes or of one.
pub(super) fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    names: Names<'_>,
    view: &mut ResultsView,
    shown: &MeasuredView,
    size: usize,
) {
    ui.horizontal(|ui| {
        ui.label("Class");
        class_choice::ui(ui, "Class of the worst images", "all", names.classes, &mut view.class);
        let count = shown.confusion.worst.len();
        ui.weak(format!("{} with the highest loss, highest first", format::counted(count as u64, "image")));
    });
    let worst = &shown.confusion.worst;
    // Each measurement and each of its views has textures of its own.
    let key = (shared.study.measure_generation, view.chosen as u32);
    let pixels = || worst.iter().map(|example| example.pixels.as_slice()).collect();
    let textures = shared.pictures.worst.textures(ui.ctx(), key, size, options(size), pixels);
    let is_wanted = |example: &Example| view.class.is_none_or(|class| class == example.label);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // Wrapped rows are centred otherwise, and only the first of a row is placed before its height is
        // known.
        ui.with_layout(Layout::left_to_right(Align::TOP).with_main_wrap(true), |ui| {
            for (example, texture) in worst.iter().zip(textures).filter(|(example, _)| is_wanted(example)) {
                example_ui(ui, names, example, texture);
            }
        });
    });
}

fn example_ui(ui: &mut Ui, names: Names<'_>, example: &Example, texture: &egui::TextureHandle) {
    let tokens = Tokens::of(ui);
    ui.allocate_ui(vec2(SIDE + 50.0, SIDE + 62.0), |ui| {
        ui.vertical(|ui| {
            ui.set_width(SIDE + 46.0);
            let image = egui::Image::new(texture).fit_to_exact_size(vec2(SIDE, SIDE)).corner_radius(3);
            ui.add(image.alt_text(format!("worst {}", example.name))).on_hover_text(&example.name);
            ui.label(RichText::new(names.class(example.label)).small().strong().color(tokens.text_strong))
                .on_hover_text("The true class");
            ui.horizontal(|ui| guess_ui(ui, names, Some(example.label), &example.guesses, "shown"));
            let loss = format!("loss {}", format::significant(f64::from(example.loss)));
            ui.label(RichText::new(loss).small().color(tokens.text_weak))
                .on_hover_text("Cross-entropy against the true class, in nats");
        });
    });
}
