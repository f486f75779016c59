//! What a network makes of an image as one small picture: the map over the image, the class, how sure it is.

use super::activation_map::CamMethod;
use super::auto_domain::Through;
use super::cam::{min_max, overlay};
use super::feature_grid::FeatureGrid;
use super::model::Model;
use super::softmax::top_classes;

/// An image as one network sees it through a BN domain.
#[derive(Clone, Debug, PartialEq)]
pub struct CamTile {
    /// Side of the picture, pixels: the network's input size.
    pub side: usize,
    /// The image under its heatmap, RGB `[side, side, 3]`.
    pub overlay: Vec<u8>,
    /// The most probable class, which the map explains.
    pub class: usize,
    /// Its probability, 0..1.
    pub p: f64,
}

/// A tile of each image `[n, S, S, 3]` of 0..255, any n. Cells of the map lie at their true
/// places on the image.
pub fn cam_tiles(
    model: &mut Model,
    pixels: &[f32],
    through: impl Into<Through>,
    method: CamMethod,
) -> anyhow::Result<Vec<CamTile>> {
    let seen = model.see(pixels, through)?;
    let (side, classes) = (model.network().image_size, model.network().classes);
    let guesses: Vec<(usize, f64)> =
        seen.logits.chunks_exact(classes).map(|logits| top_classes(logits, 1)[0]).collect();
    let predicted: Vec<usize> = guesses.iter().map(|(class, _)| *class).collect();
    let maps = model.maps(&seen, &predicted, method);
    let grid = FeatureGrid::of(model.network());
    let images = pixels.chunks_exact(side * side * 3).zip(guesses).zip(maps);
    Ok(images
        .map(|((image, (class, p)), map)| {
            let image: Vec<u8> = image.iter().map(|value| value.round() as u8).collect();
            CamTile { side, overlay: overlay(&image, &min_max(&grid.resize(&map, side))), class, p }
        })
        .collect())
}
