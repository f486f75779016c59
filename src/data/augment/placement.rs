//! Pad-and-crop and mirroring. Where nothing comes after them they are left to the GPU, which reads a
//! [`Placement`] an image; where a policy has to see the cropped image they happen here, to the same pixels.

use super::Showing;
use crate::data::random::Purpose;

/// Where an image is cut out and whether it is mirrored: output(x, y) = P(x + dx, y + dy), where P is the
/// image, mirrored left to right first if `flip`, and zero (black) outside its borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Pixels, at most an eighth of the side either way.
    pub dx: i32,
    pub dy: i32,
    pub flip: bool,
}

impl Placement {
    /// Draws the placement for one showing. The draws do not depend on each other: leaving one of the two out
    /// changes nothing about the other.
    pub fn draw(crop: bool, flip: bool, showing: &Showing, image_size: usize) -> Self {
        let mut random = showing.random(Purpose::Placement);
        let reach = (image_size as u32 + 4) / 8;
        let mut shift = || random.below(2 * reach + 1) as i32 - reach as i32;
        let (dx, dy) = (shift(), shift());
        let flip = random.chance(0.5) && flip;
        if crop { Self { dx, dy, flip } } else { Self { dx: 0, dy: 0, flip } }
    }

    /// The `[size, size, 3]` bytes that the GPU would make of these.
    pub fn apply(&self, image: Vec<u8>, size: usize) -> Vec<u8> {
        if *self == Self::default() {
            return image;
        }
        let side = size as i32;
        let mut out = vec![0; image.len()];
        // The columns of the output that lie inside the image.
        let (first, last) = ((-self.dx).max(0), (side - self.dx).min(side));
        for y in (-self.dy).max(0)..(side - self.dy).min(side) {
            let from = &image[((y + self.dy) * side * 3) as usize..][..size * 3];
            let to = &mut out[(y * side * 3) as usize..][..size * 3];
            if self.flip {
                for x in first..last {
                    let source = side - 1 - (x + self.dx);
                    to[x as usize * 3..][..3].copy_from_slice(&from[source as usize * 3..][..3]);
                }
            } else if first < last {
                let width = (last - first) as usize * 3;
                to[first as usize * 3..][..width]
                    .copy_from_slice(&from[(first + self.dx) as usize * 3..][..width]);
            }
        }
        out
    }
}
