//! Textures of what the panes show. They are made when a pane shows them for the first time and again only
//! when new pictures, another gain or another colour scale asks for it, never per frame.

use crate::app::theme::tokens::{self, Tokens};
use crate::training::events::GalleryItem;
use egui::{
    ColorImage, Context, CursorIcon, Response, Sense, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui,
    vec2,
};

/// Sides up to this are shown with hard pixels, so that single pixels of a perturbation can be told apart.
const HARD_PIXELS: usize = 96;
/// The middle grey of a perturbation of 0.
const GREY: f32 = 127.5;

/// The three pictures of a gallery row.
pub struct RowPictures {
    pub clean: TextureHandle,
    pub perturbation: TextureHandle,
    pub adversarial: TextureHandle,
}

/// The maps of one image: `[clean, adversarial]` for each domain.
pub struct Maps {
    pub domains: Vec<[TextureHandle; 2]>,
    /// Raw scores at the two ends of the colour scale.
    pub range: (f32, f32),
}

/// Which maps share a colour scale. All domains of an image always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MapScale {
    /// Clean and adversarial, all domains, of one image.
    #[default]
    Image,
    /// Everything on screen.
    All,
}

/// The textures of all panes.
#[derive(Default)]
pub struct Pictures {
    /// Of the live run's snapshot.
    pub live: PictureSet,
    /// Of the opened model's last look, and of one that is kept beside it.
    pub look: PictureSet,
    pub kept: PictureSet,
    /// The preflight's branches, one list a branch.
    pub previews: Vec<Plain>,
    /// Training images as they are and augmented.
    pub augmented: Plain,
    /// The worst images of a measurement.
    pub worst: Plain,
    /// An image as it is and at each severity of a corruption.
    pub corrupted: Plain,
    /// The confusion matrix of many classes, a pixel a cell.
    pub confusion: Plain,
    /// The images of one of its cells.
    pub cell: Plain,
}

/// Textures of attacked and explained images.
#[derive(Default)]
pub struct PictureSet {
    rows_for: Option<(u64, u32)>,
    rows: Vec<RowPictures>,
    maps_for: Option<(u64, Vec<(f32, f32)>)>,
    maps: Vec<Maps>,
}

/// Textures of plain images.
#[derive(Default)]
pub struct Plain {
    made_for: Option<(u64, u32)>,
    textures: Vec<TextureHandle>,
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pictures of {} live images", self.live.rows.len())
    }
}

/// The gain at which the largest perturbation just fills the grey scale.
pub fn full_gain<'a>(items: impl IntoIterator<Item = &'a GalleryItem>) -> f32 {
    let all = items.into_iter().flat_map(|item| &item.perturbation);
    let largest = all.fold(0.0f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { (GREY / largest).floor().max(1.0) } else { 1.0 }
}

impl PictureSet {
    /// The gain of the perturbations that are there.
    pub fn made_gain(&self) -> Option<f32> {
        self.rows_for.map(|(_, gain)| f32::from_bits(gain))
    }

    /// Clean, perturbation times `gain`, adversarial, one row an image. `generation` changes with the items.
    pub fn rows<'a>(
        &mut self,
        ctx: &Context,
        generation: u64,
        items: impl IntoIterator<Item = &'a GalleryItem>,
        gain: f32,
    ) -> &[RowPictures] {
        let wanted = Some((generation, gain.to_bits()));
        if self.rows_for != wanted {
            self.rows_for = wanted;
            self.rows = items.into_iter().map(|item| row(ctx, item, gain)).collect();
        }
        &self.rows
    }

    /// Class activation maps in heat colours, each image's on its scale of `ranges`.
    pub fn maps<'a>(
        &mut self,
        ctx: &Context,
        generation: u64,
        items: impl IntoIterator<Item = &'a GalleryItem>,
        ranges: &[(f32, f32)],
    ) -> &[Maps] {
        let is_made = self.maps_for.as_ref().is_some_and(|(made, on)| *made == generation && on == ranges);
        if !is_made {
            self.maps_for = Some((generation, ranges.to_vec()));
            self.maps = items.into_iter().zip(ranges).map(|(item, range)| maps(ctx, item, *range)).collect();
        }
        &self.maps
    }
}

impl Plain {
    /// One texture an image `[size, size, 3]` of `images`, which are asked for only when `made_for` is
    /// another than the last time.
    pub fn textures<I: AsRef<[u8]>>(
        &mut self,
        ctx: &Context,
        made_for: (u64, u32),
        size: usize,
        options: TextureOptions,
        images: impl FnOnce() -> Vec<I>,
    ) -> &[TextureHandle] {
        if self.made_for != Some(made_for) {
            self.made_for = Some(made_for);
            let make = |rgb: I| texture(ctx, "image".to_owned(), size, rgb.as_ref(), options);
            self.textures = images().into_iter().map(make).collect();
        }
        &self.textures
    }
}

fn widest(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The scale of each image's maps. `beside` are the same images seen by another model, if there is one on
/// screen: an image has one scale in both, else their colours could not be compared.
pub fn ranges<'a>(
    scale: MapScale,
    items: impl Iterator<Item = &'a GalleryItem>,
    beside: impl Iterator<Item = &'a GalleryItem>,
) -> Vec<(f32, f32)> {
    let mut beside = beside.map(range_of);
    let with_beside = |own| beside.next().map_or(own, |other| widest(own, other));
    let mut ranges: Vec<(f32, f32)> = items.map(range_of).map(with_beside).collect();
    if scale == MapScale::All {
        let all = ranges.iter().copied().reduce(widest).unwrap_or((0.0, 1.0));
        ranges.fill(all);
    }
    ranges
}

/// The lowest and highest finite score of all maps of an image.
fn range_of(item: &GalleryItem) -> (f32, f32) {
    let maps = item.views.iter().flat_map(|view| view.cam.iter().chain(&view.cam_adversarial));
    let finite = maps.copied().filter(|score| score.is_finite()).map(|score| (score, score));
    finite.reduce(widest).unwrap_or((0.0, 1.0))
}

/// Said on hover of every picture that a click shows large.
pub const SHOWN_LARGE: &str = "Click: show it large";

/// A picture `side` points wide that can be clicked, and chosen by the keyboard. `label` is what a screen
/// reader says.
pub fn clickable(ui: &mut Ui, texture: &TextureHandle, side: f32, label: &str, help: &str) -> Response {
    let picture = egui::Image::new(texture).fit_to_exact_size(vec2(side, side)).corner_radius(3);
    let response = ui.add(picture.alt_text(label).sense(Sense::click())).on_hover_text(help);
    if response.has_focus() {
        let stroke = Stroke::new(2.0, Tokens::of(ui).accent);
        ui.painter().rect_stroke(response.rect, 3.0, stroke, StrokeKind::Outside);
    }
    response.on_hover_cursor(CursorIcon::PointingHand)
}

/// Whether pictures of `size` pixels are enlarged with hard pixels.
pub fn has_hard_pixels(size: usize) -> bool {
    size <= HARD_PIXELS
}

/// How pictures of `size` pixels are enlarged.
pub fn options(size: usize) -> TextureOptions {
    if has_hard_pixels(size) { TextureOptions::NEAREST } else { TextureOptions::LINEAR }
}

/// A perturbation times `gain` around middle grey, RGB bytes.
pub fn magnified(perturbation: &[f32], gain: f32) -> Vec<u8> {
    perturbation.iter().map(|value| (GREY + gain * value).round().clamp(0.0, 255.0) as u8).collect()
}

/// A texture of `rgb`, `[size, size, 3]`; a wrong length gives an empty grey one instead of a panic.
pub fn texture(
    ctx: &Context,
    name: String,
    size: usize,
    rgb: &[u8],
    options: TextureOptions,
) -> TextureHandle {
    let pixels = tokens::pixels(rgb);
    let image = if size > 0 && pixels.len() == size * size {
        ColorImage::new([size, size], pixels)
    } else {
        ColorImage::filled([1, 1], tokens::DARK.line)
    };
    ctx.load_texture(name, image, options)
}

fn row(ctx: &Context, item: &GalleryItem, gain: f32) -> RowPictures {
    let make = |what: &str, rgb: &[u8]| {
        texture(ctx, format!("{} {what}", item.name), item.size, rgb, options(item.size))
    };
    RowPictures {
        clean: make("clean", &item.clean),
        perturbation: make("perturbation", &magnified(&item.perturbation, gain)),
        adversarial: make("adversarial", &item.adversarial),
    }
}

/// The place of `score` on a colour scale from `range.0` to `range.1`, 0..1 within it.
pub fn on_scale(score: f32, (low, high): (f32, f32)) -> f32 {
    (score - low) / if high > low { high - low } else { 1.0 }
}

/// A map `[size, size]` in heat colours.
pub fn heat_texture(
    ctx: &Context,
    name: String,
    size: usize,
    scores: &[f32],
    range: (f32, f32),
) -> TextureHandle {
    let heat = |score: &f32| {
        let colour = tokens::heat(on_scale(*score, range));
        [colour.r(), colour.g(), colour.b()]
    };
    let rgb: Vec<u8> = scores.iter().flat_map(heat).collect();
    texture(ctx, name, size, &rgb, TextureOptions::LINEAR)
}

fn maps(ctx: &Context, item: &GalleryItem, range: (f32, f32)) -> Maps {
    let make = |what: &str, scores: &[f32]| {
        heat_texture(ctx, format!("{} {what}", item.name), item.size, scores, range)
    };
    let domains =
        item.views.iter().map(|view| [make("map", &view.cam), make("map adv", &view.cam_adversarial)]);
    Maps { domains: domains.collect(), range }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::DomainView;

    fn item(scores: &[f32]) -> GalleryItem {
        let view =
            DomainView { clean: vec![], adversarial: vec![], cam: scores.to_vec(), cam_adversarial: vec![] };
        GalleryItem {
            name: "x".into(),
            label: 0,
            size: 1,
            clean: vec![0; 3],
            adversarial: vec![4; 3],
            perturbation: vec![4.0, -2.0, 0.0],
            views: vec![view],
        }
    }

    /// Two models side by side share an image's scale, and not that of all images.
    #[test]
    fn a_scale_spans_what_it_says() {
        let (ours, theirs) =
            ([item(&[0.0, 1.0]), item(&[-9.0, 9.0])], [item(&[0.5, 2.0]), item(&[0.0, 3.0])]);
        let of = |scale, beside: &[GalleryItem]| ranges(scale, ours.iter(), beside.iter());
        assert_eq!(of(MapScale::Image, &[]), [(0.0, 1.0), (-9.0, 9.0)]);
        assert_eq!(of(MapScale::Image, &theirs), [(0.0, 2.0), (-9.0, 9.0)]);
        assert_eq!(of(MapScale::All, &theirs), [(-9.0, 9.0); 2]);
    }

    #[test]
    fn the_full_gain_fills_the_scale_and_never_clips() {
        let mut item = item(&[]);
        let gain = full_gain([&item]);
        assert!(gain * 4.0 <= GREY && (gain + 1.0) * 4.0 > GREY, "{gain}");
        item.perturbation = vec![0.0; 3];
        assert_eq!(full_gain([&item]), 1.0, "no perturbation must not divide by zero");
    }
}
