//! BN domains: how far the domains' running statistics lie apart, layer by layer; over training time; the
//! channels of one layer; and how a layer's inputs are distributed once they are normalised.

pub mod channels;
pub mod inputs;
mod strip;
pub mod time;

use super::{FIRST_PICTURES, Names, Shared, look, once_there};
use crate::app::commands::UiCommand;
use crate::app::model::kinds::DataKind;
use crate::app::model::moments::Moment;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::command_button::empty_ui;
use crate::app::widgets::export::Menu;
use crate::app::widgets::moments::MomentView;
use crate::session::inspect::ModelInfo;
use crate::training::bn_distance::{self as distance, Distance};
use crate::training::bn_health::{self, BnWarning};
use crate::training::events::BnLayer;
use channels::Drawing;
use egui::{ComboBox, RichText, ScrollArea, Ui};
use std::sync::Arc;

const CAPTION_HEIGHT: f32 = 36.0;
/// The least height of the channel plots, points; a lower pane scrolls.
const LEAST_PLOT_HEIGHT: f32 = 110.0;

/// What the channel plots' axes span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ChannelScale {
    #[default]
    Layer,
    Network,
    Fixed,
}

/// The part of a distance that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Part {
    #[default]
    Whole,
    Means,
    Variances,
}

impl Part {
    const ALL: [Self; 3] = [Self::Whole, Self::Means, Self::Variances];

    /// The word in the menu.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Means => "means",
            Self::Variances => "variances",
        }
    }

    fn of(self, distance: Distance) -> f64 {
        match self {
            Self::Whole => distance.total(),
            Self::Means => distance.of_means,
            Self::Variances => distance.of_variances,
        }
    }
}

/// Which of the three views of the pane is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Face {
    #[default]
    Layers,
    Time,
    Inputs,
}

/// How the domains are drawn.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DomainsView {
    pub face: Face,
    /// Name of the chosen layer; the one furthest apart when it is unknown.
    pub layer: String,
    pub scale: ChannelScale,
    pub part: Part,
    /// γ and β instead of the running statistics.
    pub affine: bool,
    /// Channels by falling distance instead of by index.
    pub sorted: bool,
    /// Distance of `main` to this domain; 0 stands for the first auxiliary one.
    pub other: usize,
    /// Channel of the histogram; `None`: all together.
    #[serde(skip)]
    pub channel: Option<usize>,
    #[serde(skip)]
    strip: Strip,
    #[serde(skip)]
    pub time: time::Drawn,
}

/// Distances and warnings of all layers, made again when the statistics change.
#[derive(Debug, Default)]
struct Strip {
    made_for: Option<(SourceKey, usize, Part)>,
    distances: Vec<f64>,
    warnings: Vec<BnWarning>,
}

/// Whose statistics: which kind of source, its generation, its step.
type SourceKey = (u8, u64, u64);

/// The statistics on screen and what is known about them.
pub struct ShownStatistics<'a> {
    pub layers: &'a [BnLayer],
    pub step: u64,
    /// Of the opened model, not of the run on screen.
    pub is_opened: bool,
    pub names: Names<'a>,
    /// What each domain was trained on.
    pub data: Vec<DataKind>,
    key: SourceKey,
}

impl ShownStatistics<'_> {
    /// What a domain was trained on.
    pub fn kind(&self, domain: usize) -> DataKind {
        self.data.get(domain).copied().unwrap_or(DataKind::Clean)
    }
}

/// Draws the pane.
pub fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut DomainsView,
    look: &mut look::LookView,
    moments: &mut MomentView,
) {
    ui.horizontal_wrapped(|ui| {
        for (face, name, help) in [
            (Face::Layers, "Layers", "Distances by layer, and the channels of one"),
            (Face::Time, "Over time", "Distances by layer at each validation of the run"),
            (Face::Inputs, "Inputs", "How a layer's normalised inputs are distributed"),
        ] {
            ui.selectable_value(&mut view.face, face, name).on_hover_text(help);
        }
    });
    match view.face {
        Face::Layers => layers_ui(ui, shared, view, moments),
        Face::Time => time::ui(ui, shared, view),
        Face::Inputs => inputs::ui(ui, shared, view, look),
    }
}

/// What the statistics are taken from: the live run, else the opened model, else the run folder's checkpoint.
/// A model of another run gives way to the folder on screen.
enum Origin {
    Live(Moment),
    Opened(Arc<ModelInfo>),
    Folder(u64, Arc<Vec<BnLayer>>),
}

fn origin(shared: &Shared<'_>, moments: &mut MomentView) -> Option<Origin> {
    let live = moments.of(shared.run).filter(|moment| !moment.snapshot.bn_layers.is_empty());
    let folder = shared.run.bn.clone().map(|(step, layers)| Origin::Folder(step, layers));
    let opened = shared.study.info.clone().map(Origin::Opened);
    let of_another = match (&shared.study.choice, &shared.run.dir) {
        (Some(choice), Some(dir)) => !choice.is_of_run(dir),
        _ => false,
    };
    let (first, second) = if of_another { (folder, opened) } else { (opened, folder) };
    live.map(Origin::Live).or(first).or(second)
}

impl Origin {
    fn source<'a>(&'a self, shared: &Shared<'a>) -> ShownStatistics<'a> {
        let run = shared.run;
        let of_run = |domains: usize| (0..domains).map(|domain| run.domain_data(domain)).collect();
        let (layers, step, names, key) = match self {
            Self::Live(Moment { snapshot, generation }) => {
                let key = (0, *generation, snapshot.step);
                (snapshot.bn_layers.as_slice(), snapshot.step, Names::of_run(run), key)
            }
            Self::Opened(info) => {
                // The address tells one opened model from the next.
                let key = (1, Arc::as_ptr(info) as usize as u64, info.step);
                (info.bn_layers.as_slice(), info.step, look::names(info), key)
            }
            Self::Folder(step, layers) => (
                layers.as_slice(),
                *step,
                Names::of_run(run),
                (2, Arc::as_ptr(layers) as usize as u64, *step),
            ),
        };
        let domains = layers.iter().map(|layer| layer.domains.len()).max().unwrap_or(0);
        let is_opened = matches!(self, Self::Opened(_));
        ShownStatistics { layers, step, is_opened, names, data: of_run(domains), key }
    }
}

fn layers_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut DomainsView, moments: &mut MomentView) {
    let run = shared.run;
    let Some(origin) = origin(shared, moments) else {
        let text = format!(
            "The distance between the domains' batch-norm statistics, layer by layer. {}",
            once_there(run, FIRST_PICTURES)
        );
        let commands = [UiCommand::StudyBest, UiCommand::OpenCheckpoint];
        empty_ui(ui, "No statistics yet", &text, run, &commands, shared.queue);
        return;
    };
    let source = origin.source(shared);
    let domains = source.data.len();
    if domains < 2 {
        let text =
            "This model has one BN domain, so there is nothing to compare. AdvProp and MixProp have two.";
        empty_ui(ui, "One domain only", text, run, &[], shared.queue);
        return;
    }
    let other = if (1..domains).contains(&view.other) { view.other } else { 1 };
    let wanted = Some((source.key, other, view.part));
    if view.strip.made_for != wanted {
        let part = view.part;
        let of = |l| distance::of_layer(l, 0, other).map_or(0.0, |distance| part.of(distance));
        view.strip.distances = source.layers.iter().map(of).collect();
        view.strip.warnings = bn_health::warnings(source.layers);
        view.strip.made_for = wanted;
    }
    let bottom = ui.max_rect().bottom();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if matches!(origin, Origin::Live(_)) && run.moments.kept().len() > 1 {
            ui.horizontal_wrapped(|ui| moments.ui(ui, run));
        }
        let first = chosen_layer(source.layers, view);
        let chosen = header_ui(ui, &source, view, first, other, shared);
        warnings_ui(ui, &source, &view.strip.warnings);
        let chosen = strip::ui(ui, source.layers, &view.strip.distances, chosen);
        // At the start of a run all distances are 0, and none is the furthest.
        if chosen != first || view.strip.distances[chosen] > 0.0 {
            view.layer.clone_from(&source.layers[chosen].name);
        }
        let height = (bottom - ui.cursor().top() - CAPTION_HEIGHT).max(LEAST_PLOT_HEIGHT);
        let drawing = Drawing { affine: view.affine, scale: view.scale, sorted: view.sorted, other };
        let caption = strip::caption(&source, shared);
        channels::ui(ui, &source, chosen, drawing, height, (&caption, shared.exports));
    });
}

fn chosen_layer(layers: &[BnLayer], view: &DomainsView) -> usize {
    let named = layers.iter().position(|layer| layer.name == view.layer);
    let furthest = || {
        let distances = view.strip.distances.iter().enumerate();
        distances.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
    };
    named.unwrap_or_else(furthest).min(layers.len() - 1)
}

/// The choice of a part of the distance, with what it means.
pub fn part_ui(ui: &mut Ui, part: &mut Part) {
    let combo = ComboBox::from_id_salt("part").width(84.0).selected_text(part.name());
    let response = combo.show_ui(ui, |ui| {
        for choice in Part::ALL {
            ui.selectable_value(part, choice, choice.name());
        }
    });
    response.response.accessible_name("Part of the distance").on_hover_text(
        "Symmetric Kullback–Leibler divergence, ½(KL(a‖b) + KL(b‖a)), between the Gaussians that a channel's \
         running mean and variance describe in the two domains, averaged over the layer's channels. In nats; 0 \
         where the domains coincide. It is the sum of a part of the means and a part of the variances.",
    );
}

/// The controls above the strip; returns the layer that the picker chose.
fn header_ui(
    ui: &mut Ui,
    source: &ShownStatistics<'_>,
    view: &mut DomainsView,
    chosen: usize,
    other: usize,
    shared: &mut Shared<'_>,
) -> usize {
    let mut chosen = chosen;
    ui.horizontal_wrapped(|ui| {
        let names = source.names;
        let title = format!("Distance {} to {}", names.domain(0), names.domain(other));
        ui.label(RichText::new(title).strong().color(Tokens::of(ui).text_strong));
        part_ui(ui, &mut view.part);
        let whose = match &shared.study.choice {
            Some(choice) if source.is_opened => format!("{}, step {}", choice.label(), source.step),
            _ => format!("step {}", source.step),
        };
        ui.label(RichText::new(whose).color(Tokens::of(ui).text_weak));
        let domains = source.data.len();
        if domains > 2 {
            let combo = ComboBox::from_id_salt("other").selected_text(names.domain(other)).width(70.0);
            let response = combo.show_ui(ui, |ui| {
                for domain in 1..domains {
                    ui.selectable_value(&mut view.other, domain, names.domain(domain));
                }
            });
            response.response.accessible_name("Domain to compare with main");
        }
        ui.label("Layer");
        let layers = source.layers;
        let combo = ComboBox::from_id_salt("layer").selected_text(&layers[chosen].name).width(150.0);
        let response = combo.show_ui(ui, |ui| {
            for (index, layer) in layers.iter().enumerate() {
                ui.selectable_value(&mut chosen, index, &layer.name);
            }
        });
        response.response.accessible_name("Layer").on_hover_text("BN layer whose channels are shown below");
        ui.selectable_value(&mut view.affine, false, "Statistics")
            .on_hover_text("Running mean and variance of each channel");
        ui.selectable_value(&mut view.affine, true, "γ and β")
            .on_hover_text("Learned scale and shift of each channel");
        ui.label("Scale");
        let combo = ComboBox::from_id_salt("scale").width(76.0).selected_text(scale_name(view.scale));
        let response = combo.show_ui(ui, |ui| {
            for scale in [ChannelScale::Layer, ChannelScale::Network, ChannelScale::Fixed] {
                ui.selectable_value(&mut view.scale, scale, scale_name(scale));
            }
        });
        response
            .response
            .accessible_name("Channel scale")
            .on_hover_text("What the axes of the channel plots span: this layer, all layers, or fixed ends");
        ui.checkbox(&mut view.sorted, "By distance")
            .on_hover_text("Order the channels by falling distance instead of by their index");
        let caption = strip::caption(source, shared);
        let distances = &view.strip.distances;
        let (figure, table) =
            (|| strip::figure(source, distances, view.part, other, &caption), || strip::table(source, other));
        Menu::new("BN distances").figure(&figure).table(&table).ui(ui, shared.exports);
    });
    chosen
}

/// What is amiss with the statistics, in one line with the details on hover.
fn warnings_ui(ui: &mut Ui, source: &ShownStatistics<'_>, warnings: &[BnWarning]) {
    if warnings.is_empty() {
        return;
    }
    let layer = |index: usize| source.layers.get(index).map_or("?", |layer| layer.name.as_str());
    let sentences: Vec<String> = warnings
        .iter()
        .map(|warning| match *warning {
            BnWarning::Dead { layer: l, domain, channels } => {
                format!("{channels} dead channels in {} of {}", layer(l), source.names.domain(domain))
            }
            BnWarning::Exploding { layer: l, domain, channels } => {
                format!("{channels} exploding channels in {} of {}", layer(l), source.names.domain(domain))
            }
            BnWarning::Coincides { domain } => {
                format!("{} coincides with {}", source.names.domain(domain), source.names.domain(0))
            }
        })
        .collect();
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        icons::show(ui, Icon::Warning, tokens.warning, "warning");
        let more = sentences.len() - 1;
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        let text = RichText::new(format!("{}{rest}", sentences[0])).small().color(tokens.warning);
        ui.add(egui::Label::new(text).truncate()).on_hover_text(format!(
            "{}\n\nDead: a running variance below 10⁻⁶, so the channel is constant. Exploding: a variance above 10⁶, \
             or no number. Coinciding: a distance below 0.001 nats in every layer; at the start of a run that is so.",
            sentences.join("\n")
        ));
    });
}

fn scale_name(scale: ChannelScale) -> &'static str {
    match scale {
        ChannelScale::Layer => "layer",
        ChannelScale::Network => "network",
        ChannelScale::Fixed => "fixed",
    }
}
