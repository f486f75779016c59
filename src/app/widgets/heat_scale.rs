//! The colours of a heat map from its lowest to its highest value.

use crate::app::theme::tokens;
use egui::{Mesh, Rect, Response, Sense, Ui, vec2};

/// Strips that the scale is drawn of.
const STRIPS: usize = 32;
const HEIGHT: f32 = 10.0;

/// Draws the scale, `width` points wide.
pub fn ui(ui: &mut Ui, width: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    let mut mesh = Mesh::default();
    for strip in 0..STRIPS {
        let at = |n: usize| rect.left() + rect.width() * n as f32 / STRIPS as f32;
        let part = Rect::from_x_y_ranges(at(strip)..=at(strip + 1), rect.y_range());
        mesh.add_colored_rect(part, tokens::heat(strip as f32 / (STRIPS - 1) as f32));
    }
    ui.painter().add(mesh);
    response
}
