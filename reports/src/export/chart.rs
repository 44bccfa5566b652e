//! The headline chart of a record as a file of its own: the first of its pictures, as SVG or PNG, with what it shows and of which
//! encoder.

use fgd_record::{Record, Results};

use super::ExportError;
use crate::charts;
use crate::document::{Block, Figure};
use crate::kind;

/// The chart as SVG, on white.
///
/// # Errors
/// [`ExportError::NoChart`] where the record has nothing to draw.
pub fn chart(record: &Record) -> Result<String, ExportError> {
    let none = || ExportError::NoChart { kind: record.results.kind() };
    let svg = first(record, charts::alone).ok_or_else(none)?;
    // In a page the sheet colours the ground and keeps lines away from letters; alone it may lie on anything.
    let start = svg.find('>').ok_or_else(none)? + 1;
    let ground = "<style>text{paint-order:stroke;stroke:#fff;stroke-width:5px;stroke-linejoin:round}</style>\
                  <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>";
    Ok(format!("{}{ground}{}\n", &svg[..start], &svg[start..]))
}

/// The chart as the file of a PNG, on white.
///
/// # Errors
/// As [`chart`].
pub fn chart_png(record: &Record) -> Result<Vec<u8>, ExportError> {
    first(record, charts::png).ok_or(ExportError::NoChart { kind: record.results.kind() })
}

/// The first figure that can be drawn.
fn first<T>(record: &Record, draw: impl Fn(&Figure, &str) -> Option<T>) -> Option<T> {
    let document = kind::document(record);
    let line = encoder(record);
    let figures = document.blocks.iter().filter_map(|block| match block {
        Block::Figures { figures } => Some(figures),
        _ => None,
    });
    figures.flatten().find_map(|figure| draw(figure, &line))
}

/// Whose numbers they are; empty where nothing is embedded.
fn encoder(record: &Record) -> String {
    match &record.encoder {
        Some(encoder) if encoder.is_gte_small => format!("encoder {}", encoder.id),
        Some(encoder) => format!("NOT FGD: encoder {}", encoder.id),
        None if is_scored(&record.results) => "embeddings as given".to_owned(),
        None => String::new(),
    }
}

/// Whether distances are what the record is about.
fn is_scored(results: &Results) -> bool {
    matches!(results, Results::Score(_) | Results::Compare(_) | Results::Leaderboard(_))
}
