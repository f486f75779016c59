//! Beside the picture: what it shows, whose answer that is, the probabilities and the maps; or why there are
//! none.

use super::facts::{Facts, MapOf, change_text};
use super::subject::SubjectList;
use super::textures::LargeTextures;
use super::{LargeView, Shows, maps, probabilities};
use crate::app::commands;
use crate::app::panes::Shared;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::{ButtonStyle, command_button};
use crate::app::widgets::tips;
use crate::session::inspect::Examine;
use egui::{Button, RichText, Slider, Ui};

pub(super) fn ui(
    ui: &mut Ui,
    view: &mut LargeView,
    list: &SubjectList,
    facts: &Facts<'_>,
    textures: &LargeTextures,
    question: Option<&Examine>,
    shared: &mut Shared<'_>,
) {
    controls_ui(ui, view, list, facts, shared);
    source_ui(ui, list, facts, question);
    missing_ui(ui, facts, question, shared);
    let word = facts.changed_word();
    if let Some(pair) = facts.pair.filter(|pair| !pair.views.is_empty()) {
        ui.add_space(tokens::GAP);
        probabilities::ui(ui, facts.names, facts.label(), &pair.views, word);
    }
    ui.add_space(tokens::GAP);
    maps::ui(ui, view, facts, textures);
}

fn controls_ui(
    ui: &mut Ui,
    view: &mut LargeView,
    list: &SubjectList,
    facts: &Facts<'_>,
    shared: &Shared<'_>,
) {
    let word = facts.changed_word();
    ui.horizontal_wrapped(|ui| {
        ui.add_enabled_ui(facts.pair.is_some(), |ui| {
            let not = "Only this picture is known of the image so far";
            for (shows, text, help) in [
                (Shows::Both, format!("Clean | {word}"), "The image and what became of it, with a line to drag"),
                (Shows::Change, "Perturbation".to_owned(), "The difference of the two, magnified"),
            ] {
                let button = ui.selectable_value(&mut view.shows, shows, text);
                button.on_hover_text(help).on_disabled_hover_text(not);
            }
        });
        ui.add_space(tokens::GAP);
        ui.label("Map");
        let not = match view.shows {
            Shows::Change => "Maps lie over the image, not over its perturbation",
            Shows::Both if list.of_opened_model => "Not known yet",
            Shows::Both => "Of what the image is taken for, the opened model alone has maps",
        };
        for (of, text, help) in [
            (MapOf::Nothing, "none", "The image without a map"),
            (MapOf::Label, "of the class", "Class activation map (CAM) of the image's class"),
            (
                MapOf::Prediction,
                "of the prediction",
                "Class activation map (CAM) of the class that each domain takes the image for, before and after",
            ),
        ] {
            let there = of == MapOf::Nothing || facts.maps(of).is_some();
            let enabled = there && view.shows == Shows::Both;
            let button = ui.add_enabled(enabled, Button::selectable(view.map == of, text));
            if button.on_hover_text(help).on_disabled_hover_text(not).clicked() {
                view.map = of;
            }
        }
        // A slider does not wrap with its number; this has room in the smallest window.
        ui.spacing_mut().slider_width = 48.0;
        ui.label("Opacity");
        let slider = Slider::new(&mut view.opacity, 0.0..=1.0).max_decimals(2);
        let response = ui.add(slider).accessible_name("Opacity of the large map");
        tips::above(response, "Opacity of the map over the image, 0 to 1");
    });
    if !list.of_opened_model && facts.subject.question.is_ok() {
        ui.horizontal_wrapped(|ui| {
            ui.label("As seen by");
            ui.selectable_value(&mut view.asks_model, false, "the run's pictures")
                .on_hover_text("What the run made when it made its pictures");
            let can = shared.study.info.is_some();
            ui.add_enabled_ui(can, |ui| {
                ui.selectable_value(&mut view.asks_model, true, "the opened model")
                    .on_hover_text("The model that Lab and Attention look into")
                    .on_disabled_hover_text("No model is open; “Attack this in Lab” opens one");
            });
        });
    }
}

/// Whose answer is shown.
fn source_ui(ui: &mut Ui, list: &SubjectList, facts: &Facts<'_>, question: Option<&Examine>) {
    let text = match (facts.examined, question) {
        (Some(examined), Some(question)) => format!("Step {}: {}", examined.step, change_text(question)),
        _ => list.source.clone(),
    };
    if !text.is_empty() {
        let text = RichText::new(text).small().color(Tokens::of(ui).text_weak);
        ui.label(text).on_hover_text(
            "Finished steps of the model, and what was done to the image: the attack (ε and step in 1/255 of the \
             pixel range) with the BN domain that it went through, or the corruption",
        );
    }
}

/// Says what is not known of the image, and why.
fn missing_ui(ui: &mut Ui, facts: &Facts<'_>, question: Option<&Examine>, shared: &mut Shared<'_>) {
    let tokens = Tokens::of(ui);
    let wrapped = |ui: &mut Ui, text: &str, colour| {
        ui.add(egui::Label::new(RichText::new(text).color(colour)).wrap());
    };
    if let Err(reason) = &facts.subject.question {
        wrapped(ui, reason, tokens.text_weak);
        return;
    }
    let Some(question) = question.filter(|_| facts.examined.is_none()) else { return };
    if shared.study.info.is_none() {
        if shared.study.choice.is_some() {
            ui.spinner().on_hover_text("The model is being opened");
            return;
        }
        wrapped(ui, "No model is open that could say more of this image.", tokens.text_weak);
        if let Some(command) = commands::opening_model(shared.run) {
            command_button(ui, command, shared.run, shared.queue, ButtonStyle::Plain);
        }
    } else if let Some(fault) =
        shared.study.fault.as_ref().filter(|_| shared.study.has_asked_examine(question))
    {
        ui.horizontal(|ui| {
            icons::show(ui, Icon::Warning, tokens.error, "fault");
            wrapped(ui, fault, tokens.error);
        });
    } else {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label(RichText::new("The model looks at the image…").color(tokens.text_weak));
        });
    }
}
