//! One image of the set under a corruption, as it is and at every severity, with what each domain takes it
//! for.

use super::RobustnessView;
use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::panes::look::LookView;
use crate::app::panes::{Names, Shared};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::cards::{figure_guess, guess_ui};
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::{Body, Figure, Picture, PictureRow, Pictures};
use crate::app::widgets::pictures::{SHOWN_LARGE, clickable, options};
use crate::app::widgets::work::waiting_ui;
use crate::config::Corruption;
use crate::session::inspect::{Corrupt, CorruptedImage, CorruptedVersion, ModelInfo, Request};
use crate::training::events::Guess;
use egui::{ComboBox, DragValue, Response, RichText, ScrollArea, TextureHandle, Ui, vec2};

/// Sides of a picture, points: as large as fits between these.
const SMALLEST: f32 = 72.0;
const LARGEST: f32 = 190.0;
/// What stands above and below the pictures in a pane whose controls take two rows.
const AROUND: f32 = 220.0;

/// Draws the choice of an image and a corruption, and the pictures.
pub(super) fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut RobustnessView,
    names: Names<'_>,
    (info, look): (&ModelInfo, &LookView),
) {
    let Some((_, total)) = info.splits.iter().find(|(name, _)| *name == view.split) else {
        ui.weak("There are no images: the model's data cannot be opened here.");
        return;
    };
    let last = total.saturating_sub(1);
    view.image = view.image.min(last);
    ui.horizontal_wrapped(|ui| {
        let combo = ComboBox::from_id_salt("shown corruption").width(140.0).selected_text(view.shown.name());
        let response = combo.show_ui(ui, |ui| {
            for corruption in Corruption::ALL {
                ui.selectable_value(&mut view.shown, corruption, corruption.name());
            }
        });
        response.response.accessible_name("Shown corruption").on_hover_text("What is done to the image");
        let previous = ui.button("Previous").on_hover_text("The image before").clicked();
        ui.add(DragValue::new(&mut view.image).range(0..=last).prefix("image "))
            .accessible_name("Shown image")
            .on_hover_text(format!("Number of the image in the set, 0 to {last}"));
        let next = ui.button("Next").on_hover_text("The image that follows").clicked();
        view.image = match (previous, next) {
            (true, _) => view.image.checked_sub(1).unwrap_or(last),
            (_, true) => {
                if view.image == last {
                    0
                } else {
                    view.image + 1
                }
            }
            _ => view.image,
        };
        let wanted = Corrupt {
            split: view.split.clone(),
            index: view.image,
            corruption: view.shown,
            parameters: view.parameters,
        };
        if !shared.study.corrupting && !shared.study.has_asked_corrupted(&wanted) {
            shared.study_requests.push(Request::Corrupt(wanted));
        }
        waiting_ui(ui, shared.study.corrupting, "Corrupting the image");
        if let Some(image) = &shared.study.corrupted {
            let figure = || figure(names, image, &shared.study.caption());
            let menu = Menu::new("Corrupted image").figure(&figure).seen(shared.area);
            menu.ui(ui, shared.exports);
            about_ui(ui, names, image);
        }
    });
    if let Some(image) = shared.study.corrupted.clone()
        && let Some((response, severity)) = pictures_ui(ui, shared, names, &image)
    {
        let list = SubjectList::of_corrupted(&image, info, look, severity);
        *shared.large = Some(list.opened_by(&response));
    }
}

fn about_ui(ui: &mut Ui, names: Names<'_>, image: &CorruptedImage) {
    let tokens = Tokens::of(ui);
    ui.label(RichText::new(names.class(image.label)).strong().color(tokens.text_strong))
        .on_hover_text("The true class");
    let text = format!(
        "{}, {} as in {}, step {}",
        image.name,
        image.request.corruption,
        image.parameters,
        format::count(image.step)
    );
    ui.label(RichText::new(text).small().color(tokens.text_weak)).on_hover_text(
        "The image's name, the corruption and its strengths, and the finished steps of the model that guesses. These \
         are the pixels that a measurement of the set has.",
    );
}

/// The picture that was clicked with its severity, if one was.
fn pictures_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    names: Names<'_>,
    image: &CorruptedImage,
) -> Option<(Response, usize)> {
    let mut clicked = None;
    let count = image.versions.len() as f32;
    let room = ui.available_width() - (count - 1.0) * ui.spacing().item_spacing.x;
    let side = (room / count).min(shared.area.height() - AROUND).floor().clamp(SMALLEST, LARGEST);
    let made_for = (shared.study.corrupted_generation, 0);
    let pixels = || image.versions.iter().map(|version| &version.pixels).collect();
    let ctx = ui.ctx().clone();
    let textures =
        shared.pictures.corrupted.textures(&ctx, made_for, image.size, options(image.size), pixels);
    ScrollArea::horizontal().id_salt("corrupted image").show(ui, |ui| {
        ui.horizontal_top(|ui| {
            for (severity, texture) in textures.iter().enumerate() {
                let response = version_ui(ui, names, image, (severity, texture), side);
                if response.clicked() {
                    clicked = Some((response, severity));
                }
            }
        });
    });
    clicked
}

/// A picture, its severity, and what each domain takes it for.
fn version_ui(
    ui: &mut Ui,
    names: Names<'_>,
    image: &CorruptedImage,
    (severity, texture): (usize, &TextureHandle),
    side: f32,
) -> Response {
    let tokens = Tokens::of(ui);
    let name = name_of(severity);
    ui.vertical(|ui| {
        ui.set_width(side);
        ui.spacing_mut().item_spacing = vec2(tokens::GAP_SMALL, 3.0);
        let response = clickable(ui, texture, side, &format!("{} {name}", image.name), SHOWN_LARGE);
        ui.label(RichText::new(&name).small().color(tokens.text_weak));
        for (domain, guess) in image.versions[severity].guesses.iter().enumerate() {
            ui.horizontal(|ui| {
                ui.label(RichText::new(names.domain(domain)).small().color(tokens.text_weak))
                    .on_hover_text("The BN domain that the image goes through");
                guess_ui(ui, names, Some(image.label), std::slice::from_ref(guess), &name);
            });
        }
        response
    })
    .inner
}

/// The image at every severity for print, with what each domain takes it for. `model`: its name.
pub(super) fn figure(names: Names<'_>, image: &CorruptedImage, model: &str) -> Figure {
    let version = |version: &CorruptedVersion| {
        let guess = |(domain, guess): (usize, &Guess)| {
            let lead = format!("{} ", names.domain(domain));
            figure_guess(names, Some(image.label), &lead, std::slice::from_ref(guess))
        };
        let lines = version.guesses.iter().enumerate().map(guess).collect();
        Picture::new(image.size, &version.pixels).with(lines)
    };
    let pictures: Vec<Picture> = image.versions.iter().map(version).collect();
    Figure {
        title: format!("{} by severity", image.request.corruption),
        subject: format!("{model}, step {}, corrupted as in {}", image.step, image.parameters),
        body: Body::Pictures(Pictures {
            heads: (0..pictures.len()).map(name_of).collect(),
            rows: vec![PictureRow {
                title: format!("{}, {}", names.class(image.label), image.name),
                pictures,
                words: Vec::new(),
            }],
            scale: None,
        }),
    }
}

fn name_of(severity: usize) -> String {
    match severity {
        0 => "as it is".to_owned(),
        severity => format!("severity {severity}"),
    }
}
