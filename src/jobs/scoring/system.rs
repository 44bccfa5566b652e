//! What stands for a system or for references on the command line.

use std::path::{Path, PathBuf};

use fgd_captions::{
    self as captions, CaptionFile, Finding, FindingKind, Known, ReadError, ReadOptions,
};
use fgd_metrics::moments::Moments;
use fgd_record::Input;
use fgd_record::words::counted;
use fgd_store::arrays::{self, ArrayError, ArrayKind, MeanCovariance};
use fgd_store::digest::file_sha256;
use ndarray::Array2;

use super::borrowed::ReadReferences;
use super::findings;
use crate::jobs::JobError;
use crate::jobs::moments::{Part, missing_in_words};
use crate::jobs::options::References;
use crate::jobs::provenance::captions_sha256;
use crate::jobs::validate::unreadable;

/// How far from 1 the length of an embedding may be, which is more than 16 bits lose of it.
const UNIT: f64 = 1e-3;

/// Captions, their embeddings, or the moments of these.
#[derive(Debug)]
pub enum System {
    /// A caption file.
    Captions(CaptionFile),
    /// A `.npy` file of embeddings; row `i` belongs to image `i`.
    Embeddings {
        /// The file.
        path: PathBuf,
        /// Its rows.
        embeddings: Array2<f32>,
    },
    /// A `.npz` file of moments.
    Moments {
        /// The file.
        path: PathBuf,
        /// What it holds.
        moments: Box<Moments>,
        /// How many embeddings they were made of, where the file says so.
        n: Option<u64>,
        /// The parts that they say they are of.
        shards: Vec<[u64; 4]>,
    },
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A caption file.
    #[error(transparent)]
    Captions(#[from] ReadError),
    /// A file of embeddings or moments.
    #[error(transparent)]
    Array(#[from] ArrayError),
}

impl System {
    /// Reads what `path` holds: `.npy` and `.npz` by their names, captions otherwise.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, SystemError> {
        match ArrayKind::of(path) {
            Some(ArrayKind::Embeddings) => Ok(Self::Embeddings {
                path: path.into(),
                embeddings: arrays::read_embeddings(path)?,
            }),
            Some(ArrayKind::Moments) => {
                let mut read = arrays::read_moments(path)?;
                let (n, shards) = (read.n, std::mem::take(&mut read.shards));
                let moments = Box::new(moments_of(read, path)?);
                Ok(Self::Moments { path: path.into(), moments, n, shards })
            }
            None => Ok(Self::Captions(captions::read(path, options)?)),
        }
    }

    /// Reads a submission: one that cannot be read is invalid, unless the machine is to blame.
    ///
    /// # Errors
    /// A file that is not there or not to be read, or whose content is nothing that can be scored.
    pub fn open_submission(path: &Path, options: &ReadOptions) -> Result<Self, JobError> {
        Self::open(path, options).map_err(|error| match error {
            SystemError::Captions(error) => unreadable(error),
            SystemError::Array(error @ ArrayError::Io { .. }) => error.into(),
            SystemError::Array(error) => JobError::invalid(error),
        })
    }

    /// Reads the references; those with errors are refused.
    ///
    /// # Errors
    /// References that cannot be read, or that have errors. What a participant sees must not show what the references
    /// say, so only kinds and places are said.
    pub fn open_references(
        references: &References,
        submissions: &ReadOptions,
    ) -> Result<Self, JobError> {
        let path = &references.path;
        let opened = match Self::is_captions(path) {
            true => {
                let read = references.read_by(submissions, |options| captions::read(path, options));
                read.map_err(SystemError::from).map(|ReadReferences { mut file, notes, .. }| {
                    file.findings.extend(notes);
                    Self::Captions(file)
                })
            }
            false => Self::open(path, submissions),
        };
        let opened = opened.map_err(|error| JobError::because("references", error))?;
        if let Self::Captions(file) = &opened {
            let found = [&*file.findings, &captions::lint(file)].concat();
            Self::check_references(&references.path, &found)?;
        }
        Ok(opened)
    }

    /// Refuses references in which errors were found.
    ///
    /// # Errors
    /// How many there are, of what kinds, and where.
    pub fn check_references(path: &Path, found: &[Finding]) -> Result<(), JobError> {
        let errors = findings::errors(found);
        if errors == 0 {
            return Ok(());
        }
        let message = format!(
            "{}: the references have {} ({}); `fgd validate --role references` lists them",
            path.display(),
            counted(errors, "error"),
            findings::kinds(found)
        );
        Err(JobError::Failed(message.into()))
    }

    /// Whether a file of this name holds captions, and not arrays.
    pub fn is_captions(path: &Path) -> bool {
        ArrayKind::of(path).is_none()
    }

    /// [`captions::settle`], where both sides are captions.
    pub fn settle(&mut self, references: &Self) {
        if let (Self::Captions(file), Self::Captions(references)) = (self, references) {
            captions::settle(file, references, Known::All);
        }
    }

    /// Whether only moments are known.
    pub fn is_moments(&self) -> bool {
        matches!(self, Self::Moments { .. })
    }

    /// Captions or embeddings, or the count of saved moments, 0 where it is not known.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Captions(file) => file.captions.len() as u64,
            Self::Embeddings { embeddings, .. } => embeddings.nrows() as u64,
            Self::Moments { n, .. } => n.unwrap_or(0),
        }
    }

    /// The file as it stands in a record.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn input(&self, role: &str, name: &str, path: &Path) -> Result<Input, JobError> {
        let sha256 = match self {
            Self::Captions(file) => file.sha256.clone(),
            _ => file_sha256(path)?,
        };
        Ok(Input {
            role: role.into(),
            name: name.into(),
            path: path.display().to_string(),
            sha256,
            rows: self.rows(),
        })
    }

    /// What two records must share in their references to be comparable: a hash over ids and texts, or that of the file
    /// of embeddings.
    pub fn references_sha256(&self, input: &Input) -> String {
        match self {
            Self::Captions(file) => {
                let captions = file.captions.iter();
                captions_sha256(
                    captions.map(|caption| (caption.id.as_str(), caption.text.as_str())),
                )
            }
            _ => input.sha256.clone(),
        }
    }

    /// What is to be known of embeddings: that they are not of unit length, as those of captions are. Every distance is then on
    /// another scale.
    pub fn notes(&self) -> Vec<Finding> {
        let (path, embeddings) = match self {
            Self::Captions(_) => return Vec::new(),
            Self::Moments { shards, .. } => return part_only(shards).into_iter().collect(),
            Self::Embeddings { path, embeddings } => (path, embeddings),
        };
        let lengths = embeddings.outer_iter().map(|row| {
            row.iter().map(|&component| f64::from(component).powi(2)).sum::<f64>().sqrt()
        });
        let is_off = |(_, length): &(u64, f64)| (length - 1.0).abs() > UNIT;
        let off: Vec<(u64, f64)> = (1..).zip(lengths).filter(is_off).collect();
        let note = |&(row, length): &(u64, f64)| {
            let message = format!(
                "the first of {} embeddings in {} that are not of unit length: it has {length:.4}. Distances are on another scale than \
                 those of fgd; divide every row by its length",
                off.len(),
                path.display()
            );
            Finding::note(FindingKind::NotUnitLength, message).at(row)
        };
        off.first().map(note).into_iter().collect()
    }

    /// What a sentence calls it.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Captions(_) => "captions",
            Self::Embeddings { .. } => "embeddings",
            Self::Moments { .. } => "moments",
        }
    }
}

/// What reports call a file that has no other name.
pub fn stem(path: &Path) -> String {
    // A directory's name has no extension, whatever dots it holds.
    let name = match path.is_dir() {
        true => path.file_name(),
        false => path.file_stem(),
    };
    let name = name.unwrap_or(path.as_os_str()).to_string_lossy();
    // `dave.csv.gz` is the file of dave too.
    let is_gz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let inner = Path::new(&*name).file_stem().filter(|_| is_gz && !path.is_dir());
    inner.map_or_else(|| name.to_string(), |inner| inner.to_string_lossy().into_owned())
}

/// That moments are those of a part, where they say so.
fn part_only(shards: &[[u64; 4]]) -> Option<Finding> {
    let parts: Vec<Part> = shards.iter().filter_map(|&row| Part::of_row(row).ok()).collect();
    Some(Finding::note(FindingKind::PartOnly, missing_in_words(&parts)?))
}

/// The moments that were read of `path`.
///
/// # Errors
/// A sigma that is no covariance.
pub fn moments_of(read: MeanCovariance, path: &Path) -> Result<Moments, ArrayError> {
    let MeanCovariance { mu, sigma, n, .. } = read;
    Moments::from_mean_covariance(n.unwrap_or(2), mu, sigma, 1)
        .map_err(|error| ArrayError::Format { path: path.into(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_compressed_has_the_name_of_what_is_in_it() {
        let names = ["a/dave.csv", "dave.csv.gz", "v1.2.csv", "v1.2.jsonl.GZ", "-"];
        let stems = names.map(|name| stem(Path::new(name)));
        assert_eq!(stems, ["dave", "dave", "v1.2", "v1.2", "-"]);
    }
}
