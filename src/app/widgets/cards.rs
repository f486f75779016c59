//! Cards of attacked images: the pictures of one image and what every domain predicts before and after the
//! attack.

use crate::app::format;
use crate::app::panes::Names;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, LIGHT, Tokens};
use crate::app::widgets::figure::{Picture, PictureRow};
use crate::app::widgets::pictures::{RowPictures, SHOWN_LARGE, clickable, magnified};
use crate::training::events::{GalleryItem, Guess};
use egui::{Align, Color32, ComboBox, Frame, Layout, Response, RichText, TextureHandle, Ui, vec2};

/// Gains offered beside the automatic one.
const GAINS: [f32; 6] = [1.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Least room for a domain's name and a class with its probability, points.
const PREDICTIONS_WIDTH: f32 = 128.0;
/// Height of a line and of what a view predicts before and after, points.
const LINE: f32 = 18.0;
const PREDICTIONS: f32 = 44.0;

/// How many cards with pictures of `side` stand side by side in `width`, points.
pub fn columns(width: f32, side: f32) -> usize {
    let card = 3.0 * side + 3.0 * tokens::GAP_SMALL + PREDICTIONS_WIDTH + 2.0 * tokens::GAP;
    ((width + tokens::GAP) / (card + tokens::GAP)).floor().max(1.0) as usize
}

/// About the height of a card whose predictions are of `views` views, with `lines` below them, points.
pub fn height(side: f32, views: usize, lines: usize) -> f32 {
    let title_and_margins = LINE + 2.0 * tokens::GAP;
    (side + LINE).max(PREDICTIONS * views as f32) + title_and_margins + LINE * lines as f32
}

/// The choice of a perturbation's gain; `now` is the one in use.
pub fn gain_ui(ui: &mut Ui, gain: &mut Option<f32>, now: f32) {
    ui.label("Gain");
    let name = |gain: Option<f32>| gain.map_or_else(|| "auto".to_owned(), |gain| format!("×{gain}"));
    let combo = ComboBox::from_id_salt("gain").width(64.0).selected_text(name(*gain));
    let response = combo.show_ui(ui, |ui| {
        for choice in std::iter::once(None).chain(GAINS.map(Some)) {
            ui.selectable_value(gain, choice, name(choice));
        }
    });
    let help = format!(
        "The perturbation is multiplied by this before it is drawn around middle grey; now ×{now}. Auto: the \
         largest gain that clips nothing in these pictures."
    );
    response.response.accessible_name("Perturbation gain").on_hover_text(help);
}

/// What a card shows, and how large.
#[derive(Clone, Copy)]
pub struct Card<'a> {
    pub item: &'a GalleryItem,
    /// Whether the item's label is the true class.
    pub label_known: bool,
    pub pictures: &'a RowPictures,
    /// Side of a picture, points.
    pub side: f32,
    /// Width of the card, points.
    pub width: f32,
    /// What the perturbation is multiplied by before it is drawn.
    pub gain: f32,
}

/// An image with its perturbation, its attacked version and every domain's predictions; `more` goes below
/// them. Of files nobody knows the class: then nothing is called right or wrong. The picture that was
/// clicked, if one was.
pub fn card_ui(
    ui: &mut Ui,
    names: Names<'_>,
    card: Card<'_>,
    more: impl FnOnce(&mut Ui),
) -> Option<Response> {
    let Card { item, label_known, pictures, side, width, gain } = card;
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.raised).corner_radius(6).inner_margin(tokens::GAP);
    let mut clicked = None;
    frame.show(ui, |ui| {
        ui.set_width(width - 2.0 * tokens::GAP);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing = vec2(tokens::GAP_SMALL, 3.0);
            ui.horizontal(|ui| {
                let (label, help) = match label_known {
                    true => (names.class(item.label), "The true class"),
                    false => (
                        "Own image".to_owned(),
                        "Its class is not known; the attack leads away from the prediction",
                    ),
                };
                ui.label(RichText::new(label).strong().color(tokens.text_strong)).on_hover_text(help);
                ui.add(egui::Label::new(RichText::new(&item.name).small().weak()).truncate());
            });
            ui.horizontal_top(|ui| {
                let mut show = |ui: &mut Ui, texture, caption: &str, help: &str| {
                    let response = picture_ui(ui, texture, side, (caption, &item.name), help);
                    if response.clicked() {
                        clicked = Some(response);
                    }
                };
                show(ui, &pictures.clean, "clean", "The clean validation image");
                let help = format!(
                    "Adversarial − clean, times {gain}, around middle grey. Largest change here: {}/255.",
                    format::significant(largest(&item.perturbation))
                );
                show(ui, &pictures.perturbation, &format!("perturbation ×{gain}"), &help);
                show(ui, &pictures.adversarial, "attacked", "The adversarial image");
                ui.vertical(|ui| {
                    ui.spacing_mut().interact_size.y = 0.0;
                    for (domain, view) in item.views.iter().enumerate() {
                        let label = label_known.then_some(item.label);
                        prediction_ui(ui, names, label, domain, &view.clean, &view.adversarial);
                    }
                });
            });
            more(ui);
        });
    });
    clicked
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0f64, |largest, value| largest.max(f64::from(value.abs())))
}

/// A picture of the image `name` with its caption below.
fn picture_ui(
    ui: &mut Ui,
    texture: &TextureHandle,
    side: f32,
    (caption, name): (&str, &str),
    help: &str,
) -> Response {
    ui.vertical(|ui| {
        ui.set_width(side);
        let help = format!("{help}. {SHOWN_LARGE}");
        let response = clickable(ui, texture, side, &format!("{caption} image of {name}"), &help);
        ui.label(RichText::new(caption).small().color(Tokens::of(ui).text_weak));
        response
    })
    .inner
}

/// Two lines: the domain and its first guess on the clean image, an arrow and its first guess on the attacked
/// one.
fn prediction_ui(
    ui: &mut Ui,
    names: Names<'_>,
    label: Option<usize>,
    domain: usize,
    before: &[Guess],
    after: &[Guess],
) {
    let domain = names.domain(domain);
    let lines = [(domain, before, "clean"), ("→", after, "attacked")];
    for (lead, guesses, data) in lines {
        ui.horizontal(|ui| {
            let size = vec2(30.0, 17.0);
            let layout = Layout::right_to_left(Align::Center);
            ui.allocate_ui_with_layout(size, layout, |ui| {
                ui.set_min_size(size);
                ui.label(RichText::new(lead).small().color(Tokens::of(ui).text_weak))
                    .on_hover_text(format!("{domain}: the BN domain that the {data} image goes through"));
            });
            guess_ui(ui, names, label, guesses, data);
        });
    }
    ui.add_space(3.0);
}

/// The first guess, with a mark where the true class is known.
pub fn guess_ui(ui: &mut Ui, names: Names<'_>, label: Option<usize>, guesses: &[Guess], data: &str) {
    let tokens = Tokens::of(ui);
    let Some(first) = guesses.first() else {
        ui.label("–");
        return;
    };
    let (mark, colour, verdict) = match label {
        Some(label) if first.class == label => (Some(Icon::Check), tokens.good, ", right"),
        Some(_) => (Some(Icon::Cross), tokens.error, ", wrong"),
        None => (None, tokens.text_strong, ""),
    };
    // A long name is cut, the figure before it never.
    let text = format!("{} {}", format::share(first.p), names.class(first.class));
    let lines: Vec<String> = guesses
        .iter()
        .map(|guess| format!("{}: {}", names.class(guess.class), format::share(guess.p)))
        .collect();
    if let Some(mark) = mark {
        icons::show(ui, mark, colour, verdict.trim_start_matches(", "));
    }
    let help = format!(
        "Most probable classes of the {data} image{verdict}, softmax probability in percent:\n{}",
        lines.join("\n")
    );
    let text = RichText::new(text).color(colour);
    ui.add(egui::Label::new(text).truncate()).on_hover_text(help);
}

/// A card as a row of a figure: its pictures, and behind them what every domain predicts before and after.
pub fn figure_row(names: Names<'_>, item: &GalleryItem, label_known: bool, gain: f32) -> PictureRow {
    let picture = |rgb: &[u8]| Picture::new(item.size, rgb);
    let pictures =
        vec![picture(&item.clean), picture(&magnified(&item.perturbation, gain)), picture(&item.adversarial)];
    let label = label_known.then_some(item.label);
    let words = item.views.iter().enumerate().flat_map(|(domain, view)| {
        let lead = format!("{} ", names.domain(domain));
        let before = figure_guess(names, label, &lead, &view.clean);
        [before, figure_guess(names, label, "→ ", &view.adversarial)]
    });
    let class = label.map_or_else(|| "Own image".to_owned(), |label| names.class(label));
    PictureRow { title: format!("{class}, {}", item.name), pictures, words: words.collect() }
}

/// What stands above the pictures of such rows.
pub fn figure_heads(gain: f32) -> Vec<String> {
    vec!["clean".to_owned(), format!("perturbation ×{gain}"), "attacked".to_owned()]
}

/// The first guess behind `lead` as words of a figure, in the colour of its being right or wrong where the
/// true class is known.
pub fn figure_guess(
    names: Names<'_>,
    label: Option<usize>,
    lead: &str,
    guesses: &[Guess],
) -> (String, Color32) {
    let Some(first) = guesses.first() else { return (format!("{lead}–"), LIGHT.text) };
    let colour = match label {
        Some(label) if first.class == label => LIGHT.good,
        Some(_) => LIGHT.error,
        None => LIGHT.text,
    };
    (format!("{lead}{} {}", format::share(first.p), names.class(first.class)), colour)
}
