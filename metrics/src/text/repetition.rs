//! Phrases repeated in direct succession, the mark of a decoder that has run away ("a a a a …", "on the on the on the").

use super::corpus::WordId;

/// A phrase that stands two or more times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repetition {
    /// Position of the first word of the run.
    pub start: usize,
    /// Words of the phrase, at least 1; always the shortest phrase that describes the run.
    pub phrase: usize,
    /// How often it stands in a row, at least 2.
    pub copies: usize,
}

impl Repetition {
    /// Words that the run covers.
    pub fn words(&self) -> usize {
        self.phrase * self.copies
    }

    /// True for three or more copies that cover four or more words: "very, very, very tall" is still prose, "the the
    /// the the" and "on the on the on the" are not.
    pub fn is_runaway(&self) -> bool {
        self.copies >= 3 && self.words() >= 4
    }
}

/// The repetition that covers the most words; of equal ones the shortest phrase, then the first.
///
/// O(length²) time: for each length of phrase one pass that counts how long words equal those one phrase before.
pub(super) fn longest_repetition(words: &[WordId]) -> Option<Repetition> {
    let mut longest: Option<Repetition> = None;
    for phrase in 1..=words.len() / 2 {
        let mut equal = 0;
        for end in phrase..words.len() {
            equal = if words[end] == words[end - phrase] {
                equal + 1
            } else {
                0
            };
            let copies = equal / phrase + 1;
            let covers = phrase * copies;
            if copies >= 2 && longest.is_none_or(|longest| covers > longest.words()) {
                longest = Some(Repetition {
                    start: end + 1 - covers,
                    phrase,
                    copies,
                });
            }
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_words_and_of_phrases() {
        let found =
            |words: &[WordId]| longest_repetition(words).map(|r| (r.start, r.phrase, r.copies));
        assert_eq!(found(&[7, 1, 1, 1, 2]), Some((1, 1, 3)));
        assert_eq!(found(&[7, 1, 2, 1, 2, 1, 2, 9]), Some((1, 2, 3)));
        assert_eq!(found(&[1, 1, 1, 1, 1, 1]), Some((0, 1, 6)));
        assert_eq!(found(&[1, 2, 3]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn runaway_needs_three_copies_and_four_words() {
        let runaway =
            |words: &[WordId]| longest_repetition(words).is_some_and(|run| run.is_runaway());
        assert!(!runaway(&[1, 1, 1]));
        assert!(runaway(&[1, 1, 1, 1]));
        assert!(!runaway(&[1, 2, 3, 1, 2, 3]));
        assert!(runaway(&[1, 2, 1, 2, 1, 2]));
    }
}
