//! The images that a model gets most wrong.

use super::ResultsView;
use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::panes::look::LookView;
use crate::app::panes::{Names, Shared};
use crate::app::theme::tokens::{LIGHT, Tokens};
use crate::app::widgets::cards::{figure_guess, guess_ui};
use crate::app::widgets::class_choice;
use crate::app::widgets::figure::{Body, Figure, Picture, PictureRow, Pictures};
use crate::app::widgets::pictures::{SHOWN_LARGE, clickable, options};
use crate::evaluation::auto_domain::Through;
use crate::evaluation::confusion::Example;
use crate::session::inspect::{AttackCall, Measured, MeasuredView, ModelInfo};
use egui::{Align, Layout, Response, RichText, ScrollArea, TextureHandle, Ui, vec2};

/// Side of a picture, points.
const SIDE: f32 = 72.0;

/// The gallery of one view, of all classes or of one. The class whose name was clicked, if one was.
pub(super) fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    names: Names<'_>,
    view: &mut ResultsView,
    (measured, shown): (&Measured, &MeasuredView),
    (info, look): (&ModelInfo, &LookView),
) -> Option<usize> {
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
    let size = info.image_size;
    let textures = shared.pictures.worst.textures(ui.ctx(), key, size, options(size), pixels);
    let is_wanted = |example: &Example| view.class.is_none_or(|class| class == example.label);
    let wanted = worst.iter().zip(textures).filter(|(example, _)| is_wanted(example));
    let (examples, textures): (Vec<&Example>, Vec<TextureHandle>) =
        wanted.map(|(example, texture)| (example, texture.clone())).unzip();
    let mut class = None;
    if let Some((response, at)) = examples_ui(ui, names, &examples, &textures, Some(&mut class)) {
        let call = call(look, info, measured, shown);
        let list = SubjectList::of_examples(&examples, &measured.request.split, &call, info, at);
        *shared.large = Some(list.opened_by(&response));
    }
    class
}

/// The attack that the images of `shown` underwent; of images as they are, the one that Lab has chosen,
/// through the domain that saw them.
pub(super) fn call(
    look: &LookView,
    info: &ModelInfo,
    measured: &Measured,
    shown: &MeasuredView,
) -> AttackCall {
    let domain = Through::Domain(shown.domain);
    match measured.request.attack.clone().filter(|_| shown.attacked) {
        Some(attack) => AttackCall { attack, domain, seed: measured.request.seed },
        None => AttackCall { domain, ..look.attack_call(info) },
    }
}

/// Images with their guesses; the picture that was clicked with its place, if one was. A click on the name of
/// a class goes to `class`, where there is one.
pub(super) fn examples_ui(
    ui: &mut Ui,
    names: Names<'_>,
    examples: &[&Example],
    textures: &[TextureHandle],
    mut class: Option<&mut Option<usize>>,
) -> Option<(Response, usize)> {
    let mut clicked = None;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // Wrapped rows are centred otherwise, and only the first of a row is placed before its height is
        // known.
        ui.with_layout(Layout::left_to_right(Align::TOP).with_main_wrap(true), |ui| {
            for (place, (example, texture)) in examples.iter().zip(textures).enumerate() {
                let response = example_ui(ui, names, example, texture, class.as_deref_mut());
                if response.clicked() {
                    clicked = Some((response, place));
                }
            }
        });
    });
    clicked
}

fn example_ui(
    ui: &mut Ui,
    names: Names<'_>,
    example: &Example,
    texture: &TextureHandle,
    class: Option<&mut Option<usize>>,
) -> Response {
    let tokens = Tokens::of(ui);
    let add = |ui: &mut Ui| {
        ui.set_width(SIDE + 46.0);
        let help = format!("{}. {SHOWN_LARGE}", example.name);
        // The worst of all have a link to their class, which says where they are.
        let lead = if class.is_some() { "worst" } else { "image" };
        let response = clickable(ui, texture, SIDE, &format!("{lead} {}", example.name), &help);
        let name = RichText::new(names.class(example.label)).small().strong();
        match class {
            Some(class) => {
                let link =
                    ui.link(name).on_hover_text("The true class. Click: its row of the confusion matrix");
                if link.clicked() {
                    *class = Some(example.label);
                }
            }
            None => drop(ui.label(name.color(tokens.text_strong)).on_hover_text("The true class")),
        }
        ui.horizontal(|ui| guess_ui(ui, names, Some(example.label), &example.guesses, "shown"));
        let loss = format!("loss {}", format::significant(f64::from(example.loss)));
        ui.label(RichText::new(loss).small().color(tokens.text_weak))
            .on_hover_text("Cross-entropy against the true class, in nats");
        response
    };
    ui.allocate_ui(vec2(SIDE + 50.0, SIDE + 62.0), |ui| ui.vertical(add).inner).inner
}

/// The images for print, highest loss first, with what they are taken for.
pub(super) fn figure(
    names: Names<'_>,
    view: &ResultsView,
    shown: &MeasuredView,
    size: usize,
    about: &str,
) -> Figure {
    let is_wanted = |example: &&Example| view.class.is_none_or(|class| class == example.label);
    let row = |example: &Example| {
        let lines = vec![
            (names.class(example.label), LIGHT.text_strong),
            figure_guess(names, Some(example.label), "", &example.guesses),
            (format!("loss {}", format::significant(f64::from(example.loss))), LIGHT.text_weak),
        ];
        let pictures = vec![Picture::new(size, &example.pixels).with(lines)];
        PictureRow { title: String::new(), pictures, words: Vec::new() }
    };
    Figure {
        title: "Images with the highest loss".to_owned(),
        subject: about.to_owned(),
        body: Body::Pictures(Pictures {
            heads: vec![String::new()],
            rows: shown.confusion.worst.iter().filter(is_wanted).map(row).collect(),
            scale: None,
        }),
    }
}
