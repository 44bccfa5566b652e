//! Recall of text in the picture: how much of what the references quote or write in capitals the candidate says too.
//!
//! References that transcribe a sign or a label put it in quotation marks (`a sign that says "Wet Paint"`) or keep its
//! capitals (`a STOP sign`). These words make an OCR slice of any caption corpus, without annotation. It looks at raw
//! captions because tokenised ones have neither case nor quotation marks.

use std::collections::HashMap;

use rayon::prelude::*;

use super::corpus::{CorpusError, check};
use super::tokenize::tokenize;
use crate::MetricError;
use crate::estimate::Unavailable;
use crate::metric::{Definition, Evaluation, Group, Metric, SHARES, Value};
use crate::samples::Sample;
use crate::sufficient::Statistics;

/// Recall of read text, in the table of metrics.
pub(crate) struct TextRecall;

impl Metric for TextRecall {
    fn group(&self) -> Option<Group> {
        Some(Group::new("ocr", "Recall of text that the references read from the picture"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::higher("ocr_recall", "recall of text in the picture").within(SHARES),
                Definition::neither("ocr_images", "images with text in a reference").count(),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let captions = sample.captions()?;
        let read = read_text(captions.candidates, &captions.references)?;
        let total = captions.candidates.len();
        let recall = match read.recall {
            Some(recall) => recall.among(&read.captions, total).into(),
            None => Value::missing(Unavailable::NothingToRead),
        };
        let images = Value::exact(read.captions.len() as f64);
        Evaluation::of([recall, images]).drawn_as(sample)
    }
}

/// Recall of quoted and upper-case text over the captions that have some in a reference.
#[derive(Debug, Clone)]
pub struct ReadText {
    /// Indices of the captions with such text in at least one reference, ascending: the OCR slice.
    pub captions: Vec<usize>,
    /// Recall in [0, 1], image by image in the order of `captions`. The corpus value is pooled: words found over words
    /// sought. `None` if no reference contains such text.
    pub recall: Option<Statistics>,
}

/// Computes [`ReadText`] from raw captions, `candidates[i]` against all of `references[i]`.
///
/// Sought are the words inside double quotation marks (straight, curly or «») and the words of two or more letters that
/// are all capitals, in any case or inflection-free form: `Stop` in the candidate finds `STOP`. Each occurrence has to
/// be found by one of its own. Of several references the one with the best recall counts, of equally good ones the one
/// with the most text. A reference written wholly in capitals has no quoted text and does not count.
///
/// # Errors
/// As [`super::Corpus::new`].
pub fn read_text<C, R>(candidates: &[C], references: &[Vec<R>]) -> Result<ReadText, CorpusError>
where
    C: AsRef<str> + Sync,
    R: AsRef<str> + Sync,
{
    check(candidates, references)?;
    let rows: Vec<Option<[f64; 2]>> = candidates
        .par_iter()
        .zip(references)
        .map(|(candidate, references)| {
            let sought: Vec<Vec<String>> =
                references.iter().map(|text| written(text.as_ref())).collect();
            best(candidate.as_ref(), &sought)
        })
        .collect();
    let captions: Vec<usize> = (0..rows.len()).filter(|&index| rows[index].is_some()).collect();
    let rows: Vec<[f64; 2]> = rows.into_iter().flatten().collect();
    let recall = (!rows.is_empty()).then(|| Statistics::pooled(&rows, |sums| sums[0] / sums[1]));
    Ok(ReadText { captions, recall })
}

/// Words found and words sought, for the reference that gives the best recall.
fn best(candidate: &str, sought: &[Vec<String>]) -> Option<[f64; 2]> {
    if sought.iter().all(Vec::is_empty) {
        return None;
    }
    let said = tokenize(candidate);
    let rows = sought
        .iter()
        .filter(|words| !words.is_empty())
        .map(|words| [found(&said, words), words.len() as f64]);
    rows.max_by(|a, b| (a[0] * b[1]).total_cmp(&(b[0] * a[1])).then(a[1].total_cmp(&b[1])))
}

fn found(said: &[String], sought: &[String]) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    said.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let mut found = 0;
    for word in sought {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            found += 1;
        }
    }
    f64::from(found)
}

/// The words that a caption quotes, then those that it writes in capitals outside of quotations; lower-cased.
fn written(caption: &str) -> Vec<String> {
    let (quoted, rest) = quotations(caption);
    let mut words: Vec<String> = quoted.iter().flat_map(|quotation| tokenize(quotation)).collect();
    if rest.chars().any(char::is_lowercase) {
        words.extend(capitals(&rest).into_iter().flat_map(tokenize));
    }
    words.retain(|word| word.chars().any(char::is_alphanumeric));
    words
}

/// What stands between double quotation marks, and the caption without it.
///
/// A straight mark opens only at the start or after white space or an opening bracket and before anything but white
/// space; so `6"` is not a quotation. An opening mark without its closing one quotes nothing.
fn quotations(caption: &str) -> (Vec<String>, String) {
    let text: Vec<char> = caption.chars().collect();
    let (mut quoted, mut rest) = (Vec::new(), String::new());
    let mut at = 0;
    while at < text.len() {
        match closing(&text, at) {
            Some(end) => {
                quoted.push(text[at + 1..end].iter().collect());
                rest.push(' ');
                at = end + 1;
            }
            None => {
                rest.push(text[at]);
                at += 1;
            }
        }
    }
    (quoted, rest)
}

/// Where the quotation that opens at `at` closes, if one does.
fn closing(text: &[char], at: usize) -> Option<usize> {
    let find =
        |mark: char| text[at + 1..].iter().position(|&c| c == mark).map(|offset| at + 1 + offset);
    match text[at] {
        '“' | '„' => find('”').or_else(|| find('“')),
        '«' => find('»'),
        '"' => {
            let before = at.checked_sub(1).map(|before| text[before]);
            let opens = before.is_none_or(|c| c.is_whitespace() || "([{'‘—–-".contains(c))
                && text.get(at + 1).is_some_and(|c| !c.is_whitespace());
            if opens { find('"') } else { None }
        }
        _ => None,
    }
}

/// The words of two or more letters, all of them capitals.
fn capitals(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .filter(|word| {
            let letters = word.chars().filter(|c| c.is_alphabetic());
            letters.clone().count() >= 2 && letters.clone().all(char::is_uppercase)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recall(candidate: &str, references: &[&str]) -> Option<f64> {
        let text = read_text(&[candidate], &[references.to_vec()]).expect("a valid corpus");
        text.recall.map(|scores| scores.value())
    }

    #[test]
    fn quoted_and_capital_words_are_sought() {
        assert_eq!(written("A sign says \"Wet Paint\" near a BBC van."), ["wet", "paint", "bbc"]);
        assert_eq!(written("“Au «bon» coin” and a 6\" nail, 7\" long"), ["au", "bon", "coin"]);
        assert_eq!(written("A man with a T-shirt. I am"), [""; 0]);
        assert_eq!(written("ALL IN CAPITALS"), [""; 0]);
        assert_eq!(written("an \"unclosed quotation"), [""; 0]);
    }

    #[test]
    fn case_does_not_matter_and_each_occurrence_counts() {
        assert_eq!(recall("a stop sign", &["a red STOP sign"]), Some(1.0));
        assert_eq!(recall("ho", &["it says \"Ho ho ho!\""]), Some(1.0 / 3.0));
        assert_eq!(recall("", &["it says \"no\""]), Some(0.0));
    }

    #[test]
    fn the_best_reference_counts() {
        assert_eq!(
            recall("open shop", &["a \"closed\" shop", "an \"open\" shop", "no text"]),
            Some(1.0)
        );
    }

    #[test]
    fn captions_without_text_are_left_out() {
        let text = read_text(&["a dog", "stop"], &[vec!["a dog"], vec!["STOP and go"]])
            .expect("a valid corpus");
        assert_eq!(text.captions, [1]);
        assert_eq!(text.recall.map(|scores| scores.per_image()), Some(vec![1.0]));
        assert_eq!(recall("a dog", &["a dog"]), None);
    }
}
