//! Records of 21,000 captions: as many as the training set of a competition has, in words drawn at random.

use fgd_record::{CaptionNumbers, CaptionTable, Record, SystemCaptions};

const IMAGES: usize = 21_000;
const SYLLABLES: [&str; 16] = [
    "ka", "lo", "mi", "ren", "sta", "tu", "vor", "bel", "dan", "fe", "gri", "hul", "ja", "pen",
    "qui", "zo",
];

/// A generator of Lehmer's: the same records every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 as usize % bound
    }

    /// One of 4,096 words, the first ones more often, as in a language.
    fn word(&mut self) -> String {
        let rank = self.below(4096).min(self.below(4096)).min(self.below(4096));
        [rank % 16, rank / 16 % 16, rank / 256].map(|at| SYLLABLES[at]).concat()
    }

    fn text(&mut self) -> String {
        let words = 12 + self.below(14);
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    /// The text with a few other words.
    fn like(&mut self, text: &str) -> String {
        let words = text.split(' ').map(|word| match self.below(4) {
            0 => self.word(),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A record with captions of the systems of these names beside references.
pub fn with_captions(record: Record, systems: &[&str]) -> Record {
    let mut draw = Draw(7);
    let references: Vec<Vec<String>> = (0..IMAGES).map(|_| vec![draw.text()]).collect();
    let labels = ["Dog", "Street", "Food", "Text"];
    let label = |image: usize| labels[image % labels.len()].to_owned();
    let systems = systems.iter().map(|name| {
        let captions = references.iter().map(|reference| draw.like(&reference[0])).collect();
        let mut column = |name: &str, higher: bool| CaptionNumbers {
            name: name.into(),
            label: name.into(),
            higher_is_better: Some(higher),
            values: (0..IMAGES).map(|_| Some(draw.below(1_000_000) as f64 / 1e6)).collect(),
        };
        let mut cider = column("CIDEr-D", true);
        // A number that not every caption has.
        cider.values.iter_mut().step_by(7).for_each(|value| *value = None);
        SystemCaptions {
            name: (*name).into(),
            numbers: vec![column("distance", false), column("influence", false), cider],
            rows: (1..=IMAGES as u64).collect(),
            captions,
            findings: [("repetition".to_owned(), (0..IMAGES as u64).step_by(100).collect())].into(),
        }
    });
    let table = CaptionTable {
        systems: systems.collect(),
        ids: (0..IMAGES).map(|image| format!("{image:06}.jpg")).collect(),
        groups: [("label".to_owned(), (0..IMAGES).map(label).collect())].into(),
        references,
        thumbnails: record.captions.map(|table| table.thumbnails).unwrap_or_default(),
    };
    Record { captions: Some(table), ..record }
}
