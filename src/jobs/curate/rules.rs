//! The rules that captions go by, one after the other, and what each leaves.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use fgd_captions::{Caption, CaptionFile, Finding, FindingKind, Severity};

use super::images::Images;
use crate::jobs::JobError;
use crate::jobs::scoring::findings::for_record;
use crate::jobs::scoring::system::stem;
use crate::jobs::train::learnable::{REAL, SOURCE, linted, sources};

/// Why a caption goes, in the order in which the rules are gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A model would learn it by heart.
    Harmful,
    /// Its image has it already.
    Repeated,
    /// It is among those least like what a model says.
    Unlike,
    /// It is a synthetic one too many.
    Surplus,
}

impl Rule {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Harmful, Self::Repeated, Self::Unlike, Self::Surplus];

    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Harmful => "harmful",
            Self::Repeated => "repeated",
            Self::Unlike => "unlike",
            Self::Surplus => "surplus",
        }
    }
}

/// A caption on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its file.
    pub file: PathBuf,
    /// Its row there.
    pub row: u64,
    /// The id of its image, as the first of its files has it.
    pub id: String,
    /// The caption.
    pub text: String,
    /// Where it comes from.
    pub source: String,
    /// Cosine to what the model says of the image.
    pub similarity: Option<f32>,
}

impl Row {
    fn is_real(&self) -> bool {
        self.source == REAL
    }
}

/// A caption that goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// The caption.
    pub row: Row,
    /// The rule.
    pub rule: Rule,
    /// What a reader is told.
    pub reason: String,
}

/// Captions in two heaps.
#[derive(Debug, Clone, Default)]
pub struct Heaps {
    /// Those that stay.
    pub kept: Vec<Row>,
    /// Those that go, in the order of the rules.
    pub dropped: Vec<Dropped>,
    /// What the linter has to say of those that stay.
    pub findings: Vec<fgd_record::Finding>,
}

/// Why captions of a file are harmful.
#[derive(Default)]
struct Harm {
    /// Of single captions, by their place in the file.
    of_captions: HashMap<usize, String>,
    /// Of rows as they were read, which may have several captions.
    of_rows: HashMap<u64, (FindingKind, String)>,
}

impl Harm {
    /// Takes an error of a row; the first of a caption stays.
    fn add(&mut self, Finding { caption, row, kind, message, .. }: Finding) {
        match (caption, row) {
            (Some(caption), _) => drop(self.of_captions.entry(caption).or_insert(message)),
            (None, Some(row)) => drop(self.of_rows.entry(row).or_insert((kind, message))),
            (None, None) => {}
        }
    }

    fn of(&self, place: usize, caption: &Caption) -> Option<String> {
        // Of the captions of a row, it is the empty one that is missing.
        let concerns = |kind: FindingKind| {
            let is_missing = matches!(kind, FindingKind::NullCaption | FindingKind::EmptyCaption);
            !is_missing || caption.text.trim().is_empty()
        };
        let of_row = self.of_rows.get(&caption.row).filter(|(kind, _)| concerns(*kind));
        self.of_captions.get(&place).or(of_row.map(|(_, message)| message)).cloned()
    }
}

impl Heaps {
    /// Takes the captions of a file, which come from `default` if it does not say; what the linter finds harmful goes.
    ///
    /// # Errors
    /// An error of the file as a whole.
    pub fn read(&mut self, file: CaptionFile, default: &str) -> Result<(), JobError> {
        let mut harm = Harm::default();
        let (wrong, notes): (Vec<_>, Vec<_>) =
            linted(&file, false).into_iter().partition(|f| f.severity == Severity::Error);
        for finding in wrong {
            // Nothing of one row: the file as a whole is not what it should be.
            if finding.row.is_none() {
                let message = format!("{}: {}", file.path.display(), finding.message);
                return Err(JobError::invalid(message));
            }
            harm.add(finding);
        }
        self.findings.extend(for_record(&notes, &stem(&file.path)));
        let said = file.column(SOURCE).is_some();
        let sources = sources(&file);
        for (place, (caption, source)) in file.captions.into_iter().zip(sources).enumerate() {
            let reason = harm.of(place, &caption);
            let row = Row {
                file: file.path.clone(),
                row: caption.row,
                id: caption.id,
                text: caption.text.trim().to_owned(),
                source: if said { source } else { default.to_owned() },
                similarity: None,
            };
            match reason {
                Some(reason) => self.dropped.push(Dropped { row, rule: Rule::Harmful, reason }),
                None => self.kept.push(row),
            }
        }
        Ok(())
    }

    /// Images that are the same get one id; the same words again, whatever case and spaces, go.
    pub fn drop_repeated(&mut self, images: &Images) {
        let mut ids: HashMap<String, String> = HashMap::new();
        let mut seen: HashMap<(String, String), (PathBuf, u64)> = HashMap::new();
        self.drop_where(Rule::Repeated, |_, row| {
            let image = images.of(&row.id);
            row.id = ids.entry(image).or_insert_with(|| row.id.clone()).clone();
            let words: Vec<String> = row.text.split_whitespace().map(str::to_lowercase).collect();
            match seen.entry((row.id.clone(), words.join(" "))) {
                Entry::Occupied(first) => {
                    let (file, at) = first.get();
                    Some(format!("the image has it already: {}, row {at}", file.display()))
                }
                Entry::Vacant(free) => {
                    free.insert((row.file.clone(), row.row));
                    None
                }
            }
        });
    }

    /// Of the captions that were judged, the `percent` that are least like what the model says go, of real and of synthetic ones apart.
    pub fn drop_unlike(&mut self, percent: f64) {
        let mut unlike = HashSet::new();
        for is_real in [true, false] {
            let rows = self.kept.iter().enumerate().filter(|(_, row)| row.is_real() == is_real);
            let mut judged: Vec<(f32, usize)> =
                rows.filter_map(|(at, row)| Some((row.similarity?, at))).collect();
            judged.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let count = (judged.len() as f64 * percent / 100.0).floor() as usize;
            unlike.extend(judged[..count].iter().map(|(_, at)| *at));
        }
        self.drop_where(Rule::Unlike, |at, row| {
            let cosine = row.similarity.unwrap_or_default();
            let say = || {
                format!(
                    "its cosine to the model's caption, {cosine:.3}, is among the lowest {percent}%"
                )
            };
            unlike.contains(&at).then(say)
        });
    }

    /// Of an image's synthetic captions stay those most like what the model says, else the first ones; at most `most` for each real one.
    pub fn drop_surplus(&mut self, most: f64, images: &Images) {
        let mut real: HashMap<String, f64> = HashMap::new();
        let mut synthetic: HashMap<String, Vec<(f32, usize)>> = HashMap::new();
        for (at, row) in self.kept.iter().enumerate() {
            let image = images.of(&row.id);
            match row.is_real() {
                true => *real.entry(image).or_default() += 1.0,
                false => {
                    synthetic.entry(image).or_default().push((row.similarity.unwrap_or(0.0), at));
                }
            }
        }
        let mut surplus = HashSet::new();
        for (image, mut rows) in synthetic {
            let bearable = (most * real.get(&image).copied().unwrap_or(0.0)).floor() as usize;
            rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            surplus.extend(rows.iter().skip(bearable).map(|(_, at)| *at));
        }
        self.drop_where(Rule::Surplus, |at, _| {
            let say = || format!("more than {most} synthetic to a real caption of its image");
            surplus.contains(&at).then(say)
        });
    }

    /// Captions go for which there is a reason; it is asked for with the place and the row.
    fn drop_where(&mut self, rule: Rule, mut why: impl FnMut(usize, &mut Row) -> Option<String>) {
        for (at, mut row) in std::mem::take(&mut self.kept).into_iter().enumerate() {
            match why(at, &mut row) {
                Some(reason) => self.dropped.push(Dropped { row, rule, reason }),
                None => self.kept.push(row),
            }
        }
    }
}
