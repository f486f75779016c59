//! Draws a [`Scene`]: background noise, then layers blended by the coverage that a signed distance gives a
//! pixel.

use super::figure::{Figure, floor};
use super::scene::{Backdrop, Colour, Scene, Strip};
use super::texture::{ease, lerp};

/// Half the peak-to-peak sensor noise, in 1/255.
const SENSOR_NOISE: f32 = 5.0;

/// Draws `scene` as `[size, size, 3]` RGB bytes.
pub(super) fn render(scene: &Scene, size: usize) -> Vec<u8> {
    let mut canvas = Canvas { size, pixel: 1.0 / size as f32, colours: vec![[0.0; 3]; size * size] };
    canvas.background(&scene.background);
    for strip in &scene.strips_behind {
        canvas.strip(strip);
    }
    for item in &scene.distractors {
        let pose = item.pose;
        let pixel = canvas.pixel;
        canvas.paint((pose.x, pose.y), pose.radius * Figure::REACH, |dx, dy| {
            let (x, y) = pose.local(dx, dy);
            let inside = coverage(item.figure.distance(x, y) * pose.radius, pixel);
            (inside * item.opacity, item.colour)
        });
    }
    let (pose, pixel) = (scene.pose, canvas.pixel);
    let [first, second] = scene.colours;
    canvas.paint((pose.x, pose.y), pose.radius * Figure::REACH, |dx, dy| {
        let (x, y) = pose.local(dx, dy);
        let inside = coverage(scene.figure.distance(x, y) * pose.radius, pixel);
        if inside == 0.0 {
            return (0.0, first);
        }
        let share = scene.surface.share(dx, dy, pixel);
        (inside, std::array::from_fn(|c| lerp(first[c], second[c], share)))
    });
    for strip in &scene.strips_over {
        canvas.strip(strip);
    }
    canvas.finish(scene.noise_key)
}

/// The pixels of [`render`]'s picture that the scene's figure covers by half or more: `[size, size]` row by
/// row.
pub(super) fn mask(scene: &Scene, size: usize) -> Vec<bool> {
    let (pose, pixel) = (scene.pose, 1.0 / size as f32);
    let centre = |i: usize| (i as f32 + 0.5) * pixel;
    let covered = |at: usize| {
        let (x, y) = pose.local(centre(at % size) - pose.x, centre(at / size) - pose.y);
        coverage(scene.figure.distance(x, y) * pose.radius, pixel) >= 0.5
    };
    (0..size * size).map(covered).collect()
}

#[inline]
fn coverage(distance: f32, pixel: f32) -> f32 {
    (0.5 - distance / pixel).clamp(0.0, 1.0)
}

struct Canvas {
    size: usize,
    /// Width of a pixel in sides.
    pixel: f32,
    colours: Vec<Colour>,
}

impl Canvas {
    fn background(&mut self, background: &Backdrop) {
        const SIDE: usize = super::texture::Lattice::SIDE as usize;
        // Which lattice column a pixel column reads, and how far it is on the way to the next one.
        let columns = background.octaves.map(|(_, cells)| {
            (0..self.size)
                .map(|i| {
                    let x = (i as f32 + 0.5) * self.pixel * cells;
                    let cell = floor(x);
                    (cell as usize, ease(x - cell as f32))
                })
                .collect::<Vec<_>>()
        });
        for (j, row) in self.colours.chunks_exact_mut(self.size).enumerate() {
            let y = (j as f32 + 0.5) * self.pixel;
            // Each octave reads its own half of the lattice's rows first, so that the two are not alike.
            let lattice_rows: [[f32; SIDE]; 2] = std::array::from_fn(|k| {
                let y = y * background.octaves[k].1 + 8.0 * k as f32;
                let cell = floor(y);
                let t = ease(y - cell as f32);
                std::array::from_fn(|i| {
                    let i = i as i32;
                    lerp(background.lattice.at(i, cell), background.lattice.at(i, cell + 1), t) - 0.5
                })
            });
            let shade = background.slope.1 * (y - 0.5);
            for (i, colour) in row.iter_mut().enumerate() {
                let x = (i as f32 + 0.5) * self.pixel;
                let shade = shade + background.slope.0 * (x - 0.5);
                let noise: [f32; 2] = std::array::from_fn(|k| {
                    let (cell, t) = columns[k][i];
                    lerp(lattice_rows[k][cell % SIDE], lattice_rows[k][(cell + 1) % SIDE], t)
                });
                *colour = std::array::from_fn(|c| {
                    background.colour[c]
                        + shade
                        + background.octaves[0].0[c] * noise[0]
                        + background.octaves[1].0[c] * noise[1]
                });
            }
        }
    }

    fn strip(&mut self, strip: &Strip) {
        let (pose, pixel) = (strip.pose, self.pixel);
        // A strip runs through the whole picture, so its reach is the diagonal.
        self.paint((pose.x, pose.y), 1.5, |dx, dy| {
            let across = pose.local(dx, dy).0.abs() - strip.half_width;
            (coverage(across, pixel) * strip.opacity, strip.colour)
        });
    }

    /// Blends a layer over the pixels within `reach` of `centre`. `ink` maps the offset from the centre to
    /// opacity and colour.
    fn paint(&mut self, centre: (f32, f32), reach: f32, ink: impl Fn(f32, f32) -> (f32, Colour)) {
        let size = self.size as f32;
        let span = |middle: f32| {
            let first = ((middle - reach) * size - 1.0).max(0.0) as usize;
            let last = ((middle + reach) * size + 1.0).clamp(0.0, size) as usize;
            first..last.max(first)
        };
        for j in span(centre.1) {
            let dy = (j as f32 + 0.5) * self.pixel - centre.1;
            for i in span(centre.0) {
                let dx = (i as f32 + 0.5) * self.pixel - centre.0;
                let (opacity, colour) = ink(dx, dy);
                if opacity > 0.0 {
                    let under = &mut self.colours[j * self.size + i];
                    *under = std::array::from_fn(|c| lerp(under[c], colour[c], opacity));
                }
            }
        }
    }

    fn finish(self, noise_key: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.colours.len() * 3);
        for (i, colour) in self.colours.iter().enumerate() {
            let noise = hash(noise_key ^ (i as u32).wrapping_mul(0x9e37_79b9));
            for (c, value) in colour.iter().enumerate() {
                let unit = ((noise >> (10 * c)) & 1023) as f32 * (2.0 / 1023.0) - 1.0;
                // A float cast to u8 saturates, which is the clip to 0..255.
                bytes.push((value * 255.0 + unit * SENSOR_NOISE + 0.5) as u8);
            }
        }
        bytes
    }
}

/// A mixing function of 32 bits: xor-shifts and odd multiplications, each a bijection.
#[inline]
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::shapes::{Shapes, ShapesSplit};

    /// A dark and a bright figure in the same scene differ by the figure's coverage alone.
    #[test]
    fn a_mask_is_what_the_figure_covers_in_every_split() {
        for split in [ShapesSplit::Train, ShapesSplit::Val, ShapesSplit::ValStylized] {
            for (index, size) in (0..10).flat_map(|class| [(class, 32), (class + 570, 65)]) {
                let mut scene = Shapes::new(split).scene(index);
                scene.strips_over.clear();
                let mut drawn = |shade: f32| {
                    scene.colours = [[shade; 3]; 2];
                    render(&scene, size)
                };
                let (dark, bright) = (drawn(0.25), drawn(0.75));
                let mask = mask(&scene, size);
                for (at, (a, b)) in dark.chunks_exact(3).zip(bright.chunks_exact(3)).enumerate() {
                    let covered = f32::from(b[0] - a[0]) / 127.5;
                    // Bytes are rounded twice.
                    if (covered - 0.5).abs() > 0.01 {
                        assert_eq!(mask[at], covered > 0.5, "pixel {at} of image {index} at {size} pixels");
                    }
                }
                let share = mask.iter().filter(|inside| **inside).count() as f32 / mask.len() as f32;
                assert!((0.05..0.5).contains(&share), "image {index} is covered by {share}");
            }
        }
    }
}
