//! How tables of several systems show the distances: the parts of the paired one, and the set distance, whose bias can
//! not always be removed.

use fgd_record::{Decomposition, ScoreResults, SetMeasure};

use crate::document::number::{MISSING, value};
use crate::document::{Cell, Document, Tone, grouped};

/// A part of `fgd_paired`.
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    of: fn(&Decomposition) -> f64,
}

/// The parts of `fgd_paired`.
pub const PARTS: [Part; 3] = [
    Part {
        name: "mean shift",
        of: |parts| parts.mean_shift,
    },
    Part {
        name: "covariance",
        of: |parts| parts.covariance,
    },
    Part {
        name: "misalignment",
        of: |parts| parts.misalignment,
    },
];

impl Part {
    /// The part of a system's distance.
    pub fn cell(&self, scores: &ScoreResults) -> Cell {
        Cell::value(
            scores.decomposition.as_ref().map(self.of),
            scores.fgd_paired.se,
        )
    }
}

/// The distance with its bias removed and its interval; else the raw distance, marked as such.
pub fn cell(set: &SetMeasure) -> Cell {
    match (set.corrected, set.value) {
        (None, Some(raw)) => Cell::new(format!("{} raw", value(Some(raw), set.se)), Some(raw)),
        _ => Cell::with_interval(&set.without_bias()),
    }
}

/// What is said of a set distance.
#[derive(PartialEq)]
enum Said {
    Warning,
    Raw,
    Missing,
}

/// What must be known of the set distances of these systems, each thing said once.
pub fn notices<'a>(
    document: &mut Document,
    systems: impl Iterator<Item = (&'a str, &'a SetMeasure)>,
) {
    let said = systems.flat_map(|(name, set)| {
        let missing = if set.value.is_some() {
            Said::Raw
        } else {
            Said::Missing
        };
        let warning = set
            .warning
            .as_deref()
            .map(|text| ((Said::Warning, text), name));
        let reason = set.reason.as_deref().map(|text| ((missing, text), name));
        warning.into_iter().chain(reason)
    });
    for ((said, text), names) in grouped(said) {
        let of = listed(&names);
        match said {
            Said::Warning => document.notice(Tone::Warning, format!("fgd_set of {of}: {text}")),
            Said::Raw => document.notice(Tone::Plain, format!("fgd_set of {of} is raw: {text}")),
            Said::Missing => {
                document.notice(Tone::Plain, format!("{MISSING} fgd_set of {of}: {text}"))
            }
        }
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
