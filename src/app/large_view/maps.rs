//! Small pictures of where each domain looks, before and after the change; a click lays one domain's maps
//! over the large picture.

use super::facts::{Facts, MapOf};
use super::textures::LargeTextures;
use super::{LargeView, Shows};
use crate::app::format;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::heat_scale;
use crate::app::widgets::pictures::clickable;
use egui::{Grid, RichText, Stroke, StrokeKind, Ui, vec2};

/// Side of a small picture, points.
const SIDE: f32 = 92.0;

pub(super) fn ui(ui: &mut Ui, view: &mut LargeView, facts: &Facts<'_>, textures: &LargeTextures) {
    let tokens = Tokens::of(ui);
    let small = |text: &str| RichText::new(text).small().color(tokens.text_weak);
    let ([before, after, _], Some(maps)) = (textures.images(), textures.maps()) else {
        if facts.pair.is_some() && view.map != MapOf::Nothing && facts.maps(view.map).is_none() {
            ui.label(small("There is no such map of this image yet."));
        }
        return;
    };
    if view.shows == Shows::Change {
        return;
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new("Where each domain looks").strong().color(tokens.text_strong));
        let (low, high) = maps.range;
        ui.label(small(&format::significant(low.into())));
        heat_scale::ui(ui, 64.0)
            .on_hover_text("Colour scale of all these maps: raw scores, a part of the logit");
        ui.label(small(&format::significant(high.into())));
    });
    let chosen = view.through.min(maps.views.len() - 1);
    Grid::new("large maps").spacing(vec2(tokens::GAP, tokens::GAP_SMALL)).show(ui, |ui| {
        for (which, (image, word)) in
            [(before, "clean"), (after, facts.changed_word())].into_iter().enumerate()
        {
            ui.label(small(word));
            for (place, textures) in maps.views.iter().enumerate() {
                let domain = facts.names.domain(place);
                let help = "Lay the maps of this domain over the large picture";
                let label = format!("large map of {domain}, {word}");
                let response = clickable(ui, image, SIDE, &label, help);
                let over = egui::Image::new(&textures[which]).corner_radius(3);
                over.tint(tokens::opacity(view.opacity)).paint_at(ui, response.rect);
                if place == chosen {
                    let stroke = Stroke::new(1.5, tokens.accent);
                    ui.painter().rect_stroke(response.rect, 3.0, stroke, StrokeKind::Outside);
                }
                if response.clicked() {
                    view.through = place;
                }
            }
            ui.end_row();
        }
        ui.label("");
        for place in 0..maps.views.len() {
            ui.label(small(facts.names.domain(place)));
        }
        ui.end_row();
    });
}
