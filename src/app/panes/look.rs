//! What the panes on an opened model share: the bar that says which model it is, and the choice of images and
//! attack. Lab and Attention show the same images under the same attack, so one answer serves both.
//!
//! The model stays when another run is opened: it takes seconds and memory, and measurements and chosen
//! images go with it. A line offers the model of the run on screen, alike in every pane, and never switches
//! by itself.

use super::{Names, Shared};
use crate::app::commands::{self, UiCommand};
use crate::app::format;
use crate::app::model::study::{ModelChoice, Study};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::{ButtonStyle, command_button, empty_ui};
use crate::app::widgets::steady;
use crate::app::widgets::tips;
use crate::app::widgets::work::waiting_ui;
use crate::config::{AttackConfig, AttackKind, AttackTarget};
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::auto_domain::Through;
use crate::session::inspect::{AttackCall, ImageChoice, Look, ModelInfo, Request};
use egui::{Button, ComboBox, DragValue, RichText, Slider, Ui, vec2};
use std::path::PathBuf;

/// Images that may be looked at together.
pub const MOST_IMAGES: usize = 12;
/// Largest ε and step of the sliders, 1/255. Larger ones can be typed in a SPEC on the command line.
const LARGEST_EPSILON: f32 = 32.0;
const LARGEST_STEP: f32 = 8.0;
const MOST_ITERATIONS: u32 = 100;
/// Room for that number with its word, points.
const ITERATIONS_WIDTH: f32 = 104.0;
/// Room for the number beside a slider, points.
const NUMBER_WIDTH: f32 = 52.0;

/// Why a measurement cannot begin.
pub const NOT_NOW: &str =
    "Not now: a sweep or another measurement is at work, or the model's data cannot be opened here";

const KINDS: [(AttackKind, &str, &str); 5] = [
    (AttackKind::Pgd, "PGD", "Steps along the gradient's sign from a random start, kept within ε"),
    (AttackKind::Ifgsm, "I-FGSM", "Steps along the gradient's sign from the clean image, kept within ε"),
    (AttackKind::Gd, "GD", "As PGD without the limit ε: the steps alone bound it"),
    (AttackKind::Fgsm, "FGSM", "One step of size ε along the gradient's sign"),
    (AttackKind::Mifgsm, "MI-FGSM", "As I-FGSM, along the sign of the gradients of all iterations so far"),
];

/// The images, the attack and the kind of map that Lab and Attention ask for.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LookView {
    pub split: String,
    /// Number of the first image in the set.
    pub first: usize,
    pub count: usize,
    /// Take the place of the set's images when there are any.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// One image that takes the place of all others, with its name.
    #[serde(skip)]
    pub picked: Option<(ImageChoice, String)>,
    pub attack: AttackConfig,
    pub domain: usize,
    /// Attack through all domains, against the choice by image, in place of `domain`.
    pub auto: bool,
    pub seed: u64,
    pub grad_cam: bool,
    /// Class of the maps; `None`: each image's own.
    pub class: Option<usize>,
    /// Take a live run's newest weights each time that it makes pictures.
    pub follow: bool,
}

impl Default for LookView {
    fn default() -> Self {
        // The attack is the one that the command line uses when none is named.
        let attack = AttackConfig::parse_spec("pgd:eps=4,step=1").unwrap_or_default();
        Self {
            split: "val".to_owned(),
            first: 0,
            count: 4,
            files: Vec::new(),
            picked: None,
            attack,
            domain: 0,
            auto: false,
            seed: 0,
            grad_cam: false,
            class: None,
            follow: true,
        }
    }
}

impl LookView {
    /// The chosen images, as far as the model's sets have them.
    pub fn images(&self, info: &ModelInfo) -> ImageChoice {
        if let Some((image, _)) = &self.picked {
            return image.clone();
        }
        if !self.files.is_empty() {
            return ImageChoice::Files(self.files.iter().take(MOST_IMAGES).cloned().collect());
        }
        let (split, count) = self.set(info);
        let first = if count > 0 { self.first % count } else { 0 };
        ImageChoice::Data { split, first, count: self.count.clamp(1, MOST_IMAGES) }
    }

    /// The chosen set, or the first one, with its number of images.
    pub fn set(&self, info: &ModelInfo) -> (String, usize) {
        let named = info.splits.iter().find(|(name, _)| *name == self.split);
        named.or(info.splits.first()).cloned().unwrap_or_else(|| (self.split.clone(), 0))
    }

    /// What is chosen to be attacked, where the model has it.
    pub fn through(&self, info: &ModelInfo) -> Through {
        match self.auto && info.domains.len() > 1 {
            true => Through::Auto,
            false => Through::Domain(self.domain.min(info.domains.len().saturating_sub(1))),
        }
    }

    /// The request for what is chosen.
    pub fn request(&self, info: &ModelInfo) -> Look {
        Look {
            images: self.images(info),
            attack: self.attack.clone(),
            domain: self.through(info),
            seed: self.seed,
            map: if self.grad_cam { CamMethod::GradCam } else { CamMethod::Cam },
            class: self.class.filter(|class| *class < info.classes.len()),
        }
    }

    /// The chosen attack on one of the model's images.
    pub fn attack_call(&self, info: &ModelInfo) -> AttackCall {
        AttackCall { attack: self.attack.clone(), domain: self.through(info), seed: self.seed }
    }

    /// Whether there are images to look at.
    pub fn can_show(&self, info: &ModelInfo) -> bool {
        !info.splits.is_empty() || !self.files.is_empty() || self.picked.is_some()
    }

    /// Asks for what is chosen unless it was asked for. One question at a time: while a slider moves, the
    /// answer to one place of it brings the question for the next.
    pub fn ask(&self, info: &ModelInfo, shared: &mut Shared<'_>) {
        let wanted = self.request(info);
        if self.can_show(info) && !shared.study.looking && !shared.study.has_asked(&wanted) {
            shared.study_requests.push(Request::Look(wanted));
        }
    }
}

/// Names of an opened model.
pub fn names(info: &ModelInfo) -> Names<'_> {
    Names { classes: &info.classes, domains: &info.domains }
}

/// Names of an opened model where a look shows its images: the choice by image goes as one more.
pub fn view_names(info: &ModelInfo) -> Names<'_> {
    Names { classes: &info.classes, domains: &info.views }
}

/// Which model is open and how to choose another; what went wrong with it.
pub fn model_bar_ui(ui: &mut Ui, shared: &mut Shared<'_>, follow: Option<&mut bool>) {
    ui.horizontal_wrapped(|ui| model_ui(ui, shared, follow));
    other_run_ui(ui, shared);
    fault_ui(ui, shared.study);
}

/// The model and the choice of images in one row.
pub fn subject_ui(ui: &mut Ui, info: &ModelInfo, shared: &mut Shared<'_>, view: &mut LookView) {
    ui.horizontal_wrapped(|ui| {
        model_ui(ui, shared, Some(&mut view.follow));
        ui.add_space(tokens::GAP);
        images_ui(ui, info, shared, view);
    });
    other_run_ui(ui, shared);
    fault_ui(ui, shared.study);
}

fn model_ui(ui: &mut Ui, shared: &mut Shared<'_>, follow: Option<&mut bool>) {
    let tokens = Tokens::of(ui);
    let study = shared.study;
    let label = study.choice.as_ref().map_or_else(|| "none".to_owned(), ModelChoice::label);
    ui.label(RichText::new("Model").color(tokens.text_weak));
    let name = format!("Model: {label}");
    ui.menu_button(RichText::new(label).color(tokens.text_strong), |ui| {
        for command in [UiCommand::StudyLive, UiCommand::StudyBest, UiCommand::OpenCheckpoint] {
            let button = Button::new(command.text(shared.run));
            let response = ui.add_enabled(command.available(shared.run).is_ok(), button);
            let tooltip = command.tooltip(ui.ctx(), shared.run);
            if response.on_hover_text(&tooltip).on_disabled_hover_text(&tooltip).clicked() {
                shared.queue.push(command);
                ui.close();
            }
        }
    })
    .response
    .accessible_name(name)
    .on_hover_text(study.choice.as_ref().map_or_else(String::new, |of| of.path().display().to_string()));
    match &study.info {
        Some(info) => {
            // Of how many steps weights of elsewhere are, nobody knows.
            let text = match info.taken_for.is_some() {
                true => info.arch.clone(),
                false => format!("{}, {}", study.step_text(), info.arch),
            };
            steady::label(ui, "step", RichText::new(text).color(tokens.text)).on_hover_text(
                "Finished optimizer steps of the weights in use (the moving average where there is one). Those of \
                 an ended run are its last copy: newer ones are in its checkpoints, or in the live model once it is \
                 resumed",
            );
        }
        None if study.choice.is_some() => {
            ui.spinner();
            ui.label("Opening…");
        }
        None => {}
    }
    if let Some(follow) = follow.filter(|_| study.is_live()) {
        ui.checkbox(follow, "Follow")
            .on_hover_text("Take the run's newest weights each time that it makes pictures");
    }
    if study.info.is_some() {
        waiting_ui(ui, study.looking, "Working on the newest question");
    }
}

/// Offers the model of the run on screen, where the opened one is of elsewhere.
fn other_run_ui(ui: &mut Ui, shared: &mut Shared<'_>) {
    let run = shared.run;
    let (Some(dir), Some(opened)) = (&run.dir, &shared.study.choice) else { return };
    let Some(command) = commands::opening_model(run).filter(|_| !opened.is_of_run(dir)) else { return };
    let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
    ui.horizontal_wrapped(|ui| {
        let text = format!("The run on screen is {name}.");
        ui.label(RichText::new(text).small().color(Tokens::of(ui).text_weak));
        let link = ui.link(RichText::new("Use its model").small());
        if link.on_hover_text(command.tooltip(ui.ctx(), run)).clicked() {
            shared.queue.push(command);
        }
    });
}

fn fault_ui(ui: &mut Ui, study: &Study) {
    let info = study.info.as_ref();
    let fault = study.fault.clone().or_else(|| info?.data_fault.clone());
    if let (None, Some(sentence)) = (&fault, info.and_then(|info| info.taken_for.as_ref())) {
        let weak = Tokens::of(ui).text_weak;
        ui.add(egui::Label::new(RichText::new(sentence).small().color(weak)).wrap());
    }
    if let Some(fault) = fault {
        ui.horizontal(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            ui.add(egui::Label::new(RichText::new(fault).small().color(error)).wrap());
        });
    }
}

/// Says that figures are not of all images: yet, while their measurement is `at_work`.
pub fn so_far_ui(ui: &mut Ui, at_work: bool) {
    let tokens = Tokens::of(ui);
    let (text, colour) = match at_work {
        true => ("so far", tokens.text_strong),
        false => ("cancelled: of the images until then", tokens.warning),
    };
    let help = "Images come in the order of the set, so that the classes of its end may be missing";
    ui.label(RichText::new(text).small().color(colour)).on_hover_text(help);
}

/// The choice of one of the model's sets, by the name of the list. Another than it has becomes its first.
pub fn set_ui(ui: &mut Ui, info: &ModelInfo, name: &str, split: &mut String) {
    let known = info.splits.iter().any(|(name, _)| name == split);
    if let (false, Some((first, _))) = (known, info.splits.first()) {
        split.clone_from(first);
    }
    let combo = ComboBox::from_id_salt(name).width(92.0).selected_text(&*split);
    let response = combo.show_ui(ui, |ui| {
        for (name, count) in &info.splits {
            let text = format!("{name} ({})", format::counted(*count as u64, "image"));
            ui.selectable_value(split, name.clone(), text);
        }
    });
    response.response.accessible_name(name).on_hover_text("Evaluation set of the model's data");
}

/// What a pane shows before a model is open.
pub fn nothing_open_ui(ui: &mut Ui, shared: &mut Shared<'_>, title: &str, text: &str) {
    if shared.study.choice.is_some() && shared.study.fault.is_none() {
        return model_bar_ui(ui, shared, None);
    }
    fault_ui(ui, shared.study);
    let commands = [UiCommand::StudyLive, UiCommand::StudyBest, UiCommand::OpenCheckpoint];
    empty_ui(ui, title, text, shared.run, &commands, shared.queue);
}

fn images_ui(ui: &mut Ui, info: &ModelInfo, shared: &mut Shared<'_>, view: &mut LookView) {
    ui.label("Images");
    if let Some((_, name)) = &view.picked {
        ui.label(name).on_hover_text("The image that was chosen in the large view");
        let help = "Go back to the images that were chosen before";
        if ui.button("Back to the choice").on_hover_text(help).clicked() {
            view.picked = None;
        }
    } else if view.files.is_empty() {
        let (split, total) = view.set(info);
        let combo = ComboBox::from_id_salt("image set").width(92.0).selected_text(&split);
        let response = combo.show_ui(ui, |ui| {
            for (name, _) in &info.splits {
                ui.selectable_value(&mut view.split, name.clone(), name);
            }
        });
        response.response.accessible_name("Image set").on_hover_text("Evaluation set of the model's data");
        let last = total.saturating_sub(1);
        ui.add(DragValue::new(&mut view.first).range(0..=last).speed(1.0).prefix("from "))
            .accessible_name("First image")
            .on_hover_text(format!("Number of the first image in the set, 0 to {last}"));
        let suffix = if view.count == 1 { " image" } else { " images" };
        ui.add(DragValue::new(&mut view.count).range(1..=MOST_IMAGES).speed(0.1).suffix(suffix))
            .accessible_name("Number of images")
            .on_hover_text(format!("Images side by side, 1 to {MOST_IMAGES}"));
        let count = view.count;
        if ui.button("Next").on_hover_text("The images that follow").clicked() && total > 0 {
            view.first = (view.first + count) % total;
        }
    } else {
        let text = format::counted(view.files.len() as u64, "file");
        ui.label(text).on_hover_text("Their class is the one predicted for the clean image");
        if ui.button("Use the data").on_hover_text("Go back to the model's evaluation sets").clicked() {
            view.files.clear();
        }
    }
    command_button(ui, UiCommand::OpenImages, shared.run, shared.queue, ButtonStyle::Plain);
}

/// The choice of the attack.
pub fn attack_ui(ui: &mut Ui, info: &ModelInfo, view: &mut LookView) {
    ui.horizontal_wrapped(|ui| {
        ui.label("Attack");
        let attack = &mut view.attack;
        let found = KINDS.iter().find(|(kind, ..)| *kind == attack.kind).unwrap_or(&KINDS[0]);
        let combo = ComboBox::from_id_salt("attacker").width(72.0).selected_text(found.1);
        let response = combo.show_ui(ui, |ui| {
            for (kind, name, help) in KINDS {
                ui.selectable_value(&mut attack.kind, kind, name).on_hover_text(help);
            }
        });
        response.response.accessible_name("Attacker").on_hover_text(found.2);
        ui.spacing_mut().slider_width = 110.0;
        // What follows stays where it is while a number changes.
        ui.spacing_mut().interact_size.x = NUMBER_WIDTH;
        ui.label("ε");
        let slider = Slider::new(&mut attack.epsilon, 0.0..=LARGEST_EPSILON).step_by(0.25).max_decimals(2);
        let help =
            "Radius of the ball around the clean image that the attack stays in (L∞), in 1/255 of the pixel range";
        tips::above(ui.add(slider).accessible_name("Epsilon"), help);
        let share = RichText::new(format!("/255 = {:.3}", attack.epsilon / 255.0));
        ui.label(share.small().color(Tokens::of(ui).text_weak));
        if attack.kind != AttackKind::Fgsm {
            ui.add_space(tokens::GAP_SMALL);
            ui.label("Step");
            let slider = Slider::new(&mut attack.step, 0.25..=LARGEST_STEP).step_by(0.25).max_decimals(2);
            let help = "Change of a pixel value in one iteration, in 1/255 of the pixel range";
            tips::above(ui.add(slider).accessible_name("Attack step"), help);
            iterations_ui(ui, attack);
        }
        if attack.has_momentum() {
            // A slider would not go to the next line of a narrow pane.
            let drag = DragValue::new(&mut attack.decay).range(0.0..=1.0).speed(0.01).max_decimals(2);
            ui.add(drag.prefix("decay "))
                .accessible_name("Attack decay")
                .on_hover_text("Share of the accumulated gradient that each iteration keeps, 0 to 1; 0 is I-FGSM");
        }
        ui.label("through");
        let mut through = view.through(info);
        let combo = ComboBox::from_id_salt("attacked domain").width(64.0).selected_text(through.name());
        let response = combo.show_ui(ui, |ui| {
            for choice in Through::all(info.domains.len()) {
                ui.selectable_value(&mut through, choice, choice.name());
            }
        });
        match through {
            Through::Domain(domain) => (view.domain, view.auto) = (domain, false),
            Through::Auto => view.auto = true,
        }
        response
            .response
            .accessible_name("Attacked domain")
            .on_hover_text(
                "BN domain that the attacked network uses, by running statistics. auto: every image is attacked \
                 through each domain, and the attack is shown that is the worst through the domain chosen for it",
            );
        let attack = &mut view.attack;
        let mut targeted = attack.target == AttackTarget::RandomWrong;
        let help = "Towards a wrong class drawn for each image, instead of away from the true one";
        if ui.checkbox(&mut targeted, "Targeted").on_hover_text(help).changed() {
            attack.target = if targeted { AttackTarget::RandomWrong } else { AttackTarget::None };
        }
        let help = "The attack that the model was trained with, by running statistics and plain cross-entropy";
        if ui.button("As in training").on_hover_text(help).clicked() {
            // The SPEC is what a training attack and one on a finished model have in common.
            if let Ok(trained) = AttackConfig::parse_spec(&info.attack.spec()) {
                *attack = trained;
            }
        }
    });
}

fn iterations_ui(ui: &mut Ui, attack: &mut AttackConfig) {
    let automatic = attack.iterations.is_none();
    let mut iterations = attack.iterations();
    let suffix = if iterations == 1 { " iteration" } else { " iterations" };
    let drag = DragValue::new(&mut iterations).range(1..=MOST_ITERATIONS).speed(0.1).suffix(suffix);
    let widest = vec2(ITERATIONS_WIDTH, ui.spacing().interact_size.y);
    let response = ui.scope(|ui| {
        ui.spacing_mut().interact_size = widest;
        ui.add(drag).accessible_name("Iterations")
    });
    let response = response.inner;
    if response.on_hover_text("Gradient steps").changed() {
        attack.iterations = Some(iterations);
    }
    let mut by_rule = automatic;
    let help = "AdvProp's rule: the whole part of ε, plus 1; and 1 where ε is at most 1";
    if ui.checkbox(&mut by_rule, "by ε").on_hover_text(help).changed() {
        attack.iterations = if by_rule { None } else { Some(attack.iterations()) };
    }
}
