//! Files that appear whole or not at all: the one writer of the house.
//!
//! Whatever holds results is written beside its place, brought to the disk and only then given its name, so that neither a
//! reader nor a crash ever meets half a file. [`Output::create`] comes before the work, whose result would be lost to an
//! unwritable place; [`Output::commit`] comes after it. What stands beside meanwhile is `temporary`'s.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::temporary::{sweep, temporary_in};

/// Links that are followed before they are taken for a circle, as Linux does.
const MOST_LINKS: usize = 40;

/// Why a file could not be written. One line that names it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A folder stands where the file should be.
    #[error("{}: is a directory; give the name of a file to write", .0.display())]
    Directory(PathBuf),
    /// Another process holds it.
    #[error("{}: another process is writing it; wait for it or give another -o", .0.display())]
    Busy(PathBuf),
    /// A file that this program did not write.
    #[error("{}: is there already, and not written by fgd; name another folder, or move it away", .0.display())]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{}: cannot be written: {source}{}", path.display(), advice(source))]
    Io {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }
}

/// `captions.csv` → `captions.csv.journal.jsonl`: what belongs to a file stands beside it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; make its folder first",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make its folder writable, or name another place"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room and run again",
        _ => "",
    }
}

/// A file that is being written. Dropped without [`commit`](Output::commit) it leaves what was there before.
///
/// ```
/// use std::io::Write;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("scores.csv");
/// let mut output = fgd_store::file::Output::create(&path)?;
/// writeln!(output, "system,fgd")?;
/// assert!(!path.exists());
/// output.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "system,fgd\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    /// Becomes `target` on commit.
    Beside { temporary: BufWriter<NamedTempFile>, target: PathBuf },
    /// A device, a pipe or a socket: there is nothing to put in its place.
    InPlace(BufWriter<File>),
}

impl Output {
    /// Opens the file that will stand at `path`. Symbolic links are followed, so that a link stays and what it points to is
    /// replaced; what is not a regular file is written in place. The permissions are those of the file that is replaced, or
    /// those of any new file.
    ///
    /// # Errors
    /// A directory of that name, a folder that is missing or may not be written.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let failed = FileError::io(path);
        let old = match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let sink = match &old {
            Some(old) if old.is_dir() => return Err(FileError::Directory(path.into())),
            Some(old) if !old.is_file() => {
                let device = OpenOptions::new().write(true).open(path);
                Sink::InPlace(BufWriter::new(device.map_err(failed)?))
            }
            _ => {
                let target = follow(path).map_err(&failed)?;
                sweep(folder_of(&target));
                let temporary = temporary_in(folder_of(&target), old.map(|old| old.permissions()));
                Sink::Beside { temporary: BufWriter::new(temporary.map_err(failed)?), target }
            }
        };
        Ok(Self { path: path.into(), sink })
    }

    /// The file, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the last of it, then [`commit`](Output::commit)s.
    ///
    /// # Errors
    /// As [`Output::commit`].
    pub fn commit_with(mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.write_all(bytes).map_err(FileError::io(&self.path))?;
        self.commit()
    }

    /// Brings everything to the disk and puts the file into its place.
    ///
    /// # Errors
    /// What could not be written; the place then holds what it held before.
    pub fn commit(self) -> Result<(), FileError> {
        let failed = FileError::io(&self.path);
        match self.sink {
            Sink::InPlace(mut device) => device.flush().map_err(failed),
            Sink::Beside { temporary, target } => {
                let temporary =
                    temporary.into_inner().map_err(|error| failed(error.into_error()))?;
                temporary.as_file().sync_all().map_err(&failed)?;
                temporary.persist(&target).map_err(|error| failed(error.error))?;
                sync_folder(folder_of(&target));
                Ok(())
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Beside { temporary, .. } => temporary.write(bytes),
            Sink::InPlace(device) => device.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Beside { temporary, .. } => temporary.flush(),
            Sink::InPlace(device) => device.flush(),
        }
    }
}

/// Writes a whole file; see [`Output`].
///
/// # Errors
/// As [`Output::create`] and [`Output::commit`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    Output::create(path)?.commit_with(bytes)
}

/// Where `path` leads when its last part is a symbolic link, whether or not something is there.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        if !target.is_symlink() {
            return Ok(target);
        }
        target = folder_of(&target).join(std::fs::read_link(&target)?);
    }
    Err(io::Error::other("its symbolic links go in a circle"))
}

/// The folder that a file is in: this one, where its name is bare and [`Path::parent`] is empty.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the new name last through a power failure, on the file systems that can sync a folder.
pub(super) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_has_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, path) = (folder.path().join("plain"), folder.path().join("a"));
        std::fs::write(&plain, "").unwrap();
        write(&path, b"whole").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(mode(&path), mode(&plain));
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for kept in [0o600, 0o666, 0o640] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(kept)).unwrap();
            write(&path, b"new").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            assert_eq!(mode(&path), kept, "{kept:o}");
        }
    }

    #[test]
    fn what_is_not_committed_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(&[b'n'; 100_000]).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        drop(output);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"half").unwrap();
        std::fs::write(folder.path().join(".fgd-tmp-killed"), "half").unwrap();
        std::fs::create_dir_all(folder.path().join(".fgd-tmp-folder/inner")).unwrap();
        std::fs::create_dir(folder.path().join(".fgd-cache")).unwrap();
        write(&folder.path().join("b"), b"whole").unwrap();
        output.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"half");
        assert_eq!(names(folder.path()), [".fgd-cache", "a", "b"]);
    }

    #[test]
    fn links_stay_and_what_they_point_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("inside")).unwrap();
        std::fs::write(at("inside/old"), "old").unwrap();
        symlink("inside/old", at("relative")).unwrap();
        symlink(at("relative"), at("second")).unwrap();
        symlink("inside/new", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        write(&at("second"), b"new").unwrap();
        write(&at("dangling"), b"first").unwrap();
        assert_eq!(std::fs::read(at("inside/old")).unwrap(), b"new");
        assert_eq!(std::fs::read(at("inside/new")).unwrap(), b"first");
        for link in ["relative", "second", "dangling"] {
            assert!(at(link).is_symlink(), "{link}");
        }
        assert_eq!(names(&at("inside")), ["new", "old"]);
        assert!(write(&at("circle"), b"").is_err());
    }

    #[test]
    fn a_pipe_is_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        symlink("pipe", &link).unwrap();
        for path in [&pipe, &link] {
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || std::fs::read(pipe).unwrap()
            });
            write(path, b"through").unwrap();
            assert_eq!(reader.join().unwrap(), b"through");
        }
        let kind = std::fs::symlink_metadata(&pipe).unwrap().file_type();
        assert!(kind.is_fifo());
        assert_eq!(names(folder.path()), ["link", "pipe"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| Output::create(path).unwrap_err().to_string();
        let text = message(folder.path());
        assert!(text.ends_with("is a directory; give the name of a file to write"));
        let text = message(&folder.path().join("no/such.csv"));
        assert!(text.contains("such.csv: cannot be written"), "{text}");
        assert!(text.ends_with("; make its folder first"), "{text}");

        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
        // The superuser may write anywhere: what the system says of a plain file holds for ours.
        let refused = File::create(closed.join("plain")).is_err();
        let output = Output::create(&closed.join("a"));
        assert_eq!(output.is_err(), refused);
        if let Err(error) = output {
            assert!(error.to_string().contains("make its folder writable"));
        }
    }
}
