//! A model card for the Hugging Face Hub: `model-index` metadata in the front matter, and the results for people below it.
//!
//! A card that is there already keeps all that is not ours. What we write stands between marks, in the front matter and in the
//! body, and the next card replaces what stands between them.

use fgd_record::Record;

use super::{Dataset, ExportError, model_card};
use crate::format::{Format, Style, render};

/// What frames our lines in the front matter: comments of YAML.
const META: [&str; 2] = ["# fgd: begin", "# fgd: end"];
/// What frames our part of the body.
const BODY: [&str; 2] = ["<!-- fgd: begin -->", "<!-- fgd: end -->"];

/// The card of a record, made into the card that is there, if there is one.
///
/// # Errors
/// A record without systems that were scored; a card whose front matter has a `model-index` that is not ours, or no end.
pub fn card(
    record: &Record,
    dataset: &Dataset,
    existing: Option<&str>,
) -> Result<String, ExportError> {
    let index = model_card(record, dataset)?;
    let index = index.trim_start_matches("---\n").trim_end_matches("---\n");
    let meta = format!("{}\n{index}{}\n", META[0], META[1]);
    let results = render(record, Format::Md, &Style::default());
    // The card has a title of its own.
    let results = results.replacen("# ", "## ", 1).replace("\n## ", "\n### ");
    let body = format!(
        "{}\n## Captions, measured by fgd\n\n{}\n\n{}\n",
        BODY[0],
        results.trim_start_matches("## ").trim_end(),
        BODY[1]
    );
    let Some(existing) = existing else {
        return Ok(format!(
            "---\npipeline_tag: image-to-text\ntags:\n- image-captioning\n{meta}---\n\n{body}"
        ));
    };
    let (front, text) = split(existing)?;
    let front = replaced(front, &META, &meta);
    let foreign = replaced(&front, &META, "");
    if foreign.lines().any(|line| line.starts_with("model-index:")) {
        return Err(ExportError::Card(
            "its front matter has a model-index that fgd did not write; move it away, or merge by hand what \
             `fgd export model-card` prints",
        ));
    }
    Ok(format!("---\n{front}---\n{}", replaced(text, &BODY, &body)))
}

/// Front matter, without its fences, and the rest.
fn split(card: &str) -> Result<(&str, &str), ExportError> {
    let Some(rest) = card.strip_prefix("---\n") else {
        return Ok(("", card));
    };
    if let Some(text) = rest.strip_prefix("---\n") {
        return Ok(("", text));
    }
    let end = rest.find("\n---\n").ok_or(ExportError::Card("its front matter has no end"))?;
    Ok((&rest[..=end], &rest[end + "\n---\n".len()..]))
}

/// The text with what stands between the marks replaced, or with `ours` at its end.
fn replaced(text: &str, [begin, end]: &[&str; 2], ours: &str) -> String {
    let from = text.find(begin);
    let to = from.and_then(|from| Some(from + text[from..].find(end)? + end.len()));
    match from.zip(to) {
        Some((from, to)) => {
            let after = text[to..].strip_prefix('\n').unwrap_or(&text[to..]);
            format!("{}{ours}{after}", &text[..from])
        }
        None if text.is_empty() || text.ends_with('\n') => format!("{text}{ours}"),
        None => format!("{text}\n{ours}"),
    }
}
