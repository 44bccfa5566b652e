//! A document as the templates take it: blocks with their pictures drawn, and what a reader finds where.

use minijinja::{Value, context};

use super::{captions, table};
use crate::charts;
use crate::document::{Block, Document, Figure, Tone};

/// Remarks in a row from which on they are folded into one line.
const FOLDED: usize = 3;

/// A document as the templates take it. `id` makes the names of its parts unique in the page.
pub fn section(document: &Document, id: &str) -> Value {
    let is_verdict = |block: &&Block| matches!(block, Block::Verdict { .. });
    let first = document.blocks.iter().take_while(is_verdict).count();
    let (verdicts, blocks) = document.blocks.split_at(first);
    let blocks = views(blocks, id);
    let contents: Vec<Value> = blocks.iter().filter_map(entry).collect();
    context! {
        id,
        title => document.title,
        verdicts => views(verdicts, &format!("{id}v")),
        blocks,
        contents,
        appendix => views(&document.appendix, &format!("{id}a")),
    }
}

/// The blocks with their pictures drawn.
fn views(blocks: &[Block], id: &str) -> Vec<Value> {
    let is_remark = |block: &Block| {
        matches!(block, Block::Notice { tone: Tone::Warning | Tone::Plain | Tone::Dim, .. })
    };
    let mut views = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        let remarks = blocks[at..].iter().take_while(|block| is_remark(block)).count();
        if remarks >= FOLDED {
            let notices: Vec<Value> =
                blocks[at..at + remarks].iter().map(Value::from_serialize).collect();
            views.push(context! { block => "remarks", notices });
            at += remarks;
        } else {
            views.push(view(&blocks[at], &format!("{id}-{at}")));
            at += 1;
        }
    }
    views
}

/// Where a titled block stands, for the list of what is on the page.
fn entry(block: &Value) -> Option<Value> {
    let text = |name: &str| block.get_attr(name).ok().and_then(|v| v.as_str().map(str::to_owned));
    let kind = text("block")?;
    let title = match kind.as_str() {
        "figures" => "Charts".to_owned(),
        _ => text("title").filter(|title| !title.is_empty())?,
    };
    // A long heading is named by its beginning.
    let title = title.split(" (").next().unwrap_or_default().to_owned();
    Some(context! { id => text("id")?, title })
}

/// A block with its pictures drawn.
fn view(block: &Block, id: &str) -> Value {
    match block {
        Block::Table(of) => table::view(of, id),
        Block::Captions { table } => captions::view(table, id),
        Block::Figures { figures } => {
            let draw = |(at, figure): (usize, &Figure)| {
                let svg = charts::draw(figure, &format!("{id}-{at}"))?;
                let numbers = figure.table();
                Some(context! {
                    svg => Value::from_safe_string(svg),
                    title => figure.title,
                    caption => figure.caption,
                    csv => numbers.as_ref().map(crate::format::csv_of),
                    numbers => numbers.as_ref().map(|of| table::view(of, &format!("{id}-{at}n"))),
                })
            };
            let figures: Vec<Value> = figures.iter().enumerate().filter_map(draw).collect();
            context! { block => "figures", id, figures }
        }
        Block::Entries { title, entries } => {
            let entries: Vec<Value> = entries
                .iter()
                .map(|entry| {
                    let picture = entry.thumbnail_jpeg.as_ref().filter(|t| is_base64(t));
                    context! {
                        title => entry.title,
                        detail => entry.detail,
                        fields => entry.fields,
                        picture,
                    }
                })
                .collect();
            context! { block => "entries", id, title, entries }
        }
        _ => Value::from_serialize(block),
    }
}

/// Whether a text can stand in a `data:` address.
pub fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
