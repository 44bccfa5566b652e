//! Markdown as GitHub draws it: tables, and nothing that a caption could turn into markup.

use crate::document::{Block, Document, Entry, Table, Tone};

/// The document in Markdown.
pub fn render(document: &Document) -> String {
    let mut out = format!("# {}\n", escaped(&document.title));
    for block in &document.blocks {
        if matches!(block, Block::Figures { .. } | Block::Captions { .. }) {
            continue;
        }
        out.push('\n');
        match block {
            Block::Line { text } => out.push_str(&format!("{}\n", escaped(text))),
            Block::Verdict { text, .. } => out.push_str(&format!("**{}**\n", escaped(text))),
            Block::Notice { tone, text } => {
                let mark = if *tone == Tone::Warning { "**Warning.** " } else { "" };
                out.push_str(&format!("> {mark}{}\n", escaped(text)));
            }
            Block::Table(table) => push_table(&mut out, table),
            Block::Entries { title, entries } => {
                out.push_str(&format!("## {}\n\n", escaped(title)));
                for (i, entry) in entries.iter().enumerate() {
                    push_entry(&mut out, i + 1, entry);
                }
            }
            Block::Figures { .. } | Block::Captions { .. } => {}
            Block::Signature { text } => {
                out.push_str(&format!("Signature: {}\n", escaped(text)));
            }
        }
    }
    out
}

fn push_table(out: &mut String, table: &Table) {
    out.push_str(&format!("## {}\n\n", escaped(&table.title)));
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let columns = || table.columns.iter();
    out.push_str(&line(columns().map(|c| escaped(&c.name)).collect()));
    let rule = |number| if number { "---:" } else { "---" }.to_string();
    out.push_str(&line(columns().map(|c| rule(c.number)).collect()));
    for row in &table.rows {
        let cells = row.iter().map(|cell| {
            let indent = cell.text.len() - cell.text.trim_start().len();
            let text = escaped(cell.text.trim_start());
            match cell.tone {
                Tone::Strong | Tone::Good | Tone::Bad if !text.is_empty() => format!("**{text}**"),
                _ => format!("{}{text}", "&emsp;".repeat(indent / 2)),
            }
        });
        out.push_str(&line(cells.collect()));
    }
    if let Some(remark) = table.remark(|_| true) {
        out.push_str(&format!("\n{}\n", escaped(&remark)));
    }
}

fn push_entry(out: &mut String, number: usize, entry: &Entry) {
    let detail = match entry.detail.as_str() {
        "" => String::new(),
        detail => format!(" ({})", escaped(detail)),
    };
    out.push_str(&format!("{number}. **{}**{detail}\n", escaped(&entry.title)));
    for field in &entry.fields {
        let (label, text) = (escaped(&field.label), escaped(&field.text));
        out.push_str(&format!("    - {label}: {text}\n"));
    }
}

/// A text that Markdown shows as it is.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '@' => shown.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => {
                shown.push('\\');
                shown.push(c);
            }
            '\n' | '\r' => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_stays_text() {
        assert_eq!(escaped("a|b <script>"), "a\\|b &lt;script&gt;");
        assert_eq!(escaped("![x](y)\n# z"), "\\!\\[x\\](y) \\# z");
    }
}
