//! Where everything lies in the state folder.
//!
//! ```text
//! history.sqlite
//! accepted/SYSTEM/captions.csv      what a changed system is compared with
//! captions/KEY/captions.csv         captions by the content of what made them, over nights
//! training/KEY/                     runs of fgd train, likewise
//! nights/STAMP/plan.json            the night as it was begun
//! nights/STAMP/STEP.request.json    what a step was asked, and STEP.log what it said
//! nights/STAMP/STEP.json            its record, with STEP.json.done.json when it is finished
//! nights/STAMP/night.json           the record of the night
//! nights/STAMP/finished             the night is over
//! ```

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fgd_store::file::{FileError, write};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::NightlyError;
use super::history::Night;

/// An unfinished night is gone on with for this long; after that a new one begins.
const RESUMABLE: Duration = Duration::from_secs(18 * 3600);

/// The folder of one night.
#[derive(Debug, Clone)]
pub struct NightFolder {
    /// The folder.
    pub path: PathBuf,
    /// Its name, a time without punctuation.
    pub stamp: String,
}

impl NightFolder {
    /// All nights of a state folder, oldest first.
    pub fn all(state: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(state.join("nights")) else {
            return Vec::new();
        };
        let mut nights: Vec<Self> = entries
            .flatten()
            .map(|entry| Self {
                path: entry.path(),
                stamp: entry.file_name().to_string_lossy().into_owned(),
            })
            .filter(|night| night.path.join("plan.json").is_file())
            .collect();
        nights.sort_by(|a, b| a.stamp.cmp(&b.stamp));
        nights
    }

    /// The last night that came to its end.
    pub fn last_finished(state: &Path) -> Option<Self> {
        let finished = |night: &Self| night.is_finished() && night.record().is_file();
        Self::all(state).into_iter().rfind(finished)
    }

    /// Whether there is a night that began then.
    pub fn exists(state: &Path, started: &str) -> bool {
        state.join("nights").join(stamp(started)).exists()
    }

    /// Begins a night.
    pub fn begin(state: &Path, night: &Night) -> Result<Self, NightlyError> {
        let stamp = stamp(&night.started);
        let path = state.join("nights").join(&stamp);
        std::fs::create_dir_all(&path).map_err(|source| NightlyError::io(&path, source))?;
        let text = serde_json::to_vec_pretty(night).unwrap_or_default();
        write(&path.join("plan.json"), &text)?;
        Ok(Self { path, stamp })
    }

    /// The night as it was begun; `None` where the file is not readable.
    pub fn night(&self) -> Option<Night> {
        let text = std::fs::read_to_string(self.path.join("plan.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        self.path.join("finished").exists()
    }

    /// The last night that can be gone on with. A finished one may stand after it where the clock was once ahead.
    pub fn unfinished(state: &Path, now: &str) -> Option<Self> {
        Self::all(state).into_iter().rfind(|night| !night.is_finished() && night.is_resumable(now))
    }

    /// When it began, by the clock of the files.
    pub fn begun(&self) -> Option<SystemTime> {
        let plan = self.path.join("plan.json").metadata().ok()?;
        plan.modified().ok()
    }

    /// Marks it as over.
    pub fn finish(&self) -> Result<(), FileError> {
        write(&self.path.join("finished"), b"")
    }

    /// Whether it began so short a time ago that it is gone on with.
    pub fn is_resumable(&self, now: &str) -> bool {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        let began = self.night().and_then(|night| time(&night.started));
        match (began, time(now)) {
            (Some(began), Some(now)) => (now - began).unsigned_abs() < RESUMABLE,
            _ => false,
        }
    }

    /// A file of a step.
    pub fn file(&self, step: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{}.{extension}", slug(step)))
    }

    /// File of the night's record.
    pub fn record(&self) -> PathBuf {
        self.path.join("night.json")
    }

    /// Captions as they were scored in this night.
    pub fn captions(&self, system: &str, like: &Path) -> PathBuf {
        self.path.join(with_extension(&format!("captions {system}"), like))
    }
}

/// Copies a file; the copy appears whole or not at all.
pub fn copy(from: &Path, to: &Path) -> Result<(), NightlyError> {
    let bytes = std::fs::read(from).map_err(|source| NightlyError::io(from, source))?;
    Ok(write(to, &bytes)?)
}

fn stamp(started: &str) -> String {
    started.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// The accepted captions of a system.
pub fn accepted(state: &Path, system: &str, like: &Path) -> PathBuf {
    let folder = state.join("accepted").join(slug(system));
    folder.join(with_extension("captions", like))
}

/// The accepted captions of a system, whatever form they have.
pub fn find_accepted(state: &Path, system: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(state.join("accepted").join(slug(system))).ok()?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("captions.")
    });
    files.sort();
    files.pop()
}

/// A name that keeps the form of a caption file, two extensions as in `.csv.gz` included.
fn with_extension(name: &str, like: &Path) -> String {
    let own = like.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let extension = own.split_once('.').map_or("csv", |(_, extension)| extension);
    format!("{}.{extension}", slug(name))
}

/// A name as a file name; different names stay different, and none begins with a dot: that would be hidden or a way out.
pub fn slug(name: &str) -> String {
    let plain = |at: usize, c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || (c == '.' && at > 0)
    };
    name.chars()
        .enumerate()
        .map(|(at, c)| match c {
            ' ' => "~".to_owned(),
            c if plain(at, c) => c.to_string(),
            c => format!("%{:x}%", c as u32),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_names_have_different_files() {
        assert_eq!(slug("base v2"), "base~v2");
        assert_ne!(slug("base v2"), slug("base-v2"));
        assert_eq!(slug("naïve"), "na%ef%ve");
        assert_ne!(slug("x@1"), slug("xЁ"));
        assert_eq!((slug("v1.5"), slug("..")), ("v1.5".into(), "%2e%.".into()));
    }

    #[test]
    fn a_night_is_gone_on_with_before_one_of_a_clock_that_was_ahead() {
        let state = tempfile::tempdir().unwrap();
        let now = "2026-11-27T10:00:00Z";
        let begin = |started: &str| {
            let [suite, host, cpu, version] = ["s", "h", "c", "1"].map(str::to_owned);
            let night = Night { suite, started: started.into(), version, commit: None, host, cpu };
            NightFolder::begin(state.path(), &night).unwrap()
        };
        assert!(NightFolder::unfinished(state.path(), now).is_none());
        begin("2026-11-25T09:00:00Z");
        assert!(NightFolder::unfinished(state.path(), now).is_none());
        let tonight = begin("2026-11-27T09:00:00Z");
        begin("2027-11-27T09:00:00Z").finish().unwrap();
        let found = NightFolder::unfinished(state.path(), now);
        assert_eq!(found.unwrap().path, tonight.path);
    }

    #[test]
    fn captions_keep_their_form() {
        let accepted = accepted(Path::new("s"), "a b", Path::new("x/winner.final.csv.gz"));
        assert_eq!(accepted, Path::new("s/accepted/a~b/captions.final.csv.gz"));
    }
}
