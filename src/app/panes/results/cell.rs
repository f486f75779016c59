//! The images of one cell of the confusion matrix: of one class, taken for another or for it.

use super::{ResultsView, worst};
use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::panes::look::LookView;
use crate::app::panes::{Names, Shared};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::pictures::options;
use crate::session::inspect::{Gather, MOST_GATHERED, Measured, MeasuredView, ModelInfo, Request};
use egui::{Button, RichText, Ui};

/// Draws the cell of class `label` taken for `predicted`, a page of images at a time.
pub(super) fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    names: Names<'_>,
    view: &mut ResultsView,
    (measured, shown): (&Measured, &MeasuredView),
    (info, look): (&ModelInfo, &LookView),
    (label, predicted): (usize, usize),
) {
    let tokens = Tokens::of(ui);
    let images = shown.confusion.cell(label, predicted);
    let count = format::counted(images.len() as u64, "image");
    let text = format!("{count} of {} taken for {}", names.class(label), names.class(predicted));
    ui.add(egui::Label::new(RichText::new(text).strong().color(tokens.text_strong)).wrap());
    if images.is_empty() {
        return;
    }
    let pages = images.len().div_ceil(MOST_GATHERED);
    view.page = view.page.min(pages - 1);
    if pages > 1 {
        ui.horizontal(|ui| {
            let back = ui.add_enabled(view.page > 0, Button::new("Images before"));
            let on = ui.add_enabled(view.page + 1 < pages, Button::new("Further images"));
            ui.weak(format!("page {} of {pages}", view.page + 1));
            view.page = view.page + usize::from(on.clicked()) - usize::from(back.clicked());
        });
    }
    let first = view.page * MOST_GATHERED;
    let attack = measured.request.attack.clone().filter(|_| shown.attacked);
    let wanted = Gather {
        split: measured.request.split.clone(),
        indices: images.iter().skip(first).take(MOST_GATHERED).copied().collect(),
        domain: shown.domain,
        attack: attack.map(|attack| (attack, measured.request.seed)),
    };
    let study = shared.study;
    let has_asked = study.has_asked_gather(&wanted);
    if !has_asked && !study.gathering {
        shared.study_requests.push(Request::Gather(wanted.clone()));
    }
    let Some(gathered) = study.gathered.clone().filter(|gathered| gathered.request == wanted) else {
        match study.fault.as_ref().filter(|_| has_asked) {
            Some(fault) => drop(ui.add(egui::Label::new(RichText::new(fault).color(tokens.error)).wrap())),
            None => drop(ui.spinner().on_hover_text("The model looks at the images")),
        }
        return;
    };
    if gathered.step != measured.step {
        let text = format!(
            "The weights are of step {} by now; measure again to bring the counts up.",
            gathered.step
        );
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.warning)).wrap());
    }
    let examples: Vec<_> = gathered.examples.iter().collect();
    let size = info.image_size;
    let pixels = || examples.iter().map(|example| example.pixels.as_slice()).collect();
    let key = (study.gathered_generation, 0);
    let textures = shared.pictures.cell.textures(ui.ctx(), key, size, options(size), pixels);
    if let Some((response, at)) = worst::examples_ui(ui, names, &examples, textures, None) {
        let call = worst::call(look, info, measured, shown);
        let split = &measured.request.split;
        let list = SubjectList::of_examples(&examples, split, &call, info, at);
        *shared.large = Some(list.opened_by(&response));
    }
}
