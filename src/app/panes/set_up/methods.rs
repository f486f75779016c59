//! The choice of a method: in words, with a little picture of its branches.

use crate::app::model::form::SetUpForm;
use crate::app::model::kinds::DataKind;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::legend;
use crate::config::{BranchConfig, MethodConfig, MethodKind};
use crate::training::method::{self, MethodLabel};
use egui::{Button, ComboBox, Response, RichText, Sense, Ui, vec2};
use toml::Value;

const LIST_WIDTH: f32 = 480.0;
const LIST_HEIGHT: f32 = 460.0;
/// Between two branches, points.
const GAP: f32 = 10.0;

/// A method's name as papers write it, and what it does in one sentence.
pub(super) fn words(kind: MethodKind) -> (&'static str, &'static str) {
    match kind {
        MethodKind::Vanilla => {
            ("Plain training", "Clean images, one batch norm: the baseline of all others.")
        }
        MethodKind::Adversarial => ("Adversarial training", "Attacked images alone, one batch norm."),
        MethodKind::AdversarialMix => (
            "Adversarial training, clean images too",
            "Clean and attacked images through one batch norm: what AdvProp separates.",
        ),
        MethodKind::AdversarialFinetune => (
            "Adversarial, then clean",
            "Attacked images for the first part of the run, then clean ones; one batch norm.",
        ),
        MethodKind::Mixup => ("Mixup", "Half of each batch is mixed in pairs, one batch norm."),
        MethodKind::Mixprop => {
            ("MixProp", "Clean images through main, mixed ones through a batch norm of their own.")
        }
        MethodKind::Advprop => {
            ("AdvProp", "Clean images through main, attacked ones through a batch norm of their own.")
        }
        MethodKind::AdvpropFineGrained => (
            "Fine-grained AdvProp",
            "Plain, attacked and augmented images, each through a batch norm of their own.",
        ),
        MethodKind::FastAdvprop => (
            "Fast AdvProp",
            "A fifth of each batch is attacked, and the attack's own pass trains too: little dearer than plain.",
        ),
    }
}

/// The choice of a method; the user's own branches take its place until another is chosen.
pub(super) fn choice_ui(ui: &mut Ui, form: &mut SetUpForm) -> Response {
    let config = form.config().method.clone();
    let is_own = !config.branch.is_empty();
    let shown = if is_own { MethodLabel::OwnBranches.to_string() } else { words(config.kind).0.to_owned() };
    let mut chosen = None;
    let combo = ComboBox::from_id_salt("method.kind").width(ui.available_width()).selected_text(shown);
    let response = combo.truncate().height(LIST_HEIGHT).show_ui(ui, |ui| {
        ui.set_width(LIST_WIDTH);
        for kind in MethodKind::ALL {
            let (title, about) = words(kind);
            let tokens = Tokens::of(ui);
            let title = RichText::new(title).color(tokens.text_strong);
            let button = Button::selectable(!is_own && kind == config.kind, title);
            ui.spacing_mut().item_spacing.y = 1.0;
            let response = ui.horizontal(|ui| {
                let response = ui.add(button);
                picture_ui(ui, &branches(&MethodConfig { kind, branch: Vec::new(), ..config.clone() }));
                response
            });
            let response = response.inner.on_hover_text(format!("method.kind = \"{}\"", kind.name()));
            if response.clicked() {
                chosen = Some(kind);
            }
            let about = RichText::new(about).small().color(tokens.text_weak);
            ui.scope(|ui| {
                // No higher than its words, so that all methods fit into a list.
                ui.spacing_mut().interact_size.y = 0.0;
                ui.horizontal(|ui| {
                    ui.add_space(ui.spacing().button_padding.x);
                    ui.add(egui::Label::new(about).truncate());
                });
            });
        }
    });
    if let Some(kind) = chosen {
        if is_own {
            form.set("method.branch", Value::Array(Vec::new()));
        }
        form.set("method.kind", Value::String(kind.name().into()));
    }
    response.response
}

/// What the chosen method does, below its name.
pub(super) fn about_ui(ui: &mut Ui, config: &MethodConfig) {
    if config.branch.is_empty() {
        let about = RichText::new(words(config.kind).1).small().color(Tokens::of(ui).text_weak);
        ui.add(egui::Label::new(about).wrap());
    }
    picture_ui(ui, &branches(config));
}

/// The branches of a method as its picture has them. Those that are more than a list are shown by what goes
/// through which domain.
pub(super) fn branches(config: &MethodConfig) -> Vec<BranchConfig> {
    use crate::config::{BranchSource::Attack, BranchSource::Clean, Domain};
    if !config.branch.is_empty() {
        return config.branch.clone();
    }
    let all = |source, domain, share| BranchConfig { source, domain, weight: 1.0, share };
    method::as_branches(config).unwrap_or_else(|| match config.kind {
        MethodKind::FastAdvprop => {
            let attacked = config.adversarial_share;
            vec![all(Clean, Domain::Main, 1.0 - attacked), all(Attack, Domain::Aux, attacked)]
        }
        _ => vec![all(Attack, Domain::Main, 1.0), all(Clean, Domain::Main, 1.0)],
    })
}

/// A branch a word and a line: the colour is the data, dash and marker are the BN domain, as in every plot.
pub(super) fn picture_ui(ui: &mut Ui, branches: &[BranchConfig]) {
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for branch in branches {
            let colour = tokens.data(DataKind::of_source(branch.source));
            let domain = branch.domain.index();
            ui.label(RichText::new(branch.source.name()).small().color(colour));
            let (rect, response) = ui.allocate_exact_size(vec2(legend::SAMPLE_WIDTH, 14.0), Sense::hover());
            legend::sample(ui, rect.left_center(), tokens::dash(domain), colour);
            let text =
                format!("{} images go through the batch norm {}", branch.source.name(), branch.domain.name());
            response.on_hover_text(text);
            let mark = tokens::mark(domain);
            ui.label(RichText::new(format!("{mark} {}", branch.domain.name())).small().color(tokens.text));
            ui.add_space(GAP);
        }
    });
}
