//! What the data layer promises: the same images for the same seed however they are read, labels that are
//! right, and clear words about files that are not.

mod augment;
mod check;
mod corruptions;
mod fetch;
mod files;
mod flaws;
mod folders;
mod limits;
mod listed;
mod loading;
#[path = "../common/server.rs"]
mod server;
mod shapes;

use image::{Rgb, RgbImage};
use std::path::Path;

/// An image whose every pixel tells where it is.
fn ramp(width: u32, height: u32, blue: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, blue]))
}

/// Saves an image, making the folders on the way.
fn save(image: &RgbImage, path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a path with a folder")).expect("a writable folder");
    image.save(path).expect("a writable file");
}

/// The message of an error with its causes, or a failure of the test.
fn message<T>(result: anyhow::Result<T>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => format!("{error:#}"),
    }
}

#[track_caller]
fn assert_mentions(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
}
