//! Attention: where each domain looks on the same images, clean and attacked, on one colour scale.

use super::gallery::class_name;
use super::{Shared, once_there};
use crate::app::chrome;
use crate::app::format;
use crate::app::model::RunView;
use crate::app::pictures::{MapScale, Maps};
use crate::app::tokens::{self, Tokens};
use egui::{ComboBox, Mesh, Rect, RichText, ScrollArea, Sense, Slider, TextureHandle, Ui, vec2};

/// Strips of the drawn colour scale.
const SCALE_STRIPS: usize = 32;

/// How the maps are drawn.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct AttentionView {
    /// Opacity of the map over the image, 0..=1.
    pub opacity: f32,
    pub scale: MapScale,
    /// Side of a picture, points.
    pub side: f32,
}

impl Default for AttentionView {
    fn default() -> Self {
        Self { opacity: 0.6, scale: MapScale::Image, side: 104.0 }
    }
}

pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut AttentionView) {
    let run = shared.run;
    let has_maps = |item: &crate::training::events::GalleryItem| !item.views.is_empty();
    let Some(snapshot) = run.snapshot.clone().filter(|snapshot| snapshot.gallery.iter().any(has_maps)) else {
        let text = format!(
            "Class activation maps of every domain, for clean and attacked images side by side on one colour \
             scale. {}",
            once_there(run)
        );
        chrome::empty_ui(ui, "No maps yet", &text, run, &[], shared.queue);
        return;
    };
    controls_ui(ui, snapshot.step, view);
    ui.add_space(tokens::GAP_SMALL);
    // Only clean and adversarial are taken, so whatever gain the gallery's pictures were made with will do.
    let gain = shared.pictures.made_gain().unwrap_or(1.0);
    let originals: Vec<[TextureHandle; 2]> = shared
        .pictures
        .rows(ui.ctx(), run, gain)
        .iter()
        .map(|row| [row.clean.clone(), row.adversarial.clone()])
        .collect();
    let maps = shared.pictures.maps(ui.ctx(), run, view.scale);
    let tokens = Tokens::of(ui);
    ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        egui::Grid::new("maps").spacing(vec2(tokens::GAP, tokens::GAP)).show(ui, |ui| {
            let domains: Vec<&str> = run.domains.iter().map(String::as_str).collect();
            for data in ["Clean", "Attacked"] {
                heading(ui, &format!("{data} image"), view.side);
                for domain in &domains {
                    heading(ui, &format!("seen by {domain}"), view.side);
                }
            }
            ui.label(RichText::new("Class and scale").small().color(tokens.text_weak));
            ui.end_row();
            for ((item, maps), originals) in snapshot.gallery.iter().zip(maps).zip(&originals) {
                for (data, name) in [(0, "clean"), (1, "attacked")] {
                    overlay_ui(ui, &originals[data], None, view, &format!("{name} {}", item.name));
                    for (domain, textures) in maps.domains.iter().enumerate() {
                        let domain = domains.get(domain).copied().unwrap_or("?");
                        let label = format!("map of {domain}, {name} {}", item.name);
                        overlay_ui(ui, &originals[data], Some(&textures[data]), view, &label);
                    }
                }
                scale_ui(ui, run, item.label, maps);
                ui.end_row();
            }
        });
    });
}

fn heading(ui: &mut Ui, text: &str, side: f32) {
    ui.scope(|ui| {
        ui.set_min_width(side);
        ui.label(RichText::new(text).small().color(Tokens::of(ui).text_weak));
    });
}

fn controls_ui(ui: &mut Ui, step: u64, view: &mut AttentionView) {
    ui.horizontal_wrapped(|ui| {
        ui.label(format!("Step {step}, map of the true class")).on_hover_text(
            "Class activation map: the last feature maps weighted by the true class's weights of the \
             classifier, enlarged to the input size. No unit: a part of the class's logit.",
        );
        ui.add_space(tokens::GAP);
        ui.spacing_mut().slider_width = 80.0;
        ui.label("Opacity");
        let slider = Slider::new(&mut view.opacity, 0.0..=1.0).show_value(true).max_decimals(2);
        ui.add(slider)
            .accessible_name("Map opacity")
            .on_hover_text("Opacity of the map over the image, 0 to 1");
        ui.add_space(tokens::GAP);
        ui.label("Scale");
        let name = |scale| match scale {
            MapScale::Image => "per image",
            MapScale::All => "all images",
        };
        let combo = ComboBox::from_id_salt("scale").width(90.0).selected_text(name(view.scale));
        let response = combo.show_ui(ui, |ui| {
            for scale in [MapScale::Image, MapScale::All] {
                ui.selectable_value(&mut view.scale, scale, name(scale));
            }
        });
        response.response.accessible_name("Colour scale").on_hover_text(
            "What one colour scale spans. Domains, clean and attacked always share one, so their colours can \
             be compared.",
        );
        ui.label("Size");
        let slider = Slider::new(&mut view.side, 64.0..=256.0).show_value(false);
        ui.add(slider).accessible_name("Map size").on_hover_text("Side of a picture on screen");
    });
}

/// An image with a map over it.
fn overlay_ui(
    ui: &mut Ui,
    image: &TextureHandle,
    map: Option<&TextureHandle>,
    view: &AttentionView,
    label: &str,
) {
    let size = vec2(view.side, view.side);
    let picture = egui::Image::new(image).fit_to_exact_size(size).corner_radius(3);
    let response = ui.add(picture.alt_text(label));
    if let Some(map) = map {
        let over = egui::Image::new(map).corner_radius(3).tint(tokens::opacity(view.opacity));
        over.paint_at(ui, response.rect);
    }
}

/// The true class, and the scale from the lowest to the highest score.
fn scale_ui(ui: &mut Ui, run: &RunView, label: usize, maps: &Maps) {
    let tokens = Tokens::of(ui);
    ui.vertical(|ui| {
        ui.label(RichText::new(class_name(run, label)).strong().color(tokens.text_strong))
            .on_hover_text("The true class, whose map is shown");
        let (rect, response) = ui.allocate_exact_size(vec2(92.0, 10.0), Sense::hover());
        let mut mesh = Mesh::default();
        for strip in 0..SCALE_STRIPS {
            let at = |n: usize| rect.left() + rect.width() * n as f32 / SCALE_STRIPS as f32;
            let part = Rect::from_x_y_ranges(at(strip)..=at(strip + 1), rect.y_range());
            mesh.add_colored_rect(part, tokens::heat(strip as f32 / (SCALE_STRIPS - 1) as f32));
        }
        ui.painter().add(mesh);
        let (low, high) = maps.range;
        response.on_hover_text("Colour scale of this row's maps: raw scores, no unit");
        let text = format!("{} to {}", format::significant(low.into()), format::significant(high.into()));
        ui.label(RichText::new(text).small().color(tokens.text_weak));
    });
}
