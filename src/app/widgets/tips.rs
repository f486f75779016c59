//! What a control says under the pointer, where its place matters.

use egui::{Label, RectAlign, Response, Tooltip, WidgetText};

/// Tells what a slider does: above it, as what it changes stands below, and not while it is dragged.
pub fn above(response: Response, text: impl Into<WidgetText>) -> Response {
    if response.is_pointer_button_down_on() || response.dragged() {
        return response;
    }
    let mut tooltip = Tooltip::for_enabled(&response);
    tooltip.popup = tooltip.popup.align(RectAlign::TOP_START);
    tooltip.show(|ui| {
        ui.set_max_width(ui.spacing().tooltip_width);
        ui.add(Label::new(text.into()));
    });
    response
}
