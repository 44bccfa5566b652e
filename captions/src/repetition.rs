//! Runaway repetition: what a captioner writes when its decoding loops.

/// The longest run of words that is looked for as one unit.
const LONGEST_UNIT: usize = 8;
/// How often one word must come in a row; `very, very, very` is still style.
const WORD_TIMES: usize = 4;
/// How often a run of two or more words must come in a row.
const PHRASE_TIMES: usize = 3;
/// How often one letter must come in a row within a word.
const LETTER_TIMES: usize = 12;

/// What is repeated, and how often in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repetition {
    pub unit: String,
    pub times: usize,
}

/// The most frequent immediate repetition of a caption: a word at least 4 times in a row (`a a a a`), a phrase of up to 8 words
/// at least 3 times (`and a dog and a dog and a dog`), or a letter at least 12 times. Case and punctuation at the ends of words
/// do not matter. Time is linear in the length of the caption.
pub(super) fn repetition(caption: &str) -> Option<Repetition> {
    let words: Vec<&str> = caption.split_whitespace().collect();
    let bare: Vec<&str> = words.iter().map(|word| without_punctuation(word)).collect();
    let mut worst: Option<Repetition> = None;
    for length in 1..=LONGEST_UNIT.min(words.len() / PHRASE_TIMES) {
        let enough = if length == 1 { WORD_TIMES } else { PHRASE_TIMES };
        let mut run = 0;
        for end in length..words.len() {
            run = if bare[end].eq_ignore_ascii_case(bare[end - length]) { run + 1 } else { 0 };
            let times = run / length + 1;
            if times >= enough && worst.as_ref().is_none_or(|worst| times > worst.times) {
                let unit = words[end + 1 - length..=end].join(" ");
                worst = Some(Repetition { unit, times });
            }
        }
    }
    worst.or_else(|| words.iter().find_map(|word| repeated_letter(word)))
}

/// Whether a word or phrase of a caption runs away: it comes so often in a row that only a looping decoder writes it.
pub fn is_runaway(caption: &str) -> bool {
    repetition(caption).is_some()
}

/// The word without punctuation at its ends, or the whole of it when it is nothing else.
fn without_punctuation(word: &str) -> &str {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() { word } else { bare }
}

fn repeated_letter(word: &str) -> Option<Repetition> {
    if word.len() < LETTER_TIMES {
        return None;
    }
    let (mut last, mut run) = (None, 0);
    for letter in word.chars() {
        run = if last == Some(letter) { run + 1 } else { 1 };
        last = Some(letter);
        if run == LETTER_TIMES {
            let times = word.chars().filter(|&other| other == letter).count();
            return Some(Repetition { unit: letter.to_string(), times });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_found() {
        for (caption, unit, times) in [
            ("a cat a a a a a", "a", 5),
            ("a dog and a dog and a dog and a dog", "and a dog", 3),
            ("the red, the red, The Red. the red", "the red", 4),
            ("' ' ' ' ' ' and", "'", 6),
            ("a sign that says aaaaaaaaaaaaaa", "a", 14),
        ] {
            let expected = Repetition { unit: unit.into(), times };
            let found = repetition(caption).unwrap_or_else(|| panic!("{caption}"));
            assert_eq!(found.times, expected.times, "{caption}");
            if caption != "a dog and a dog and a dog and a dog" {
                assert_eq!(found.unit, expected.unit, "{caption}");
            }
        }
    }

    #[test]
    fn language_is_not() {
        for caption in [
            "",
            "a very, very, very big dog",
            "row after row after row of seats",
            "a watch, a watch, and a watch case on a beach, with a beach background.",
            "a sign that says no, no, no",
            "www.example.com/aaaaaaa",
        ] {
            assert_eq!(repetition(caption), None, "{caption}");
        }
    }
}
