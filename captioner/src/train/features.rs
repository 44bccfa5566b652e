//! The folder that `fgd features` fills and training reads: query outputs of every image, and which image is which.
//!
//! The outputs lie as [`FeaturesCache`] keeps them, under the hash of the frozen part that made them; `images.csv` beside them has the
//! hash of each image's file by its id.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fgd_store::file::{self, FileError};

use crate::error::{Error, Result};
use crate::features::FeaturesCache;
use crate::model::Captioner;
use crate::preprocess::{DecodedImage, Prefetch};
use crate::run::{ImageFile, OnError, Readable, features};

/// The list's name in the folder.
pub const LIST: &str = "images.csv";

/// An image that has features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImage {
    /// Its id.
    pub id: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// How features are made.
pub struct Making<'a> {
    /// The images, in order.
    pub images: &'a [ImageFile],
    /// Images that are computed together.
    pub batch_size: usize,
    /// What to do with broken images.
    pub on_error: OnError,
    /// Threads that decode ahead.
    pub decode_threads: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Images that have features now.
    pub images: usize,
    /// Images whose features were there before.
    pub known: usize,
    /// Images that could not be read, with the reason.
    pub broken: Vec<(String, String)>,
}

/// Computes the features of the images that `dir` does not have yet and lists all of them. `watch` is told how many are done, and may
/// end it there; what is computed stays.
///
/// # Errors
/// A place that cannot be written, a broken image where that ends it, the order to stop.
pub fn make(
    captioner: &Captioner,
    making: &Making,
    dir: &Path,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Made> {
    std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let mut cache = Some(FeaturesCache::open(dir, captioner.identity())?);
    let paths = making.images.iter().map(|image| image.path.clone()).collect();
    let size = making.batch_size.clamp(1, making.images.len().max(1));
    let preprocessor = captioner.preprocessor().clone();
    let mut prefetch = Prefetch::start(paths, preprocessor, making.decode_threads, size);
    let (mut made, mut kept, mut done) = (Made::default(), Vec::new(), 0);
    for images in making.images.chunks(size) {
        let decoded: Vec<DecodedImage> = prefetch.by_ref().take(images.len()).collect();
        let mut readable = Vec::new();
        for (image, decoded) in images.iter().zip(decoded) {
            match decoded.pixels {
                Ok(pixels) => {
                    let sha256 = decoded.file.map(|file| file.sha256).unwrap_or_default();
                    kept.push(KeptImage { id: image.id.clone(), sha256: sha256.clone() });
                    readable.push(Readable { pixels, sha256 });
                }
                Err(reason) if making.on_error == OnError::Fail => {
                    let (id, path) = (image.id.clone(), image.path.clone());
                    return Err(Error::Image { id, path, reason });
                }
                Err(reason) => made.broken.push((image.id.clone(), reason)),
            }
        }
        if !readable.is_empty() {
            features(captioner, &readable, &mut cache)?;
        }
        done += images.len();
        if watch(done).is_break() && done < making.images.len() {
            let (total, journal) = (making.images.len(), dir.into());
            return Err(Error::Interrupted { done, total, journal });
        }
    }
    made.images = kept.len();
    made.known = cache.map_or(0, |cache| cache.hits());
    write_list(dir, &kept)?;
    Ok(made)
}

/// Lists the images of earlier calls too, so that a folder may be filled from several.
fn write_list(dir: &Path, kept: &[KeptImage]) -> Result<()> {
    let path = dir.join(LIST);
    let _others_wait = fgd_store::lock::wait_for_folder(dir)?;
    let mut all = if path.exists() { read_list(dir)? } else { Vec::new() };
    let new: HashMap<&str, &KeptImage> =
        kept.iter().map(|image| (image.id.as_str(), image)).collect();
    all.retain(|image| !new.contains_key(image.id.as_str()));
    all.extend(kept.iter().cloned());
    let failed = |error: csv::Error| FileError::Io { path: path.clone(), source: error.into() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["image_id", "sha256"]).map_err(failed)?;
    for image in &all {
        writer.write_record([&image.id, &image.sha256]).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(file::write(&path, &bytes)?)
}

/// The images that `dir` has features of.
///
/// # Errors
/// A folder that `fgd features` has not filled, or a damaged list.
pub fn read_list(dir: &Path) -> Result<Vec<KeptImage>> {
    let path: PathBuf = dir.join(LIST);
    if !path.exists() {
        let hint =
            format!("has no {LIST}; make it with fgd features --images DIR -o {}", dir.display());
        return Err(Error::checkpoint(dir, hint));
    }
    let broken = |error: csv::Error| Error::checkpoint(&path, error);
    let mut reader = csv::Reader::from_path(&path).map_err(broken)?;
    reader
        .records()
        .map(|row| {
            let row = row.map_err(broken)?;
            let is_hash =
                |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            match (row.get(0), row.get(1).filter(|hash| is_hash(hash))) {
                (Some(id), Some(sha256)) => Ok(KeptImage { id: id.into(), sha256: sha256.into() }),
                _ => {
                    let line = row.position().map_or(0, csv::Position::line);
                    let reason = format!(
                        "line {line}: expected an image id and a SHA-256; run fgd features again"
                    );
                    Err(Error::checkpoint(&path, reason))
                }
            }
        })
        .collect()
}
