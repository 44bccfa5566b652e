//! A comment for a pull request: what was found at a glance, the rest behind a fold, and a mark by which the next run finds the
//! comment and writes over it.

use fgd_record::Record;

use crate::format::{Format, Style, render};

/// Characters that GitHub takes, less some for the frame.
const MOST: usize = 65_536 - 1_024;

/// The mark of comments of this name.
pub fn mark(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("<!-- fgd:{} -->", name.chars().map(plain).collect::<String>())
}

/// The record as a comment in Markdown. Its first line is the [`mark`] of `name`; tables after the first are folded.
pub fn comment(record: &Record, name: &str) -> String {
    let whole = render(record, Format::Md, &Style::default());
    let second_table = whole.match_indices("\n## ").nth(1).map_or(whole.len(), |(at, _)| at);
    let (shown, folded) = whole.split_at(second_table);
    let mut text = format!("{}\n{}\n", mark(name), shown.trim_end());
    if !folded.trim().is_empty() {
        let room = MOST.saturating_sub(text.len());
        let folded = match folded.len() > room {
            // At the end of a line, so that no table is cut within a row.
            true => {
                let within = (0..=room).rev().find(|end| folded.is_char_boundary(*end));
                let kept = &folded[..within.unwrap_or(0)];
                let kept = &kept[..kept.rfind('\n').unwrap_or(0)];
                format!("{kept}\n\nThe rest is too long for a comment.")
            }
            false => folded.to_owned(),
        };
        let inner = folded.trim();
        text += &format!("\n<details><summary>Everything</summary>\n\n{inner}\n\n</details>\n");
    }
    text
}
