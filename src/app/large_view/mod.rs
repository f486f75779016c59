//! The large view of an image that was clicked in a pane, in place of the panes: the image as it is and
//! changed with a line to drag between them, the change magnified, maps of what each domain looks at, and the
//! probabilities before and after. What its pane did not know the opened model is asked for.

mod details;
mod facts;
mod header;
mod maps;
mod picture;
mod probabilities;
mod subject;
mod textures;

pub use facts::MapOf;
pub use subject::SubjectList;

use crate::app::panes::{Pane, Shared};
use crate::app::theme::tokens;
use crate::app::widgets::drawing::Drawing;
use crate::app::widgets::pictures::{magnified, on_scale};
use crate::session::inspect::{Examine, ImageChoice, Request};
use egui::{Id, Key, Modifiers, Popup, ScrollArea, Ui};
use facts::Facts;
use subject::Known;
use textures::LargeTextures;

/// Room for a picture, points: the smallest, the share of the width that the largest has, and what stands
/// below it.
const SMALLEST: f32 = 160.0;
const SHARE: f32 = 0.56;
const BELOW: f32 = 22.0;

/// What the large picture is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Shows {
    /// The image as it is and changed, with a line between.
    #[default]
    Both,
    /// The change alone, magnified.
    Change,
}

/// What is shown large, and how. It alone knows what is open.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LargeView {
    pub shows: Shows,
    pub map: MapOf,
    /// Opacity of the map, 0..=1.
    pub opacity: f32,
    /// Whose map lies over the large picture, by place in the model's views.
    #[serde(skip)]
    through: usize,
    /// Where the line between the images is, 0..=1 of the width.
    #[serde(skip)]
    divider: f32,
    /// The opened model is asked in place of what a run made pictures of.
    #[serde(skip)]
    asks_model: bool,
    #[serde(skip)]
    open: Option<SubjectList>,
    /// Lists that were opened so far.
    #[serde(skip)]
    opened: u64,
    /// The picture is to get the keyboard.
    #[serde(skip)]
    wants_focus: bool,
    #[serde(skip)]
    textures: LargeTextures,
}

impl Default for LargeView {
    fn default() -> Self {
        Self {
            shows: Shows::Both,
            map: MapOf::Nothing,
            opacity: 0.6,
            through: 0,
            divider: 0.5,
            asks_model: false,
            open: None,
            opened: 0,
            wants_focus: false,
            textures: LargeTextures::default(),
        }
    }
}

/// What the user wants of the window.
#[derive(Clone, Debug, PartialEq)]
pub enum LargeAnswer {
    Close,
    /// Show this image, of this name, in a pane on the opened model.
    ShowIn(Pane, ImageChoice, String),
}

impl LargeView {
    /// Whether an image is shown.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Shows an image of `list`.
    pub fn open(&mut self, list: SubjectList) {
        (self.opened, self.divider, self.asks_model) = (self.opened + 1, 0.5, false);
        (self.open, self.wants_focus) = (Some(list), true);
    }

    /// Gives the panes their room back; the picture that had opened the view by the keyboard gets it again.
    pub fn close(&mut self) -> Option<Id> {
        self.open.take()?.opener
    }

    /// What the opened model is asked of the shown image.
    fn question(&self, list: &SubjectList) -> Option<Examine> {
        let wanted = list.of_opened_model || self.asks_model;
        let (image, change) = list.subjects[list.at].question.clone().ok().filter(|_| wanted)?;
        Some(Examine { image, change })
    }

    /// Draws the view and asks for what it lacks. `takes_keys`: no question of the window waits for them.
    pub fn ui(&mut self, ui: &mut Ui, shared: &mut Shared<'_>, takes_keys: bool) -> Option<LargeAnswer> {
        let mut list = self.open.take()?;
        let question = self.question(&list);
        let study = shared.study;
        if let Some(question) = question.as_ref().filter(|_| study.info.is_some())
            && !study.examining
            && !study.has_asked_examine(question)
        {
            shared.study_requests.push(Request::Examine(question.clone()));
        }
        // An answer to another question is of another image, or of one that was attacked otherwise.
        let examined = study.examined.clone().filter(|answer| Some(&answer.request) == question.as_ref());
        let facts = Facts::of(&list, examined.as_deref(), study);
        let key = (self.opened, list.at, examined.as_ref().map(|_| study.examined_generation));
        let mut textures = std::mem::take(&mut self.textures);
        textures.make(ui.ctx(), key, &facts, self.map);

        let mut wish = None;
        let mut by = 0;
        let frame = egui::Frame::new().inner_margin(tokens::PANE_MARGIN);
        frame.show(ui, |ui| {
            header::ui(ui, self, &list, &facts, &textures, shared, (&mut wish, &mut by));
            ui.add_space(tokens::GAP_SMALL);
            let room = ui.available_size();
            let side = (room.y - BELOW).min(SHARE * room.x).max(SMALLEST).floor();
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(side);
                    let picture = picture::ui(ui, self, &facts, &textures, side);
                    if std::mem::take(&mut self.wants_focus) {
                        picture.request_focus();
                    }
                    if takes_keys {
                        by += steps(ui, &picture);
                    }
                });
                ui.add_space(tokens::GAP);
                ui.vertical(|ui| {
                    ScrollArea::vertical().id_salt("details").auto_shrink(false).show(ui, |ui| {
                        details::ui(ui, self, &list, &facts, &textures, question.as_ref(), shared);
                    });
                });
            });
        });
        list.go(by);
        self.textures = textures;
        self.open = Some(list);
        if takes_keys && !Popup::is_any_open(ui.ctx()) {
            let escape = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
            wish = wish.or(escape.then_some(LargeAnswer::Close));
        }
        wish
    }

    /// What the large picture shows, for a file.
    fn drawing(&self, facts: &Facts<'_>, gain: f32) -> Drawing {
        let size = facts.size();
        let Some(pair) = facts.pair else {
            let alone = match &facts.subject.known {
                Known::Pixels { rgb, .. } => rgb.to_vec(),
                Known::Pair(item) => item.clean.clone(),
            };
            return Drawing { size, images: [alone, Vec::new()], maps: None, divider: None };
        };
        if self.shows == Shows::Change {
            let change = magnified(&pair.perturbation, gain);
            return Drawing { size, images: [change, Vec::new()], maps: None, divider: None };
        }
        let maps = facts.maps(self.map).and_then(|maps| {
            let range = facts::range(&maps);
            let on_scale = |map: &[f32]| map.iter().map(|score| on_scale(*score, range)).collect();
            let [before, after] = maps.get(self.through.min(maps.len() - 1))?;
            Some(([on_scale(before), on_scale(after)], self.opacity))
        });
        let images = [pair.clean.clone(), pair.adversarial.clone()];
        Drawing { size, images, maps, divider: Some(self.divider) }
    }
}

/// Where the arrow keys lead: they are the picture's while it, or nothing, has the keyboard.
fn steps(ui: &Ui, picture: &egui::Response) -> isize {
    let focused = ui.memory(egui::Memory::focused);
    if focused.is_some_and(|id| id != picture.id) || Popup::is_any_open(ui.ctx()) {
        return 0;
    }
    let pressed = |key| isize::from(ui.input(|input| input.key_pressed(key)));
    pressed(Key::ArrowRight) - pressed(Key::ArrowLeft)
}
