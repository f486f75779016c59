//! Attention: where each domain looks on the same images, clean and attacked, on one colour scale; of the
//! live run's own pictures, or of an opened model with CAM or Grad-CAM of any class, beside the maps of
//! another model.

mod figure;

use super::look::{self, LookView};
use super::{FIRST_PICTURES, Names, Shared, once_there};
use crate::app::commands::UiCommand;
use crate::app::format;
use crate::app::large_view::SubjectList;
use crate::app::model::kinds::MAIN_SPLIT;
use crate::app::model::moments::Moment;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::{ButtonStyle, command_button, empty_ui};
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::Figure;
use crate::app::widgets::moments::MomentView;
use crate::app::widgets::picture_size::PictureSize;
use crate::app::widgets::pictures::{MapScale, Maps, SHOWN_LARGE, clickable, ranges};
use crate::app::widgets::{class_choice, heat_scale, tips};
use crate::session::inspect::{Looked, LookedItem, ModelInfo};
use crate::training::events::GalleryItem;
use egui::{ComboBox, Response, RichText, ScrollArea, Slider, TextureHandle, Ui, vec2};
use std::sync::Arc;

/// Width of the colour scale behind a row, points.
const SCALE_WIDTH: f32 = 92.0;

/// How the maps are drawn.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct AttentionView {
    /// Opacity of the map over the image, 0..=1.
    pub opacity: f32,
    pub scale: MapScale,
    pub size: PictureSize,
    /// Maps that stay on screen beside those of the model opened next, with that model's name.
    #[serde(skip)]
    kept: Option<KeptMaps>,
}

#[derive(Debug)]
struct KeptMaps {
    name: String,
    domains: Vec<String>,
    looked: Arc<Looked>,
    generation: u64,
}

impl Default for AttentionView {
    fn default() -> Self {
        Self { opacity: 0.6, scale: MapScale::Image, size: PictureSize::default(), kept: None }
    }
}

/// How a picture of the grid is drawn.
#[derive(Clone, Copy)]
struct Shown {
    /// Of the map over it, 0..=1.
    opacity: f32,
    /// Its side, points.
    side: f32,
}

/// Maps of some images to draw: one column a domain and kind of image.
struct Columns<'a> {
    /// Whose they are; empty where only one model is shown.
    name: &'a str,
    names: Names<'a>,
    /// `[clean, adversarial]` for each image.
    originals: Vec<[TextureHandle; 2]>,
    maps: &'a [Maps],
}

/// Draws the pane.
pub fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut AttentionView,
    look: &mut LookView,
    moments: &mut MomentView,
) {
    match shared.study.info.clone() {
        Some(info) => opened_ui(ui, shared, view, look, &info),
        None => live_ui(ui, shared, view, moments),
    }
}

/// The maps of the true class that the run at work makes by itself.
fn live_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut AttentionView, moments: &mut MomentView) {
    let run = shared.run;
    if shared.study.choice.is_some() || shared.study.fault.is_some() {
        look::model_bar_ui(ui, shared, None);
    }
    let has_maps = |item: &GalleryItem| !item.views.is_empty();
    let shown = moments.of(run).filter(|moment| moment.snapshot.gallery.iter().any(has_maps));
    let Some(Moment { snapshot, generation }) = shown else {
        let text = format!(
            "Class activation maps of every domain, for clean and attacked images side by side on one colour \
             scale. {}",
            once_there(run, FIRST_PICTURES)
        );
        let commands = [UiCommand::StudyBest, UiCommand::OpenCheckpoint];
        empty_ui(ui, "No maps yet", &text, run, &commands, shared.queue);
        return;
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(format!("Step {}, map of the true class", snapshot.step)).on_hover_text(HELP);
        controls_ui(ui, view);
        let command = if run.phase.is_active() { UiCommand::StudyLive } else { UiCommand::StudyBest };
        command_button(ui, command, run, shared.queue, ButtonStyle::Plain);
        let (opacity, scale) = (view.opacity, view.scale);
        let figure = || {
            let items: Vec<&GalleryItem> = snapshot.gallery.iter().collect();
            let classes: Vec<usize> = items.iter().map(|item| item.label).collect();
            let ranges = ranges(scale, items.iter().copied(), std::iter::empty());
            let subject = format!("{}, step {}, of the true class", run.name(), snapshot.step);
            let model = figure::Model { name: "", names: Names::of_run(run), items };
            figure::of(&[model], &classes, &ranges, opacity, subject)
        };
        Menu::new("Attention").figure(&figure).seen(shared.area).ui(ui, shared.exports);
        moments.ui(ui, run);
    });
    ui.add_space(tokens::GAP_SMALL);
    flat_ui(ui, snapshot.gallery.iter());
    let ranges = ranges(view.scale, snapshot.gallery.iter(), std::iter::empty());
    let set = &mut shared.pictures.live;
    // Only clean and adversarial are taken, so whatever gain the gallery's pictures were made with will do.
    let gain = set.made_gain().unwrap_or(1.0);
    let originals = originals(set.rows(ui.ctx(), generation, &snapshot.gallery, gain));
    let maps = set.maps(ui.ctx(), generation, &snapshot.gallery, &ranges);
    let columns = Columns { name: "", names: Names::of_run(run), originals, maps };
    let clicked = grid_ui(ui, view, &[columns], snapshot.gallery.iter().map(|item| (item, item.label)));
    if let Some((response, place)) = clicked {
        let list = SubjectList::of_run(&snapshot, MAIN_SPLIT, Names::of_run(run), place);
        *shared.large = Some(list.opened_by(&response));
    }
}

const HELP: &str = "Class activation map (CAM): the last feature maps weighted by the class's weights of the \
                    classifier, enlarged to the input size with the shift of the padding undone. Grad-CAM: the same \
                    weights as mean gradients, and only what speaks for the class. No unit: a part of the logit.";

/// Whether two looks are at the same images; models may see them at different sizes.
fn shows_the_same(a: &Looked, b: &Looked) -> bool {
    let same = |(a, b): (&LookedItem, &LookedItem)| {
        a.item.name == b.item.name && (a.item.size != b.item.size || a.item.clean == b.item.clean)
    };
    a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(same)
}

/// The opened model's maps, and the kept ones.
fn opened_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut AttentionView,
    look: &mut LookView,
    info: &ModelInfo,
) {
    look::subject_ui(ui, info, shared, look);
    let name = shared.study.choice.as_ref().map_or_else(String::new, |choice| choice.label());
    ui.horizontal_wrapped(|ui| {
        map_choice_ui(ui, look, info);
        controls_ui(ui, view);
        if let Some(looked) = shared.study.looked.clone().filter(|_| view.kept.is_none()) {
            let help =
                "Keep these maps on screen, to see those of another model beside them on the same scales";
            if ui.button("Keep beside").on_hover_text(help).clicked() {
                let name = format!("{name}, step {}", looked.step);
                let (domains, generation) = (info.views.clone(), shared.study.look_generation);
                view.kept = Some(KeptMaps { name, domains, looked, generation });
            }
        }
        if let Some(looked) = &shared.study.looked {
            let kept = view.kept.as_ref().filter(|kept| shows_the_same(&kept.looked, looked));
            let figure = || opened_figure(view, looked, kept, info, &name);
            Menu::new("Attention").figure(&figure).seen(shared.area).ui(ui, shared.exports);
        }
        if view.kept.is_some() && ui.button("Drop kept").on_hover_text("Forget the kept maps").clicked() {
            view.kept = None;
        }
    });
    let attack = RichText::new(format!("Attacked by {} (set in Lab)", look.attack.spec())).small();
    ui.label(attack.color(Tokens::of(ui).text_weak));
    look.ask(info, shared);
    let Some(looked) = shared.study.looked.clone() else { return };
    ui.add_space(tokens::GAP_SMALL);

    let (kept, others) = match view.kept.take() {
        Some(kept) if shows_the_same(&kept.looked, &looked) => (Some(kept), None),
        others => (None, others),
    };
    if others.is_some() {
        let text = "The kept maps are of other images, and come back with those.";
        ui.label(RichText::new(text).small().color(Tokens::of(ui).warning));
    }
    let items = || looked.items.iter().map(|looked| &looked.item);
    flat_ui(ui, items());
    let kept_items = || kept.iter().flat_map(|kept| &kept.looked.items).map(|looked| &looked.item);
    let ranges = ranges(view.scale, items(), kept_items());
    let ctx = ui.ctx().clone();
    let pictures = &mut *shared.pictures;
    let set = &mut pictures.look;
    let gain = set.made_gain().unwrap_or(1.0);
    let generation = shared.study.look_generation;
    let shown = format!("{name}, step {}", looked.step);
    let first = originals(set.rows(&ctx, generation, items(), gain));
    let maps = set.maps(&ctx, generation, items(), &ranges);
    let mut columns = vec![Columns {
        name: if kept.is_some() { &shown } else { "" },
        names: look::view_names(info),
        originals: first,
        maps,
    }];
    if let Some(kept) = &kept {
        let set = &mut pictures.kept;
        let originals = originals(set.rows(&ctx, kept.generation, kept_items(), gain));
        let maps = set.maps(&ctx, kept.generation, kept_items(), &ranges);
        let names = Names { classes: &info.classes, domains: &kept.domains };
        columns.push(Columns { name: &kept.name, names, originals, maps });
    }
    let class = |item: &GalleryItem| looked.request.class.unwrap_or(item.label);
    let clicked = grid_ui(ui, view, &columns, items().map(|item| (item, class(item))));
    if let Some((response, place)) = clicked {
        *shared.large = Some(SubjectList::of_look(&looked, info, place).opened_by(&response));
    }
    view.kept = kept.or(others);
}

/// The opened model's maps for print, beside the kept ones if they are of the same images.
fn opened_figure(
    view: &AttentionView,
    looked: &Looked,
    kept: Option<&KeptMaps>,
    info: &ModelInfo,
    name: &str,
) -> Figure {
    fn items(looked: &Looked) -> Vec<&GalleryItem> {
        looked.items.iter().map(|looked| &looked.item).collect()
    }
    let own = items(looked);
    let class = |item: &&GalleryItem| looked.request.class.unwrap_or(item.label);
    let classes: Vec<usize> = own.iter().map(class).collect();
    let beside = kept.map_or_else(Vec::new, |kept| items(&kept.looked));
    let ranges = ranges(view.scale, own.iter().copied(), beside.iter().copied());
    let shown = format!("{name}, step {}", looked.step);
    let subject =
        format!("{shown}, {}, attacked by {}", looked.request.map.name(), looked.request.attack.spec());
    let mut models = vec![figure::Model {
        name: if kept.is_some() { &shown } else { "" },
        names: look::view_names(info),
        items: own,
    }];
    if let Some(kept) = kept {
        let names = Names { classes: &info.classes, domains: &kept.domains };
        models.push(figure::Model { name: &kept.name, names, items: beside });
    }
    figure::of(&models, &classes, &ranges, view.opacity, subject)
}

/// Says so where every map is the same everywhere, as those of features of one cell are.
fn flat_ui<'a>(ui: &mut Ui, mut items: impl Iterator<Item = &'a GalleryItem>) {
    let is_flat = |map: &[f32]| map.iter().all(|value| Some(value) == map.first());
    let flat = |item: &GalleryItem| {
        item.views.iter().all(|view| is_flat(&view.cam) && is_flat(&view.cam_adversarial))
    };
    if items.all(flat) {
        let text = "These maps are the same everywhere and show nothing: the features are a single cell. Expected a \
                    model with a larger data.image_size, or with model.stem_stride = 1.";
        ui.label(RichText::new(text).color(Tokens::of(ui).warning));
    }
}

fn originals(rows: &[crate::app::widgets::pictures::RowPictures]) -> Vec<[TextureHandle; 2]> {
    rows.iter().map(|row| [row.clean.clone(), row.adversarial.clone()]).collect()
}

fn map_choice_ui(ui: &mut Ui, look: &mut LookView, info: &ModelInfo) {
    ui.label("Map").on_hover_text(HELP);
    ui.selectable_value(&mut look.grad_cam, false, "CAM").on_hover_text(HELP);
    ui.selectable_value(&mut look.grad_cam, true, "Grad-CAM").on_hover_text(HELP);
    ui.label("of");
    let own = "the true class";
    let help =
        "Class that the maps speak of; of files, the true class is the one predicted for the clean image";
    class_choice::ui(ui, "Map class", own, &info.classes, &mut look.class).on_hover_text(help);
}

fn controls_ui(ui: &mut Ui, view: &mut AttentionView) {
    ui.spacing_mut().slider_width = 80.0;
    ui.label("Opacity");
    let slider = Slider::new(&mut view.opacity, 0.0..=1.0).show_value(true).max_decimals(2);
    tips::above(ui.add(slider).accessible_name("Map opacity"), "Opacity of the map over the image, 0 to 1");
    ui.label("Scale");
    let name = |scale| match scale {
        MapScale::Image => "per image",
        MapScale::All => "all images",
    };
    let combo = ComboBox::from_id_salt("scale").width(90.0).selected_text(name(view.scale));
    let response = combo.show_ui(ui, |ui| {
        for scale in [MapScale::Image, MapScale::All] {
            ui.selectable_value(&mut view.scale, scale, name(scale));
        }
    });
    response.response.accessible_name("Colour scale").on_hover_text(
        "What one colour scale spans. Domains, clean and attacked always share one, and so do two models side by \
         side, so their colours can be compared.",
    );
    view.size.ui(ui, "Map size");
}

/// A row an image: each model's clean and attacked pictures, plain and through each domain. The picture that
/// was clicked with its row, if one was.
fn grid_ui<'a>(
    ui: &mut Ui,
    view: &mut AttentionView,
    columns: &[Columns<'_>],
    rows: impl Iterator<Item = (&'a GalleryItem, usize)>,
) -> Option<(Response, usize)> {
    let tokens = Tokens::of(ui);
    let mut clicked = None;
    let mut rows = rows.peekable();
    let size = rows.peek().map_or(1, |(item, _)| item.size);
    let count = columns.iter().map(|model| 2 * (1 + model.names.domains.len())).sum();
    let room = ui.available_size() - vec2(SCALE_WIDTH + tokens::GAP, 0.0);
    let shown = Shown { opacity: view.opacity, side: view.size.of_columns(ui, room, count, size) };
    ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        egui::Grid::new("maps").spacing(vec2(tokens::GAP, tokens::GAP)).show(ui, |ui| {
            for model in columns {
                let of = if model.name.is_empty() { String::new() } else { format!(", {}", model.name) };
                for data in ["Clean", "Attacked"] {
                    heading(ui, &format!("{data} image{of}"), shown.side);
                    for domain in model.names.domains {
                        heading(ui, &format!("seen by {domain}"), shown.side);
                    }
                }
            }
            ui.label(RichText::new("Class and scale").small().color(tokens.text_weak));
            ui.end_row();
            for (index, (item, class)) in rows.enumerate() {
                for model in columns {
                    let response = model_ui(ui, shown, model, index, &item.name);
                    clicked = clicked.take().or(response.map(|response| (response, index)));
                }
                if let Some((model, maps)) = columns.first().and_then(|m| Some((m, m.maps.get(index)?))) {
                    scale_ui(ui, &model.names.class(class), maps);
                }
                ui.end_row();
            }
        });
    });
    clicked
}

fn model_ui(ui: &mut Ui, shown: Shown, model: &Columns<'_>, index: usize, name: &str) -> Option<Response> {
    let (originals, maps) = (model.originals.get(index)?, model.maps.get(index)?);
    let mut clicked = None;
    let mut show = |ui: &mut Ui, image, map, label: &str| {
        let response = overlay_ui(ui, image, map, shown, label);
        if response.clicked() {
            clicked = Some(response);
        }
    };
    for (data, kind) in [(0, "clean"), (1, "attacked")] {
        show(ui, &originals[data], None, &format!("{kind} {name}"));
        for (domain, textures) in maps.domains.iter().enumerate() {
            let label = format!("map of {}, {kind} {name}", model.names.domain(domain));
            show(ui, &originals[data], Some(&textures[data]), &label);
        }
    }
    clicked
}

fn heading(ui: &mut Ui, text: &str, side: f32) {
    ui.scope(|ui| {
        ui.set_min_width(side);
        ui.set_max_width(side);
        ui.add(egui::Label::new(RichText::new(text).small().color(Tokens::of(ui).text_weak)).wrap());
    });
}

/// An image with a map over it.
fn overlay_ui(
    ui: &mut Ui,
    image: &TextureHandle,
    map: Option<&TextureHandle>,
    shown: Shown,
    label: &str,
) -> Response {
    let response = clickable(ui, image, shown.side, label, SHOWN_LARGE);
    if let Some(map) = map {
        let over = egui::Image::new(map).corner_radius(3).tint(tokens::opacity(shown.opacity));
        over.paint_at(ui, response.rect);
    }
    response
}

/// The class, and the scale from the lowest to the highest score.
fn scale_ui(ui: &mut Ui, class: &str, maps: &Maps) {
    let tokens = Tokens::of(ui);
    ui.vertical(|ui| {
        let name = RichText::new(class).strong().color(tokens.text_strong);
        ui.add(egui::Label::new(name).truncate()).on_hover_text("The class that the maps speak of");
        let (low, high) = maps.range;
        heat_scale::ui(ui, SCALE_WIDTH).on_hover_text("Colour scale of this row's maps: raw scores, no unit");
        let text = format!("{} to {}", format::significant(low.into()), format::significant(high.into()));
        ui.label(RichText::new(text).small().color(tokens.text_weak));
    });
}
