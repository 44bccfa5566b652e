//! The journal: captions are on disk as soon as they have ended.
//!
//! JSON Lines. The first line holds the settings; every further line the captions that ended together, appended with a single
//! write and synced, so that a killed process leaves whole lines and at most one torn one, which is cut off on resuming. An
//! image whose file was replaced, or that could not be read, comes again in a later line; nothing is ever taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fgd_store::file::FileError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::preprocess::FileState;

/// What became of one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The image's id.
    pub id: String,
    /// Its caption; absent if the image was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Generated token ids, where there is one caption.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// All captions, where there are several; `caption` is then the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Time spent on it: its own vision part and an equal share of every step of the batch that it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// The file that was captioned; absent if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileState>,
    /// Why there is no caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One of several captions of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The text.
    pub caption: String,
    /// Generated token ids.
    pub tokens: Vec<u32>,
    /// Natural logarithm of the probability that the model gives these tokens; absent if the model gave no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_probability: Option<f64>,
}

impl Outcome {
    /// Nothing is known yet but the file.
    pub(super) fn of(id: String, file: Option<FileState>) -> Self {
        Self {
            id,
            caption: None,
            tokens: Vec::new(),
            samples: Vec::new(),
            milliseconds: None,
            file,
            error: None,
        }
    }

    /// Tokens generated for the image.
    pub fn generated(&self) -> usize {
        self.tokens.len() + self.samples.iter().map(|sample| sample.tokens.len()).sum::<usize>()
    }

    /// Whether its caption has as many tokens as one may have, of which none ends it: it stops where it was cut off.
    pub fn is_cut_off(&self, max_new_tokens: usize, eos: &[u32]) -> bool {
        let sample = self.samples.iter().find(|one| Some(&one.caption) == self.caption.as_ref());
        let tokens = sample.map_or(&self.tokens, |sample| &sample.tokens);
        tokens.len() >= max_new_tokens && tokens.last().is_some_and(|last| !eos.contains(last))
    }

    /// Whether this is the caption of the file that stands at `path` now.
    pub fn is_caption_of(&self, path: &Path) -> bool {
        self.caption.is_some() && self.file.as_ref().is_some_and(|file| file.is_of(path))
    }
}

/// Version of the journal: 4 since the size of batches, of which no caption depends, is not among a CPU's settings.
const VERSION: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Header {
    journal: u32,
    settings: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Batch {
    batch: usize,
    outcomes: Vec<Outcome>,
}

/// How every journal begins.
const BEGIN: &[u8] = b"{\"journal\":";

/// An open journal, locked against other processes.
pub struct Journal {
    path: PathBuf,
    file: File,
    batches: usize,
}

impl Journal {
    /// Opens or creates the journal for these settings; returns what it already holds, in the order in which it was written.
    /// With `restart` that is forgotten, once no other process writes the journal.
    ///
    /// # Errors
    /// A journal of other settings or another version, one that is damaged or that another process writes.
    pub fn open(
        path: &Path,
        settings: &Map<String, Value>,
        restart: bool,
    ) -> Result<(Self, Vec<Outcome>)> {
        let refuse = |reason: String| Error::Journal { path: path.into(), reason };
        let mut file = locked(path)?;
        if restart {
            file.set_len(0).map_err(Error::io(path))?;
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::io(path))?;
        // Whatever follows the last newline was being written when the process ended.
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut journal = Self { path: path.into(), file, batches: 0 };

        let mut lines = text[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let Some(first) = lines.next() else {
            if !text.starts_with(BEGIN) && !BEGIN.starts_with(&text) {
                return Err(refuse("is no journal; give another -o or --restart".into()));
            }
            journal.cut(0)?;
            journal.append(&Header { journal: VERSION, settings: settings.clone() })?;
            return Ok((journal, Vec::new()));
        };
        let header: Header = serde_json::from_slice(first).map_err(|e| {
            refuse(format!("line 1 is no journal header ({e}); give another -o or --restart"))
        })?;
        if header.journal != VERSION {
            let age = if header.journal < VERSION { "an older" } else { "a newer" };
            return Err(refuse(format!(
                "was written by {age} version of the program; give another -o, or --restart to begin anew"
            )));
        }
        if let Some(difference) = difference(&header.settings, settings) {
            return Err(refuse(format!(
                "was begun with other settings ({difference}); give the same, another place, or --restart to begin anew"
            )));
        }
        let mut outcomes = Vec::new();
        for (index, line) in lines.enumerate() {
            let batch: Batch = serde_json::from_slice(line).map_err(|e| {
                refuse(format!("line {} is damaged ({e}); --restart begins anew", index + 2))
            })?;
            if batch.batch != index {
                return Err(refuse(format!(
                    "line {} is batch {}; --restart begins anew",
                    index + 2,
                    batch.batch
                )));
            }
            outcomes.extend(batch.outcomes);
            journal.batches += 1;
        }
        journal.cut(whole)?;
        Ok((journal, outcomes))
    }

    /// Goes on behind these bytes.
    fn cut(&mut self, whole: usize) -> Result<()> {
        self.file.set_len(whole as u64).map_err(Error::io(&self.path))?;
        self.file.seek(SeekFrom::End(0)).map_err(Error::io(&self.path))?;
        Ok(())
    }

    /// Batches written so far.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Appends the next batch and waits until it is on disk.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn push(&mut self, outcomes: &[Outcome]) -> Result<()> {
        self.append(&Batch { batch: self.batches, outcomes: outcomes.to_vec() })?;
        self.batches += 1;
        Ok(())
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let failed = |e: std::io::Error| Error::Io { path: self.path.clone(), source: e };
        let mut bytes = serde_json::to_vec(line).map_err(|e| failed(e.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }
}

/// Finds out whether a journal can be written at `path`, and makes an empty one where there is none.
///
/// # Errors
/// A place that cannot be written, or a journal that another process writes.
pub fn check_place(path: &Path) -> Result<()> {
    locked(path).map(drop)
}

fn locked(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).map_err(|source| FileError::Io { path: path.into(), source })?;
    Ok(fgd_store::lock::hold(file, path)?)
}

/// Settings by name, those within others with a dot.
pub fn flat(settings: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut all = BTreeMap::new();
    for (key, value) in settings {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                let inner = flat(inner).into_iter();
                all.extend(inner.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            _ => drop(all.insert(key.clone(), value)),
        }
    }
    all
}

/// The settings that differ, then and now.
fn difference(then: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    let (then, now) = (flat(then), flat(now));
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let shown = |map: &BTreeMap<String, &Value>, key: &str| {
        map.get(key).map_or("absent".into(), |value| value.to_string())
    };
    let different: Vec<String> = keys
        .into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| format!("{key}: {} then, {} now", shown(&then, key), shown(&now, key)))
        .collect();
    (!different.is_empty()).then(|| different.join(", "))
}
