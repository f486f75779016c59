//! Draws contact sheets of the built-in `shapes` set, to be looked at.
//!
//! `cargo run --release --example contact_sheets -- [FOLDER]` (by default `target/sheets`)

use anyhow::Context as _;
use dualprop::data::Dataset as _;
use dualprop::data::shapes::{Shapes, ShapesSplit};
use std::path::PathBuf;

const COLUMNS: usize = 10;
const ROWS: usize = 8;
/// Pixels between two images.
const GAP: usize = 2;

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).unwrap_or_else(|| "target/sheets".into()).into();
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // Splits, with the side of an image in pixels and how many pixels of the sheet one of them takes.
    for (split, size, zoom) in
        [(ShapesSplit::Val, 32, 3), (ShapesSplit::ValStylized, 32, 3), (ShapesSplit::Val, 96, 1)]
    {
        let path = folder.join(format!("{}-{size}.png", split.name()));
        sheet(&Shapes::new(split), size, zoom)?.save(&path)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The first images of `set`, `size` pixels a side, magnified by `zoom`.
fn sheet(set: &Shapes, size: usize, zoom: usize) -> anyhow::Result<image::RgbImage> {
    let (side, pitch) = ((size * zoom) as u32, size * zoom + GAP);
    let mut sheet = image::RgbImage::new((COLUMNS * pitch) as u32, (ROWS * pitch) as u32);
    for index in 0..COLUMNS * ROWS {
        let bytes = set.load(index, size)?;
        let image = image::RgbImage::from_raw(size as u32, size as u32, bytes).context("the asked size")?;
        let image = image::imageops::resize(&image, side, side, image::imageops::FilterType::Nearest);
        let (x, y) = (index % COLUMNS * pitch, index / COLUMNS * pitch);
        image::imageops::replace(&mut sheet, &image, x as i64, y as i64);
    }
    Ok(sheet)
}
