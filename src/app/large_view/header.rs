//! Above the picture: which image of which list it is, where it leads, and the way out.

use super::facts::Facts;
use super::subject::SubjectList;
use super::textures::LargeTextures;
use super::{LargeAnswer, LargeView};
use crate::app::commands;
use crate::app::panes::{Pane, Shared};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::export::{self, ExportRequest, Exported};
use egui::{Align, Button, Layout, RichText, Ui};

pub(super) fn ui(
    ui: &mut Ui,
    view: &LargeView,
    list: &SubjectList,
    facts: &Facts<'_>,
    textures: &LargeTextures,
    shared: &mut Shared<'_>,
    (wish, by): (&mut Option<LargeAnswer>, &mut isize),
) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let close = ui.button(icons::atom(Icon::Cross, None)).accessible_name("Close the large view");
            if close.on_hover_text("Back to the panes (Esc)").clicked() {
                *wish = Some(LargeAnswer::Close);
            }
            let count = list.subjects.len();
            let has_neighbours = count > 1;
            let next =
                ui.add_enabled(has_neighbours, Button::new("Next")).on_hover_text("The next image (→)");
            *by += isize::from(next.clicked());
            ui.label(format!("{} of {count}", list.at + 1))
                .on_hover_text("Images of the list that this one was clicked in");
            let previous = ui.add_enabled(has_neighbours, Button::new("Previous"));
            *by -= isize::from(previous.on_hover_text("The image before (←)").clicked());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                title_ui(ui, facts);
            });
        });
    });
    ui.horizontal_wrapped(|ui| {
        leads_ui(ui, facts, shared, wish);
        let help = "Write what the large picture shows to a PNG file, 1024 pixels wide or more";
        if ui.button("Save…").on_hover_text(help).clicked() {
            let drawing = view.drawing(facts, textures.gain());
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            let name = facts.subject.name.chars().map(plain).collect();
            shared.exports.push(ExportRequest { name, what: Exported::Drawing(Box::new(drawing)) });
        }
        export::picture_ui(ui, "large view", shared.area, shared.exports);
    });
}

fn title_ui(ui: &mut Ui, facts: &Facts<'_>) {
    let tokens = Tokens::of(ui);
    if let Some(label) = facts.label() {
        let class = RichText::new(facts.names.class(label)).heading().color(tokens.text_strong);
        ui.label(class).on_hover_text("The true class");
    }
    let name = RichText::new(&facts.subject.name).color(tokens.text_weak);
    ui.add(egui::Label::new(name).truncate()).on_hover_text(&facts.subject.name);
}

/// The buttons that show the image in other panes.
fn leads_ui(ui: &mut Ui, facts: &Facts<'_>, shared: &Shared<'_>, wish: &mut Option<LargeAnswer>) {
    let can_open = shared.study.choice.is_some() || commands::opening_model(shared.run).is_some();
    let refusal = match &facts.subject.question {
        Err(reason) => Some(*reason),
        Ok(_) if !can_open => Some("No model is open; open a checkpoint, or a run folder that has one"),
        Ok(_) => None,
    };
    let leads = [
        ("Attack this in Lab", Pane::Lab, "Show this image alone in Lab, under the attack that is set there"),
        (
            "Where does it look",
            Pane::Attention,
            "Show this image alone in Attention: maps of every domain and of any class",
        ),
    ];
    for (text, pane, help) in leads {
        let response = ui.add_enabled(refusal.is_none(), Button::new(text)).on_hover_text(help);
        let clicked = response.on_disabled_hover_text(refusal.unwrap_or_default()).clicked();
        if let (true, Ok((image, _))) = (clicked, &facts.subject.question) {
            *wish = Some(LargeAnswer::ShowIn(pane, image.clone(), facts.subject.name.clone()));
        }
    }
}
