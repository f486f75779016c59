//! Adversarial lab: images of the user's choice under an attack of the user's choice, step by step, updating
//! while sliders move; and how accuracy falls as ε grows.

pub mod plots;

use super::look::{self, LookView};
use super::{Names, Shared};
use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::cards::{self, Card, card_ui, gain_ui};
use crate::app::widgets::export::{ExportRequest, Exported, Menu};
use crate::app::widgets::figure::{Body, Figure, Pictures};
use crate::app::widgets::picture_size::{Cards, PictureSize};
use crate::app::widgets::pictures::full_gain;
use crate::app::widgets::steady;
use crate::app::widgets::work::{Asked, Measuring, measuring_ui};
use crate::config::AttackKind;
use crate::evaluation::perturbation::{magnify, rounded_towards, success_rate};
use crate::session::inspect::{Looked, LookedItem, ModelInfo, Request, Sweep};
use crate::training::events::Guess;
use egui::{DragValue, RichText, ScrollArea, Ui, vec2};

/// Width from which the plots stand beside the images, and their own width then.
const ROOM_FOR_PLOTS: f32 = 720.0;
const PLOTS_WIDTH: f32 = 300.0;
const PLOT_HEIGHT: f32 = 190.0;
/// Of what stands above the images, points.
const CONTROLS_HEIGHT: f32 = 118.0;
/// Below this share of values at the bound an attack has room left.
const WEAK_SHARE: f32 = 0.25;

/// How the lab is drawn.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LabView {
    /// Gain of the perturbation; `None`: as much as fits without clipping.
    pub gain: Option<f32>,
    pub size: PictureSize,
    /// The number of images of a sweep.
    pub sweep_images: usize,
}

impl Default for LabView {
    fn default() -> Self {
        Self { gain: None, size: PictureSize::default(), sweep_images: 64 }
    }
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut LabView, look: &mut LookView) {
    let text = "Attack images of a model step by step: the perturbation, the loss after each iteration, every \
                domain's predictions, and how accuracy falls as ε grows. Choose a model to look into.";
    let Some(info) = shared.study.info.clone() else {
        return look::nothing_open_ui(ui, shared, "No model is open", text);
    };
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        look::subject_ui(ui, &info, shared, look);
        look::attack_ui(ui, &info, look);
        look.ask(&info, shared);
        ui.add_space(tokens::GAP_SMALL);
        let Some(looked) = shared.study.looked.clone() else {
            if look.can_show(&info) && shared.study.fault.is_none() {
                ui.spinner();
            }
            return;
        };
        if ui.available_width() > ROOM_FOR_PLOTS {
            ui.horizontal_top(|ui| {
                let width = ui.available_width() - PLOTS_WIDTH - tokens::GAP;
                ui.vertical(|ui| {
                    ui.set_width(width);
                    images_ui(ui, shared, &info, view, &looked);
                });
                ui.vertical(|ui| {
                    ui.set_width(PLOTS_WIDTH);
                    plots_ui(ui, shared, view, look, &looked);
                });
            });
        } else {
            images_ui(ui, shared, &info, view, &looked);
            plots_ui(ui, shared, view, look, &looked);
        }
    });
}

fn images_ui(ui: &mut Ui, shared: &mut Shared<'_>, info: &ModelInfo, view: &mut LabView, looked: &Looked) {
    let names = look::view_names(info);
    let items = || looked.items.iter().map(|looked| &looked.item);
    let gain = view.gain.unwrap_or_else(|| full_gain(items()));
    let weak = weakness(looked);
    ui.horizontal_wrapped(|ui| {
        summary_ui(ui, looked);
        ui.add_space(tokens::GAP);
        gain_ui(ui, &mut view.gain, gain);
    });
    // A row with more than a warning: the pictures stay where they are when one comes.
    ui.horizontal(|ui| {
        let help = "Write each image's clean, adversarial and perturbation picture as PNG, rounded so that the \
                    limit ε holds exactly, as `dualprop attack` does";
        let can = !shared.study.looking;
        let not = "Not now: the images on screen are not yet those that were chosen";
        let response = ui.add_enabled(can, egui::Button::new("Save images…"));
        if response.on_hover_text(help).on_disabled_hover_text(not).clicked() {
            shared.exports.push(ExportRequest { name: "adversarial".to_owned(), what: saved(looked) });
        }
        let figure = || images_figure(shared.study.caption(), names, looked, gain);
        let menu = Menu::new("Attacked images").figure(&figure).seen(shared.area);
        menu.ui(ui, shared.exports);
        view.size.ui(ui, "Lab picture size");
        let Some(text) = weak else { return };
        let warning = Tokens::of(ui).warning;
        icons::show(ui, Icon::Warning, warning, "weak attack");
        ui.add(egui::Label::new(RichText::new(text).small().color(warning)).wrap());
    });
    let (ctx, generation) = (ui.ctx().clone(), shared.study.look_generation);
    let pictures = shared.pictures.look.rows(&ctx, generation, items(), gain);
    let Some(first) = looked.items.first() else { return };
    let room = vec2(ui.available_width(), shared.area.height() - CONTROLS_HEIGHT);
    let (count, views) = (looked.items.len(), first.item.views.len());
    let lines = if names.domains.len() < 2 { 1 } else { 2 };
    let side = view.size.of_cards(ui, room, Cards { count, size: first.item.size, views, lines });
    let columns = cards::columns(ui.available_width(), side);
    let stretched = (ui.available_width() - (columns - 1) as f32 * tokens::GAP) / columns as f32;
    let cards: Vec<_> = looked.items.iter().zip(pictures).enumerate().collect();
    ui.spacing_mut().item_spacing.y = tokens::GAP;
    for row in cards.chunks(columns) {
        ui.horizontal_top(|ui| {
            for (place, (item, pictures)) in row {
                let card = Card {
                    item: &item.item,
                    label_known: item.label_known,
                    pictures,
                    side,
                    width: stretched,
                    gain,
                };
                let clicked = card_ui(ui, names, card, |ui| {
                    strength_ui(ui, item);
                    choice_ui(ui, names, item);
                });
                if let Some(response) = clicked {
                    let list = SubjectList::of_look(looked, info, *place);
                    *shared.large = Some(list.opened_by(&response));
                }
            }
        });
    }
}

/// The images for print. `model`: the name of what is attacked.
fn images_figure(model: String, names: Names<'_>, looked: &Looked, gain: f32) -> Figure {
    let row = |looked: &LookedItem| cards::figure_row(names, &looked.item, looked.label_known, gain);
    Figure {
        title: "Images before and after the attack".to_owned(),
        subject: format!("{model}, step {}, {}", looked.step, looked.request.attack.spec()),
        body: Body::Pictures(Pictures {
            heads: cards::figure_heads(gain),
            rows: looked.items.iter().map(row).collect(),
            scale: None,
        }),
    }
}

/// The pictures of a look with the endings of their names.
fn saved(looked: &Looked) -> Exported {
    let attack = &looked.request.attack;
    let limit = if attack.projects() { attack.epsilon.floor() } else { 255.0 };
    let mut images = Vec::new();
    for (number, LookedItem { item, .. }) in looked.items.iter().enumerate() {
        let clean: Vec<f32> = item.clean.iter().map(|byte| f32::from(*byte)).collect();
        let adversarial: Vec<f32> = clean.iter().zip(&item.perturbation).map(|(a, b)| a + b).collect();
        let bytes = rounded_towards(&clean, &adversarial, limit);
        let (magnified, ..) = magnify(&item.clean, &bytes);
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let stem: String = item.name.chars().map(plain).collect();
        for (ending, rgb) in [("clean", item.clean.clone()), ("adv", bytes), ("perturbation", magnified)] {
            images.push((format!("{number}-{stem}.{ending}.png"), item.size, rgb));
        }
    }
    Exported::Images(images)
}

fn is_right(guesses: &[Guess], label: usize) -> bool {
    guesses.first().is_some_and(|guess| guess.class == label)
}

/// Success, 0..1 or `None` where nothing was right before, and the mean share of values at the bound, 0..1.
fn strength(looked: &Looked) -> (Option<f32>, f32) {
    let right = |attacked: bool| -> Vec<bool> {
        let seen = looked.items.iter().filter_map(|LookedItem { item, .. }| {
            let view = looked.request.attacked_view(item)?;
            Some(is_right(if attacked { &view.adversarial } else { &view.clean }, item.label))
        });
        seen.collect()
    };
    let at_bound = looked.items.iter().map(|item| item.at_bound).sum::<f32>();
    (success_rate(&right(false), &right(true)), at_bound / looked.items.len().max(1) as f32)
}

fn summary_ui(ui: &mut Ui, looked: &Looked) {
    let tokens = Tokens::of(ui);
    let (success, at_bound) = strength(looked);
    let text = match success {
        Some(rate) => format!("Success {}", format::share(rate)),
        None => "Success –".to_owned(),
    };
    steady::label(ui, "success", RichText::new(text).strong().color(tokens.text_strong)).on_hover_text(
        "Share of the images that were right before the attack and are wrong after it, seen through the attacked \
         domain. Percent; a dash where none was right before.",
    );
    let text = format!("at the bound {}", format::share(at_bound));
    steady::label(ui, "bound", RichText::new(text).color(tokens.text)).on_hover_text(
        "Share of the pixel values that went as far as they may: to ε, or to the end of the pixel range where that \
         is nearer. Percent, mean of the images. A weak attack leaves it low.",
    );
    let text = format!("answered in {}", format::wait(looked.took));
    steady::label(ui, "took", RichText::new(text).small().color(tokens.text_weak)).on_hover_text(
        "Wall-clock time of the newest answer: attack, predictions and maps. Clean images are not computed again while \
         the attack alone changes. Fewer images or iterations make it shorter.",
    );
}

/// What is amiss with an attack that is too weak to judge a model by.
fn weakness(looked: &Looked) -> Option<String> {
    let (success, at_bound) = strength(looked);
    let attack = &looked.request.attack;
    let reach = attack.step_size() * attack.iterations() as f32;
    match attack.kind {
        AttackKind::Fgsm | AttackKind::Gd => None,
        _ if reach < attack.epsilon => Some(format!(
            "{} of {} {} {} of the ε of {}; more or larger steps make it stronger",
            format::counted(attack.iterations().into(), "iteration"),
            attack.step,
            if attack.iterations() == 1 { "reaches" } else { "reach" },
            format::plain(f64::from(reach)),
            attack.epsilon
        )),
        _ if at_bound < WEAK_SHARE && success.is_some_and(|rate| rate < 0.5) => Some(
            "Few values reach the bound and few images change: the attack may be too weak to judge the model"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The image's loss before and after, and its share of values at the bound.
fn strength_ui(ui: &mut Ui, looked: &LookedItem) {
    let tokens = Tokens::of(ui);
    let (Some(start), Some(end)) = (looked.losses.first(), looked.losses.last()) else { return };
    let text = format!(
        "loss {} → {}, at the bound {}",
        format::significant(f64::from(*start)),
        format::significant(f64::from(*end)),
        format::share(looked.at_bound)
    );
    let class = if looked.label_known { "the true class" } else { "the class predicted for the clean image" };
    ui.label(RichText::new(text).small().color(tokens.text_weak)).on_hover_text(format!(
        "Cross-entropy against {class} through the attacked domain, in nats, at the start of the attack and after \
         its last iteration; and the share of pixel values that went as far as they may"
    ));
}

/// The domains that `auto` chose, where there is a choice.
fn choice_ui(ui: &mut Ui, names: Names<'_>, looked: &LookedItem) {
    if names.domains.len() < 2 {
        return;
    }
    let [clean, attacked] = looked.chosen.map(|domain| names.domain(domain));
    let text = RichText::new(format!("auto chose {clean}, attacked {attacked}")).small();
    ui.label(text.color(Tokens::of(ui).text_weak)).on_hover_text(
        "The BN domain of the image before and after the attack: main, unless the running statistics of another \
         domain's first BN layer describe the image clearly better",
    );
}

fn plots_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut LabView, chosen: &LookView, looked: &Looked) {
    let model = shared.study.caption();
    plots::losses_ui(ui, &model, looked, PLOT_HEIGHT, shared.exports);
    ui.add_space(tokens::GAP);
    let Some(info) = shared.study.info.clone() else { return };
    ui.horizontal_wrapped(|ui| {
        ui.add(DragValue::new(&mut view.sweep_images).range(8..=1024).suffix(" images"))
            .accessible_name("Images of the sweep")
            .on_hover_text("Images of the sweep, evenly spread over the set");
        let can = !shared.study.is_busy() && !info.splits.is_empty();
        let measuring = Measuring {
            name: "Sweep ε",
            help: "Attack images of the set at rising ε with this attacker, through each domain and the choice by image",
            refused: (!can).then_some(look::NOT_NOW),
            progress: shared.study.sweeping,
            cancelling: shared.study.cancelling,
            parts: "values of ε",
        };
        match measuring_ui(ui, &measuring) {
            None => {}
            Some(Asked::Begin) => {
                let (split, _) = chosen.set(&info);
                let attack = chosen.attack.clone();
                let sweep = Sweep { split, images: view.sweep_images, attack, seed: chosen.seed };
                shared.study_requests.push(Request::Sweep(sweep));
            }
            Some(Asked::Cancel) => shared.study_requests.push(Request::Stop),
        }
    });
    if let Some(swept) = shared.study.swept.clone() {
        let names = look::view_names(&info);
        plots::sweep_ui(ui, &model, names, &swept, info.attack.epsilon, PLOT_HEIGHT, shared.exports);
    } else {
        let text = "The sweep draws accuracy over ε, with the training ε marked.";
        ui.add(egui::Label::new(RichText::new(text).weak()).wrap());
    }
}
