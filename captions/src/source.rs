//! A file's bytes, hashed and decompressed, never more of them than allowed; and an early word about files that hold no captions.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use super::foreign;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const UTF8_BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Most bytes that a compressed file of `raw` bytes may decompress to. Captions compress to a fifth, lists of records to a
/// thirtieth; what goes far beyond is made to fill the memory.
pub(super) fn most_unpacked(raw: u64) -> u64 {
    raw.saturating_mul(32).saturating_add(32 << 20)
}

/// Most bytes of memory that the rows read from a file of `raw` bytes may take: a row of a few letters takes a hundred bytes.
pub(super) fn most_held(raw: u64) -> u64 {
    raw.saturating_mul(128).saturating_add(256 << 20)
}

/// Whether these are the first bytes of a gzip stream.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// The first line with its end: `\n`, `\r\n`, or the `\r` alone that old Macs wrote and Excel still offers.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let after = |at: usize| at + 1 + usize::from(bytes[at..].starts_with(b"\r\n"));
    &bytes[..end.map_or(bytes.len(), after)]
}

/// How many lines end in a part of `bytes`, which may break off between `\r` and `\n`.
pub(super) fn line_ends(bytes: &[u8], part: Range<usize>) -> u64 {
    let ends = |at: &usize| match bytes[*at] {
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        byte => byte == b'\n',
    };
    part.filter(ends).count() as u64
}

/// Where content starts in its file, so that messages name places of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Bytes before it.
    pub bytes: usize,
    /// Lines before it.
    pub lines: u64,
}

/// What stands in a file.
#[derive(Debug)]
pub(super) struct Source {
    /// The decompressed content, byte order mark included.
    pub bytes: Vec<u8>,
    /// How many of the first bytes are a byte order mark: offsets in messages count from the file's first byte.
    pub skip: usize,
    /// SHA-256 of the bytes on disk, hexadecimal.
    pub sha256: String,
    /// The size on disk.
    pub raw_bytes: u64,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Reads a file as [`load`] does; `-` is standard input.
pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Source, ReadProblem> {
    match path == Path::new("-") {
        true => standard_input(max_bytes),
        false => load(path, max_bytes),
    }
}

/// Reads, hashes and, where the content is gzip, decompresses a file of at most `max_bytes` before and after decompression, and
/// of at most [`most_unpacked`] after it.
fn load(path: &Path, max_bytes: u64) -> Result<Source, ReadProblem> {
    let metadata = fs::metadata(path).map_err(from_io)?;
    if metadata.is_dir() {
        return Err(ReadProblem::Directory);
    }
    let too_large = |what| ReadProblem::TooLarge { what, limit: max_bytes };
    if metadata.len() > max_bytes {
        return Err(too_large("the file is"));
    }
    let file = File::open(path).map_err(from_io)?;
    let hashing = Hashing::new(file.take(max_bytes.saturating_add(1)));
    let mut raw = BufReader::with_capacity(1 << 16, hashing);

    let gzipped = is_gzip(raw.fill_buf().map_err(from_io)?);
    let mut bytes = Vec::new();
    if gzipped {
        let decoder = MultiGzDecoder::new(&mut raw);
        let limit = most_unpacked(metadata.len());
        if let Err(reason) =
            decoder.take(max_bytes.min(limit).saturating_add(1)).read_to_end(&mut bytes)
        {
            return Err(ReadProblem::Gzip { bytes: bytes.len(), reason });
        }
        if bytes.len() as u64 > max_bytes {
            return Err(too_large("the decompressed content is"));
        }
        if bytes.len() as u64 > limit {
            return Err(ReadProblem::Unpacks { limit });
        }
        io::copy(&mut raw, &mut io::sink()).map_err(from_io)?;
    } else {
        // One byte more than the file has, so that a file that does not grow never makes the buffer grow.
        bytes.reserve_exact(usize::try_from(metadata.len() + 1).unwrap_or(0));
        raw.read_to_end(&mut bytes).map_err(from_io)?;
    }
    let hashing = raw.into_inner();
    if hashing.bytes > max_bytes {
        return Err(too_large("the file is"));
    }

    let raw_bytes = hashing.bytes;
    Source::beginning(bytes, raw_bytes, hashing.sha256())
}

impl Source {
    /// What a file begins with, or all of it.
    pub(super) fn beginning(
        bytes: Vec<u8>,
        raw_bytes: u64,
        sha256: String,
    ) -> Result<Self, ReadProblem> {
        let mut findings = Vec::new();
        let skip = if bytes.starts_with(&UTF8_BOM) { UTF8_BOM.len() } else { 0 };
        if skip > 0 {
            findings.push(Finding::note(
                FindingKind::Bom,
                "the file starts with a UTF-8 byte order mark, which is skipped",
            ));
        }
        if bytes[skip..].iter().all(u8::is_ascii_whitespace) {
            return Err(ReadProblem::Empty);
        }
        foreign::refuse(&bytes)?;
        Ok(Self { bytes, skip, sha256, raw_bytes, findings })
    }
}

/// Reads standard input as [`load`] reads a file: through one that is gone afterwards.
fn standard_input(max_bytes: u64) -> Result<Source, ReadProblem> {
    let mut file = tempfile::NamedTempFile::new().map_err(from_io)?;
    let mut input = io::stdin().lock().take(max_bytes.saturating_add(1));
    io::copy(&mut input, &mut file).map_err(from_io)?;
    load(file.path(), max_bytes)
}

/// Hashes and counts what is read through it.
pub(super) struct Hashing<R> {
    inner: R,
    digest: Sha256,
    /// How many that were.
    pub(super) bytes: u64,
}

impl<R> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }

    /// The hash of all that was read, in hexadecimal.
    pub(super) fn sha256(self) -> String {
        hexadecimal(&self.digest.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn from_io(error: io::Error) -> ReadProblem {
    match error.kind() {
        io::ErrorKind::NotFound => ReadProblem::Missing,
        io::ErrorKind::IsADirectory => ReadProblem::Directory,
        _ => ReadProblem::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn load_bytes(bytes: &[u8], max_bytes: u64) -> Result<Source, ReadProblem> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        load(file.path(), max_bytes)
    }

    #[test]
    fn hashes_the_bytes_on_disk() {
        let source = load_bytes(b"abc", 100).unwrap();
        assert_eq!(
            source.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let zipped = gzip(b"abc");
        let source = load_bytes(&zipped, 100).unwrap();
        assert_eq!((source.bytes.as_slice(), source.raw_bytes), (&b"abc"[..], zipped.len() as u64));
        assert_eq!(source.sha256, hexadecimal(&Sha256::digest(&zipped)));
    }

    #[test]
    fn reads_every_gzip_member_and_refuses_a_cut_one() {
        let mut members = gzip(b"image_id,caption\n");
        members.extend(gzip(b"1,a dog\n"));
        assert_eq!(load_bytes(&members, 100).unwrap().bytes, b"image_id,caption\n1,a dog\n");
        let cut = &members[..members.len() - 9];
        assert!(matches!(load_bytes(cut, 100), Err(ReadProblem::Gzip { .. })));
    }

    #[test]
    fn bounds_what_a_bomb_decompresses_to() {
        let bomb = gzip(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 2048);
        assert!(matches!(load_bytes(&bomb, 4096), Err(ReadProblem::TooLarge { .. })));
        assert!(matches!(load_bytes(&[b'a'; 101], 100), Err(ReadProblem::TooLarge { .. })));
        assert!(load_bytes(&[b'a'; 100], 100).is_ok());
        let bomb = gzip(&vec![b'a'; 40 << 20]);
        assert!(matches!(load_bytes(&bomb, 1 << 30), Err(ReadProblem::Unpacks { .. })));
        assert!(load_bytes(&gzip(&vec![b'a'; 31 << 20]), 1 << 30).is_ok());
    }

    #[test]
    fn has_a_sentence_for_what_is_not_a_caption_file() {
        assert!(matches!(load_bytes(b"", 9), Err(ReadProblem::Empty)));
        assert!(matches!(load_bytes(b"\xef\xbb\xbf \n", 9), Err(ReadProblem::Empty)));
        for binary in [&b"\x89PNG\r\n"[..], b"PK\x03\x04..", b"a\0b\0", b"\xff\xfea\0"] {
            assert!(matches!(load_bytes(binary, 99), Err(ReadProblem::Binary { .. })));
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(load(dir.path(), 9), Err(ReadProblem::Directory)));
        assert!(matches!(load(&dir.path().join("no"), 9), Err(ReadProblem::Missing)));
    }
}
