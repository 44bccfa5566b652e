//! Parts of a whole, for work on several machines: consecutive, disjoint, and nearly equal.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Shards that [`missing`] names.
pub const MOST_NAMED: usize = 20;

/// One of several parts of a whole, written `I/N` with I from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Default for Shard {
    /// The whole.
    fn default() -> Self {
        Self { index: 1, count: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not I/N with 1 ≤ I ≤ N, such as 1/8");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (u64, u64) =
            (index.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self { index, count })
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Which part it is, from 1.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u64 {
        self.count
    }

    /// The part's elements, of a slice of so many.
    pub fn indices(self, count: usize) -> std::ops::Range<usize> {
        let range = self.range(count as u64);
        range.start as usize..range.end as usize
    }

    /// The rows of the part, of a whole of `rows`.
    pub fn range(self, rows: u64) -> std::ops::Range<u64> {
        let at =
            |index: u64| (u128::from(rows) * u128::from(index) / u128::from(self.count)) as u64;
        at(self.index - 1)..at(self.index)
    }
}

/// The shards without which these are none of a whole, in order, the first [`MOST_NAMED`]. Several files may be cut into as many.
pub fn missing(shards: &[Shard]) -> Vec<Shard> {
    let mut wholes: BTreeMap<u64, BTreeMap<u64, usize>> = BTreeMap::new();
    for shard in shards {
        *wholes.entry(shard.count).or_default().entry(shard.index).or_default() += 1;
    }
    let of_whole = |(count, known): (u64, BTreeMap<u64, usize>)| {
        let most = known.values().copied().max().unwrap_or_default();
        let is_missing = move |index: &u64| known.get(index).is_none_or(|&times| times < most);
        (1..=count).filter(is_missing).map(move |index| Shard { index, count })
    };
    wholes.into_iter().flat_map(of_whole).take(MOST_NAMED).collect()
}

/// These shards, unless they make up wholes.
pub fn open(shards: Vec<Shard>) -> Vec<Shard> {
    if missing(&shards).is_empty() { Vec::new() } else { shards }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_whole_lacks_is_named() {
        let missing = |texts: &[&str]| {
            let shards: Vec<Shard> = texts.iter().map(|text| text.parse().unwrap()).collect();
            missing(&shards).iter().map(Shard::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(missing(&[]), "");
        assert_eq!(missing(&["1/1"]), "");
        assert_eq!(missing(&["2/3", "1/3", "1/2"]), "2/2 3/3");
        assert_eq!(missing(&["2/2", "1/2", "1/2", "2/2"]), "");
        assert_eq!(missing(&["2/2", "1/2", "1/2"]), "2/2");
    }

    #[test]
    fn shards_cover_every_row_once() {
        for rows in [0, 1, 7, 1000] {
            for count in [1, 2, 3, 8] {
                let mut next = 0;
                for index in 1..=count {
                    let range = Shard { index, count }.range(rows);
                    assert_eq!(range.start, next);
                    next = range.end;
                }
                assert_eq!(next, rows);
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0/3", "4/3", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
