//! Words that change without moving what stands beside them.

use egui::{Response, RichText, Ui};

/// A label that takes at least as much room as its widest words so far; `key` tells it from the others of
/// the `ui`. In a row, so that what follows stays where it is.
pub fn label(ui: &mut Ui, key: &str, text: impl Into<RichText>) -> Response {
    let response = ui.label(text.into());
    let id = ui.scope_id().with(("steady", key));
    let width = response.rect.width();
    let widest = ui.data_mut(|data| {
        let known = data.get_temp_mut_or(id, width);
        *known = known.max(width);
        *known
    });
    if widest > width {
        ui.add_space(widest - width);
    }
    response
}
