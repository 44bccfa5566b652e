//! How many images are captioned together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Rows of a step that [`BatchSize::Auto`] begins with: fewer hardly cost less anywhere.
const FIRST: usize = 8;

/// Most rows of a step that it goes up to.
const MOST: usize = 64;

/// A step that has twice the rows must be worth this share of two.
const WORTH: f64 = 0.8;

/// Images wait until such a part of the batch is free, so that some go through the encoder together.
const PART: usize = 4;

/// Steps that are timed at least.
const STEPS: usize = 3;

/// How many images are captioned together: a number, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum BatchSize {
    /// As many as pay on this machine, as its steps show, and fit its memory.
    #[default]
    Auto,
    /// So many, at least 1.
    Images(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(usize),
    Word(String),
}

impl TryFrom<Written> for BatchSize {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Word(word) => word.parse(),
        }
    }
}

impl From<BatchSize> for Written {
    fn from(size: BatchSize) -> Self {
        match size {
            BatchSize::Auto => Self::Word("auto".into()),
            BatchSize::Images(number) => Self::Number(number),
        }
    }
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(number)) if number > 0 => Ok(Self::Images(number)),
            _ => Err(format!("the batch size is {text}; it must be a number from 1 on, or `auto`")),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Images(number) => number.fmt(f),
        }
    }
}

/// The images that a batch has room for. As steps read the same weights for many rows as for few, [`BatchSize::Auto`] doubles
/// them as long as that makes captions cheaper.
#[derive(Debug, Clone)]
pub struct Width {
    images: usize,
    most: usize,
    /// Seconds of a step for each image, with half the images.
    before: f64,
    grows: bool,
}

impl Width {
    /// For images of so many rows and bytes each, in so much memory.
    pub fn new(size: BatchSize, rows: usize, bytes: usize, memory: Option<u64>) -> Self {
        let fitting = memory.map_or(usize::MAX, |memory| memory as usize / bytes.max(1)).max(1);
        let (images, grows) = match size {
            BatchSize::Auto => ((FIRST / rows).clamp(1, fitting), true),
            BatchSize::Images(images) => (images, false),
        };
        let most = (MOST / rows).min(fitting);
        Self { images, most, before: f64::INFINITY, grows }
    }

    /// Images that are to join `open` others now.
    pub fn room(&self, open: usize) -> usize {
        let free = self.images.saturating_sub(open);
        if open > 0 && free * PART < self.images { 0 } else { free }
    }

    /// Learns what `steps` of `open` images took.
    pub fn learn(&mut self, open: usize, steps: usize, seconds: f64) {
        if !self.grows || open < self.images || steps < STEPS {
            return;
        }
        let now = seconds / (steps * open) as f64;
        let pays = now < WORTH * self.before;
        self.grows = pays && 2 * self.images <= self.most;
        self.before = now;
        if self.grows {
            self.images *= 2;
        } else if !pays {
            self.images = (self.images / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The width that is reached where a step of so many rows costs that.
    fn reached(size: BatchSize, rows: usize, memory: u64, cost: impl Fn(usize) -> f64) -> usize {
        let mut width = Width::new(size, rows, 1 << 20, Some(memory));
        for _ in 0..10 {
            let open = width.images;
            width.learn(open, 4, 4.0 * cost(open * rows));
        }
        width.images
    }

    #[test]
    fn it_grows_as_long_as_rows_are_cheap() {
        let auto = |rows, cost: fn(usize) -> f64| reached(BatchSize::Auto, rows, 1 << 40, cost);
        // Weights alone, rows alone, and rows that cost as much as the weights from the 16th on.
        assert_eq!(auto(1, |_| 1.0), 64);
        assert_eq!(auto(1, |rows| rows as f64), 8);
        assert_eq!(auto(1, |rows| 1.0 + (rows as f64 / 16.0)), 32);
        assert_eq!(auto(5, |_| 1.0), 8);
        assert_eq!(auto(100, |_| 1.0), 1);
        assert_eq!(reached(BatchSize::Auto, 1, 20 << 20, |_| 1.0), 16);
        assert_eq!(reached(BatchSize::Auto, 1, 0, |_| 1.0), 1);
        assert_eq!(reached(BatchSize::Images(3), 1, 0, |_| 1.0), 3);
    }

    #[test]
    fn images_join_when_a_part_of_the_batch_is_free() {
        let width = Width::new(BatchSize::Images(16), 1, 1, None);
        assert_eq!([0, 1, 12, 13, 16].map(|open| width.room(open)), [16, 15, 4, 0, 0]);
        let one = Width::new(BatchSize::Images(1), 5, 1, None);
        assert_eq!([0, 1].map(|open| one.room(open)), [1, 0]);
    }

    #[test]
    fn sizes_are_numbers_or_a_word() {
        let read = |text: &str| serde_json::from_str::<BatchSize>(text);
        assert_eq!(read("\"auto\"").unwrap(), BatchSize::Auto);
        assert_eq!(read("8").unwrap(), BatchSize::Images(8));
        assert_eq!(serde_json::to_string(&BatchSize::Images(8)).unwrap(), "8");
        for wrong in ["0", "\"many\"", "-1", "1.5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
