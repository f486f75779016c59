//! What each domain takes the image for, before and after the change: two bars a class.

use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::panes::Names;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::training::events::{DomainView, Guess};
use egui::{Align2, Color32, Grid, Rect, RichText, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};
use std::cmp::Ordering;

/// Classes that each domain adds, of the image before and after.
const OF_EACH: usize = 3;
/// Rows at most.
const MOST: usize = 8;
const NAME_WIDTH: f32 = 110.0;
/// Of a cell, points: the bounds of its width, the room for the number, and the height of a bar.
const SMALLEST: f32 = 106.0;
const LARGEST: f32 = 180.0;
const GAP: f32 = 10.0;
const NUMBER: f32 = 46.0;
const BAR: f32 = 12.0;

/// What is known of a class's probability.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Probability {
    Known(f32),
    /// It is not among the guesses that were kept, and at most this.
    AtMost(f32),
}

fn probability(guesses: &[Guess], class: usize) -> Probability {
    if let Some(guess) = guesses.iter().find(|guess| guess.class == class) {
        return Probability::Known(guess.p);
    }
    let left = 1.0 - guesses.iter().map(|guess| guess.p).sum::<f32>();
    let last = guesses.last().map_or(1.0, |guess| guess.p);
    Probability::AtMost(left.clamp(0.0, last))
}

/// The classes that are worth a row, the most probable anywhere first; the true one is always there.
fn classes(views: &[DomainView], label: Option<usize>) -> Vec<usize> {
    let kept = views.iter().flat_map(|view| [&view.clean, &view.adversarial]);
    let guesses: Vec<Guess> = kept.flat_map(|guesses| guesses.iter().take(OF_EACH).copied()).collect();
    let mut found: Vec<Guess> = Vec::new();
    for guess in guesses {
        match found.iter_mut().find(|known| known.class == guess.class) {
            Some(known) => known.p = known.p.max(guess.p),
            None => found.push(guess),
        }
    }
    found.sort_by(|a, b| b.p.partial_cmp(&a.p).unwrap_or(Ordering::Equal));
    let mut classes: Vec<usize> = found.iter().map(|guess| guess.class).collect();
    let own = classes.iter().position(|class| Some(*class) == label);
    if let Some(label) = label.filter(|_| own.is_none_or(|place| place >= MOST)) {
        classes.truncate(MOST - 1);
        classes.push(label);
    }
    classes.truncate(MOST);
    classes
}

/// Draws the table: a row a class, a column for each of `views`. `word` says what was done to the image.
pub(super) fn ui(ui: &mut Ui, names: Names<'_>, label: Option<usize>, views: &[DomainView], word: &str) {
    let tokens = Tokens::of(ui);
    let small = |text: &str| RichText::new(text).small().color(tokens.text_weak);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Probabilities").strong().color(tokens.text_strong))
            .on_hover_text("Softmax probability of each class, in percent");
        for (text, colour) in [("clean", before_colour(tokens)), (word, after_colour(tokens, word))] {
            let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
            ui.painter().rect_filled(rect, 2.0, colour);
            ui.label(small(text));
        }
    });
    let room = (ui.available_width() - NAME_WIDTH) / views.len().max(1) as f32 - GAP;
    let width = room.clamp(SMALLEST, LARGEST).floor();
    Grid::new("probabilities").spacing(vec2(GAP, 3.0)).show(ui, |ui| {
        ui.label(small("Class"));
        for view in 0..views.len() {
            ui.label(small(names.domain(view))).on_hover_text("The BN domain that the image goes through");
        }
        ui.end_row();
        for class in classes(views, label) {
            class_ui(ui, &names.class(class), label == Some(class));
            for (place, view) in views.iter().enumerate() {
                let of = format!("{}, {}", names.domain(place), names.class(class));
                let pair = [probability(&view.clean, class), probability(&view.adversarial, class)];
                cell_ui(ui, &of, pair, word, width);
            }
            ui.end_row();
        }
    });
}

fn before_colour(tokens: &Tokens) -> Color32 {
    tokens.data(DataKind::Clean)
}

/// Attacked images have a colour of their own; no plot has one for corrupted ones.
fn after_colour(tokens: &Tokens, word: &str) -> Color32 {
    if word == DataKind::Attacked.label() { tokens.data(DataKind::Attacked) } else { tokens.text_weak }
}

fn class_ui(ui: &mut Ui, name: &str, is_true: bool) {
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        ui.set_width(NAME_WIDTH);
        let text = RichText::new(name);
        if is_true {
            icons::show(ui, Icon::Check, tokens.good, "the true class");
            ui.add(egui::Label::new(text.strong().color(tokens.text_strong)).truncate());
        } else {
            ui.add(egui::Label::new(text.color(tokens.text)).truncate());
        }
    });
}

/// The two bars of one class and domain, before above after.
fn cell_ui(ui: &mut Ui, of: &str, pair: [Probability; 2], word: &str, width: f32) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 2.0 * BAR), Sense::hover());
    let font = TextStyle::Small.resolve(ui.style());
    let colours = [before_colour(tokens), after_colour(tokens, word)];
    for (row, (probability, colour)) in pair.into_iter().zip(colours).enumerate() {
        let top = rect.top() + row as f32 * BAR;
        let place = |width: f32| {
            Rect::from_min_max(pos2(rect.left(), top + 2.0), pos2(rect.left() + width, top + BAR - 2.0))
        };
        ui.painter().rect_filled(place(width - NUMBER), 1.0, tokens.raised);
        if let Probability::Known(p) = probability {
            ui.painter().rect_filled(place(p.clamp(0.0, 1.0) * (width - NUMBER)), 1.0, colour);
        }
        let at = pos2(rect.right(), top + 0.5 * BAR);
        ui.painter().text(at, Align2::RIGHT_CENTER, number(probability), font.clone(), tokens.text);
    }
    let text = format!("{of}: clean {}, {word} {}", number(pair[0]), number(pair[1]));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    response.on_hover_text(text);
}

fn number(probability: Probability) -> String {
    match probability {
        Probability::Known(p) => format::share(p),
        Probability::AtMost(p) => format!("≤ {}", format::share(p)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses(pairs: &[(usize, f32)]) -> Vec<Guess> {
        pairs.iter().map(|&(class, p)| Guess { class, p }).collect()
    }

    #[test]
    fn a_class_beyond_the_kept_guesses_has_a_bound() {
        let kept = guesses(&[(4, 0.5), (2, 0.25), (7, 0.125)]);
        assert_eq!(probability(&kept, 2), Probability::Known(0.25));
        assert_eq!(probability(&kept, 0), Probability::AtMost(0.125));
        assert_eq!(probability(&guesses(&[(4, 0.75), (2, 0.125)]), 0), Probability::AtMost(0.125));
        assert_eq!(number(probability(&kept, 0)), "≤ 12.5%");
        assert_eq!(probability(&[], 0), Probability::AtMost(1.0));
    }

    #[test]
    fn the_true_class_has_a_row_always() {
        let many: Vec<(usize, f32)> = (0..3).map(|class| (class, 0.3)).collect();
        let view = |first: usize| DomainView {
            clean: guesses(&many.iter().map(|(c, p)| (c + first, *p)).collect::<Vec<_>>()),
            adversarial: guesses(&[(first + 50, 0.9)]),
            cam: vec![],
            cam_adversarial: vec![],
        };
        let views = [view(0), view(10), view(20)];
        let found = classes(&views, Some(99));
        assert_eq!((found.len(), found[0], found.last()), (MOST, 50, Some(&99)));
        assert_eq!(classes(&views[..1], Some(1)), [50, 0, 1, 2]);
        assert_eq!(classes(&views[..1], None).len(), 4);
    }
}
