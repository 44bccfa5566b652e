//! What a command writes is kept apart from what it reads: a result in the place of its own input would be its end.

use std::path::{Path, PathBuf};

use fgd_store::file::folder_of;

use super::JobError;

/// The files of a job.
pub trait Apart {
    /// Those that it reads.
    fn inputs(&self) -> Vec<&Path>;

    /// Those that it writes itself, beside the record.
    fn outputs(&self) -> Vec<&Path> {
        Vec::new()
    }

    /// [`keep_apart`], with what else the command writes.
    ///
    /// # Errors
    /// Those of [`keep_apart`].
    fn keep_apart<const N: usize>(&self, written: [Option<&Path>; N]) -> Result<(), JobError>
    where
        Self: Sized,
    {
        keep_apart(self.inputs(), self.outputs().into_iter().map(Some).chain(written))
    }
}

/// Refuses outputs that are inputs of the same command, or one another, by whatever path or link. To be asked before anything is
/// opened for writing.
///
/// # Errors
/// An output that is one of the inputs, or that two results would be written to.
pub fn keep_apart<'a>(
    inputs: impl IntoIterator<Item = &'a Path>,
    outputs: impl IntoIterator<Item = Option<&'a Path>>,
) -> Result<(), JobError> {
    let read: Vec<PathBuf> = inputs.into_iter().filter_map(place).collect();
    let mut written = Vec::new();
    for output in outputs.into_iter().flatten() {
        let Some(place) = place(output) else { continue };
        let wrong = |what: &str| Err(JobError::usage(format!("{}: {what}", output.display())));
        if read.contains(&place) {
            return wrong("is an input of this command; write the result to another file");
        }
        if written.contains(&place) {
            return wrong(
                "two results of this command would be written there; name a file for each",
            );
        }
        written.push(place);
    }
    Ok(())
}

/// The file that a path leads to, also one that is not there yet. `None` for streams, devices and folders, which a result does not
/// replace.
fn place(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(found) => found.is_file().then_some(found),
        Err(_) if path == Path::new("-") => None,
        Err(_) => Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?)),
    }
}
