//! Where the panes are: a docking tree that the user rearranges by dragging tabs, saved under a version and
//! checked before it is used again.

use crate::app::panes::{DefaultPlace, PANES, Pane, explained};
use crate::app::shell::dialogs::EXPLAINED_WIDTH;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Color32, Id, PopupCloseBehavior, Stroke, Visuals, WidgetText};
use egui_tiles::{Behavior, Container, Linear, LinearDir, SimplificationOptions, TabState};
use egui_tiles::{Tile, TileId, Tiles, Tree, UiResponse};

/// Storage key. Raise the number when a pane is added, renamed or removed: an old layout then starts afresh.
pub const STORAGE_KEY: &str = "dualprop.layout.v3";
const SET_UP_SHARE: f32 = 0.3;
const CURVES_SHARE: f32 = 0.48;

/// The docking tree.
#[derive(Debug)]
pub struct Layout {
    tree: Tree<Pane>,
    /// The pane that has the whole window for a while.
    enlarged: Option<Pane>,
    /// The pane that was brought to the front last: what enlarging by key means.
    last: Pane,
}

impl Default for Layout {
    /// Set-up and log on the left, curves above pictures on the right.
    fn default() -> Self {
        let mut tiles = Tiles::default();
        let mut tabs = |place: DefaultPlace| {
            let panes = PANES.iter().filter(|info| info.place == place);
            let children: Vec<TileId> = panes.map(|info| tiles.insert_pane(info.pane)).collect();
            tiles.insert_tab_tile(children)
        };
        let left = tabs(DefaultPlace::Left);
        let top = tabs(DefaultPlace::Top);
        let bottom = tabs(DefaultPlace::Bottom);
        let right = Linear::new_binary(LinearDir::Vertical, [top, bottom], CURVES_SHARE);
        let right = tiles.insert_container(right);
        let root = Linear::new_binary(LinearDir::Horizontal, [left, right], SET_UP_SHARE);
        let root = tiles.insert_container(root);
        Self::of(Tree::new(Id::unique("dualprop layout"), root, tiles))
    }
}

impl Layout {
    fn of(tree: Tree<Pane>) -> Self {
        Self { tree, enlarged: None, last: Pane::Curves }
    }

    /// The layout as text for the window's storage.
    pub fn to_text(&self) -> String {
        // A tree of numbers and names always serialises; an empty text would just be refused on reading.
        serde_json::to_string(&self.tree).unwrap_or_default()
    }

    /// A saved layout, if it is whole: readable, each pane in it once, all of them reached from the root.
    pub fn from_text(text: &str) -> Option<Self> {
        let tree: Tree<Pane> = serde_json::from_str(text).ok()?;
        let mut found = Vec::new();
        let mut left = tree.tiles.len();
        collect(&tree, tree.root()?, &mut found, &mut left)?;
        found.sort_unstable();
        found.iter().eq(PANES.iter().map(|info| &info.pane)).then(|| Self::of(tree))
    }

    /// Brings a pane to the front of its tabs.
    pub fn reveal(&mut self, pane: Pane) {
        self.last = pane;
        if self.enlarged.is_some() {
            self.enlarged = Some(pane);
        }
        if let Some(tabs) = self.tabs_of(pane) {
            self.tree.set_visible(tabs, true);
        }
        self.tree.make_active(|_, tile| matches!(tile, Tile::Pane(found) if *found == pane));
    }

    /// The pane that was brought to the front last.
    pub fn last(&self) -> Pane {
        self.last
    }

    /// The tabs that a pane is among; `None` where they are the whole window.
    fn tabs_of(&self, pane: Pane) -> Option<TileId> {
        let mut tiles = self.tree.tiles.iter();
        let (id, _) = tiles.find(|(_, tile)| matches!(tile, Tile::Pane(found) if *found == pane))?;
        self.tree.tiles.parent_of(*id).filter(|tabs| Some(*tabs) != self.tree.root())
    }

    /// Hides the tabs that the set-up is among, or shows them again.
    pub fn toggle_set_up(&mut self) {
        if let Some(tabs) = self.tabs_of(Pane::SetUp) {
            self.tree.set_visible(tabs, !self.tree.is_visible(tabs));
        }
    }

    /// Whether a pane is at the front of its tabs.
    pub fn is_active(&self, pane: Pane) -> bool {
        self.tree
            .active_tiles()
            .into_iter()
            .any(|id| matches!(self.tree.tiles.get(id), Some(Tile::Pane(found)) if *found == pane))
    }

    /// Gives the pane that was brought to the front last the whole window, or all panes their places back.
    pub fn toggle_enlarged(&mut self) {
        self.enlarged = if self.enlarged.is_some() { None } else { Some(self.last) };
    }

    /// Whether one pane has the whole window.
    pub fn is_enlarged(&self) -> bool {
        self.enlarged.is_some()
    }

    /// Draws all visible panes with `show`.
    pub fn ui(&mut self, ui: &mut egui::Ui, show: &mut dyn FnMut(&mut egui::Ui, Pane), badge: usize) {
        if let Some(pane) = self.enlarged {
            return self.enlarged_ui(ui, pane, show);
        }
        let tokens = Tokens::of(ui);
        let mut panes = Panes { show, tokens, badge, enlarge: None };
        self.tree.ui(&mut panes, ui);
        if let Some(pane) = panes.enlarge {
            (self.enlarged, self.last) = (Some(pane), pane);
        }
    }

    /// One pane with the tabs of all others above it.
    fn enlarged_ui(&mut self, ui: &mut egui::Ui, pane: Pane, show: &mut dyn FnMut(&mut egui::Ui, Pane)) {
        egui::Frame::new().inner_margin(tokens::PANE_MARGIN).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                let help = "Give all panes their places back";
                if ui.button("Restore panes").on_hover_text(help).clicked() {
                    self.enlarged = None;
                }
                for other in PANES.iter().map(|info| info.pane) {
                    if ui.selectable_label(other == pane, other.title()).clicked() {
                        (self.enlarged, self.last) = (Some(other), other);
                    }
                }
                explain_ui(ui, pane);
            });
            ui.add_space(tokens::GAP_SMALL);
            let size = ui.available_size();
            ui.allocate_ui(size, |ui| {
                ui.set_min_size(size);
                ui.push_id(pane.title(), |ui| show(ui, pane));
            });
        });
    }
}

/// The button that tells what a pane shows.
fn explain_ui(ui: &mut egui::Ui, pane: Pane) {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let button = egui::Button::new("?").frame_when_inactive(false);
    let (response, _) = MenuButton::from_button(button).config(config).ui(ui, |ui| {
        ui.set_width(EXPLAINED_WIDTH);
        explained::ui(ui, pane);
    });
    let name = format!("What {} shows", pane.title());
    response.accessible_name(name).on_hover_text("What am I looking at?");
}

/// Panes below `id`. `None` for a dangling child or a loop (more tiles visited than there are).
fn collect(tree: &Tree<Pane>, id: TileId, found: &mut Vec<Pane>, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    match tree.tiles.get(id)? {
        Tile::Pane(pane) => found.push(*pane),
        Tile::Container(container) => {
            for &child in container.children() {
                collect(tree, child, found, left)?;
            }
            if let Container::Linear(linear) = container
                && linear.shares.iter().any(|(_, share)| !share.is_finite() || *share <= 0.0)
            {
                return None;
            }
        }
    }
    Some(())
}

struct Panes<'a> {
    show: &'a mut dyn FnMut(&mut egui::Ui, Pane),
    tokens: &'static Tokens,
    /// Warnings not yet looked at, shown on the log's tab.
    badge: usize,
    /// The pane whose button to enlarge it was pressed.
    enlarge: Option<Pane>,
}

impl Behavior<Pane> for Panes<'_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        // Not filled: see `Host::clear_color`.
        egui::Frame::new().inner_margin(tokens::PANE_MARGIN).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            ui.push_id(pane.title(), |ui| (self.show)(ui, *pane));
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        if *pane == Pane::Log && self.badge > 0 {
            return format!("{} ({})", pane.title(), self.badge).into();
        }
        pane.title().into()
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut egui::Ui,
        _: TileId,
        tabs: &egui_tiles::Tabs,
        _: &mut f32,
    ) {
        let active = tabs.active.and_then(|id| tiles.get(id));
        let Some(Tile::Pane(pane)) = active else { return };
        let button = egui::Button::new(icons::atom(Icon::Enlarge, None)).frame_when_inactive(false);
        let response = ui.add(button).accessible_name(format!("Enlarge {}", pane.title()));
        if response.on_hover_text("Give this pane the whole window").clicked() {
            self.enlarge = Some(*pane);
        }
        explain_ui(ui, *pane);
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        28.0
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        4.0
    }

    fn min_size(&self) -> f32 {
        120.0
    }

    fn tab_title_spacing(&self, _: &Visuals) -> f32 {
        12.0
    }

    fn tab_bar_color(&self, _: &Visuals) -> Color32 {
        self.tokens.backdrop
    }

    fn tab_bg_color(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        if state.active { self.tokens.panel } else { Color32::TRANSPARENT }
    }

    fn tab_outline_stroke(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, _: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        if state.active { self.tokens.text_strong } else { self.tokens.text_weak }
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_survives_its_text() {
        let text = Layout::default().to_text();
        let again = Layout::from_text(&text).expect("its own text is whole");
        // The tree's own map has no order, so the texts are compared by content.
        let content = |text: &str| -> serde_json::Value { serde_json::from_str(text).expect("JSON") };
        assert_eq!(content(&again.to_text()), content(&text));
    }

    #[test]
    fn damaged_layouts_are_refused() {
        let text = Layout::default().to_text();
        for damaged in [
            String::new(),
            "{}".into(),
            text.replace("Gallery", "Curves"),
            text.replace("Gallery", "Removed"),
            text[..text.len() / 2].into(),
        ] {
            assert!(Layout::from_text(&damaged).is_none(), "{damaged}");
        }
    }
}
