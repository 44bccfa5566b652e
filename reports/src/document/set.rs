//! How tables of several systems show the set distance, whose bias can not always be removed.

use super::number::{MISSING, value};
use super::{Block, Cell, Tone, visible};
use fgd_record::SetMeasure;

/// The distance with its bias removed and its interval; else the raw distance, marked as such.
pub fn cell(set: &SetMeasure) -> Cell {
    match (set.corrected, set.value) {
        (None, Some(raw)) => Cell::number(format!("{} raw", value(Some(raw), set.se)), Some(raw)),
        _ => Cell::with_interval(&set.without_bias()),
    }
}

/// What must be known of the set distances of these systems, each thing said once.
pub fn notices<'a>(systems: impl Iterator<Item = (&'a str, &'a SetMeasure)>) -> Vec<Block> {
    let mut said: Vec<((Tone, &str), Vec<&str>)> = Vec::new();
    for (name, set) in systems {
        let warning = set.warning.as_deref().map(|text| (Tone::Warning, text));
        let tone = match set.value {
            Some(_) => Tone::Dim,
            None => Tone::Plain,
        };
        let reason = set.reason.as_deref().map(|text| (tone, text));
        for about in [warning, reason].into_iter().flatten() {
            match said.iter_mut().find(|(known, _)| *known == about) {
                Some((_, names)) => names.push(name),
                None => said.push((about, vec![name])),
            }
        }
    }
    said.into_iter()
        .map(|((tone, text), names)| {
            let of = listed(&names);
            let text = match tone {
                Tone::Warning => format!("fgd_set of {of}: {text}"),
                Tone::Dim => format!("fgd_set of {of} is raw: {text}"),
                _ => format!("{MISSING} fgd_set of {of}: {text}"),
            };
            let tone = match tone {
                Tone::Dim => Tone::Plain,
                tone => tone,
            };
            Block::Notice {
                tone,
                text: visible(&text),
            }
        })
        .collect()
}

/// Three names at most, and how many more there are.
fn listed(names: &[&str]) -> String {
    match names {
        [names @ .., last] if names.len() < 3 => match names {
            [] => (*last).to_owned(),
            _ => format!("{} and {last}", names.join(", ")),
        },
        _ => format!("{} and {} more", names[..2].join(", "), names.len() - 2),
    }
}
