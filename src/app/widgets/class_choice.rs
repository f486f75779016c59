//! The choice of a class, with a search where there are many.

use egui::{ComboBox, Id, PopupCloseBehavior, Response, ScrollArea, TextEdit, TextStyle, Ui};

/// From this number on the list is searched.
const MANY: usize = 20;
const WIDTH: f32 = 240.0;
const HEIGHT: f32 = 260.0;

/// A list named `name`, with `none` for no class at its head; `classes` are the names by index.
pub fn ui(ui: &mut Ui, name: &str, none: &str, classes: &[String], chosen: &mut Option<usize>) -> Response {
    let shown = chosen.and_then(|class| classes.get(class)).map_or(none, String::as_str);
    let combo = ComboBox::from_id_salt(name).width(110.0).selected_text(shown).truncate();
    let combo = combo.height(HEIGHT + 60.0).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let response = combo.show_ui(ui, |ui| {
        let mut taken = ui.selectable_value(chosen, None, none).clicked();
        let search = ui.scope_id().with("search");
        let wanted = if classes.len() > MANY { search_ui(ui, search) } else { String::new() };
        let found: Vec<usize> =
            (0..classes.len()).filter(|class| classes[*class].to_lowercase().contains(&wanted)).collect();
        if found.is_empty() {
            ui.weak("no such class");
        }
        let row = ui.text_style_height(&TextStyle::Body).max(ui.spacing().interact_size.y);
        ScrollArea::vertical().max_height(HEIGHT).show_rows(ui, row, found.len(), |ui, rows| {
            for class in &found[rows] {
                taken |= ui.selectable_value(chosen, Some(*class), &classes[*class]).clicked();
            }
        });
        if taken {
            ui.data_mut(|data| data.remove_temp::<String>(search));
            ui.close();
        }
    });
    response.response.accessible_name(name)
}

/// The text that names are to contain, in small letters. It stays under `id` until a class is taken.
fn search_ui(ui: &mut Ui, id: Id) -> String {
    let mut text: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let field = TextEdit::singleline(&mut text).hint_text("Search").desired_width(WIDTH);
    let response = ui.add(field).accessible_name("Search a class");
    if response.changed() {
        ui.data_mut(|data| data.insert_temp(id, text.clone()));
    } else if text.is_empty() && !response.has_focus() {
        response.request_focus();
    }
    text.trim().to_lowercase()
}
