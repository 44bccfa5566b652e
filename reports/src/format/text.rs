//! The terminal: aligned, as wide as the window, coloured only where asked.

use unicode_width::UnicodeWidthStr;

use super::Style;
use crate::document::width::{clipped, padded, wrapped};
use crate::document::{Block, Cell, Column, Document, Entry, Table, Tone};

/// Between two columns.
const GAP: usize = 2;
/// A column of text is wrapped to no less than this, unless its words are longer.
const NARROWEST: usize = 12;
/// Words up to this width keep a column of text as wide as they are.
const LONG_WORD: usize = 18;
/// An optional column of text is left out before it gets narrower than this.
const NARROWEST_OPTIONAL: usize = 24;

/// The document for a terminal.
pub fn render(document: &Document, style: &Style) -> String {
    let style = &Style { width: style.width.max(20), ..*style };
    let mut out = String::new();
    push_paragraph(&mut out, &document.title, "", Tone::Strong, style);
    let mut before: Option<&Block> = None;
    let shown = |block: &&Block| !matches!(block, Block::Figures { .. } | Block::Captions { .. });
    for block in document.blocks.iter().filter(shown) {
        if !keeps_together(before, block) {
            out.push('\n');
        }
        before = Some(block);
        match block {
            Block::Line { text } => push_paragraph(&mut out, text, "", Tone::Plain, style),
            Block::Verdict { tone, text } => push_paragraph(&mut out, text, "", *tone, style),
            Block::Notice { tone, text } => {
                let mark = if *tone == Tone::Warning { "! " } else { "" };
                push_paragraph(&mut out, text, mark, *tone, style);
            }
            Block::Table(table) => push_table(&mut out, table, style),
            Block::Entries { title, entries } => {
                push_paragraph(&mut out, title, "", Tone::Strong, style);
                for (i, entry) in entries.iter().enumerate() {
                    push_entry(&mut out, i + 1, entry, style);
                }
            }
            Block::Figures { .. } | Block::Captions { .. } => {}
            Block::Signature { text } => {
                push_line(&mut out, &paint(text, Tone::Dim, style));
            }
        }
    }
    out
}

/// Whether a block stands directly below the one before it; the title stands before the first.
fn keeps_together(before: Option<&Block>, block: &Block) -> bool {
    match (before, block) {
        (None | Some(Block::Line { .. }), Block::Line { .. }) => true,
        (Some(Block::Notice { .. }), Block::Notice { tone, .. }) => *tone == Tone::Plain,
        _ => false,
    }
}

/// Appends a line without the blanks at its end.
fn push_line(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

/// A wrapped text behind a mark; further lines are indented by the mark's width.
fn push_paragraph(out: &mut String, text: &str, mark: &str, tone: Tone, style: &Style) {
    let indent = mark.width();
    let mut start = mark.to_string();
    for line in wrapped(text, style.width.saturating_sub(indent)) {
        push_line(out, &paint(&format!("{start}{line}"), tone, style));
        start = " ".repeat(indent);
    }
}

fn push_entry(out: &mut String, number: usize, entry: &Entry, style: &Style) {
    let heading = format!("{number:>3}. {}  {}", entry.title, entry.detail);
    push_paragraph(out, heading.trim_end(), "", Tone::Plain, style);
    let widths = entry.fields.iter().map(|field| field.label.width());
    let label_width = widths.max().unwrap_or(0).min(style.width / 3);
    let indent = 5 + label_width + GAP;
    for field in &entry.fields {
        let mut label = clipped(&field.label, label_width);
        for line in wrapped(&field.text, style.width.saturating_sub(indent)) {
            let padded = padded(&std::mem::take(&mut label), label_width, false);
            push_line(out, &format!("     {}  {line}", paint(&padded, Tone::Dim, style)));
        }
    }
}

fn push_table(out: &mut String, table: &Table, style: &Style) {
    if !table.title.is_empty() {
        push_paragraph(out, &table.title, "", Tone::Strong, style);
    }
    let aligned = aligned(table);
    let widths = layout(table, &aligned, style.width);
    match &widths {
        Some(widths) => push_grid(out, table, &aligned, widths, style),
        None => push_stacked(out, table, style),
    }
    let left_out: Vec<&str> = (table.columns.iter().enumerate())
        .filter(|(at, column)| widths.as_ref().map_or(column.optional, |widths| widths[*at] == 0))
        .map(|(_, column)| column.name.as_str())
        .collect();
    if let Some(remark) = table.remark(|column| !left_out.contains(&column.name.as_str())) {
        push_paragraph(out, &remark, "", Tone::Dim, style);
    }
    let (columns, them) = match left_out.len() {
        0 => return,
        1 => ("1 column".to_owned(), "it"),
        n => (format!("{n} columns"), "them"),
    };
    let names = left_out.join(", ");
    let text = format!("{columns} left out: {names}; `--format md` has {them}.");
    push_paragraph(out, &text, "", Tone::Dim, style);
}

/// The texts of all cells, numbers padded so that their decimal points stand below each other.
fn aligned(table: &Table) -> Vec<Vec<String>> {
    let texts = |row: &Vec<Cell>| row.iter().map(|cell| cell.text.clone()).collect();
    let mut texts: Vec<Vec<String>> = table.rows.iter().map(texts).collect();
    for (at, column) in table.columns.iter().enumerate() {
        if !column.number {
            continue;
        }
        let tail = |text: &str| text.find('.').map_or(0, |point| text[point..].width());
        let is_value = |text: &str| text.chars().any(|c| c.is_ascii_digit());
        let longest = texts.iter().map(|row| tail(&row[at])).max().unwrap_or(0);
        for row in &mut texts {
            let text = &mut row[at];
            let is_interval = text.starts_with('[');
            if is_value(text) && !is_interval && !text.ends_with('%') {
                text.push_str(&" ".repeat(longest - tail(text)));
            }
        }
    }
    texts
}

/// Widths of the columns, 0 for one that is left out; `None` where the table does not fit at all.
fn layout(table: &Table, texts: &[Vec<String>], width: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = texts.iter().map(|row| row[at].width());
            cells.max().unwrap_or(0).max(column.name.width())
        })
        .collect();
    let mut floors: Vec<usize> = (table.columns.iter().enumerate())
        .map(|(at, column)| {
            let cells: Vec<&str> = texts.iter().map(|row| row[at].as_str()).collect();
            floor(column, &cells, widths[at])
        })
        .collect();
    loop {
        let shown = widths.iter().filter(|w| **w > 0).count();
        let total: usize = widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1);
        let Some(excess) = total.checked_sub(width).filter(|excess| *excess > 0) else {
            return Some(widths);
        };
        // The widest column of text gives way first, then the last column that is optional.
        let widest =
            (0..widths.len()).filter(|at| widths[*at] > floors[*at]).max_by_key(|at| widths[*at]);
        if let Some(widest) = widest {
            widths[widest] = widths[widest].saturating_sub(excess).max(floors[widest]);
        } else {
            let last =
                (0..widths.len()).rfind(|at| table.columns[*at].optional && widths[*at] > 0)?;
            (widths[last], floors[last]) = (0, 0);
        }
    }
}

/// The width below which a column is not wrapped.
fn floor(column: &Column, cells: &[&str], width: usize) -> usize {
    if column.number {
        return width;
    }
    if column.optional {
        return width.min(NARROWEST_OPTIONAL);
    }
    let words = cells.iter().flat_map(|cell| {
        let indent = cell.width() - cell.trim_start().width();
        let first = cell.trim_start().split(' ').next().unwrap_or("");
        cell.split(' ').map(UnicodeWidthStr::width).chain([indent + first.width()])
    });
    let longest = words.max().unwrap_or(0);
    longest.clamp(NARROWEST, LONG_WORD).min(width)
}

fn push_grid(
    out: &mut String,
    table: &Table,
    texts: &[Vec<String>],
    widths: &[usize],
    style: &Style,
) {
    let gap = " ".repeat(GAP);
    let shown: Vec<usize> = (0..widths.len()).filter(|at| widths[*at] > 0).collect();
    let head = shown.iter().map(|at| {
        let column = &table.columns[*at];
        let name = clipped(&column.name, widths[*at]);
        paint(&padded(&name, widths[*at], column.number), Tone::Dim, style)
    });
    push_line(out, &head.collect::<Vec<_>>().join(&gap));
    for (row, row_texts) in table.rows.iter().zip(texts) {
        let cells = shown.iter().map(|at| match table.columns[*at].number {
            true => vec![row_texts[*at].clone()],
            false => wrapped(&row_texts[*at], widths[*at]),
        });
        let cells: Vec<Vec<String>> = cells.collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let parts = shown.iter().zip(&cells).map(|(at, lines)| {
                let text = lines.get(line).map_or("", String::as_str);
                let text = padded(text, widths[*at], table.columns[*at].number);
                paint(&text, row[*at].tone, style)
            });
            push_line(out, &parts.collect::<Vec<_>>().join(&gap));
        }
    }
}

/// For windows narrower than the table: every row as a list of labelled cells.
fn push_stacked(out: &mut String, table: &Table, style: &Style) {
    for row in &table.rows {
        let name = row.iter().find(|cell| !cell.text.is_empty());
        let cells = row.iter().zip(&table.columns);
        for (cell, column) in cells.filter(|(cell, c)| !cell.text.is_empty() && !c.optional) {
            if name.is_some_and(|name| std::ptr::eq::<Cell>(name, cell)) {
                push_paragraph(out, &cell.text, "", cell.tone, style);
            } else {
                let text = format!("{}: {}", column.name, cell.text);
                push_paragraph(out, &text, "    ", cell.tone, style);
            }
        }
    }
}

/// A text in the colour of its tone.
fn paint(text: &str, tone: Tone, style: &Style) -> String {
    let code = match tone {
        Tone::Plain => return text.to_string(),
        _ if !style.color || text.trim().is_empty() => return text.to_string(),
        Tone::Strong => "1",
        Tone::Dim => "2",
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Warning => "1;33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
