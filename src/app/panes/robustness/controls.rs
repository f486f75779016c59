//! What is measured: the images, the attacks, the corruptions; and how far the measurement is.

use super::{AttackLine, RobustnessView};
use crate::app::format;
use crate::app::panes::{Shared, look};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::work::{Asked, Measuring, measuring_ui};
use crate::config::{Corruption, ParameterSet};
use crate::session::inspect::{ModelInfo, Request};
use egui::{
    Align, Button, ComboBox, DragValue, Grid, Layout, PopupCloseBehavior, RichText, TextEdit, Ui, vec2,
};

/// Room for the SPEC of an attack, points.
const SPEC_WIDTH: f32 = 176.0;
/// With its box and the button that takes it away.
const LINE_WIDTH: f32 = SPEC_WIDTH + 66.0;
/// Of the list of corruptions, points: ten rows and two above them.
const LIST_HEIGHT: f32 = 400.0;
/// Attacks at most: each is another pass over the images.
const MOST_ATTACKS: usize = 6;

/// Draws the choices and the button that measures.
pub(super) fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RobustnessView, info: &ModelInfo) {
    ui.horizontal_wrapped(|ui| {
        look::set_ui(ui, info, "Set of the robustness", &mut view.split);
        let suffix = if view.limit == 1 { " image" } else { " images" };
        ui.add(DragValue::new(&mut view.limit).range(0..=1_000_000).suffix(suffix))
            .accessible_name("Images of the robustness")
            .on_hover_text("Images used, evenly spread over the set; 0: all");
        corruptions_ui(ui, view, info);
        ui.label("at severity");
        for (place, on) in view.severities.iter_mut().enumerate() {
            let text = (place + 1).to_string();
            let response = ui.add_enabled(
                !view.corruptions.is_empty(),
                Button::selectable(*on, &text).min_size(vec2(20.0, 0.0)),
            );
            let help = format!("Measure the corruptions at severity {text} of 5");
            let response = response.accessible_name(format!("Severity {text}")).on_hover_text(help);
            *on ^= response.clicked();
        }
    });
    ui.horizontal_wrapped(|ui| {
        attacks_ui(ui, view);
        ui.add_space(tokens::GAP_SMALL);
        measure_ui(ui, shared, view, info);
    });
    if let Err(fault) = view.request(info) {
        let error = Tokens::of(ui).error;
        ui.horizontal(|ui| {
            icons::show(ui, Icon::Warning, error, "fault");
            ui.add(egui::Label::new(RichText::new(fault).small().color(error)).wrap());
        });
    }
}

/// A list of the corruptions, and how strong they are.
fn corruptions_ui(ui: &mut Ui, view: &mut RobustnessView, info: &ModelInfo) {
    let by_size = ParameterSet::of_size(info.image_size);
    let chosen = view.parameters.unwrap_or(by_size);
    let text = match view.corruptions.len() {
        0 => "no corruption".to_owned(),
        count => format!("{}, {chosen}", format::counted(count as u64, "corruption")),
    };
    let combo = ComboBox::from_id_salt("corruptions").width(180.0).selected_text(text);
    let combo = combo.height(LIST_HEIGHT).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let response = combo.show_ui(ui, |ui| {
        ui.horizontal(|ui| {
            let sets = [
                ("15 main", &Corruption::MAIN[..], "Those that a mean corruption error is the mean of"),
                ("All 19", &Corruption::ALL[..], "The four that ImageNet-C holds out too"),
                ("None", &[], "Measure clean and attacked images only"),
            ];
            for (name, corruptions, help) in sets {
                if ui.button(name).on_hover_text(help).clicked() {
                    view.corruptions = corruptions.to_vec();
                }
            }
        });
        ui.horizontal(|ui| {
            ui.label("as strong as in");
            let of_size = format!("{by_size} (by size)");
            let help = format!("What suits the model's images of {} pixels", info.image_size);
            ui.selectable_value(&mut view.parameters, None, of_size).on_hover_text(help);
            for set in ParameterSet::ALL.into_iter().filter(|set| *set != by_size) {
                ui.selectable_value(&mut view.parameters, Some(set), set.name())
                    .on_hover_text("The strengths that were made for images of another size");
            }
        });
        ui.separator();
        Grid::new("corruptions").num_columns(2).show(ui, |ui| {
            for pair in Corruption::ALL.chunks(2) {
                pair.iter().for_each(|corruption| corruption_ui(ui, view, *corruption));
                ui.end_row();
            }
        });
    });
    response.response.accessible_name("Corruptions").on_hover_text(
        "Which corruptions of ImageNet-C are made, and how strong: as in CIFAR-C for images up to 64 pixels, else as \
         in ImageNet-C, unless chosen here",
    );
}

fn corruption_ui(ui: &mut Ui, view: &mut RobustnessView, corruption: Corruption) {
    let mut on = view.corruptions.contains(&corruption);
    if ui.checkbox(&mut on, corruption.name()).changed() {
        let is_wanted = |one: &Corruption| match *one == corruption {
            true => on,
            false => view.corruptions.contains(one),
        };
        view.corruptions = Corruption::ALL.into_iter().filter(is_wanted).collect();
    }
}

/// A box and a SPEC for each attack.
fn attacks_ui(ui: &mut Ui, view: &mut RobustnessView) {
    ui.label("Attacks");
    let several = view.attacks.len() > 1;
    let mut removed = None;
    for (place, line) in view.attacks.iter_mut().enumerate() {
        // A box and its SPEC go to the next row together.
        let size = vec2(LINE_WIDTH, ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            if line_ui(ui, line, place + 1, several) {
                removed = Some(place);
            }
        });
    }
    if let Some(place) = removed {
        view.attacks.remove(place);
    }
    let can = view.attacks.len() < MOST_ATTACKS;
    let response = ui.add_enabled(can, Button::new("+")).accessible_name("Add an attack");
    if response.on_hover_text("Another attack").clicked() {
        view.attacks.push(AttackLine { on: true, spec: "square:eps=4,queries=200".to_owned() });
    }
}

/// An attack; true when it is to go.
fn line_ui(ui: &mut Ui, line: &mut AttackLine, number: usize, several: bool) -> bool {
    ui.spacing_mut().item_spacing.x = tokens::GAP_SMALL;
    ui.checkbox(&mut line.on, "")
        .accessible_name(format!("Attack {number}"))
        .on_hover_text("Measure under this attack, through each domain for itself");
    let edit = TextEdit::singleline(&mut line.spec).desired_width(SPEC_WIDTH);
    ui.add_enabled(line.on, edit).accessible_name(format!("SPEC of attack {number}")).on_hover_text(
        "pgd, ifgsm, mifgsm, gd, fgsm (pgd:eps=4,step=1,iters=5), apgd (apgd:eps=4,iters=100), apgd-t (targeted, at \
         least 4 classes) or square (square:eps=4,queries=1000, without gradients); restarts=R takes the worst of R \
         random starts; eps and step in 1/255, by running statistics. Of several attacks the worst case is measured \
         too",
    );
    several
        && ui
            .small_button(icons::atom(Icon::Cross, None))
            .accessible_name(format!("Remove attack {number}"))
            .on_hover_text("Take this attack away")
            .clicked()
}

fn measure_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &RobustnessView, info: &ModelInfo) {
    let request = view.request(info);
    let can = !shared.study.is_busy() && !info.splits.is_empty();
    let refused = match &request {
        Err(fault) => Some(fault.as_str()),
        Ok(_) if can => None,
        Ok(_) => Some(look::NOT_NOW),
    };
    let measuring = Measuring {
        name: "Measure",
        help: "Send the images through every domain, clean, attacked and corrupted",
        refused,
        progress: shared.study.measuring_robustness,
        cancelling: shared.study.cancelling,
        // Counted anew under each condition and domain.
        parts: "images",
    };
    match (measuring_ui(ui, &measuring), request) {
        (Some(Asked::Begin), Ok(request)) => shared.study_requests.push(Request::MeasureRobustness(request)),
        (Some(Asked::Cancel), _) => shared.study_requests.push(Request::Stop),
        _ => {}
    }
}
