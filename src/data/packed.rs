//! Sets of small images that come in a few big files and are kept in memory whole.

use super::{Dataset, Framing, Picture};

/// Square images of one size, each with one plane of bytes (grey) or three (red, green, blue).
pub(super) struct Packed {
    pub(super) split: &'static str,
    pub(super) classes: Vec<String>,
    /// Side of the images, pixels.
    pub(super) side: usize,
    /// 1 or 3.
    pub(super) planes: usize,
    pub(super) labels: Vec<u8>,
    /// `[image, plane, side, side]`.
    pub(super) pixels: Vec<u8>,
    /// How images become squares of another size.
    pub(super) framing: Framing,
}

impl Dataset for Packed {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    fn name(&self, index: usize) -> String {
        format!("{}/{index:05}", self.split)
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.decode(index, size)?.into_square(size, self.framing)
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        let area = self.side * self.side;
        let image = &self.pixels[index * area * self.planes..][..area * self.planes];
        let plane = |c: usize| &image[c.min(self.planes - 1) * area..][..area];
        let (red, green, blue) = (plane(0), plane(1), plane(2));
        let rgb = (0..area).flat_map(|i| [red[i], green[i], blue[i]]).collect();
        Picture::new(self.side, self.side, rgb)
    }
}
