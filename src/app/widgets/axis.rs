//! The horizontal axis of curves over training, and the names of their lines.

use crate::app::format;
use crate::app::model::kinds::{LineKey, StepAxis};
use crate::app::model::run::RunView;
use egui::{ComboBox, Ui};
use egui_plot::PlotPoint;

/// Points over steps as points over what `axis` counts.
pub fn placed(run: &RunView, axis: StepAxis, points: Vec<PlotPoint>) -> Vec<PlotPoint> {
    points.into_iter().map(|point| PlotPoint::new(run.place(axis, point.x), point.y)).collect()
}

/// The choice of what the horizontal axis counts.
pub fn axis_ui(ui: &mut Ui, axis: &mut StepAxis) {
    let combo = ComboBox::from_id_salt("axis").selected_text(axis.name()).width(70.0);
    let response = combo.show_ui(ui, |ui| {
        for choice in StepAxis::ALL {
            ui.selectable_value(axis, choice, choice.name());
        }
    });
    response.response.accessible_name("Horizontal axis").on_hover_text(
        "What the horizontal axis counts: optimizer steps, passes over the training set, or minutes of training \
         without pauses and validation",
    );
}

/// [`line_name`] with the attack behind its newest figure: `main, attacked by pgd:eps=4`.
pub fn full_line_name(run: &RunView, key: &LineKey) -> String {
    let name = line_name(run, key);
    match run.attack_of(key) {
        Some(spec) => format!("{name} by {}", format::attack(spec)),
        None => name,
    }
}

/// What a line is called: domain and images, such as `main, cutmix`, with the branch's number where several
/// lines of the run would have one name.
pub fn line_name(run: &RunView, key: &LineKey) -> String {
    let domain = run.domains.get(key.domain).map_or("?", String::as_str);
    let name = format!("{domain}, {}", key.images());
    let alike = run.loss.keys().filter(|other| (other.domain, other.source) == (key.domain, key.source));
    match key.branch {
        Some(branch) if alike.count() > 1 => format!("{name} {branch}"),
        _ => name,
    }
}
