//! The files of a side on their way into memory: piece by piece, several pieces at a time.

use std::path::{Path, PathBuf};

use fgd_captions::{CaptionFile, Finding, Piece, Pieces, ReadError, ReadOptions, lint};
use rayon::prelude::*;

use crate::jobs::JobError;

/// Pieces that are in memory as captions at the same time, at most: each takes some 100 MB.
const AT_ONCE: usize = 4;

/// Captions of a file, as they come.
pub struct Captions {
    /// The number of the file.
    pub file: usize,
    /// Some or all of them.
    pub captions: CaptionFile,
    /// What the linter found in them.
    pub linted: Vec<Finding>,
}

/// What is said of a file that cannot be read.
pub type Refusal = fn(ReadError) -> JobError;

/// Reads files in their order, looks at each piece on a thread of its own, and hands the pieces over in their order. Returns the hashes of
/// the files.
///
/// # Errors
/// Those of `refuse`, `look` and `take`.
pub fn read(
    paths: &[PathBuf],
    options: &ReadOptions,
    refuse: Refusal,
    look: impl Fn(&mut CaptionFile) -> Result<(), JobError> + Sync,
    mut take: impl FnMut(Captions) -> Result<(), JobError>,
) -> Result<Vec<String>, JobError> {
    let mut stream = Stream { paths, options, open: None, sha256s: Vec::new() };
    let most = rayon::current_num_threads().min(AT_ONCE);
    let read = |(file, piece): (usize, Piece)| -> Result<Captions, JobError> {
        let mut captions = piece.read().map_err(refuse)?;
        look(&mut captions)?;
        let linted = lint(&captions);
        Ok(Captions { file, captions, linted })
    };
    let mut pieces = stream.next(most).map_err(refuse)?;
    let mut rows = (0, 0);
    while !pieces.is_empty() {
        let (next, all) = rayon::join(
            || stream.next(most),
            || pieces.into_par_iter().map(read).collect::<Vec<_>>(),
        );
        for captions in all {
            let mut captions = captions?;
            let before = if captions.file == rows.0 { rows.1 } else { 0 };
            let last = captions.captions.count_from(before, &mut captions.linted);
            rows = (captions.file, last);
            take(captions)?;
        }
        pieces = next.map_err(refuse)?;
    }
    Ok(stream.sha256s)
}

/// Pieces of files.
struct Stream<'a> {
    paths: &'a [PathBuf],
    options: &'a ReadOptions,
    /// The file that is being read.
    open: Option<Pieces>,
    /// Those of the files before.
    sha256s: Vec<String>,
}

impl Stream<'_> {
    /// The next pieces, `most` at most; none at the end.
    fn next(&mut self, most: usize) -> Result<Vec<(usize, Piece)>, ReadError> {
        let mut pieces = Vec::new();
        while pieces.len() < most {
            let file = self.sha256s.len();
            let Some(path) = self.paths.get(file) else { break };
            let mut open = match self.open.take() {
                Some(open) => open,
                None => Pieces::open(path, self.options)?,
            };
            match open.next_piece()? {
                Some(piece) => {
                    pieces.push((file, piece));
                    self.open = Some(open);
                }
                None => self.sha256s.push(open.sha256()?),
            }
        }
        Ok(pieces)
    }
}

/// The only file, where it is small enough to be looked at as a whole.
///
/// # Errors
/// A file that cannot be read.
pub fn is_whole(paths: &[PathBuf], options: &ReadOptions) -> Result<bool, ReadError> {
    let is_whole = |path: &Path| Ok(Pieces::open(path, options)?.is_whole());
    match paths {
        [only] => is_whole(only),
        _ => Ok(false),
    }
}
