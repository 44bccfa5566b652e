//! How tables of several systems show the distances: the parts of the paired one, and the set distance, whose bias can
//! not always be removed.

use fgd_record::{Decomposition, Mark, ScoreResults, SetMeasure};

use crate::document::number::{MISSING, value};
use crate::document::{Cell, Document, Tone, grouped};

/// A part of `fgd_paired`.
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    of: fn(&Decomposition) -> f64,
}

/// The parts of `fgd_paired`, as columns: the largest as a rule comes first, for narrow terminals leave out the last.
pub const PARTS: [Part; 3] = [
    Part::new("misalignment", |parts| parts.misalignment),
    Part::new("mean shift", |parts| parts.mean_shift),
    Part::new("covariance", |parts| parts.covariance),
];

impl Part {
    const fn new(name: &'static str, of: fn(&Decomposition) -> f64) -> Self {
        Self { name, of }
    }

    /// The part of a system's distance.
    pub fn cell(&self, scores: &ScoreResults) -> Cell {
        let part = scores.decomposition.as_ref().map(self.of);
        Cell::value(part, scores.fgd_paired.se)
    }
}

/// The distance with its bias removed and its interval; else the raw distance, marked as such.
pub fn cell(set: &SetMeasure) -> Cell {
    match (set.corrected, set.value) {
        (None, Some(raw)) => Cell::new(format!("{} raw", value(Some(raw), set.se)), Some(raw)),
        _ => marked(Cell::with_interval(&set.without_bias()), &set.marks),
    }
}

/// A number with what is said beside it where its interval is not to be taken like the others.
pub fn marked(mut cell: Cell, marks: &[Mark]) -> Cell {
    if !marks.is_empty() {
        let labels: Vec<&str> = marks.iter().map(|mark| mark.label()).collect();
        cell.text = format!("{} ({})", cell.text, labels.join(", "));
    }
    cell
}

/// What must be known of the set distances of these systems, each thing said once.
pub fn notices<'a>(
    document: &mut Document,
    systems: impl Iterator<Item = (&'a str, &'a SetMeasure)>,
) {
    let said = systems.flat_map(|(name, set)| {
        let missing = set.value.is_none();
        let warning = set.warning.iter().map(|text| (Tone::Warning, false, text));
        let reason = set.reason.iter().map(move |text| (Tone::Plain, missing, text));
        warning.chain(reason).map(move |said| (said, name))
    });
    for ((tone, missing, text), names) in grouped(said) {
        let of = listed(&names);
        let text = match (tone, missing) {
            (Tone::Warning, _) => format!("fgd_set of {of}: {text}"),
            (_, false) => format!("fgd_set of {of} is raw: {text}"),
            (_, true) => format!("{MISSING} fgd_set of {of}: {text}"),
        };
        document.notice(tone, text);
    }
}

/// Three names at most, and how many more there are.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_string(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}
