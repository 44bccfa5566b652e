//! Systems and references as they are given on the command line.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::files::Fields;
use super::output::Output;
use crate::jobs::leaderboard::submissions;
use crate::jobs::options::{Named, References};
pub use crate::jobs::scoring::system::stem;

/// The columns of the reference file, where they differ from those of the submissions.
#[derive(Debug, Args)]
pub struct ReferenceColumns {
    /// --fields of the reference file, where they differ.
    #[arg(long, value_name = "image=PATH,caption=PATH", env = "FGD_REFERENCE_FIELDS", conflicts_with_all = ["reference_id_column", "reference_caption_column"])]
    reference_fields: Option<Fields>,
    /// Column of the reference file that holds the image ids, where --id-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_ID_COLUMN")]
    reference_id_column: Option<String>,
    /// Column of the reference file that holds the captions, where --caption-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_CAPTION_COLUMN")]
    reference_caption_column: Option<String>,
}

impl ReferenceColumns {
    /// The references in the file at `path`.
    pub fn of(self, path: PathBuf) -> References {
        References {
            path,
            id_column: Fields::image(&self.reference_fields).or(self.reference_id_column),
            caption_column: Fields::caption(&self.reference_fields)
                .or(self.reference_caption_column),
        }
    }
}

/// Reads arguments of the form `[name=]path`. Without a name the file's own stands in, with its folder
/// where two files would be called the same.
pub fn named(arguments: &[String]) -> Vec<Named> {
    let split: Vec<(Option<&str>, &Path)> = arguments.iter().map(|text| split_name(text)).collect();
    let mut stems: HashMap<String, usize> = HashMap::new();
    for (_, path) in split.iter().filter(|(name, _)| name.is_none()) {
        *stems.entry(stem(path)).or_default() += 1;
    }
    split
        .into_iter()
        .map(|(name, path)| {
            let name = match name {
                Some(name) => name.to_owned(),
                None if stems[&stem(path)] > 1 => path.display().to_string(),
                None => stem(path),
            };
            Named { name, path: path.into() }
        })
        .collect()
}

/// Puts the caption files and embeddings of a folder, in the order of their names, in the place of the folder. `besides` and what
/// `fgd caption` writes beside its captions are left out, and of all else that is, the names are said.
///
/// # Errors
/// A file that is not there; a folder that cannot be read or holds no such file.
pub fn with_folders(
    arguments: &[String],
    besides: &Path,
    output: &Output,
) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for argument in arguments {
        let folder = Path::new(argument);
        if !folder.is_dir() {
            let (_, file) = split_name(argument);
            // What a folder holds may fail alone; a name that is given and not there is a slip.
            if file != Path::new("-") && !file.exists() {
                anyhow::bail!("{}: there is no such file; check the path", file.display());
            }
            all.push(argument.clone());
            continue;
        }
        let (files, others) = submissions(folder, besides)?;
        if !others.is_empty() {
            let names: Vec<_> = others
                .iter()
                .filter_map(|path| Some(path.file_name()?.to_string_lossy()))
                .collect();
            output.say(format!(
                "{argument}: left out, as no caption file and no .npy: {}",
                names.join(", ")
            ));
        }
        all.extend(files.iter().map(|path| path.to_string_lossy().into_owned()));
    }
    Ok(all)
}

/// A file whose own name has an equals sign is taken as it is.
fn split_name(argument: &str) -> (Option<&str>, &Path) {
    match argument.split_once('=') {
        Some((name, path))
            // What stands before an equals sign of `CHECKPOINT@KEY=VALUE` is no name.
            if !name.is_empty() && !name.contains(['/', '@']) && !Path::new(argument).exists() =>
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
        named(&arguments).into_iter().map(|system| system.name).collect()
    }

    #[test]
    fn names_are_given_or_those_of_the_files() {
        assert_eq!(names(&["base=a/x.csv", "b/y.csv"]), ["base", "y"]);
        assert_eq!(names(&["a/x.csv", "b/x.csv", "y.csv"]), ["a/x.csv", "b/x.csv", "y"]);
        assert_eq!(names(&["runs/lr=3/x.csv"]), ["x"]);
    }
}
