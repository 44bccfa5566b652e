//! Captioning on several machines: what a shard's record says of the whole, and the whole from its shards.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use fgd_captioner::run::ImageFile;
use fgd_captions::ReadOptions;
use fgd_record::Results;
use fgd_store::digest::Digest;
use fgd_store::file;
use serde_json::Value;

use crate::jobs::JobError;
use crate::jobs::apart::{keep_apart, name_files};
use crate::jobs::captions_csv::captions_csv;
use crate::jobs::saved;
use crate::jobs::shard::Shard;

/// Settings that tell the shards of one run apart.
const OWN: [&str; 3] = ["shard", "images", "images_sha256"];

/// One part of a list of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    shard: Shard,
    listed: u64,
    list_sha256: String,
}

impl Part {
    /// This part of the list; `None` for the whole.
    pub fn of(shard: Shard, list: &[ImageFile]) -> Option<Self> {
        let digest = || Digest::new("ids of images", 1);
        let of_ids = || list.iter().fold(digest(), |digest, image| digest.field("id", &image.id));
        (shard != Shard::default()).then(|| Self {
            shard,
            listed: list.len() as u64,
            list_sha256: of_ids().finish(),
        })
    }

    /// What a record says of it.
    pub(super) fn settings(&self) -> [(String, Value); 3] {
        [
            ("shard".into(), self.shard.to_string().into()),
            ("listed".into(), self.listed.into()),
            ("list_sha256".into(), self.list_sha256.clone().into()),
        ]
    }
}

/// What became of the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Captions written.
    pub captions: usize,
    /// Images that the list has.
    pub listed: u64,
}

/// One shard that has ended.
struct Ended<'a> {
    file: &'a Path,
    shard: Shard,
    /// All that must be the same for all shards.
    shared: BTreeMap<String, Value>,
    captions: u64,
    captions_sha256: Option<String>,
    listed: u64,
}

impl<'a> Ended<'a> {
    fn open(file: &'a Path) -> Result<Self, JobError> {
        let path = file::beside(file, "record.json");
        let wrong = |what: &str| JobError::usage(format!("{}: {what}", path.display()));
        if !file.is_file() {
            let problem = match file.is_dir() {
                true => "is a directory; give the files that `fgd caption --shard` wrote",
                false => "there is no such file; check the path",
            };
            return Err(JobError::usage(format!("{}: {problem}", file.display())));
        }
        let record = saved::read(&path).map_err(|error| {
            JobError::usage(format!(
                "{error}; `fgd caption --shard` writes it when the shard has ended: run it again, it goes on"
            ))
        })?;
        let Results::Caption(results) = record.results else {
            return Err(wrong("is no record of `fgd caption`"));
        };
        let mut shared = record.settings;
        let own = OWN.map(|name| shared.remove(name));
        let shard = own[0].as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        let shard = shard.ok_or_else(|| wrong("is of a run without --shard"))?;
        let listed = shared.get("listed").and_then(Value::as_u64).unwrap_or_default();
        let (captions, captions_sha256) = (results.captions, results.captions_sha256);
        Ok(Self { file, shard, shared, captions, captions_sha256, listed })
    }
}

/// Joins the captions of all shards of a run, in the order of its list, and writes them.
///
/// # Errors
/// A shard that has not ended, is missing, is there twice or is of another run; a file that does not hold the captions that its
/// record tells of.
pub fn merge(files: &[PathBuf], output: &Path) -> Result<Merged, JobError> {
    name_files([output])?;
    keep_apart(files.iter().map(|file| &**file), [Some(output)])?;
    let mut shards: Vec<Ended> =
        files.iter().map(|file| Ended::open(file)).collect::<Result<_, _>>()?;
    shards.sort_by_key(|ended| ended.shard.index());
    let first = shards.first().ok_or_else(|| JobError::usage("no file given"))?;
    are_of_one_run(first, &shards)?;
    are_whole(first.shard.count(), &shards)?;
    let listed = first.listed;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut from: HashMap<String, &Path> = HashMap::new();
    for ended in &shards {
        let found = fgd_captions::read(ended.file, &ReadOptions::default())?;
        if found.captions.len() as u64 != ended.captions {
            return Err(JobError::usage(format!(
                "{}: {} captions, where its record has {}; run the shard again",
                ended.file.display(),
                found.captions.len(),
                ended.captions
            )));
        }
        if ended.captions_sha256.as_ref().is_some_and(|written| *written != found.sha256) {
            return Err(JobError::usage(format!(
                "{}: was changed after its captions were written; run the shard again, or merge first and change the whole",
                ended.file.display()
            )));
        }
        for caption in found.captions {
            if let Some(other) = from.insert(caption.id.clone(), ended.file) {
                return Err(JobError::usage(format!(
                    "{}: image {} stands in {} too",
                    ended.file.display(),
                    caption.id,
                    other.display()
                )));
            }
            rows.push((caption.id, caption.text));
        }
    }
    let csv = captions_csv(rows.iter().map(|(id, caption)| (id.as_str(), caption.as_str())))
        .map_err(JobError::at(output))?;
    file::write(output, &csv)?;
    Ok(Merged { captions: rows.len(), listed })
}

fn are_of_one_run(first: &Ended, shards: &[Ended]) -> Result<(), JobError> {
    for other in shards {
        let names = first.shared.keys().chain(other.shared.keys());
        let differs = |name: &&String| first.shared.get(*name) != other.shared.get(*name);
        if let Some(name) = names.into_iter().find(differs) {
            let show = |shard: &Ended| match shard.shared.get(name) {
                Some(value) => format!("{} in {}", value, shard.file.display()),
                None => format!("not there in {}", shard.file.display()),
            };
            return Err(JobError::usage(format!(
                "the shards are of different runs: {name} is {} and {}",
                show(first),
                show(other)
            )));
        }
    }
    Ok(())
}

/// Whether each of `count` shards is there once.
fn are_whole(count: u64, shards: &[Ended]) -> Result<(), JobError> {
    if let Some(other) = shards.iter().find(|ended| ended.shard.count() != count) {
        return Err(JobError::usage(format!(
            "{} is one of {} shards and {} one of {count}",
            other.file.display(),
            other.shard.count(),
            shards[0].file.display()
        )));
    }
    let mut neighbours = shards.iter().zip(&shards[1..]);
    if let Some((a, b)) = neighbours.find(|(a, b)| a.shard == b.shard) {
        return Err(JobError::usage(format!(
            "{} and {} are both shard {}",
            a.file.display(),
            b.file.display(),
            a.shard
        )));
    }
    let there = |index: &u64| shards.iter().any(|ended| ended.shard.index() == *index);
    let missing: Vec<String> =
        (1..=count).filter(|index| !there(index)).take(20).map(|index| index.to_string()).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => {
            Err(JobError::usage(format!("of {count} shards are missing: {}", missing.join(", "))))
        }
    }
}
