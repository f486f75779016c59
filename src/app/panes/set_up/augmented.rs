//! What augmentation makes of the set's images, without a preflight: a row an image, as it is and as the
//! network might get it.

use crate::app::panes::Shared;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::pictures::options;
use crate::app::widgets::work::waiting_ui;
use egui::{CollapsingHeader, RichText, Ui, vec2};

/// Side of a picture at most, and at least, points.
const LARGEST: f32 = 64.0;
const SMALLEST: f32 = 24.0;

/// Draws the preview, which opens on a click.
pub(super) fn ui(ui: &mut Ui, shared: &mut Shared<'_>) {
    let header = CollapsingHeader::new("Augmentation preview").id_salt("augmented").show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            let help = "Other images, and another draw of everything that is random about them";
            if ui.button("Reroll").on_hover_text(help).clicked() {
                shared.augmented.reroll();
            }
            let augment = shared.form.value("data.augment").and_then(toml::Value::as_array);
            let names: Vec<&str> = augment.into_iter().flatten().filter_map(toml::Value::as_str).collect();
            let text = match names.is_empty() {
                true => "nothing is augmented".to_owned(),
                false => names.join(", "),
            };
            ui.label(RichText::new(text).small().color(Tokens::of(ui).text_weak));
            waiting_ui(ui, shared.augmented.is_waiting(), "The images are read and augmented");
        });
        match shared.augmented.shown.clone() {
            Some(Ok(_)) => pictures_ui(ui, shared),
            Some(Err(fault)) => {
                let error = Tokens::of(ui).error;
                ui.add(egui::Label::new(RichText::new(fault).small().color(error)).wrap());
            }
            None => {}
        }
    });
    shared.augmented.is_open = header.fully_open();
}

fn pictures_ui(ui: &mut Ui, shared: &mut Shared<'_>) {
    let Some(Ok(shown)) = shared.augmented.shown.clone() else { return };
    let generation = shared.augmented.generation;
    let all = || shown.images.iter().flat_map(|image| std::iter::once(&image.plain).chain(&image.versions));
    let textures = shared.pictures.augmented.textures(
        ui.ctx(),
        (generation, 0),
        shown.size,
        options(shown.size),
        || all().collect::<Vec<_>>(),
    );
    let columns = 1 + shown.images.first().map_or(0, |image| image.versions.len());
    let gap = 3.0;
    // The first stands a little apart, and the scroll bar wants room.
    let room = ui.available_width() - gap * columns as f32 - 2.0 * tokens::GAP_SMALL;
    let side = room / columns as f32;
    let side = side.clamp(SMALLEST, LARGEST);
    let mut textures = textures.iter();
    for image in &shown.images {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing = vec2(gap, gap);
            for (number, texture) in textures.by_ref().take(columns).enumerate() {
                let picture = egui::Image::new(texture).fit_to_exact_size(vec2(side, side)).corner_radius(2);
                let (label, help) = match number {
                    0 => (format!("{} as it is", image.name), format!("{}, as it is", image.name)),
                    _ => (
                        format!("{} augmented {number}", image.name),
                        format!("{}, as the network might get it in one of its epochs", image.name),
                    ),
                };
                ui.add(picture.alt_text(label)).on_hover_text(help);
                if number == 0 {
                    ui.add_space(tokens::GAP_SMALL);
                }
            }
        });
    }
}
