//! Captions that a length limit cut off in the middle of a sentence or of a word.
//!
//! One caption may end anywhere; a limit shows in many. A caption *breaks off* when it has no final punctuation and its last word
//! either cannot end an English sentence (`a`, `with`, `and`, …) or is a fragment: a word that stands nowhere else in the file,
//! while longer words that begin with it do. Under a limit of tokens, words or characters, a quarter of all captions or more break off
//! (883 of 3,771 of a competition's first submission end in the middle of a sentence); of those that people write, none with full stops do
//! (21,367 training captions), and without these 1% end in `on` or `by` and some 3% in a word that only looks like a fragment (`pitch`
//! beside `pitcher`). So the file is reported when at least 5 captions and at least 2% of all end in the middle of a sentence, or break off
//! in either way where a limit in characters shows. Where at least 2% of all captions have exactly the greatest length of all, in words or
//! in characters, and a tenth of those break off, that length is the limit, and the finding names it.
//! Files in other languages, or with fewer than 5 such captions, pass in silence.

use std::collections::HashSet;

use super::Caption;
use super::finding::{Finding, FindingKind, shown};

const FEWEST: usize = 5;
const SHARE_OF_ALL: f64 = 0.02;
const SHARE_AT_LIMIT: f64 = 0.1;

/// Words that cannot end an English sentence, or hardly ever do in a caption.
const DANGLING: [&str; 40] = [
    "a", "an", "and", "are", "as", "at", "because", "behind", "beside", "between", "but", "by",
    "during", "for", "from", "has", "have", "his", "into", "is", "its", "near", "of", "on", "onto",
    "or", "than", "that", "the", "their", "to", "under", "was", "were", "which", "while", "with",
    "without", "your", "our",
];

/// One finding for each caption that breaks off, the first of which says what is to be said of the file; or none.
pub(super) fn cut_off(captions: &[Caption]) -> Vec<Finding> {
    let words = words_inside(captions);
    let broken: Vec<(usize, Break<'_>)> = (captions.iter().enumerate())
        .filter_map(|(place, caption)| Some((place, breaks_off(&caption.text, &words)?)))
        .collect();
    let characters = limit(captions, &broken, |text| text.trim_end().chars().count());
    let dangling = broken.iter().filter(|(_, ending)| matches!(ending, Break::Dangling(_))).count();
    let telling = if characters.is_some() { broken.len() } else { dangling };
    if telling < FEWEST || (telling as f64) < SHARE_OF_ALL * captions.len() as f64 {
        return Vec::new();
    }
    let share = 100.0 * broken.len() as f64 / captions.len() as f64;
    let mut message = format!(
        "{} of {} captions ({share:.0}%) stop in the middle of a sentence or word",
        broken.len(),
        captions.len()
    );
    let words = limit(captions, &broken, |text| text.split_whitespace().count());
    if let Some((unit, limit)) = [("words", words), ("characters", characters)]
        .into_iter()
        .filter_map(|(unit, limit)| Some((unit, limit?)))
        .max_by_key(|(_, limit)| limit.captions)
    {
        message += &format!(
            ", and {} have exactly {} {unit}, the most of all",
            limit.captions, limit.length
        );
    }
    message += "; raise the length limit of the captioner (for example max_new_tokens)";
    let finding = |(place, ending): (usize, Break<'_>)| {
        let message = match ending {
            Break::Dangling(word) => format!("the caption stops after `{}`", shown(word)),
            Break::Fragment(word) => {
                format!("the caption stops in the middle of a word, at `{}`", shown(word))
            }
        };
        Finding::note(FindingKind::CutOff, message).about(place, &captions[place])
    };
    let mut findings: Vec<Finding> = broken.into_iter().map(finding).collect();
    // One finding for each caption, so that they can be counted: what all have in common stands with the first.
    if let Some(first) = findings.first_mut() {
        first.message += &format!("; in all, {message}");
    }
    findings
}

#[derive(Clone, Copy)]
enum Break<'a> {
    Dangling(&'a str),
    Fragment(&'a str),
}

fn breaks_off<'a>(text: &'a str, words: &Words<'_>) -> Option<Break<'a>> {
    let last = text.split_whitespace().next_back()?;
    if !last.ends_with(char::is_alphanumeric) {
        return None;
    }
    let last = last.trim_start_matches(|c: char| !c.is_alphanumeric());
    if DANGLING.iter().any(|word| last.eq_ignore_ascii_case(word)) {
        return Some(Break::Dangling(last));
    }
    words.has_fragment(last).then_some(Break::Fragment(last))
}

/// The words of a file that are not the last of their caption, and are thus whole.
struct Words<'a> {
    sorted: Vec<&'a str>,
}

fn words_inside(captions: &[Caption]) -> Words<'_> {
    let mut words: HashSet<&str> = HashSet::new();
    for caption in captions {
        let text = caption.text.trim_end();
        let complete = text.ends_with(|c: char| !c.is_alphanumeric());
        let mut inside = text.split_whitespace();
        if !complete {
            inside.next_back();
        }
        words.extend(inside.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())));
    }
    let mut sorted: Vec<&str> = words.into_iter().collect();
    sorted.sort_unstable();
    Words { sorted }
}

impl Words<'_> {
    /// Whether `word` is only ever the beginning of other words.
    fn has_fragment(&self, word: &str) -> bool {
        let at = self.sorted.partition_point(|&other| other < word);
        let alphabetic = word.chars().all(char::is_alphabetic);
        alphabetic
            && self.sorted.get(at).is_some_and(|next| *next != word && next.starts_with(word))
    }
}

/// A greatest length that many captions share.
struct Limit {
    length: usize,
    captions: usize,
}

fn limit(
    captions: &[Caption],
    broken: &[(usize, Break<'_>)],
    length_of: impl Fn(&str) -> usize,
) -> Option<Limit> {
    let length = captions.iter().map(|caption| length_of(&caption.text)).max()?;
    let has_it = |caption: &Caption| length_of(&caption.text) == length;
    let all = captions.iter().filter(|caption| has_it(caption)).count();
    let broken = broken.iter().filter(|(place, _)| has_it(&captions[*place])).count();
    let many = all >= FEWEST && all as f64 >= SHARE_OF_ALL * captions.len() as f64;
    (many && broken as f64 >= SHARE_AT_LIMIT * all as f64)
        .then_some(Limit { length, captions: all })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(texts: impl IntoIterator<Item = String>) -> Vec<Caption> {
        let number = |(row, text)| Caption { row, line: None, id: row.to_string(), text };
        (1..).zip(texts).map(number).collect()
    }

    const SENTENCES: [&str; 4] = [
        "a man in a striped jacket walks along the harbour",
        "two children are building a castle of sand near the water",
        "a bicycle leans against the yellow wall of a bakery",
        "several sailing boats with coloured sails cross the harbour at sunset",
    ];

    #[test]
    fn whole_captions_pass_with_and_without_final_punctuation() {
        for ending in ["", "."] {
            let texts = (0..100).map(|n| format!("{}{ending}", SENTENCES[n % 4]));
            assert_eq!(cut_off(&captions(texts)), []);
        }
    }

    /// Every last word is whole, and stands nowhere but at the end of a caption, while longer ones begin with it.
    #[test]
    fn last_words_that_begin_longer_ones_are_no_cuts_by_themselves() {
        let last = ["pitch", "bed", "sand", "ball", "play", "snow", "water", "park"];
        let longer = "a pitcher, a bedroom, sandals, a ballpark, players, snowboards, waters and a parking lot";
        let texts = (0..80).map(|n| match n % 4 {
            0 => format!("{longer} in view {n}."),
            // People do end in `on`.
            _ if n == 1 => "someone looks at the bench a man sits on".into(),
            _ => format!("someone looks at the {}", last[n % 8]),
        });
        assert_eq!(cut_off(&captions(texts)), []);
    }

    #[test]
    fn a_limit_in_words_is_named() {
        let texts = (0..100).map(|n| {
            let words: Vec<&str> = SENTENCES[n % 4].split(' ').take(8).collect();
            words.join(" ")
        });
        let findings = cut_off(&captions(texts));
        assert!(
            findings[0].message.contains("100 have exactly 8 words"),
            "{}",
            findings[0].message
        );
        assert!(findings.iter().all(|finding| finding.row.is_some()));
        // Every other sentence ends well after eight words.
        assert_eq!(findings.len(), 50);
    }

    #[test]
    fn a_limit_in_characters_is_named_and_fragments_are_shown() {
        let whole = ["she walks a dog.", "the castle gate.", "yellow leaves.", "coloured boats."];
        let cut = (0..80).map(|n| SENTENCES[n % 4].chars().take(30).collect());
        let findings = cut_off(&captions(whole.into_iter().map(str::to_owned).chain(cut)));
        assert!(
            findings[0].message.contains("80 have exactly 30 characters"),
            "{}",
            findings[0].message
        );
        assert!(
            findings[1].message.ends_with("in the middle of a word, at `ca`"),
            "{}",
            findings[1].message
        );
    }

    #[test]
    fn few_broken_captions_are_not_a_limit() {
        let texts =
            (0..100).map(|n| if n < 4 { "a dog and".into() } else { SENTENCES[n % 4].to_owned() });
        assert_eq!(cut_off(&captions(texts)), []);
    }
}
