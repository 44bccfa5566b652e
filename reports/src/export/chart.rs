//! The headline chart of a record as a file of its own: the first of its pictures, as SVG.

use fgd_record::Record;

use super::ExportError;
use crate::charts;
use crate::document::Block;
use crate::kind;

/// The chart as SVG, on white.
///
/// # Errors
/// [`ExportError::NoChart`] where the record has nothing to draw.
pub fn chart(record: &Record) -> Result<String, ExportError> {
    let none = || ExportError::NoChart { kind: record.results.kind() };
    let document = kind::document(record);
    let figures = document.blocks.iter().filter_map(|block| match block {
        Block::Figures { figures } => Some(figures),
        _ => None,
    });
    let drawn = figures.flatten().find_map(|figure| charts::draw(figure, "chart"));
    let svg = drawn.ok_or_else(none)?;
    // In a page the sheet colours the ground; alone it may lie on anything.
    let start = svg.find('>').ok_or_else(none)? + 1;
    let ground = "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>";
    Ok(format!("{}{ground}{}\n", &svg[..start], &svg[start..]))
}
