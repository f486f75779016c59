//! Images of floats, which the corruptions compute with.

/// `[height, width, channels]` floats, 0..=1 from black to white, with one channel or three.
#[derive(Clone, Debug)]
pub(super) struct Raster {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<f32>,
}

impl Raster {
    pub(super) fn from_rgb(rgb: &[u8], width: usize, height: usize) -> Self {
        let values = rgb.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        Self { width, height, channels: 3, values }
    }

    /// One channel whose values `value` makes, row by row.
    pub(super) fn layer(width: usize, height: usize, value: impl FnMut() -> f32) -> Self {
        let values = std::iter::repeat_with(value).take(width * height).collect();
        Self { width, height, channels: 1, values }
    }

    /// An image of the same shape in black.
    pub(super) fn black(&self) -> Self {
        Self { values: vec![0.0; self.values.len()], ..*self }
    }

    /// Floats of a row.
    pub(super) fn stride(&self) -> usize {
        self.width * self.channels
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.stride()..][..self.stride()]
    }

    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let stride = self.stride();
        &mut self.values[y * stride..][..stride]
    }

    pub(super) fn map(mut self, of: impl Fn(f32) -> f32) -> Self {
        for value in &mut self.values {
            *value = of(*value);
        }
        self
    }

    /// The grey of every pixel with the weights of BT.601, as OpenCV has it.
    pub(super) fn grey(&self) -> Vec<f32> {
        self.values.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]).collect()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.values.into_iter().map(to_byte).collect()
    }
}

/// A float of 0..=1 as a byte, clipped. The benchmark cuts decimals off and does not round. What an exact sum
/// would bring to a whole number, a sum in 32 bits may leave just below, hence the thousandth.
pub(super) fn to_byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 1e-3) as u8
}

/// How an index beyond an image's border finds a pixel of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// The last pixel again: `aaa|abc|ccc`.
    Nearest,
    /// A mirror between pixels, SciPy's `reflect`: `cba|abc|cba`.
    Reflect,
    /// A mirror on the last pixel, OpenCV's `BORDER_REFLECT_101`: `cb|abc|ba`.
    Reflect101,
}

impl Border {
    /// The pixel of `0..len` that index `i` stands for; `len` is at least 1.
    pub(super) fn index(self, i: isize, len: usize) -> usize {
        let last = len as isize - 1;
        if (0..=last).contains(&i) {
            return i as usize;
        }
        let found = match self {
            Self::Nearest => i.clamp(0, last),
            Self::Reflect => {
                let i = i.rem_euclid(2 * (last + 1));
                i.min(2 * last + 1 - i)
            }
            Self::Reflect101 if last == 0 => 0,
            Self::Reflect101 => {
                let i = i.rem_euclid(2 * last);
                i.min(2 * last - i)
            }
        };
        found as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_continue_an_image_as_their_names_say() {
        let around = |border: Border, len| (-5..5).map(|i| border.index(i, len)).collect::<Vec<_>>();
        assert_eq!(around(Border::Nearest, 3), [0, 0, 0, 0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(around(Border::Reflect, 3), [1, 2, 2, 1, 0, 0, 1, 2, 2, 1]);
        assert_eq!(around(Border::Reflect101, 3), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0]);
        for border in [Border::Nearest, Border::Reflect, Border::Reflect101] {
            assert_eq!(around(border, 1), [0; 10]);
        }
    }

    #[test]
    fn every_byte_comes_back_from_its_float() {
        for byte in 0..=255_u8 {
            assert_eq!(to_byte(f32::from(byte) / 255.0), byte);
        }
        assert_eq!((to_byte(0.99 / 255.0), to_byte(f32::NAN)), (0, 0));
    }
}
