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
    /// Those of [`keep_apart`], and of [`name_files`] for the job's own outputs.
    fn keep_apart<const N: usize>(&self, written: [Option<&Path>; N]) -> Result<(), JobError>
    where
        Self: Sized,
    {
        let own = self.outputs();
        name_files(own.iter().copied())?;
        keep_apart(self.inputs(), own.into_iter().map(Some).chain(written))
    }
}

/// Refuses `-` for results that have no way to standard output.
///
/// # Errors
/// An output that is `-`.
pub fn name_files<'a>(outputs: impl IntoIterator<Item = &'a Path>) -> Result<(), JobError> {
    match outputs.into_iter().any(is_stream) {
        true => {
            Err(JobError::usage("-: standard output does not take this result; name a file for it"))
        }
        false => Ok(()),
    }
}

/// Whether a path stands for standard input or output.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses to read standard input twice.
///
/// # Errors
/// Two inputs that are `-`.
pub fn read_once<'a>(inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), JobError> {
    match inputs.into_iter().filter(|path| is_stream(path)).count() {
        0 | 1 => Ok(()),
        _ => Err(JobError::usage(
            "standard input (-) is one file, and two are to be read from it; give the others by their names",
        )),
    }
}

/// Refuses outputs that are inputs of the same command, or one another, by whatever path or link, and inputs of which two are standard
/// input. To be asked before anything is opened for writing.
///
/// # Errors
/// An output that is one of the inputs, or that two results would be written to; those of [`read_once`].
pub fn keep_apart<'a>(
    inputs: impl IntoIterator<Item = &'a Path>,
    outputs: impl IntoIterator<Item = Option<&'a Path>>,
) -> Result<(), JobError> {
    let inputs: Vec<&Path> = inputs.into_iter().collect();
    read_once(inputs.iter().copied())?;
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
        Err(_) if is_stream(path) => None,
        Err(_) => Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?)),
    }
}
