//! Decoding and resizing ahead of the model, on a few threads of its own, in list order and with bounded memory.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rayon::ThreadPool;

use super::Preprocessor;
use super::decode::{finish, open, pixels};
use super::file::{self, FileState};

/// Pixels from which an image counts as large; several of those at once might need more memory than there is.
const LARGE: u64 = 1 << 25;

/// One image of the list, ready for the model or broken.
pub struct DecodedImage {
    /// Position in the list.
    pub index: usize,
    /// The file, if it could be read.
    pub file: Option<FileState>,
    /// Pixels [3, size, size], or why there are none.
    pub pixels: Result<Vec<f32>, String>,
}

/// An iterator over the images of a list, in order.
pub struct Prefetch {
    lanes: Vec<Receiver<DecodedImage>>,
    next: usize,
    count: usize,
}

impl Prefetch {
    /// Starts `threads` workers, each up to `depth` images ahead. Worker `i` takes images `i`, `i + threads`, …, so that
    /// reading the lanes in turn restores the order.
    pub fn start(
        paths: Vec<PathBuf>,
        preprocessor: Preprocessor,
        threads: usize,
        depth: usize,
    ) -> Self {
        let (paths, preprocessor) = (Arc::new(paths), Arc::new(preprocessor));
        let one_large = Arc::new(Mutex::new(()));
        // As many threads as the caller has, and no others: rayon would take a pool of the whole process otherwise.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads());
        let pool = pool.build().ok().map(Arc::new);
        let threads = threads.clamp(1, paths.len().max(1));
        let lanes = (0..threads)
            .map(|lane| {
                let (send, receive) = sync_channel(depth.max(1));
                let (paths, preprocessor) = (paths.clone(), preprocessor.clone());
                let (one_large, pool) = (one_large.clone(), pool.clone());
                thread::spawn(move || {
                    for index in (lane..paths.len()).step_by(threads) {
                        let pool = pool.as_deref();
                        let decoded = decode(index, &paths[index], &preprocessor, &one_large, pool);
                        // The receiver is gone when the run has ended early.
                        if send.send(decoded).is_err() {
                            return;
                        }
                    }
                });
                receive
            })
            .collect();
        Self { lanes, next: 0, count: paths.len() }
    }
}

fn decode(
    index: usize,
    path: &Path,
    preprocessor: &Preprocessor,
    one_large: &Mutex<()>,
    pool: Option<&ThreadPool>,
) -> DecodedImage {
    let decoded = |bytes: &[u8]| {
        let is_large = pixels(&*open(bytes)?) > LARGE;
        // Taken outside of the pool, whose threads do other work while they wait: one could come back to a lock that it holds. A lock of
        // nothing cannot be left in disorder by a thread that panicked.
        let _alone = is_large.then(|| one_large.lock().unwrap_or_else(PoisonError::into_inner));
        let square = || preprocessor.square(finish(open(bytes)?)?);
        pool.map_or_else(square, |pool| pool.install(square))
    };
    match file::read(path) {
        Err(reason) => DecodedImage { index, file: None, pixels: Err(reason) },
        Ok((bytes, file)) => {
            // A decoder's panic on a hostile file must not take the run down.
            let pixels = std::panic::catch_unwind(AssertUnwindSafe(|| decoded(&bytes)))
                .unwrap_or_else(|_| Err("broken image: the decoder gave up".into()));
            DecodedImage { index, file: Some(file), pixels }
        }
    }
}

impl Iterator for Prefetch {
    type Item = DecodedImage;

    fn next(&mut self) -> Option<DecodedImage> {
        if self.next >= self.count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        // A worker that died (out of memory threads, for one) leaves its lane closed.
        Some(self.lanes[index % self.lanes.len()].recv().unwrap_or_else(|_| DecodedImage {
            index,
            file: None,
            pixels: Err("the decoding thread ended".into()),
        }))
    }
}
