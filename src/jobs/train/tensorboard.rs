//! TensorBoard's event file: records of TFRecord (length, checksum, bytes, checksum) with one `Event` message each, of which only a time, a
//! step and scalars are needed (`tensorflow/core/util/event.proto`, `tensorflow/core/lib/io/record_writer.cc`).

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use fgd_store::file;

/// The one file of a run; TensorBoard wants `tfevents` and a time in its name.
const NAME: &str = "events.out.tfevents.0000000000.fgd";

/// An event file that grows.
pub struct Events(File);

/// Scalars of a step.
#[derive(Debug, Clone)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    pub step: i64,
    pub scalars: Vec<(Cow<'static, str>, f64)>,
}

impl Events {
    /// Writes the file in `dir` anew with these events, and goes on behind them.
    pub fn create(dir: &Path, events: impl Iterator<Item = Event>) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join(NAME);
        let mut bytes = record(&version());
        events.for_each(|event| bytes.extend(record(&message(&event))));
        file::write(&path, &bytes).map_err(std::io::Error::other)?;
        Ok(Self(OpenOptions::new().append(true).open(path)?))
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Event) -> std::io::Result<()> {
        self.0.write_all(&record(&message(event)))
    }
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length));
    bytes.extend(message);
    bytes.extend(masked(message));
    bytes
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Castagnoli's checksum (RFC 3720, B.4), bit by bit: a few hundred bytes per step.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

/// `file_version`, the first event of every file.
fn version() -> Vec<u8> {
    bytes_field(3, b"brain.Event:2")
}

fn message(event: &Event) -> Vec<u8> {
    let mut bytes = vec![1 << 3 | 1];
    bytes.extend(event.time.to_le_bytes());
    bytes.push(2 << 3);
    bytes.extend(varint(event.step as u64));
    let mut summary = Vec::new();
    for (tag, value) in &event.scalars {
        let mut scalar = bytes_field(1, tag.as_bytes());
        scalar.push(2 << 3 | 5);
        scalar.extend((*value as f32).to_le_bytes());
        summary.extend(bytes_field(1, &scalar));
    }
    bytes.extend(bytes_field(5, &summary));
    bytes
}

/// A field of protobuf's wire type 2.
fn bytes_field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4, and the length's checksum of any file that TensorFlow writes.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn messages_are_framed() {
        let dir = tempfile::tempdir().unwrap();
        let event = |step| Event { time: 1.5, step, scalars: vec![("train/loss".into(), 2.0)] };
        let mut events = Events::create(dir.path(), (0..300).map(event)).unwrap();
        events.push(&event(300)).unwrap();
        let bytes = std::fs::read(dir.path().join(NAME)).unwrap();
        let (mut at, mut count) = (0, 0);
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            assert_eq!(bytes[at + 8..at + 12], masked(&bytes[at..at + 8]));
            let message = &bytes[at + 12..at + 12 + length];
            assert_eq!(bytes[at + 12 + length..at + 16 + length], masked(message));
            at += 16 + length;
            count += 1;
        }
        assert_eq!((at, count), (bytes.len(), 302));
    }
}
