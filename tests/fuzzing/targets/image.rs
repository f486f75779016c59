//! Images.

use super::{says, written};
use dualprop::data::{Framing, load_image_file};

/// Side of the square that images are read to, pixels.
const SIDE: usize = 16;

/// An image of any kind.
pub(super) fn image(bytes: &[u8]) {
    let path = written("input.png", bytes);
    match load_image_file(&path, SIDE, Framing::default()) {
        Ok(pixels) => assert_eq!(pixels.len(), SIDE * SIDE * 3),
        Err(error) => says(&format!("{error:#}"), "input.png"),
    }
}
