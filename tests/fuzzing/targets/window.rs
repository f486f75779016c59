//! What the window keeps between sessions.

use dualprop::app::model::recents::Recents;
use dualprop::app::shell::layout::Layout;

/// The places of the panes; what is taken is drawn.
pub(super) fn layout(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(mut layout) = Layout::from_text(text) else { return };
    let again = Layout::from_text(&layout.to_text()).expect("its own text");
    let content =
        |layout: &Layout| -> serde_json::Value { serde_json::from_str(&layout.to_text()).expect("JSON") };
    assert_eq!(content(&again), content(&layout));
    let context = egui::Context::default();
    for _ in 0..2 {
        let mut drawn = context.run_ui(egui::RawInput::default(), |ui| {
            layout.ui(ui, &mut |ui, pane| drop(ui.label(pane.title())), 0);
        });
        // Nobody shows them.
        drawn.textures_delta.clear();
    }
}

/// The paths that were used last.
pub(super) fn recents(bytes: &[u8]) {
    let Ok(mut recents) = serde_json::from_slice::<Recents>(bytes) else { return };
    // Text and back, a number may be another in its last place.
    recents.preset_seconds.clear();
    let text = serde_json::to_string(&recents).expect("text");
    assert_eq!(serde_json::from_str::<Recents>(&text).expect("its own text"), recents);
    recents.add_run("/run".as_ref());
    let _ = (recents.existing(), recents.unfinished());
}
