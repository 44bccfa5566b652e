//! One hash over all references, whatever files they came in: each part writes its captions sorted, and the hash goes over all of
//! them merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::dealt::Part;
use super::rows::{next_text, write_text};
use crate::jobs::provenance::CaptionsHash;

impl Part {
    /// Writes its ids and texts in their order to a file, for [`hash_of`].
    ///
    /// # Errors
    /// A disk that is full.
    pub fn write_sorted(&self, path: &Path) -> io::Result<()> {
        let captions = self.file.captions.iter();
        let mut lines: Vec<_> = captions.map(|caption| (&caption.id, &caption.text)).collect();
        lines.sort_unstable();
        let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        let mut bytes = Vec::new();
        for (id, text) in lines {
            bytes.clear();
            write_text(id, &mut bytes);
            write_text(text, &mut bytes);
            file.write_all(&bytes)?;
        }
        file.flush()
    }
}

/// The hash of all references, of which each file holds some in their order.
///
/// # Errors
/// Files that cannot be read any more.
pub fn hash_of(files: &[PathBuf]) -> io::Result<String> {
    let mut runs = files
        .iter()
        .map(|path| Ok(BufReader::with_capacity(1 << 16, File::open(path)?)))
        .collect::<io::Result<Vec<_>>>()?;
    let next = |run: &mut BufReader<File>| -> io::Result<Option<(String, String)>> {
        let Some(id) = next_text(run)? else { return Ok(None) };
        Ok(next_text(run)?.map(|text| (id, text)))
    };
    let mut heap = BinaryHeap::new();
    for (at, run) in runs.iter_mut().enumerate() {
        heap.extend(next(run)?.map(|caption| Reverse((caption, at))));
    }
    let mut hash = CaptionsHash::default();
    while let Some(mut first) = heap.peek_mut() {
        let Reverse(((id, text), at)) = &mut *first;
        hash.push(id, text);
        match next(&mut runs[*at])? {
            Some(caption) => (*id, *text) = caption,
            None => drop(PeekMut::pop(first)),
        }
    }
    Ok(hash.finish())
}
