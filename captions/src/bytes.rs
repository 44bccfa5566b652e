//! The bytes of a file from its beginning to its end, decompressed and hashed on the way: what is cut into `pieces`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::ReadProblem;
use super::source::{self, Hashing};

/// The bytes of a file, decompressed, never out of proportion to its size.
pub(super) struct Bytes {
    inner: Inner,
    read: u64,
    limit: u64,
}

enum Inner {
    Plain(BufReader<Hashing<File>>),
    Gzip(Box<MultiGzDecoder<BufReader<Hashing<File>>>>),
}

impl Bytes {
    pub(super) fn open(path: &Path, len: u64) -> Result<Self, ReadProblem> {
        let file = Hashing::new(File::open(path).map_err(source::from_io)?);
        let mut file = BufReader::with_capacity(1 << 18, file);
        let is_gzip = source::is_gzip(file.fill_buf().map_err(source::from_io)?);
        Ok(match is_gzip {
            true => Self {
                inner: Inner::Gzip(Box::new(MultiGzDecoder::new(file))),
                read: 0,
                limit: source::most_unpacked(len),
            },
            false => Self { inner: Inner::Plain(file), read: 0, limit: u64::MAX },
        })
    }

    /// How many bytes of the file were read on the disk.
    pub(super) fn raw(&self) -> u64 {
        match &self.inner {
            Inner::Plain(file) => file.get_ref().bytes,
            Inner::Gzip(file) => file.get_ref().get_ref().bytes,
        }
    }

    pub(super) fn is_gzip(&self) -> bool {
        matches!(self.inner, Inner::Gzip(_))
    }

    /// Appends so many bytes; false where there were fewer left.
    pub(super) fn read(&mut self, wants: u64, to: &mut Vec<u8>) -> Result<bool, ReadProblem> {
        let before = to.len();
        match &mut self.inner {
            Inner::Plain(file) => file.take(wants).read_to_end(to).map_err(source::from_io)?,
            Inner::Gzip(file) => file.take(wants).read_to_end(to).map_err(|reason| {
                let bytes = usize::try_from(self.read).unwrap_or(usize::MAX);
                ReadProblem::Gzip { bytes, reason }
            })?,
        };
        let read = (to.len() - before) as u64;
        self.read += read;
        if self.read > self.limit {
            return Err(ReadProblem::Unpacks { limit: self.limit });
        }
        Ok(read == wants)
    }

    /// SHA-256 of the file, all of which was read.
    pub(super) fn sha256(self) -> Result<String, ReadProblem> {
        let mut file = match self.inner {
            Inner::Plain(file) => file,
            Inner::Gzip(file) => file.into_inner(),
        };
        io::copy(&mut file, &mut io::sink()).map_err(source::from_io)?;
        Ok(file.into_inner().sha256())
    }
}
