//! The files of a side on their way into memory: piece by piece, several pieces at a time.

use std::fs;
use std::path::PathBuf;

use fgd_captions::{CaptionFile, Finding, Piece, Pieces, ReadError, ReadOptions, lint};
use rayon::prelude::*;

use crate::jobs::{Bar, Interrupt, JobError, Session};

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

/// Reads files, as far as nobody interrupts it, and tells how far it is.
pub struct Reader {
    bar: Box<dyn Bar>,
    interrupt: Interrupt,
}

/// What the first piece of a file says to the others.
struct First<S> {
    file: usize,
    /// Rows of the file so far.
    rows: u64,
    said: S,
}

impl Reader {
    /// One for these files, of all sides.
    pub fn new<'a>(session: &Session, files: impl Iterator<Item = &'a PathBuf>) -> Self {
        let bytes = files.map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum();
        let bar = session.progress.begin("reading", "bytes", bytes);
        Self { bar, interrupt: session.interrupt.clone() }
    }

    /// Reads files in their order, looks at each piece on a thread of its own, and hands the pieces over in their order. Those behind
    /// the first one of a file are looked at by what that one said. Returns the hashes of the files.
    ///
    /// # Errors
    /// Those of `refuse`, `look` and `take`; an interrupt.
    pub fn read<S: Send + Sync>(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        refuse: Refusal,
        look: impl Fn(&mut CaptionFile, Option<&S>) -> Result<S, JobError> + Sync,
        mut take: impl FnMut(Captions) -> Result<(), JobError>,
    ) -> Result<Vec<String>, JobError> {
        let mut stream = Stream { paths, options, open: None, sha256s: Vec::new() };
        let most = rayon::current_num_threads().min(AT_ONCE);
        let mut first: Option<First<S>> = None;
        let mut pieces = stream.next(most).map_err(refuse)?;
        while !pieces.is_empty() {
            interrupted(&self.interrupt)?;
            let read = |(file, piece): (usize, Piece)| -> Result<_, JobError> {
                let bytes = piece.bytes();
                let mut captions = piece.read().map_err(refuse)?;
                let first = first.as_ref().filter(|first| first.file == file);
                let said = look(&mut captions, first.map(|first| &first.said))?;
                let linted = lint(&captions);
                Ok((Captions { file, captions, linted }, said, bytes))
            };
            let (next, all) = rayon::join(
                || stream.next(most),
                || pieces.into_par_iter().map(read).collect::<Vec<_>>(),
            );
            for read in all {
                let (mut captions, said, bytes) = read?;
                let own = match first.take_if(|first| first.file == captions.file) {
                    Some(first) => first,
                    None => First { file: captions.file, rows: 0, said },
                };
                let rows = captions.captions.count_from(own.rows, &mut captions.linted);
                first = Some(First { rows, ..own });
                take(captions)?;
                self.bar.advance(bytes);
            }
            pieces = next.map_err(refuse)?;
        }
        Ok(stream.sha256s)
    }
}

/// Ends the work where somebody asks for it.
///
/// # Errors
/// That somebody does.
pub fn interrupted(interrupt: &Interrupt) -> Result<(), JobError> {
    match interrupt() {
        true => Err(JobError::Failed("interrupted; nothing is left of it".into())),
        false => Ok(()),
    }
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
    /// The next pieces, `most` at most; none at the end. The others of a file come after its first one.
    fn next(&mut self, most: usize) -> Result<Vec<(usize, Piece)>, ReadError> {
        let mut pieces = Vec::new();
        while pieces.len() < most {
            let file = self.sha256s.len();
            let Some(path) = self.paths.get(file) else { break };
            let is_first = self.open.is_none();
            let mut open = match self.open.take() {
                Some(open) => open,
                None => Pieces::open(path, self.options)?,
            };
            let Some(piece) = open.next_piece()? else {
                self.sha256s.push(open.sha256()?);
                continue;
            };
            pieces.push((file, piece));
            let has_others = is_first && !open.is_over();
            self.open = Some(open);
            if has_others {
                break;
            }
        }
        Ok(pieces)
    }
}
