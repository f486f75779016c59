//! TensorBoard's event files of scalars, images and histograms: TFRecord frames around hand-encoded protocol
//! buffers; [`hparams`] has what its table of runs reads.
//!
//! A frame is the length (u64, little endian), the masked CRC-32C of those eight bytes, the message, and the
//! message's masked CRC-32C. Messages (tensorflow/core/util/event.proto, summary.proto):
//! `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
//! SessionLog session_log = 7 }`, `Summary { repeated Value value = 1 }`, `Value { string tag = 1;
//! float simple_value = 2; Image image = 4; HistogramProto histo = 5 }`, `Image { int32 height = 1; int32
//! width = 2; int32 colorspace = 3; bytes encoded_image_string = 4 }`, `HistogramProto { double min = 1;
//! double max = 2; double num = 3; double sum = 4; double sum_squares = 5; repeated double bucket_limit = 6
//! [packed]; repeated double bucket = 7 [packed] }`, `SessionLog { SessionStatus status = 1 }` with `START =
//! 1`.

pub mod hparams;

use image::{ImageFormat, RgbImage};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const WIRE_VARINT: u64 = 0;
const WIRE_FIXED64: u64 = 1;
const WIRE_BYTES: u64 = 2;
const WIRE_FIXED32: u64 = 5;

/// How the files' names begin. TensorBoard shows a run's files in the order of their names, hence ten digits
/// of seconds follow.
pub const EVENT_FILES: &str = "events.out.tfevents.";

/// Appends events to a file of its own. Each event is one write, so a killed run leaves at most one torn
/// frame, which TensorBoard skips.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    /// Bytes of whole frames in the file.
    length: u64,
}

impl EventWriter {
    /// Starts a new file in `folder`. With `purge_from`, TensorBoard drops what earlier files say about that
    /// step and later ones.
    pub fn create(folder: &Path, purge_from: Option<u64>) -> io::Result<Self> {
        let seconds = now();
        let mut number = 0;
        let file = loop {
            let path = folder.join(format!("{EVENT_FILES}{:010}.dualprop.{number}", seconds as u64));
            match File::options().append(true).create_new(true).open(path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number += 1,
                other => break other?,
            }
        };
        let mut writer = Self { file, length: 0 };
        writer.event(seconds, 0, |event| bytes_field(event, 3, b"brain.Event:2"))?;
        if let Some(step) = purge_from {
            writer.event(seconds, step, |event| {
                let mut status = Vec::new();
                varint(&mut status, tag(1, WIRE_VARINT));
                varint(&mut status, 1);
                bytes_field(event, 7, &status);
            })?;
        }
        Ok(writer)
    }

    /// Adds one point to each named curve.
    pub fn scalars(&mut self, step: u64, values: &[(String, f32)]) -> io::Result<()> {
        self.event(now(), step, |event| {
            let mut summary = Vec::new();
            for (name, value) in values {
                let mut entry = Vec::new();
                bytes_field(&mut entry, 1, name.as_bytes());
                varint(&mut entry, tag(2, WIRE_FIXED32));
                entry.extend(value.to_le_bytes());
                bytes_field(&mut summary, 1, &entry);
            }
            bytes_field(event, 5, &summary);
        })
    }

    /// Adds images under these names, each `[H, W, 3]` bytes, as PNG.
    pub fn images(&mut self, step: u64, images: &[(String, RgbImage)]) -> io::Result<()> {
        let mut values = Vec::with_capacity(images.len());
        for (name, image) in images {
            let mut png = io::Cursor::new(Vec::new());
            image.write_to(&mut png, ImageFormat::Png).map_err(io::Error::other)?;
            let mut message = Vec::new();
            for (field, value) in [(1, image.height()), (2, image.width()), (3, RGB)] {
                varint(&mut message, tag(field, WIRE_VARINT));
                varint(&mut message, u64::from(value));
            }
            bytes_field(&mut message, 4, png.get_ref());
            values.push((name.as_str(), 4, message));
        }
        self.summary(step, &values)
    }

    /// Adds histograms of these values, which are finite; those of no value are left out.
    pub fn histograms(&mut self, step: u64, named: &[(String, &[f32])]) -> io::Result<()> {
        let filled = named.iter().filter(|(_, values)| !values.is_empty());
        let values: Vec<_> = filled.map(|(name, values)| (name.as_str(), 5, histogram(values))).collect();
        self.summary(step, &values)
    }

    /// Adds a `Value` for each name, whose field of that number holds the message.
    fn summary(&mut self, step: u64, values: &[(&str, u64, Vec<u8>)]) -> io::Result<()> {
        self.event(now(), step, |event| {
            let mut summary = Vec::new();
            for (name, field, message) in values {
                let mut entry = Vec::new();
                bytes_field(&mut entry, 1, name.as_bytes());
                bytes_field(&mut entry, *field, message);
                bytes_field(&mut summary, 1, &entry);
            }
            bytes_field(event, 5, &summary);
        })
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn event(&mut self, wall_time: f64, step: u64, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut event = Vec::new();
        varint(&mut event, tag(1, WIRE_FIXED64));
        event.extend(wall_time.to_le_bytes());
        varint(&mut event, tag(2, WIRE_VARINT));
        varint(&mut event, step);
        body(&mut event);
        let frame = frame(&event);
        let written = self.file.write_all(&frame);
        if written.is_ok() {
            self.length += frame.len() as u64;
        } else {
            // TensorBoard reads no further than to half a frame.
            let _ = self.file.set_len(self.length);
        }
        written
    }
}

/// `Image.colorspace` of three channels.
const RGB: u32 = 3;

/// Buckets of a histogram, of equal width from the smallest to the largest value; TensorBoard shows thirty.
const BUCKETS: usize = 30;

/// A `HistogramProto`: a bucket ends at its limit, and counts what is above the limit before it.
fn histogram(values: &[f32]) -> Vec<u8> {
    let of =
        |fold: fn(f64, f64) -> f64, start: f64| values.iter().fold(start, |sum, v| fold(sum, f64::from(*v)));
    let (min, max) = (of(f64::min, f64::INFINITY), of(f64::max, f64::NEG_INFINITY));
    let width = (max - min) / BUCKETS as f64;
    let mut counts = [0.0; BUCKETS];
    for value in values {
        let place = if width > 0.0 { ((f64::from(*value) - min) / width).ceil() as usize } else { 1 };
        counts[place.saturating_sub(1).min(BUCKETS - 1)] += 1.0;
    }
    let limits: Vec<f64> = (1..=BUCKETS).map(|place| min + width * place as f64).collect();
    let sums = [min, max, values.len() as f64, of(|a, b| a + b, 0.0), of(|a, b| a + b * b, 0.0)];
    let mut message = Vec::new();
    for (field, value) in (1..).zip(sums) {
        varint(&mut message, tag(field, WIRE_FIXED64));
        message.extend(value.to_le_bytes());
    }
    for (field, packed) in [(6, limits.as_slice()), (7, counts.as_slice())] {
        bytes_field(
            &mut message,
            field,
            &packed.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
        );
    }
    message
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut frame = Vec::with_capacity(message.len() + 16);
    frame.extend(length);
    frame.extend(masked_crc(&length).to_le_bytes());
    frame.extend(message);
    frame.extend(masked_crc(message).to_le_bytes());
    frame
}

/// CRC-32C, rotated and shifted so that a checksum of data that holds checksums stays meaningful.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn tag(field: u64, wire: u64) -> u64 {
    field << 3 | wire
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, tag(field, WIRE_BYTES));
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts a file into messages and checks both checksums of each.
    fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = bytes;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes")) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
            let message = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_crc(message).to_le_bytes());
            found.push(message.to_vec());
            rest = &rest[16 + length..];
        }
        found
    }

    /// The header of every file that TensorFlow and PyTorch write: the frame around 24 bytes.
    #[test]
    fn the_length_of_24_has_the_checksum_that_other_writers_give_it() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283, "the check value of CRC-32C");
        assert_eq!(frame(&[0; 24])[..12], [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn a_histogram_counts_every_value_once() {
        let numbers = |bytes: &[u8]| -> Vec<f64> {
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect()
        };
        for values in [&[0.0, 0.5, 1.0, 3.0][..], &[2.5], &[-1.0, -1.0, 7.0]] {
            let message = histogram(values);
            // Five numbers of a tag and eight bytes; then two packed lists of a tag, two bytes of length and
            // 240.
            let sums: Vec<f64> = (0..5).map(|i| numbers(&message[9 * i + 1..9 * i + 9])[0]).collect();
            let all = || values.iter().map(|v| f64::from(*v));
            let (min, max) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
            assert_eq!(sums, [min, max, values.len() as f64, all().sum(), all().map(|v| v * v).sum()]);
            assert_eq!(message[45..48], [6 << 3 | 2, 0xf0, 1]);
            let (limits, counts) = (numbers(&message[48..288]), numbers(&message[291..]));
            assert_eq!((limits.len(), counts.iter().sum::<f64>()), (BUCKETS, values.len() as f64));
            for value in all() {
                let place =
                    limits.iter().position(|limit| value <= *limit + 1e-9).expect("below the last limit");
                assert!(counts[place] > 0.0, "{value} in {place}: {counts:?}");
            }
        }
    }

    #[test]
    fn files_hold_a_version_a_purge_and_the_points() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = EventWriter::create(folder.path(), Some(301)).expect("writable");
        writer.scalars(301, &[("train/main/loss".into(), 2.5), ("train/lr".into(), 0.1)]).expect("writable");
        // A second writer in the same second gets a file of its own, later in the order of names.
        EventWriter::create(folder.path(), None).expect("writable");
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("readable")
            .map(|e| e.expect("readable").path())
            .collect();
        names.sort();
        assert_eq!(names.len(), 2);
        let messages = messages(&std::fs::read(&names[0]).expect("readable"));
        assert_eq!(messages.len(), 3);
        // wall_time: tag 0x09 and 8 bytes; step: tag 0x10 and a varint; then the body.
        assert_eq!(messages[0][9..], [&[0x10, 0, 0x1a, 13][..], b"brain.Event:2"].concat());
        assert_eq!(messages[1][9..], [0x10, 0xad, 0x02, 0x3a, 2, 0x08, 1]);
        let mut point = vec![0x10, 0xad, 0x02, 0x2a, 22 + 15 + 2, 0x0a, 22, 0x0a, 15];
        point.extend(b"train/main/loss");
        point.push(0x15);
        point.extend(2.5_f32.to_le_bytes());
        let second = [&[0x0a, 15, 0x0a, 8][..], b"train/lr", &[0x15], &0.1_f32.to_le_bytes()].concat();
        point.extend(&second);
        point[4] = (2 + 22 + second.len()) as u8;
        assert_eq!(messages[2][9..], point);
    }
}
