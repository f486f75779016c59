//! The form that a picture has in its file, where it is another than upright 8-bit RGB.

use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder as _, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

/// A form that people and programs read in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Form {
    Grey,
    Palette,
    Alpha,
    Deep,
    Cmyk,
    Turned,
    Profile,
    Animated,
    Misnamed,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 9] = [
        Self::Grey,
        Self::Palette,
        Self::Alpha,
        Self::Deep,
        Self::Cmyk,
        Self::Turned,
        Self::Profile,
        Self::Animated,
        Self::Misnamed,
    ];

    /// The word in a report's data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Palette => "palette",
            Self::Alpha => "alpha",
            Self::Deep => "16_bit",
            Self::Cmyk => "cmyk",
            Self::Turned => "exif_turned",
            Self::Profile => "colour_profile",
            Self::Animated => "animated",
            Self::Misnamed => "wrong_ending",
        }
    }

    /// What it is and what the program makes of it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Grey => "grey images: the program gives them three equal channels",
            Self::Palette => "images with a palette: the program looks the colours up",
            Self::Alpha => {
                "images with transparent pixels: the program drops the transparency and sees the colours that the file has \
                 under it, which viewers do not show"
            }
            Self::Deep => "images of 16 bits or more a channel: the program takes them down to 8",
            Self::Cmyk => "CMYK images: the program makes RGB of them without their colour profile",
            Self::Turned => {
                "images that their EXIF data turn or mirror: the program turns them upright, as viewers do"
            }
            Self::Profile => {
                "images with a colour profile other than sRGB: the program ignores profiles, so their colours differ \
                 from what viewers show"
            }
            Self::Animated => "animated images, or files of several pages: the program reads the first",
            Self::Misnamed => {
                "images of another kind than their names say: the program reads them by their content"
            }
        }
    }

    /// Whether a clean copy holds such an image as an RGB PNG instead of the file's own bytes.
    pub fn is_normalised(self) -> bool {
        matches!(self, Self::Palette | Self::Alpha | Self::Deep | Self::Cmyk | Self::Turned)
    }
}

/// The forms of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms(u16);

impl Forms {
    pub(super) fn has(self, form: Form) -> bool {
        self.0 & (1 << form as u8) != 0
    }

    /// Whether a clean copy holds the image as an RGB PNG.
    pub(super) fn are_normalised(self) -> bool {
        Form::ALL.into_iter().any(|form| self.has(form) && form.is_normalised())
    }

    fn set(&mut self, form: Form, found: bool) {
        self.0 |= u16::from(found) << form as u8;
    }

    /// Of a file and of what was decoded from it.
    pub(super) fn of(path: &Path, file: &[u8], image: &DynamicImage) -> Self {
        let mut forms = Self::default();
        let reader = ImageReader::new(Cursor::new(file)).with_guessed_format();
        let Ok(reader) = reader else { return forms };
        let Some(format) = reader.format() else { return forms };
        // It was decoded before, so this does not fail.
        let Ok(mut decoder) = reader.into_decoder() else { return forms };
        let colour = decoder.color_type();
        let channel_bytes = colour.bytes_per_pixel() / colour.channel_count();
        let original = decoder.original_color_type();
        let cmyk = match format {
            ImageFormat::Jpeg => jpeg_components(file) == Some(4),
            _ => matches!(original, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16),
        };
        let turned = decoder.orientation().is_ok_and(|found| found != Orientation::NoTransforms);
        let profile = decoder.icc_profile().ok().flatten();
        forms.set(Form::Grey, !colour.has_color());
        forms.set(Form::Palette, has_palette(format, file));
        forms.set(Form::Alpha, colour.has_alpha() && has_transparency(image));
        forms.set(Form::Deep, channel_bytes > 1);
        forms.set(Form::Cmyk, cmyk);
        forms.set(Form::Turned, turned);
        let matters = colour.has_color() && !cmyk;
        forms.set(Form::Profile, matters && profile.is_some_and(|profile| !is_srgb(&profile)));
        forms.set(Form::Animated, has_several_frames(format, file));
        let named = ImageFormat::from_path(path).ok();
        forms.set(Form::Misnamed, named.is_some_and(|named| named != format));
        forms
    }
}

fn has_transparency(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel.0[3] < u8::MAX),
        DynamicImage::ImageLumaA8(image) => image.pixels().any(|pixel| pixel.0[1] < u8::MAX),
        DynamicImage::ImageRgba16(image) => image.pixels().any(|pixel| pixel.0[3] < u16::MAX),
        DynamicImage::ImageLumaA16(image) => image.pixels().any(|pixel| pixel.0[1] < u16::MAX),
        DynamicImage::ImageRgba32F(image) => image.pixels().any(|pixel| pixel.0[3] < 1.0),
        _ => false,
    }
}

/// Whether a colour profile calls itself sRGB, in ASCII (version 2) or UTF-16 (version 4).
fn is_srgb(profile: &[u8]) -> bool {
    let holds = |name: &[u8]| profile.windows(name.len()).any(|window| window == name);
    holds(b"sRGB") || holds(b"\0s\0R\0G\0B")
}

/// Whether a PNG (colour type 3) or a BMP (up to 8 bits a pixel) looks its colours up. In GIF all do, and it
/// is not said there.
fn has_palette(format: ImageFormat, file: &[u8]) -> bool {
    match format {
        ImageFormat::Png => file.get(25) == Some(&3),
        ImageFormat::Bmp => {
            let old = file.get(14) == Some(&12);
            file.get(if old { 24 } else { 28 }).is_some_and(|bits| *bits <= 8)
        }
        _ => false,
    }
}

/// Number of channels in the frame header of a JPEG file (ITU T.81, B.2.2).
fn jpeg_components(file: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let marker = *file.get(at + 1)?;
        match (file.get(at)?, marker) {
            (0xff, 0xff) => at += 1,
            (0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                return file.get(at + 9).copied();
            }
            (0xff, _) => {
                let length = file.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
            _ => return None,
        }
    }
}

fn has_several_frames(format: ImageFormat, file: &[u8]) -> bool {
    match format {
        ImageFormat::Gif => gif_frames(file).unwrap_or(0) > 1,
        ImageFormat::Png => png_is_animated(file).unwrap_or(false),
        // The animation flag of the extended header (RFC 9649, 2.7.1).
        ImageFormat::WebP => {
            file.get(12..16) == Some(b"VP8X") && file.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        ImageFormat::Tiff => tiff_has_next_page(file).unwrap_or(false),
        _ => false,
    }
}

/// Whether an `acTL` chunk stands before the data of a PNG.
fn png_is_animated(file: &[u8]) -> Option<bool> {
    let mut at = 8;
    loop {
        let head = file.get(at..at + 8)?;
        match &head[4..] {
            b"acTL" => return Some(true),
            b"IDAT" => return Some(false),
            _ => {}
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        at = at.checked_add(length)?.checked_add(12)?;
    }
}

/// Number of image descriptors in a GIF, counted up to 2.
fn gif_frames(file: &[u8]) -> Option<usize> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*file.get(10)?);
    let mut frames = 0;
    while frames < 2 {
        match *file.get(at)? {
            0x21 => at += 2,
            0x2c => {
                frames += 1;
                at += 10 + table(*file.get(at + 9)?) + 1;
            }
            _ => break,
        }
        // Blocks up to an empty one.
        loop {
            let length = usize::from(*file.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
    Some(frames)
}

/// Whether another directory follows the first one of a TIFF file.
fn tiff_has_next_page(file: &[u8]) -> Option<bool> {
    let little = file.first()? == &b'I';
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let bytes = file.get(at..at.checked_add(bytes)?)?;
        let fold = |value: usize, byte: &u8| (value << 8) | usize::from(*byte);
        Some(if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    };
    let directory = number(4, 4)?;
    let entries = number(directory, 2)?;
    Some(number(directory.checked_add(2 + 12 * entries)?, 4)? != 0)
}
