//! Files of one folder that change together, such as the pages of a site.
//!
//! All are written into a folder beside them first, which takes the time; then they are renamed into their places, one after the
//! other, in microseconds each. A process that is killed while it writes leaves the old files as they were. What an earlier
//! time wrote and this one does not is removed: the list of what was written stands beside the files ([`LIST`]), and a file that it does
//! not name is somebody else's and never replaced. The folder itself stays the same one, since servers and containers hold on to it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::file::{self, FileError};
use crate::{lock, temporary};

/// The list of the files that stand in a folder together.
pub const LIST: &str = "pages.txt";
/// How the list begins: no other `pages.txt` says what may be removed.
const TITLE: &str = "# Files that fgd wrote here, and replaces or removes when it writes again";

/// Files that are being written. Dropped without [`commit`](Together::commit) they leave the folder as it was.
///
/// ```
/// use fgd_store::folder::Together;
///
/// # let place = tempfile::tempdir()?;
/// # let site = place.path().join("site");
/// let mut pages = Together::begin(&site)?;
/// pages.write("a.html", b"a")?;
/// pages.write("index.html", b"see a.html")?;
/// pages.commit()?;
///
/// let mut pages = Together::begin(&site)?;
/// pages.write("index.html", b"nothing to see")?;
/// pages.commit()?;
/// assert!(site.join("index.html").exists() && !site.join("a.html").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Together {
    folder: PathBuf,
    stage: TempDir,
    /// Keeps others from sweeping the stage.
    _lock: File,
    names: Vec<String>,
}

impl Together {
    /// Makes the folder where it is missing and gets ready to write.
    ///
    /// # Errors
    /// A folder that cannot be made or written to.
    pub fn begin(folder: &Path) -> Result<Self, FileError> {
        let failed = FileError::io(folder);
        std::fs::create_dir_all(folder).map_err(&failed)?;
        temporary::sweep(folder);
        loop {
            let stage = tempfile::Builder::new().prefix(temporary::PREFIX).tempdir_in(folder);
            let stage = stage.map_err(temporary::unplaced).map_err(&failed)?;
            let lock = File::open(stage.path()).map_err(&failed)?;
            if temporary::is_ours(&lock, stage.path()) {
                return Ok(Self { folder: folder.into(), stage, _lock: lock, names: Vec::new() });
            }
        }
    }

    /// Writes a file, for now beside its place. `name` is a plain file name.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.folder.join(name);
        let put = || {
            let mut file = File::create(self.stage.path().join(name))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        put().map_err(FileError::io(&path))?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Puts all files into their places in the order in which they were written, and removes those of an earlier time that are
    /// not among them.
    ///
    /// # Errors
    /// A file that cannot be put into its place, or somebody else's that stands there.
    pub fn commit(mut self) -> Result<(), FileError> {
        // Another's files must not come between; it has its own in a moment. A file system without locks does without.
        let _others_wait = lock::wait_for_folder(&self.folder);
        let list = self.folder.join(LIST);
        let before = std::fs::read_to_string(&list).unwrap_or_default();
        let now: BTreeSet<String> = self.names.iter().cloned().collect();
        // Until everything is in its place the list names the old and the new: then a killed run leaves nothing that a later
        // one does not know.
        let listed = before.strip_prefix(TITLE).unwrap_or_default().lines();
        let old: BTreeSet<String> =
            listed.filter(|name| is_plain(name)).map(str::to_owned).collect();
        let lists = (!before.is_empty() && !before.starts_with(TITLE)).then(|| LIST.to_owned());
        let is_foreign = |name: &&String| {
            !old.contains(*name) && self.folder.join(name).symlink_metadata().is_ok()
        };
        if let Some(name) = now.difference(&old).chain(&lists).find(is_foreign) {
            return Err(FileError::Foreign(self.folder.join(name)));
        }
        file::write(&list, lines(old.union(&now)).as_bytes())?;
        for name in std::mem::take(&mut self.names) {
            let place = self.folder.join(&name);
            std::fs::rename(self.stage.path().join(&name), &place)
                .map_err(FileError::io(&place))?;
        }
        for name in old.difference(&now) {
            let _ = std::fs::remove_file(self.folder.join(name));
        }
        file::write(&list, lines(now.iter()).as_bytes())?;
        file::sync_folder(&self.folder);
        Ok(())
    }
}

fn lines<'a>(names: impl Iterator<Item = &'a String>) -> String {
    std::iter::once(TITLE)
        .chain(names.map(String::as_str))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Whether a line of the list can be the name of a file in the folder: somebody else may have written it.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && Path::new(name).file_name() == Some(name.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(folder: &Path, pages: &[&str]) -> Together {
        let mut together = Together::begin(folder).unwrap();
        for page in pages {
            together.write(page, page.as_bytes()).unwrap();
        }
        together
    }

    #[test]
    fn nothing_changes_before_the_commit_and_everything_by_it() {
        let place = tempfile::tempdir().unwrap();
        let site = place.path().join("a/site");
        write(&site, &["old.html", "index.html"]).commit().unwrap();
        std::fs::write(site.join("README"), "mine").unwrap();
        let second = write(&site, &["new.html", "index.html"]);
        // A third beside it neither sweeps the second nor is swept.
        drop(write(&site, &["third.html"]));
        assert!(site.join("old.html").exists() && !site.join("new.html").exists());
        second.commit().unwrap();
        assert_eq!(names(&site), ["README", "index.html", "new.html", LIST]);
    }

    #[test]
    fn of_two_that_write_at_once_one_is_there_in_the_end() {
        let place = tempfile::tempdir().unwrap();
        let pages = |letter: &str| (0..20).map(|i| format!("{letter}{i}.html")).collect::<Vec<_>>();
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for letter in ["a", "b"] {
                    let pages = pages(letter);
                    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
                    let together = write(place.path(), &pages);
                    scope.spawn(move || together.commit().unwrap());
                }
            });
            let found = names(place.path());
            let is_whole = |letter: &str| pages(letter).iter().all(|page| found.contains(page));
            assert!(found.len() == 21 && (is_whole("a") || is_whole("b")), "{found:?}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_neither_replaced_nor_removed() {
        for (theirs, list) in [("index.html", None), ("data.csv", Some("data.csv\nindex.html\n"))] {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join(theirs), "theirs").unwrap();
            if let Some(list) = list {
                std::fs::write(place.path().join(LIST), list).unwrap();
            }
            let before = names(place.path());
            let refused = write(place.path(), &["index.html"]).commit().unwrap_err();
            assert!(matches!(refused, FileError::Foreign(_)), "{refused}");
            assert_eq!(names(place.path()), before);
            assert_eq!(std::fs::read(place.path().join(theirs)).unwrap(), b"theirs");
        }
    }

    #[test]
    fn a_list_cannot_remove_what_lies_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let site = place.path().join("site");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(place.path().join("precious"), "").unwrap();
        std::fs::create_dir(site.join("records")).unwrap();
        let list = format!("{TITLE}\n../precious\n/etc/hostname\nrecords\n..\n\n");
        std::fs::write(site.join(LIST), list).unwrap();
        write(&site, &["index.html"]).commit().unwrap();
        assert!(place.path().join("precious").exists() && site.join("records").exists());
    }
}
