//! Gallery: each validation image clean, its perturbation magnified, and attacked, with what every domain
//! predicts before and after.

use super::{FIRST_PICTURES, Names, Shared, once_there};
use crate::app::large_view::SubjectList;
use crate::app::model::kinds::MAIN_SPLIT;
use crate::app::model::moments::Moment;
use crate::app::model::run::RunView;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::cards::{self, Card, card_ui, gain_ui};
use crate::app::widgets::command_button::empty_ui;
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::{Body, Figure, Pictures};
use crate::app::widgets::moments::MomentView;
use crate::app::widgets::picture_size::{Cards, PictureSize};
use crate::app::widgets::pictures::full_gain;
use crate::app::widgets::table::Table;
use crate::training::events::{GalleryItem, Guess, Snapshot};
use egui::{RichText, ScrollArea, Ui};

/// How the gallery is drawn.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GalleryView {
    /// Gain of the perturbation; `None`: as much as fits without clipping.
    pub gain: Option<f32>,
    pub size: PictureSize,
    pub only_changed: bool,
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut GalleryView, moments: &mut MomentView) {
    let run = shared.run;
    let shown = moments.of(run).filter(|moment| !moment.snapshot.gallery.is_empty());
    let Some(Moment { snapshot, generation }) = shown else {
        let text = format!(
            "Validation images with their perturbations, attacked versions and the predictions of every domain. \
             {}",
            once_there(run, FIRST_PICTURES)
        );
        empty_ui(ui, "No pictures yet", &text, run, &[], shared.queue);
        return;
    };
    let gain = view.gain.unwrap_or_else(|| full_gain(&snapshot.gallery));
    let names = Names::of_run(run);
    controls_ui(ui, &snapshot, view, gain, (&mut *shared, &mut *moments));
    ui.add_space(tokens::GAP_SMALL);
    let pictures = shared.pictures.live.rows(ui.ctx(), generation, &snapshot.gallery, gain);
    let rows = snapshot.gallery.iter().zip(pictures).enumerate();
    let shown: Vec<_> = rows.filter(|(_, (item, _))| !view.only_changed || is_changed(item)).collect();
    if shown.is_empty() {
        ui.weak("The attack changed no prediction of these images.");
        return;
    }
    let Some((_, (first, _))) = shown.first() else { return };
    let cards = Cards { count: shown.len(), size: first.size, views: first.views.len(), lines: 0 };
    let side = view.size.of_cards(ui, ui.available_size(), cards);
    let columns = cards::columns(ui.available_width(), side);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = tokens::GAP;
        let stretched = (ui.available_width() - (columns - 1) as f32 * tokens::GAP) / columns as f32;
        for row in shown.chunks(columns) {
            ui.horizontal_top(|ui| {
                for (place, (item, pictures)) in row {
                    let card = Card { item, label_known: true, pictures, side, width: stretched, gain };
                    if let Some(response) = card_ui(ui, names, card, |_| {}) {
                        let list = SubjectList::of_run(&snapshot, MAIN_SPLIT, names, *place);
                        *shared.large = Some(list.opened_by(&response));
                    }
                }
            });
        }
    });
}

fn is_changed(item: &GalleryItem) -> bool {
    let best = |guesses: &[Guess]| guesses.first().map(|guess| guess.class);
    item.views.iter().any(|view| best(&view.clean) != best(&view.adversarial))
}

fn controls_ui(
    ui: &mut Ui,
    snapshot: &Snapshot,
    view: &mut GalleryView,
    gain: f32,
    (shared, moments): (&mut Shared<'_>, &mut MomentView),
) {
    ui.horizontal_wrapped(|ui| {
        let text = format!("Step {}, {} through {}", snapshot.step, snapshot.attack, snapshot.attack_domain);
        ui.label(RichText::new(text).color(Tokens::of(ui).text)).on_hover_text(
            "Finished steps when the pictures were made, the attack that made them (ε and step in 1/255 of \
             the pixel range) and the BN domain that it went through, with running statistics.",
        );
        ui.add_space(tokens::GAP);
        gain_ui(ui, &mut view.gain, gain);
        ui.add_space(tokens::GAP);
        view.size.ui(ui, "Picture size");
        ui.checkbox(&mut view.only_changed, "Only changed")
            .on_hover_text("Show only images whose most probable class the attack changed in some domain");
        let only_changed = view.only_changed;
        let shown = || snapshot.gallery.iter().filter(move |item| !only_changed || is_changed(item));
        let (run, names) = (shared.run, Names::of_run(shared.run));
        let (figure, table) = (|| figure(run, snapshot, shown(), gain), || table(names, shown()));
        let menu = Menu::new("Gallery").figure(&figure).seen(shared.area).table(&table);
        menu.ui(ui, shared.exports);
        moments.ui(ui, shared.run);
    });
}

/// The shown images for print, with what each domain predicts before and after.
fn figure<'a>(
    run: &RunView,
    snapshot: &Snapshot,
    items: impl Iterator<Item = &'a GalleryItem>,
    gain: f32,
) -> Figure {
    let names = Names::of_run(run);
    let Snapshot { step, attack, attack_domain, .. } = snapshot;
    Figure {
        title: "Validation images before and after the attack".to_owned(),
        subject: format!("{}, step {step}, {attack} through {attack_domain}", run.name()),
        body: Body::Pictures(Pictures {
            heads: cards::figure_heads(gain),
            rows: items.map(|item| cards::figure_row(names, item, true, gain)).collect(),
            scale: None,
        }),
    }
}

/// A row for each shown image and domain.
fn table<'a>(names: Names<'_>, items: impl Iterator<Item = &'a GalleryItem>) -> Table {
    let headings =
        ["image", "class", "domain", "clean", "probability", "attacked", "probability after the attack"];
    let mut table = Table::new(headings);
    for item in items {
        for (domain, view) in item.views.iter().enumerate() {
            let first = |guesses: &[Guess]| match guesses.first() {
                Some(guess) => [names.class(guess.class), guess.p.to_string()],
                None => Default::default(),
            };
            let about = [item.name.clone(), names.class(item.label), names.domain(domain).to_owned()];
            table.row(about.into_iter().chain(first(&view.clean)).chain(first(&view.adversarial)));
        }
    }
    table
}
