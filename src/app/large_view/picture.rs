//! The large picture: the image left of a line that can be dragged, changed right of it, with a map over
//! both; or the change alone.

use super::facts::Facts;
use super::textures::LargeTextures;
use super::{LargeView, Shows};
use crate::app::format;
use crate::app::theme::tokens::{self, Tokens};
use egui::{
    Align2, CursorIcon, EventFilter, Key, Painter, Pos2, Rect, Response, RichText, Role, Sense, Stroke,
    StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Radius of the knob on the line, points.
const KNOB: f32 = 9.0;
/// How far an arrow key moves the line, of the width.
const STEP: f32 = 0.02;

/// Draws the picture, `side` points wide, and a line of words below it.
pub(super) fn ui(
    ui: &mut Ui,
    view: &mut LargeView,
    facts: &Facts<'_>,
    textures: &LargeTextures,
    side: f32,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click_and_drag());
    let (name, word) = (&facts.subject.name, facts.changed_word());
    let whole = [0.0, 1.0];
    let words = match textures.images() {
        [before, after, _] if view.shows == Shows::Both => {
            let pointer = response.interact_pointer_pos().filter(|_| response.is_pointer_button_down_on());
            if let Some(at) = pointer {
                view.divider = ((at.x - rect.left()) / side).clamp(0.0, 1.0);
            }
            let line = view.divider;
            let maps = textures.maps().map(|maps| &maps.views[view.through.min(maps.views.len() - 1)]);
            for (texture, part, which) in [(before, [0.0, line], 0), (after, [line, 1.0], 1)] {
                part_ui(ui, rect, part, texture.id(), 1.0);
                if let Some(maps) = maps {
                    part_ui(ui, rect, part, maps[which].id(), view.opacity);
                }
            }
            caption(ui, rect.left_top() + vec2(6.0, 6.0), Align2::LEFT_TOP, "clean");
            caption(ui, rect.right_top() + vec2(-6.0, 6.0), Align2::RIGHT_TOP, word);
            divider_ui(ui, view, rect, word);
            let label = format!("{name} large: clean left of the line, {word} right of it");
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
            format!("Drag the line between clean and {word}; arrow keys show the neighbours.")
        }
        [_, _, change] => {
            part_ui(ui, rect, whole, change.id(), 1.0);
            let label = format!("{name} large: {word} − clean");
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
            change_words(facts, textures.gain())
        }
        images => {
            if let [alone, ..] = images {
                part_ui(ui, rect, whole, alone.id(), 1.0);
            }
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{name} large")));
            "Arrow keys show the neighbours.".to_owned()
        }
    };
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let stroke = Stroke::new(1.0, Tokens::of(ui).accent);
        ui.painter().rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
    }
    let words = RichText::new(words).small().color(Tokens::of(ui).text_weak);
    ui.add(egui::Label::new(words).truncate());
    response
}

/// The factor and the size of the change.
fn change_words(facts: &Facts<'_>, gain: f32) -> String {
    let values = facts.pair.iter().flat_map(|pair| &pair.perturbation);
    let largest = values.fold(0.0f64, |largest, value| largest.max(f64::from(value.abs())));
    format!(
        "{} − clean, times {gain}, around middle grey; the largest change is {}/255.",
        facts.changed_word(),
        format::significant(largest)
    )
}

/// Draws the columns from `part[0]` to `part[1]` (0..=1 of the width) of a picture that fills `rect`.
fn part_ui(ui: &Ui, rect: Rect, [from, to]: [f32; 2], texture: egui::TextureId, opacity: f32) {
    let at = |share: f32| rect.left() + share * rect.width();
    let place = Rect::from_x_y_ranges(at(from)..=at(to), rect.y_range());
    let uv = Rect::from_min_max(pos2(from, 0.0), pos2(to, 1.0));
    ui.painter().image(texture, place, uv, tokens::opacity(opacity));
}

/// Words on a ground of their own, which can be read on any image.
fn caption(ui: &Ui, at: Pos2, align: Align2, text: &str) {
    let tokens = Tokens::of(ui);
    let painter: &Painter = ui.painter();
    let text =
        painter.layout_no_wrap(text.to_owned(), TextStyle::Small.resolve(ui.style()), tokens.text_strong);
    let place = align.anchor_size(at, text.size());
    painter.rect_filled(place.expand2(vec2(4.0, 2.0)), 3.0, tokens.panel);
    painter.galley(place.min, text, tokens.text_strong);
}

/// The line, with a knob that takes the arrow keys.
fn divider_ui(ui: &Ui, view: &mut LargeView, rect: Rect, word: &str) {
    let tokens = Tokens::of(ui);
    let x = |view: &LargeView| rect.left() + view.divider * rect.width();
    let knob = Rect::from_center_size(pos2(x(view), rect.center().y), Vec2::splat(2.0 * KNOB));
    let id = ui.scope_id().with("divider");
    let response =
        ui.interact(knob, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::ResizeHorizontal);
    if response.dragged() {
        view.divider = (view.divider + response.drag_delta().x / rect.width()).clamp(0.0, 1.0);
    }
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
        let pressed = |key| f32::from(u8::from(ui.input(|input| input.key_pressed(key))));
        let by = pressed(Key::ArrowRight) - pressed(Key::ArrowLeft);
        view.divider = (view.divider + STEP * by).clamp(0.0, 1.0);
    }
    let share = f64::from(view.divider);
    let label = format!("Line between clean and {word}");
    response.widget_info(|| WidgetInfo::slider(true, share, &label));
    let (x, middle) = (x(view), rect.center().y);
    let painter = ui.painter().with_clip_rect(rect.expand(KNOB));
    painter.vline(x, rect.y_range(), Stroke::new(3.0, tokens.panel));
    painter.vline(x, rect.y_range(), Stroke::new(1.5, tokens.text_strong));
    let ring = if response.has_focus() { tokens.accent } else { tokens.text_strong };
    painter.circle(pos2(x, middle), KNOB, tokens.panel, Stroke::new(1.5, ring));
    for side in [-1.0, 1.0] {
        let tip = pos2(x + side * 6.0, middle);
        let back = vec2(-side * 3.5, 3.5);
        painter.line_segment([tip, tip + back], Stroke::new(1.5, ring));
        painter.line_segment([tip, tip + vec2(back.x, -back.y)], Stroke::new(1.5, ring));
    }
}
