//! A document as the templates take it: blocks with their pictures drawn.

use minijinja::{Value, context};

use crate::charts;
use crate::document::{Block, Document, Figure};

/// A document as the templates take it. `id` makes the names of its pictures unique in the page.
pub fn section(document: &Document, id: &str) -> Value {
    let blocks = |blocks: &[Block], place: &str| -> Vec<Value> {
        let place = format!("{id}{place}");
        let view = |(at, block)| view(block, &format!("{place}-{at}"));
        blocks.iter().enumerate().map(view).collect()
    };
    context! {
        title => document.title,
        blocks => blocks(&document.blocks, ""),
        appendix => blocks(&document.appendix, "a"),
    }
}

/// A block with its pictures drawn.
fn view(block: &Block, id: &str) -> Value {
    match block {
        Block::Figures { figures } => {
            let draw = |(at, figure): (usize, &Figure)| {
                let svg = charts::draw(figure, &format!("{id}-{at}"))?;
                Some(context! {
                    svg => Value::from_safe_string(svg),
                    title => figure.title,
                    caption => figure.caption,
                    numbers => figure.numbers,
                })
            };
            let figures: Vec<Value> = figures.iter().enumerate().filter_map(draw).collect();
            context! { block => "figures", figures }
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
            context! { block => "entries", title, entries }
        }
        _ => Value::from_serialize(block),
    }
}

/// Whether a text can stand in a `data:` address.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
