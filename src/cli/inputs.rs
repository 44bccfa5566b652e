//! Systems and references as they are given on the command line, and what a record says of them.

use super::exit::{invalid, usage};
use super::files::CaptionArgs;
use super::{findings, validate};
use crate::jobs::provenance;
use crate::jobs::scoring::system::{System, SystemError};
use anyhow::Context;
use clap::Args;
use fgd_captions::{self as captions, CaptionFile, ReadOptions};
use fgd_record::Input;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The columns of the reference file, where they differ from those of the submissions.
#[derive(Debug, Args)]
pub struct ReferenceColumns {
    /// Column of the reference file that holds the image ids, where --id-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_ID_COLUMN")]
    reference_id_column: Option<String>,
    /// Column of the reference file that holds the captions, where --caption-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_CAPTION_COLUMN")]
    reference_caption_column: Option<String>,
}

impl ReferenceColumns {
    /// The columns of the ids and of the captions, where they are given.
    pub fn names(&self) -> (&Option<String>, &Option<String>) {
        (&self.reference_id_column, &self.reference_caption_column)
    }

    /// Reads the references; those with errors are refused.
    pub fn open(&self, path: &Path, captions: &CaptionArgs) -> anyhow::Result<System> {
        let mut options = captions.options();
        if self.reference_id_column.is_some() {
            options.id_column = self.reference_id_column.clone();
        }
        if self.reference_caption_column.is_some() {
            options.caption_column = self.reference_caption_column.clone();
        }
        let references = System::open(path, &options).context("references")?;
        if let System::Captions(file) = &references {
            let mut found = file.findings.clone();
            found.extend(captions::lint(file));
            let errors = findings::errors(&found);
            // What a participant sees must not show anything of the references, so only the count.
            anyhow::ensure!(
                errors == 0,
                "the references have {errors} {}; `fgd validate` on their file lists them",
                if errors == 1 { "error" } else { "errors" }
            );
        }
        Ok(references)
    }
}

/// Reads a submission.
pub fn open_submission(path: &Path, options: &ReadOptions) -> anyhow::Result<System> {
    System::open(path, options).map_err(|error| match error {
        SystemError::Captions(error) => validate::unreadable(error),
        SystemError::Array(error) => invalid(error.to_string()),
    })
}

/// Captions or embeddings in a system, or the count of saved moments.
pub fn rows(system: &System) -> u64 {
    match system {
        System::Captions(file) => file.captions.len() as u64,
        System::Embeddings { embeddings, .. } => embeddings.nrows() as u64,
        System::Moments { n, .. } => n.unwrap_or(0),
    }
}

/// A file as it stands in a record.
pub fn input(role: &str, name: &str, path: &Path, system: &System) -> anyhow::Result<Input> {
    let sha256 = match system {
        System::Captions(CaptionFile { sha256, .. }) => sha256.clone(),
        _ => fgd_store::hub::sha256(path)?,
    };
    Ok(Input {
        role: role.into(),
        name: name.into(),
        path: path.display().to_string(),
        sha256,
        rows: rows(system),
    })
}

/// What reports call a file that has no other name.
pub fn stem(path: &Path) -> String {
    // A directory's name has no extension, whatever dots it holds.
    let name = match path.is_dir() {
        true => path.file_name(),
        false => path.file_stem(),
    };
    name.unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Hash of the references for the comparability key: of ids and texts, or of the file of embeddings.
pub fn references_sha256(references: &System, input: &Input) -> String {
    match references {
        System::Captions(file) => provenance::captions_sha256(
            file.captions
                .iter()
                .map(|caption| (caption.id.as_str(), caption.text.as_str())),
        ),
        _ => input.sha256.clone(),
    }
}

/// A file with the name of its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What reports call the system.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// Reads arguments of the form `[name=]path`. Without a name the file's own stands in, with its folder
/// where two files would be called the same.
pub fn named(arguments: &[String]) -> anyhow::Result<Vec<Named>> {
    let split: Vec<(Option<&str>, &Path)> = arguments.iter().map(|text| split_name(text)).collect();
    let mut stems: HashMap<String, usize> = HashMap::new();
    for (_, path) in split.iter().filter(|(name, _)| name.is_none()) {
        *stems.entry(stem(path)).or_default() += 1;
    }
    let mut taken = HashSet::new();
    split
        .into_iter()
        .map(|(name, path)| {
            let name = match name {
                Some(name) => name.to_owned(),
                None if stems[&stem(path)] > 1 => path.display().to_string(),
                None => stem(path),
            };
            if !taken.insert(name.clone()) {
                return Err(usage(format!(
                    "two systems are called `{name}`: give each a name of its own, as in NAME={}",
                    path.display()
                )));
            }
            Ok(Named {
                name,
                path: path.into(),
            })
        })
        .collect()
}

/// A file whose own name has an equals sign is taken as it is.
fn split_name(argument: &str) -> (Option<&str>, &Path) {
    match argument.split_once('=') {
        Some((name, path))
            if !name.is_empty() && !name.contains('/') && !Path::new(argument).exists() =>
        {
            (Some(name), Path::new(path))
        }
        _ => (None, Path::new(argument)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let systems = named(&arguments).unwrap();
        systems.into_iter().map(|system| system.name).collect()
    }

    #[test]
    fn names_are_given_or_those_of_the_files() {
        assert_eq!(names(&["base=a/x.csv", "b/y.csv"]), ["base", "y"]);
        assert_eq!(
            names(&["a/x.csv", "b/x.csv", "y.csv"]),
            ["a/x.csv", "b/x.csv", "y"]
        );
        assert_eq!(names(&["runs/lr=3/x.csv"]), ["x"]);
    }

    #[test]
    fn two_systems_of_one_name_are_refused() {
        let twice = ["a=x.csv".to_owned(), "a=y.csv".to_owned()];
        assert!(named(&twice).unwrap_err().to_string().contains("`a`"));
    }
}
