//! Which part of what a file of moments is, so that nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fgd_store::digest::Digest;

use crate::jobs::JobError;
use crate::jobs::shard::Shard;

/// Parts that [`missing`] names.
const MOST_NAMED: usize = 20;

/// Bytes of either end of a file of embeddings that tell it from others: a shard does not read the whole.
const END: u64 = 1 << 20;

/// A part of a whole that was summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Hash of what it is a part of.
    pub whole: u64,
    /// Which part.
    pub shard: Shard,
    /// Hash of the encoder; 0 where embeddings were given.
    pub encoder: u64,
}

impl Part {
    /// As a row of a file.
    pub fn row(self) -> [u64; 4] {
        [self.shard.index(), self.shard.count(), self.whole, self.encoder]
    }

    /// The part that a row of a file says.
    ///
    /// # Errors
    /// Numbers that are no shard.
    pub fn of_row([index, count, whole, encoder]: [u64; 4]) -> Result<Self, String> {
        Ok(Self { whole, shard: format!("{index}/{count}").parse()?, encoder })
    }

    /// The encoder of a file's parts, where every one says it: parts of different ones are not merged.
    pub fn encoder_of(rows: &[[u64; 4]]) -> Option<u64> {
        let known = rows.iter().all(|&[.., encoder]| encoder != 0);
        rows.first().filter(|_| known).map(|&[.., encoder]| encoder)
    }
}

/// The parts of several files, none of them twice.
#[derive(Debug, Default)]
pub struct Parts(Vec<(Part, PathBuf)>);

impl Parts {
    /// Adds those of a file.
    ///
    /// # Errors
    /// One that is there, or overlaps one that is; another encoder.
    pub fn add(&mut self, parts: Vec<Part>, file: &Path) -> Result<(), JobError> {
        for part in &parts {
            for (known, earlier) in &self.0 {
                let (shard, other) = (part.shard, known.shard);
                let why = if part.encoder != known.encoder && part.encoder.min(known.encoder) > 0 {
                    "was embedded by another encoder than".to_owned()
                } else if part.whole != known.whole {
                    continue;
                } else if shard == other {
                    format!(
                        "holds the part {shard} that is there already: a shard counts once; it came with"
                    )
                } else if shard.count() != other.count() {
                    format!(
                        "holds the part {shard} of what is cut in {}, so that they overlap, by",
                        other.count()
                    )
                } else {
                    continue;
                };
                return Err(JobError::usage(format!(
                    "{}: {why} {}",
                    file.display(),
                    earlier.display()
                )));
            }
        }
        self.0.extend(parts.into_iter().map(|part| (part, file.to_owned())));
        Ok(())
    }

    /// All of them in order, those that make up a whole as one.
    pub fn joined(self) -> Vec<Part> {
        let mut parts: Vec<Part> = self.0.into_iter().map(|(part, _)| part).collect();
        parts.sort_unstable();
        for part in parts.chunk_by_mut(|a, b| a.whole == b.whole) {
            if part.len() as u64 == part[0].shard.count() {
                part.iter_mut().for_each(|part| part.shard = Shard::default());
            }
        }
        parts.dedup();
        parts
    }
}

/// The shards without which these are none of a whole, each with that whole, in order, the first [`MOST_NAMED`].
fn missing(parts: &[Part]) -> Vec<(u64, Shard)> {
    let mut wholes: BTreeMap<u64, BTreeSet<Shard>> = BTreeMap::new();
    for part in parts {
        wholes.entry(part.whole).or_default().insert(part.shard);
    }
    // A file may say that there are more than anybody could count.
    let of_whole = |(whole, known): (u64, BTreeSet<Shard>)| {
        let all = known.first().copied().into_iter().flat_map(Shard::all);
        all.filter(move |shard| !known.contains(shard)).map(move |shard| (whole, shard))
    };
    wholes.into_iter().flat_map(of_whole).take(MOST_NAMED).collect()
}

/// What is missing, in words; `None` where nothing is.
pub fn missing_in_words(parts: &[Part]) -> Option<String> {
    let missing = missing(parts);
    let more = if missing.len() == MOST_NAMED { ", …" } else { "" };
    let wholes: Vec<String> = (missing.chunk_by(|(a, _), (b, _)| a == b))
        .map(|shards| {
            shards.iter().map(|(_, shard)| shard.to_string()).collect::<Vec<_>>().join(", ")
        })
        .collect();
    let missing = wholes.join("; and of other data ");
    (!missing.is_empty()).then(|| format!("of a part only, missing are the shards {missing}{more}"))
}

/// What tells a file of embeddings from others.
///
/// # Errors
/// A file that cannot be read.
pub fn identity(file: &Path) -> Result<String, JobError> {
    let read = || -> std::io::Result<String> {
        let mut open = File::open(file)?;
        let bytes = open.metadata()?.len();
        let mut ends = Vec::new();
        (&mut open).take(END).read_to_end(&mut ends)?;
        open.seek(SeekFrom::Start(bytes.saturating_sub(END)))?;
        open.take(END).read_to_end(&mut ends)?;
        let digest = Digest::new("embeddings", 1).field("bytes", bytes.to_string());
        Ok(digest.field("ends", ends).finish())
    };
    read().map_err(JobError::at(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        Part { whole: 7, shard: text.parse().unwrap(), encoder: 0 }
    }

    fn join(texts: &[&str]) -> Result<Vec<Part>, String> {
        let mut parts = Parts::default();
        for text in texts {
            parts.add(vec![part(text)], Path::new(text)).map_err(|error| error.to_string())?;
        }
        Ok(parts.joined())
    }

    #[test]
    fn all_parts_are_the_whole_and_what_it_lacks_is_named() {
        assert_eq!(join(&["2/3", "1/3", "3/3"]), Ok(vec![part("1/1")]));
        let found = join(&["3/3", "1/3"]).unwrap();
        assert_eq!(found, [part("1/3"), part("3/3")]);
        assert_eq!(missing(&found), [(7, "2/3".parse().unwrap())]);
        assert!(missing(&[part("1/1")]).is_empty());
        let much = missing(&[part("1/18446744073709551615")]);
        assert_eq!((much.len(), much[0].1.index()), (MOST_NAMED, 2));
    }

    #[test]
    fn each_whole_is_whole_or_not_by_itself() {
        let mut parts = Parts::default();
        for (whole, shard) in [(1, "1/100"), (2, "1/2"), (3, "2/2"), (3, "1/2")] {
            let part = Part { whole, ..part(shard) };
            parts.add(vec![part], Path::new(shard)).unwrap();
        }
        let shards: Vec<String> =
            parts.joined().iter().map(|part| format!("{} of {}", part.shard, part.whole)).collect();
        assert_eq!(shards, ["1/100 of 1", "1/2 of 2", "1/1 of 3"]);
    }

    #[test]
    fn nothing_counts_twice() {
        for (texts, why) in [
            (["1/2", "1/2"], "counts once"),
            (["1/2", "1/3"], "overlap"),
            (["1/1", "2/2"], "overlap"),
        ] {
            let refused = join(&texts).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let mut parts = Parts::default();
        let of = |whole, encoder| Part { whole, encoder, ..part("1/1") };
        parts.add(vec![of(1, 5)], Path::new("a")).unwrap();
        assert!(parts.add(vec![of(2, 6)], Path::new("b")).is_err());
        assert!(parts.add(vec![of(2, 0)], Path::new("b")).is_ok());
    }
}
