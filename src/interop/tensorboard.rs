//! TensorBoard's event files, scalars only: TFRecord frames around hand-encoded protocol buffers.
//!
//! A frame is the length (u64, little endian), the masked CRC-32C of those eight bytes, the message, and the
//! message's masked CRC-32C. Messages (tensorflow/core/util/event.proto, summary.proto):
//! `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
//! SessionLog session_log = 7 }`, `Summary { repeated Value value = 1 }`, `Value { string tag = 1;
//! float simple_value = 2 }`, `SessionLog { SessionStatus status = 1 }` with `START = 1`.

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
