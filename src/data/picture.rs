//! From an image file to the square RGB bytes that a net sees. Files are known by their first bytes, not by
//! their ending; of an animation the first frame counts.
//!
//! The rule, everywhere in the program: EXIF orientation is applied; grey becomes RGB, 16 bits become 8, an
//! alpha channel is dropped (the habit of the PyTorch world), a colour profile is ignored; the shorter side
//! is resized by an antialiased filter of Pillow and torchvision, the longer one to the rounded-down
//! proportional length; the centre square is kept, an odd margin split half to even as torchvision does.
//! [`Framing`] says how much of the image that square holds, and which filter it is: by default all of the
//! shorter side, and the bilinear one.
//! Where that leaves an image of the wanted size as it is, it passes through bit by bit.

use super::file_kind;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::config::{DataConfig, Interpolation};
use anyhow::{Context, anyhow, ensure};
use fast_image_resize as fir;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// Endings of image files, in lower case; a folder's other files are left out.
pub const IMAGE_ENDINGS: [&str; 11] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "gif", "tif", "tiff"];

/// The kinds of image that are decoded.
const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::Tiff,
];

/// Most pixels that are decoded: above the 200 megapixels of the largest cameras.
const MAX_PIXELS: u64 = 1 << 28;

/// Most bytes that a file, or the image decoded from it, may take.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// A few hundred bytes of PNG can ask for gigabytes. An image beyond so many bytes must not be more than
/// [`MAX_RATIO`] times its file; deflate reaches 1032.
const TRUSTED_BYTES: u64 = 64 << 20;

/// See [`TRUSTED_BYTES`].
const MAX_RATIO: u64 = 2048;

/// Why a file cannot be used that is none of the kinds of image that are decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAnImage {
    #[error("its content is not a PNG, JPEG, WebP, BMP, GIF or TIFF image{0}")]
    OtherContent(String),
    #[error("it is a kind of image that is not decoded, save it as PNG: {0}")]
    OtherImage(String),
}

/// Whether a file's name has one of [`IMAGE_ENDINGS`], in any case.
pub(super) fn has_image_ending(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| IMAGE_ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// A decoded image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    /// `[height, width, 3]`.
    rgb: Vec<u8>,
}

/// How a whole image becomes a square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Framing {
    /// Share of the shorter side that the square keeps, above 0 and at most 1.
    pub crop_ratio: f64,
    /// The filter that resizes.
    pub interpolation: Interpolation,
}

impl Default for Framing {
    fn default() -> Self {
        Self::of(&DataConfig::default())
    }
}

impl Framing {
    /// The framing that a configuration asks for.
    pub fn of(config: &DataConfig) -> Self {
        Self { crop_ratio: config.crop_ratio, interpolation: config.interpolation }
    }

    fn filter(self) -> fir::FilterType {
        match self.interpolation {
            Interpolation::Bilinear => fir::FilterType::Bilinear,
            Interpolation::Bicubic => fir::FilterType::CatmullRom,
        }
    }
}

/// A part of an image, pixels; it must lie inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropWindow {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Picture {
    /// `rgb` is `[height, width, 3]`; fails where it is not.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> anyhow::Result<Self> {
        ensure!(
            width > 0 && height > 0 && rgb.len() == width * height * 3,
            "{} bytes are no image of {width}×{height} pixels",
            rgb.len()
        );
        Ok(Self { width, height, rgb })
    }

    /// Pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// `[height, width, 3]` bytes.
    pub(super) fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Resizes and crops to `[size, size, 3]` by the rule at the top of this module.
    pub(super) fn into_square(self, size: usize, framing: Framing) -> anyhow::Result<Vec<u8>> {
        let Self { width, height, .. } = self;
        // As timm has it, rounded down.
        let whole = (size as f64 / framing.crop_ratio) as usize;
        if (width, height) == (size, size) && whole == size {
            return Ok(self.rgb);
        }
        ensure!(size > 0, "a {width}×{height} image cannot become {size}×{size}");
        // Only the pixels that survive the crop are computed. The filter still reads across the edges of this
        // window, so the result is that of a whole resize followed by a crop, and a very long image needs no
        // long buffer.
        let short = width.min(height);
        let span = |side: usize| {
            let resized = whole * side / short;
            let scale = side as f64 / resized as f64;
            let margin = resized - size;
            let offset = (margin / 2 + usize::from(margin % 4 == 3)) as f64;
            (offset * scale, size as f64 * scale)
        };
        self.resized_as_pillow_does(span(width), span(height), size, framing.filter())
    }

    /// Resizes the window of these (start, length) in pixels to `[size, size, 3]` as Pillow does: first all
    /// rows to bytes, then all columns.
    ///
    /// The 8-bit passes of fast_image_resize round their weights to 16 bits, so that every tenth value is off
    /// by one, which moved the probabilities of EfficientNet-Lite0 by up to 0.03. Its 16-bit passes do not.
    fn resized_as_pillow_does(
        &self,
        (left, width): (f64, f64),
        (top, height): (f64, f64),
        size: usize,
        filter: fir::FilterType,
    ) -> anyhow::Result<Vec<u8>> {
        /// Rows that are widened to 16 bits at a time.
        const BAND: usize = 256;
        let mut narrow = Vec::with_capacity(size * self.height * 3);
        for band in self.rgb.chunks(BAND * self.width * 3) {
            let rows = band.len() / (self.width * 3);
            let window = [left, 0.0, width, rows as f64];
            narrow.extend(resampled(band, [self.width, rows], window, [size, rows], filter)?);
        }
        let window = [0.0, top, size as f64, height];
        resampled(&narrow, [size, self.height], window, [size, size], filter)
    }

    /// Cuts a window out and resizes it to `[size, size, 3]` by Pillow's antialiased bicubic filter (Keys'
    /// cubic with a = −1/2). Unlike `into_square` nothing outside the window counts.
    pub fn crop_bicubic(&self, window: CropWindow, size: usize) -> anyhow::Result<Vec<u8>> {
        let source = self.view()?;
        let [left, top, width, height] =
            [window.left, window.top, window.width, window.height].map(|v| v as u32);
        let part = fir::images::CroppedImage::new(&source, left, top, width, height)?;
        let options =
            fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom));
        let mut square = fir::images::Image::new(size as u32, size as u32, fir::PixelType::U8x3);
        fir::Resizer::new().resize(&part, &mut square, &options)?;
        Ok(square.into_vec())
    }

    /// The whole image as `[size, size, 3]`, whatever its proportions, by an antialiased filter. Values may
    /// be off by one, unlike those of [`Self::into_square`].
    pub(super) fn squashed(&self, size: usize) -> anyhow::Result<Vec<u8>> {
        let options =
            fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
        let mut square = fir::images::Image::new(size as u32, size as u32, fir::PixelType::U8x3);
        fir::Resizer::new().resize(&self.view()?, &mut square, &options)?;
        Ok(square.into_vec())
    }

    fn view(&self) -> anyhow::Result<fir::images::ImageRef<'_>> {
        let (width, height) = (self.width as u32, self.height as u32);
        Ok(fir::images::ImageRef::new(width, height, &self.rgb, fir::PixelType::U8x3)?)
    }
}

/// Resizes a window (left, top, width, height) of RGB bytes in 16 bits.
fn resampled(
    rgb: &[u8],
    [width, height]: [usize; 2],
    [left, top, window_width, window_height]: [f64; 4],
    [to_width, to_height]: [usize; 2],
    filter: fir::FilterType,
) -> anyhow::Result<Vec<u8>> {
    /// White in 16 bits over white in 8.
    const WIDER: u16 = 257;
    let wide = rgb.iter().flat_map(|value| (u16::from(*value) * WIDER).to_ne_bytes()).collect();
    let pixels = fir::PixelType::U16x3;
    let source = fir::images::Image::from_vec_u8(width as u32, height as u32, wide, pixels)?;
    let mut target = fir::images::Image::new(to_width as u32, to_height as u32, pixels);
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter)).crop(
        left,
        top,
        window_width,
        window_height,
    );
    fir::Resizer::new().resize(&source, &mut target, &options)?;
    let value = |bytes: &[u8; 2]| {
        let wide = u32::from(u16::from_ne_bytes(*bytes));
        ((wide + u32::from(WIDER) / 2) / u32::from(WIDER)) as u8
    };
    Ok(target.buffer().as_chunks().0.iter().map(value).collect())
}

/// Reads the image at `path` as `[size, size, 3]` RGB bytes by the rule at the top of this module.
pub fn load_image_file(path: &Path, size: usize, framing: Framing) -> anyhow::Result<Vec<u8>> {
    read(path)
        .and_then(|picture| picture.into_square(size, framing))
        .with_context(|| format!("cannot use the image {}", path.display()))
}

/// Reads an image file whole. The path is not in the error: callers name the image themselves.
pub(super) fn read(path: &Path) -> anyhow::Result<Picture> {
    decode(&read_file(path)?)?.try_into()
}

/// Reads the bytes of an image file; fails where it is empty or larger than is allowed for an image.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let unreadable = |error| anyhow!(unreadable_file(path, &error));
    ensure!(!path.is_dir(), "it is a folder; expected an image file");
    let bytes = reading::read(path, MAX_BYTES).map_err(unreadable)?;
    if bytes.is_empty() {
        return Err(NotAnImage::OtherContent(": the file is empty".into()).into());
    }
    Ok(bytes)
}

/// Decodes the bytes of an image file whole.
pub(super) fn of_bytes(file: &[u8]) -> anyhow::Result<Picture> {
    if file.is_empty() {
        return Err(NotAnImage::OtherContent(": it is empty".into()).into());
    }
    decode(file)?.try_into()
}

impl TryFrom<DynamicImage> for Picture {
    type Error = anyhow::Error;

    fn try_from(image: DynamicImage) -> anyhow::Result<Self> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self::new(width, height, image.into_rgb8().into_raw())
    }
}

/// Decodes an image file within the limits above, upright.
pub(super) fn decode(file: &[u8]) -> anyhow::Result<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format()?;
    let format = reader.format();
    if !format.is_some_and(|format| FORMATS.contains(&format)) {
        let found = file_kind::recognise(&file[..file.len().min(file_kind::LOOKED_AT)]);
        let found = found.map_or_else(String::new, |kind| format!(": it is {kind}"));
        return Err(NotAnImage::OtherContent(found).into());
    }
    // The JPEG decoder fills what is missing with grey instead of failing.
    ensure!(format != Some(ImageFormat::Jpeg) || jpeg_is_complete(file), "the JPEG data is cut off");
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| fault(&e))?;
    let (width, height) = decoder.dimensions();
    let (pixels, bytes) = (u64::from(width) * u64::from(height), decoder.total_bytes());
    ensure!(
        pixels <= MAX_PIXELS && bytes <= MAX_BYTES,
        "it is too large: {width}×{height} pixels, {bytes} bytes decoded; expected at most {} megapixels and {} MiB",
        MAX_PIXELS / 1_000_000,
        MAX_BYTES >> 20
    );
    ensure!(
        bytes <= TRUSTED_BYTES.max(MAX_RATIO * file.len() as u64),
        "it asks for {width}×{height} pixels, {bytes} bytes, which its {} bytes cannot hold",
        file.len()
    );
    // Unreadable EXIF data says nothing about the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| fault(&e))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// A decoder's error in words for people.
fn fault(error: &ImageError) -> anyhow::Error {
    match error {
        ImageError::Decoding(_) => anyhow!("its data are damaged"),
        ImageError::Limits(_) => {
            anyhow!("it is too large: decoding it takes more than {} MiB", MAX_BYTES >> 20)
        }
        ImageError::Unsupported(_) => NotAnImage::OtherImage(error.to_string()).into(),
        ImageError::IoError(_) => anyhow!("its data end too early"),
        other => anyhow!("{other}"),
    }
}

/// Whether the marker structure of a JPEG file runs through to its end-of-image marker (ITU T.81, annex B). A
/// thumbnail inside a segment is skipped over with it, so its own end marker does not count.
fn jpeg_is_complete(file: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 0;
    loop {
        // In entropy-coded data FF00 is a stuffed byte; elsewhere FF repeats as filler.
        let Some(step) = file[at..].iter().position(|&byte| byte == 0xff) else { return false };
        at += step + 1;
        let Some(&marker) = file.get(at) else { return false };
        match marker {
            END_OF_IMAGE => return true,
            0xff => continue,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 1,
            _ => {
                let Some(length) = file.get(at + 1..at + 3) else { return false };
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                if at > file.len() {
                    return false;
                }
            }
        }
    }
}
