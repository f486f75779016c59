//! The confusion matrix: a cell for each true and predicted class, coloured by its share of the true class.

use crate::app::format;
use crate::app::panes::Names;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::figure::{Body, Cells, Figure};
use crate::app::widgets::pictures::Plain;
use crate::evaluation::confusion::Confusion;
use egui::epaint::TextShape;
use egui::{
    Align2, FontId, Key, Pos2, Rect, Response, RichText, ScrollArea, Sense, Stroke, StrokeKind, TextStyle,
    Ui, WidgetInfo,
};
use egui::{pos2, vec2};
use std::f32::consts::FRAC_PI_2;

/// Side of a cell, points: as large as fits between these.
const SMALLEST: f32 = 6.0;
const LARGEST: f32 = 34.0;
/// Up to so many classes a cell is never too small for its count; the pane scrolls.
const FEW_CLASSES: usize = 20;
/// From this side on, a cell has room for its count, and a row for its name.
const ROOM_FOR_NUMBERS: f32 = 22.0;
const ROOM_FOR_NAMES: f32 = 11.0;
const NAMES_WIDTH: f32 = 84.0;
/// Room beside the matrix.
const AROUND: f32 = 24.0;
/// Of the column names, which stand upright.
const NAMES_HEIGHT: f32 = 62.0;
/// Smaller cells touch each other, and the matrix is one picture.
const ROOM_FOR_GAPS: f32 = 12.0;
/// Classes of the largest matrix; graphics cards have larger textures, and nobody reads them.
pub(super) const MOST_CLASSES: usize = 2048;

/// What is chosen of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The row: a true class.
    pub class: Option<usize>,
    /// The column: with the row, a cell.
    pub taken_for: Option<usize>,
}

/// The width that the matrix takes at most, points.
pub(super) fn most_width(classes: usize) -> f32 {
    NAMES_WIDTH + AROUND + LARGEST * classes as f32
}

/// Draws the matrix. A click, or the arrow keys, choose a cell. The picture of many classes is made when
/// `key` changes.
pub fn ui(
    ui: &mut Ui,
    names: Names<'_>,
    confusion: &Confusion,
    chosen: &mut Chosen,
    textures: &mut Plain,
    key: (u64, u32),
) {
    let classes = confusion.classes;
    if classes > MOST_CLASSES {
        ui.weak(format!("{classes} classes are too many for a matrix; “Most mistaken” lists the pairs."));
        return;
    }
    let named = classes <= FEW_CLASSES;
    let names_height = if named { NAMES_HEIGHT } else { 0.0 };
    let area = ui.available_size() - vec2(NAMES_WIDTH + AROUND, 56.0 + names_height);
    let least = if named { ROOM_FOR_NUMBERS } else { SMALLEST };
    let side = (area.x.min(area.y) / classes as f32).clamp(least, LARGEST);
    ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        let weak = Tokens::of(ui).text_weak;
        ui.label(RichText::new(READING).small().color(weak)).on_hover_text(
            "Every row is coloured for itself, from 0 to 100% of its images, so that a rare class is seen as well as \
             a common one. Numbers: images",
        );
        let side_of_all = side * classes as f32;
        let size = vec2(NAMES_WIDTH + side_of_all + tokens::GAP, names_height + side_of_all);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        let origin = pos2(rect.left() + NAMES_WIDTH, rect.top() + names_height);
        let matrix = Matrix { names, confusion, rect, origin, side };
        if side <= ROOM_FOR_GAPS {
            matrix.picture_ui(ui, textures, key);
        }
        if named {
            matrix.column_names_ui(ui);
        }
        matrix.rows_ui(ui, *chosen);
        matrix.choose_ui(ui, response, chosen);
    });
}

/// How the matrix is read.
const READING: &str =
    "True class down, predicted class across; coloured by row, the share of the true class's images";

/// The matrix as it lies on the window.
struct Matrix<'a> {
    names: Names<'a>,
    confusion: &'a Confusion,
    /// Cells and names, points.
    rect: Rect,
    /// The upper left corner of the cells.
    origin: Pos2,
    /// Side of a cell, points.
    side: f32,
}

/// The matrix for print. `about`: of which model and images.
pub(super) fn figure(names: Names<'_>, confusion: &Confusion, about: &str) -> Figure {
    let classes = confusion.classes;
    let all: Vec<String> = (0..classes).map(|class| names.class(class)).collect();
    let mut cells = vec![(0.0, String::new()); classes * classes];
    for row in 0..classes {
        for (column, count) in confusion.row(row) {
            let words = if count > 0 { count.to_string() } else { String::new() };
            cells[row * classes + column] = (share(confusion, row, count), words);
        }
    }
    Figure {
        title: "Confusion of classes".to_owned(),
        subject: about.to_owned(),
        body: Body::Cells(Cells {
            x_title: "Predicted class".to_owned(),
            y_title: "True class".to_owned(),
            columns: all.clone(),
            rows: all,
            cells,
            is_square: true,
            scale: ["of the true class (numbers: images)", "0%", "100%"].map(str::to_owned),
        }),
    }
}

/// The share of the true class `row` that `count` of its images are, 0..1.
fn share(confusion: &Confusion, row: usize, count: u32) -> f32 {
    let (images, _) = confusion.of_class(row);
    if images > 0 { count as f32 / images as f32 } else { 0.0 }
}

impl Matrix<'_> {
    fn share(&self, row: usize, count: u32) -> f32 {
        share(self.confusion, row, count)
    }

    /// All cells as one picture, a pixel a cell, which is made again when `key` changes.
    fn picture_ui(&self, ui: &Ui, textures: &mut Plain, key: (u64, u32)) {
        let classes = self.confusion.classes;
        let cells = || {
            let mut rgb = tokens::heat(0.0).to_array()[..3].repeat(classes * classes);
            for row in 0..classes {
                for (column, count) in self.confusion.row(row) {
                    let colour = tokens::heat(self.share(row, count)).to_array();
                    rgb[3 * (row * classes + column)..][..3].copy_from_slice(&colour[..3]);
                }
            }
            vec![rgb]
        };
        let made = textures.textures(ui.ctx(), key, classes, egui::TextureOptions::NEAREST, cells);
        let whole = Rect::from_min_size(self.origin, vec2(self.side, self.side) * classes as f32);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        for texture in made {
            ui.painter().image(texture.id(), whole, uv, tokens::opacity(1.0));
        }
    }

    /// The names of the predicted classes, upright above their columns.
    fn column_names_ui(&self, ui: &Ui) {
        let tokens = Tokens::of(ui);
        let font = TextStyle::Small.resolve(ui.style());
        let (left, right) = (self.origin.x, self.rect.right());
        let above = Rect::from_min_max(pos2(left, self.rect.top()), pos2(right, self.origin.y));
        let painter = ui.painter().with_clip_rect(above.intersect(ui.clip_rect()));
        for column in 0..self.confusion.classes {
            let name = painter.layout_no_wrap(self.names.class(column), font.clone(), tokens.text);
            let at = self.origin + vec2((column as f32 + 0.5) * self.side - 0.5 * name.size().y, -4.0);
            painter.add(TextShape::new(at, name, tokens.text).with_angle(-FRAC_PI_2));
        }
    }

    /// The cells and names of the rows in sight (a thousand names a frame are too many), and frames around
    /// the chosen one and its chosen cell.
    fn rows_ui(&self, ui: &Ui, Chosen { class, taken_for }: Chosen) {
        let tokens = Tokens::of(ui);
        let (classes, side) = (self.confusion.classes, self.side);
        let font = TextStyle::Small.resolve(ui.style());
        let row_at = |y: f32| ((y - self.origin.y) / side).clamp(0.0, classes as f32);
        let (top, bottom) = (row_at(ui.clip_rect().top()), row_at(ui.clip_rect().bottom()));
        let beside = Rect::from_min_max(self.rect.left_top(), pos2(self.origin.x, self.rect.bottom()));
        let names_painter = ui.painter().with_clip_rect(beside.intersect(ui.clip_rect()));
        for row in top as usize..bottom.ceil() as usize {
            if side > ROOM_FOR_GAPS {
                self.cells_ui(ui, row, &font);
            }
            if side >= ROOM_FOR_NAMES {
                let at = pos2(self.origin.x - 6.0, self.origin.y + (row as f32 + 0.5) * side);
                let colour = if class == Some(row) { tokens.accent } else { tokens.text };
                let name = self.names.class(row);
                names_painter.text(at, Align2::RIGHT_CENTER, name, font.clone(), colour);
            }
        }
        if let Some(row) = class.filter(|row| *row < classes) {
            let corner = self.origin + vec2(0.0, row as f32 * side);
            let line = Rect::from_min_size(corner, vec2(side * classes as f32, side));
            ui.painter().rect_stroke(line, 1.0, Stroke::new(1.5, tokens.accent), StrokeKind::Outside);
            if let Some(column) = taken_for.filter(|column| *column < classes) {
                let cell = Rect::from_min_size(corner + vec2(column as f32 * side, 0.0), vec2(side, side));
                let stroke = Stroke::new(2.5, tokens.text_strong);
                ui.painter().rect_stroke(cell, 1.0, stroke, StrokeKind::Middle);
            }
        }
    }

    fn cells_ui(&self, ui: &Ui, row: usize, font: &FontId) {
        for column in 0..self.confusion.classes {
            let count = self.confusion.count(row, column);
            let share = self.share(row, count);
            let at = self.origin + vec2(column as f32, row as f32) * self.side;
            let place = Rect::from_min_size(at, vec2(self.side, self.side)).shrink(0.5);
            ui.painter().rect_filled(place, 1.0, tokens::heat(share));
            if self.side >= ROOM_FOR_NUMBERS && count > 0 {
                let colour = tokens::on_heat(share);
                ui.painter().text(place.center(), Align2::CENTER_CENTER, count, font.clone(), colour);
            }
        }
    }

    /// The choice of a cell by pointer and keys, and what is said of the one under the pointer.
    fn choose_ui(&self, ui: &Ui, response: Response, chosen: &mut Chosen) {
        let (names, confusion) = (self.names, self.confusion);
        let classes = confusion.classes;
        let under = response.hover_pos().and_then(|at| {
            let (x, y) = ((at.x - self.origin.x) / self.side, (at.y - self.origin.y) / self.side);
            let inside = x >= 0.0 && y >= 0.0 && (x as usize) < classes && (y as usize) < classes;
            inside.then_some((y as usize, x as usize))
        });
        response.widget_info(|| {
            let row = chosen.class.unwrap_or(0);
            let cell = chosen.taken_for.map_or_else(String::new, |column| {
                format!("; {} taken for {}", confusion.count(row, column), names.class(column))
            });
            let taken = most_taken(names, confusion, row);
            let text = format!("Confusion matrix, row {}: {taken}{cell}", names.class(row));
            WidgetInfo::slider(true, row as f64, text)
        });
        if response.clicked() {
            response.request_focus();
            (chosen.class, chosen.taken_for) = (under.map(|(row, _)| row), under.map(|(_, column)| column));
        }
        if response.has_focus() {
            let arrows = egui::EventFilter {
                vertical_arrows: true,
                horizontal_arrows: true,
                ..egui::EventFilter::default()
            };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
            let way = |back, on| {
                let pressed = |key| isize::from(ui.input(|input| input.key_pressed(key)));
                pressed(on) - pressed(back)
            };
            let moved = |from: Option<usize>, by: isize, first: usize| {
                from.map_or(first, |from| from.saturating_add_signed(by).min(classes - 1))
            };
            let (down, right) = (way(Key::ArrowUp, Key::ArrowDown), way(Key::ArrowLeft, Key::ArrowRight));
            if down != 0 {
                chosen.class = Some(moved(chosen.class, down, 0));
            }
            if right != 0 {
                // The first step goes to the images that were recognised.
                let row = *chosen.class.get_or_insert(0);
                chosen.taken_for = Some(moved(chosen.taken_for, right, row));
            }
            let stroke = Stroke::new(1.0, Tokens::of(ui).accent);
            ui.painter().rect_stroke(self.rect, 2.0, stroke, StrokeKind::Outside);
        }
        if let Some((row, column)) = under {
            response.on_hover_text_at_pointer(self.about(row, column));
        }
    }

    fn about(&self, row: usize, column: usize) -> String {
        let (images, _) = self.confusion.of_class(row);
        let count = self.confusion.count(row, column);
        let share = format::share(count as f32 / images as f32);
        let [class, taken_for] = [row, column].map(|class| self.names.class(class));
        format!(
            "{count} of {} of {class} taken for {taken_for} ({share}). Click: show them",
            format::counted(images.into(), "image")
        )
    }
}

/// What a class's images are taken for, most often first, for a screen reader.
fn most_taken(names: Names<'_>, confusion: &Confusion, row: usize) -> String {
    let mut order: Vec<(usize, u32)> = confusion.row(row).collect();
    order.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = order.iter().take(3).map(|(column, count)| format!("{count} {}", names.class(*column)));
    words.collect::<Vec<_>>().join(", ")
}
