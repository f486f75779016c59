//! The choice of a preset: by what it is for, each with a sentence, its size, and its time on this computer
//! where a preflight has measured it.

use super::fields;
use crate::app::format;
use crate::app::model::form::SetUpForm;
use crate::app::model::recents::Recents;
use crate::app::theme::tokens::Tokens;
use crate::config::Config;
use crate::config::presets::{Group, PRESETS, Preset};
use egui::{Button, CollapsingHeader, ComboBox, RichText, Ui};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

const LIST_WIDTH: f32 = 400.0;
const LIST_HEIGHT: f32 = 460.0;

/// Each preset's size in words, by name. Made when it is first wanted: it takes reading all of them.
static SIZES: LazyLock<BTreeMap<&'static str, String>> =
    LazyLock::new(|| PRESETS.iter().map(|preset| (preset.name, size(preset))).collect());

/// Network, images and length of what a preset trains.
fn size(preset: &Preset) -> String {
    let Ok(config) = Config::parse(preset.text, preset.name, &[]) else { return String::new() };
    let length = match (config.run.steps, config.run.epochs) {
        (Some(steps), _) => format::counted(steps, "step"),
        (None, epochs) => format!("{epochs} epochs"),
    };
    let (side, batch) = (config.data.image_size, config.run.batch_size);
    format!("{}, {side} × {side} pixels, {length}, {batch} images a batch", config.model.arch)
}

/// A file with its folder, which tell it from others; what is before them is too long for the field.
fn last_parts(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    let folder = file.parent().and_then(Path::file_name);
    folder.map_or_else(|| name.into(), |folder| Path::new(folder).join(name)).display().to_string()
}

/// Draws the choice, and below it what the chosen one is.
pub(super) fn ui(ui: &mut Ui, form: &mut SetUpForm, recents: &Recents) {
    let known = form.preset.and_then(|name| PRESETS.iter().find(|preset| preset.name == name));
    let mut chosen = None;
    fields::labelled(ui, "Preset", "A complete set-up to start from; it fills all fields", |ui| {
        let file = form.file.as_deref().map(last_parts);
        let named = known.map(|preset| preset.title.to_owned());
        let shown = file.or(named).unwrap_or_else(|| "own".to_owned());
        let combo = ComboBox::from_id_salt("preset").width(ui.available_width()).selected_text(shown);
        let response = combo.truncate().height(LIST_HEIGHT).show_ui(ui, |ui| {
            ui.set_width(LIST_WIDTH);
            for group in Group::ALL {
                let mut listed = |ui: &mut Ui| {
                    for preset in PRESETS.iter().filter(|preset| preset.group == group) {
                        if entry_ui(ui, preset, known.is_some_and(|known| known.name == preset.name), recents)
                        {
                            chosen = Some(preset);
                            ui.close();
                        }
                    }
                };
                // The long lists open on a click.
                let is_open = matches!(group, Group::TryIt | Group::Photos)
                    || known.is_some_and(|known| known.group == group);
                let title = RichText::new(group.title()).strong();
                CollapsingHeader::new(title).default_open(is_open).show(ui, &mut listed);
            }
        });
        match &form.file {
            Some(file) => response.response.on_hover_text(file.display().to_string()),
            None => response.response,
        }
    });
    if let Some(preset) = known {
        let size = SIZES.get(preset.name).map_or("", String::as_str);
        let weak = Tokens::of(ui).text_weak;
        let text = format!("{} {size}{}.", preset.about(), time(preset, recents));
        ui.add(egui::Label::new(RichText::new(text).small().color(weak)).wrap());
    }
    if let Some(preset) = chosen
        && let Err(error) = form.fill_from_preset(preset)
    {
        // Shown at the field of the key that the preset has wrong.
        form.jump = Some(error.key);
    }
}

/// How long it takes here, where that was measured.
fn time(preset: &Preset, recents: &Recents) -> String {
    let seconds = recents.preset_seconds.get(preset.name);
    seconds.map_or_else(String::new, |seconds| format!(", about {} here", format::duration(*seconds)))
}

/// One preset of the list; true when it is clicked.
fn entry_ui(ui: &mut Ui, preset: &Preset, is_chosen: bool, recents: &Recents) -> bool {
    let tokens = Tokens::of(ui);
    let size = SIZES.get(preset.name).map_or("", String::as_str);
    let title = RichText::new(preset.title).color(tokens.text_strong);
    let about = RichText::new(preset.about()).small().color(tokens.text);
    let size = RichText::new(format!("{size}{}", time(preset, recents))).small().color(tokens.text_weak);
    let lines = ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let button = Button::selectable(is_chosen, title).min_size(egui::vec2(ui.available_width(), 0.0));
        let response = ui.add(button).accessible_name(format!("Preset {}", preset.name));
        let response = response.on_hover_text(format!("The file is called {}", preset.name));
        ui.indent(preset.name, |ui| {
            ui.add(egui::Label::new(about).wrap());
            ui.add(egui::Label::new(size).wrap());
        });
        response.clicked()
    });
    lines.inner
}
