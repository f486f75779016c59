//! The maps for print: a row an image, clean and attacked, plain and through each domain of each model.

use crate::app::format;
use crate::app::panes::Names;
use crate::app::theme::tokens;
use crate::app::widgets::figure::{Body, Figure, Picture, PictureRow, Pictures};
use crate::app::widgets::pictures::on_scale;
use crate::training::events::GalleryItem;

/// A model whose maps are drawn.
pub(super) struct Model<'a> {
    /// Empty where only one is shown.
    pub(super) name: &'a str,
    pub(super) names: Names<'a>,
    pub(super) items: Vec<&'a GalleryItem>,
}

/// The figure of `models`, which see the same images. `classes` are the maps' by image, `ranges` the raw
/// scores at the ends of each image's colour scale, `opacity` 0..=1 that of the maps. `subject`: whose maps
/// of what.
pub(super) fn of(
    models: &[Model<'_>],
    classes: &[usize],
    ranges: &[(f32, f32)],
    opacity: f32,
    subject: String,
) -> Figure {
    let mut heads = Vec::new();
    for model in models {
        let of = if model.name.is_empty() { String::new() } else { format!(", {}", model.name) };
        for data in ["clean", "attacked"] {
            heads.push(format!("{data}{of}"));
            heads.extend(model.names.domains.iter().map(|domain| format!("by {domain}")));
        }
    }
    let row = |(index, (class, range)): (usize, (&usize, &(f32, f32)))| {
        let pictures = models.iter().filter_map(|model| Some((*model.items.get(index)?, *range)));
        let (name, names) = models.first().map(|model| (model.items.get(index), model.names))?;
        let (low, high) = (format::significant(range.0.into()), format::significant(range.1.into()));
        Some(PictureRow {
            title: format!("{}, {}; {low} to {high}", names.class(*class), name?.name),
            pictures: pictures.flat_map(|(item, range)| pictures_of(item, range, opacity)).collect(),
            words: Vec::new(),
        })
    };
    let rows = classes.iter().zip(ranges).enumerate().filter_map(row).collect();
    let scale = ["raw score, ends as above each row", "lowest", "highest"].map(str::to_owned);
    Figure {
        title: "Class activation maps".to_owned(),
        subject,
        body: Body::Pictures(Pictures { heads, rows, scale: Some(scale) }),
    }
}

/// Clean and attacked, plain and with each domain's map.
fn pictures_of(item: &GalleryItem, range: (f32, f32), opacity: f32) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (image, is_attacked) in [(&item.clean, false), (&item.adversarial, true)] {
        pictures.push(Picture::new(item.size, image));
        for view in &item.views {
            let map = if is_attacked { &view.cam_adversarial } else { &view.cam };
            pictures.push(Picture::new(item.size, &overlaid(image, map, range, opacity)));
        }
    }
    pictures
}

/// An image `[S, S, 3]` with the heat colours of a map `[S, S]` over it.
fn overlaid(image: &[u8], map: &[f32], range: (f32, f32), opacity: f32) -> Vec<u8> {
    let mix = |below: u8, above: u8| {
        (f32::from(below) + opacity * (f32::from(above) - f32::from(below))).round() as u8
    };
    let pixels = image.as_chunks().0.iter().zip(map).flat_map(|([r, g, b], score)| {
        let heat = tokens::heat(on_scale(*score, range));
        [mix(*r, heat.r()), mix(*g, heat.g()), mix(*b, heat.b())]
    });
    pixels.collect()
}
