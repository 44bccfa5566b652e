//! Decoding and resizing ahead of the model, on a few threads of its own, in list order and with bounded memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use sha2::{Digest, Sha256};

use super::Preprocessor;

/// One image of the list, ready for the model or broken.
pub struct DecodedImage {
    /// Position in the list.
    pub index: usize,
    /// SHA-256 of the file's bytes; empty if it could not be read.
    pub sha256: String,
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
        let threads = threads.clamp(1, paths.len().max(1));
        let lanes = (0..threads)
            .map(|lane| {
                let (send, receive) = sync_channel(depth.max(1));
                let (paths, preprocessor) = (paths.clone(), preprocessor.clone());
                thread::spawn(move || {
                    for index in (lane..paths.len()).step_by(threads) {
                        // The receiver is gone when the run has ended early.
                        if send.send(decode(index, &paths[index], &preprocessor)).is_err() {
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

fn decode(index: usize, path: &PathBuf, preprocessor: &Preprocessor) -> DecodedImage {
    match std::fs::read(path) {
        Err(e) => DecodedImage { index, sha256: String::new(), pixels: Err(e.to_string()) },
        Ok(bytes) => {
            let sha256 = format!("{:x}", Sha256::digest(&bytes));
            // A decoder's panic on a hostile file must not take the run down.
            let pixels = std::panic::catch_unwind(|| preprocessor.pixels(&bytes))
                .unwrap_or_else(|_| Err("broken image: the decoder gave up".into()));
            DecodedImage { index, sha256, pixels }
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
            sha256: String::new(),
            pixels: Err("the decoding thread ended".into()),
        }))
    }
}
