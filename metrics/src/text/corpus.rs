//! The captions of a corpus, tokenised once and shared by every metric of [`super`].

use std::collections::HashMap;

use rayon::prelude::*;
use thiserror::Error;

use super::tokenize::tokenize;

/// A word as its index into the vocabulary of its [`Corpus`].
pub(super) type WordId = u32;

/// Words of a caption that can be aligned with those of another. Alignments take time that grows with the product of two
/// lengths; the longest captions that people write have half as many words, and what comes after is no caption.
const MOST_ALIGNED: usize = 2_000;

/// The words of a caption that METEOR and ROUGE-L align.
pub(super) fn alignable(words: &[WordId]) -> &[WordId] {
    &words[..words.len().min(MOST_ALIGNED)]
}

/// Why captions do not make a corpus.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum CorpusError {
    /// There is nothing to score.
    #[error("no captions to score: give at least one candidate with its references")]
    Empty,
    /// Candidates and reference lists do not pair up.
    #[error(
        "{candidates} candidates but {references} lists of references: give one list per candidate, in the same order"
    )]
    Unpaired {
        /// Number of candidates.
        candidates: usize,
        /// Number of reference lists.
        references: usize,
    },
    /// An image has no reference at all (an empty reference is allowed).
    #[error(
        "caption {index} (counted from 0) has no reference: give at least one or leave the caption out"
    )]
    NoReference {
        /// Position of the candidate.
        index: usize,
    },
}

/// Candidates and their references as words: one candidate and one or more references per image.
///
/// Empty captions are allowed on both sides; they are captions without words.
#[derive(Debug, Clone)]
pub struct Corpus {
    words: Vec<String>,
    candidates: Vec<Vec<WordId>>,
    references: Vec<Vec<Vec<WordId>>>,
}

impl Corpus {
    /// Tokenises raw captions with [`tokenize`]: `candidates[i]` is scored against all of `references[i]`.
    ///
    /// # Errors
    /// If there is no caption, if the two slices differ in length, or if an image has no reference.
    pub fn new<C, R>(candidates: &[C], references: &[Vec<R>]) -> Result<Self, CorpusError>
    where
        C: AsRef<str> + Sync,
        R: AsRef<str> + Sync,
    {
        check(candidates, references)?;
        Ok(Self::of_words(&tokenized(candidates), &tokenized_lists(references)))
    }

    /// Candidates beside references of other images: one list of all. Each side can be described; no candidate has a reference of its
    /// own.
    ///
    /// # Errors
    /// Without a candidate, or without a reference.
    pub(crate) fn of_other_images<C, R>(
        candidates: &[C],
        references: &[Vec<R>],
    ) -> Result<Self, CorpusError>
    where
        C: AsRef<str> + Sync,
        R: AsRef<str> + Sync,
    {
        if candidates.is_empty() || references.iter().all(Vec::is_empty) {
            return Err(CorpusError::Empty);
        }
        Ok(Self::of_words(&tokenized(candidates), &tokenized_lists(references)))
    }

    /// Takes captions that are already words, compared as they stand: no lower-casing, nothing removed.
    ///
    /// # Errors
    /// As [`Corpus::new`].
    pub fn from_tokens<C, R>(
        candidates: &[Vec<C>],
        references: &[Vec<Vec<R>>],
    ) -> Result<Self, CorpusError>
    where
        C: AsRef<str>,
        R: AsRef<str>,
    {
        check(candidates, references)?;
        Ok(Self::of_words(candidates, references))
    }

    fn of_words<C, R>(candidates: &[Vec<C>], references: &[Vec<Vec<R>>]) -> Self
    where
        C: AsRef<str>,
        R: AsRef<str>,
    {
        let mut vocabulary = Vocabulary::default();
        let candidates = candidates.iter().map(|words| vocabulary.ids(words)).collect();
        let references = references
            .iter()
            .map(|captions| captions.iter().map(|words| vocabulary.ids(words)).collect())
            .collect();
        Self { words: vocabulary.words, candidates, references }
    }

    /// Number of images, which is the number of candidates; never zero.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn candidates(&self) -> &[Vec<WordId>] {
        &self.candidates
    }

    pub(super) fn references(&self) -> &[Vec<Vec<WordId>>] {
        &self.references
    }

    /// Each candidate with its references, as a parallel iterator in the order of the corpus.
    pub(super) fn par_images(
        &self,
    ) -> impl IndexedParallelIterator<Item = (&Vec<WordId>, &Vec<Vec<WordId>>)> {
        self.candidates.par_iter().zip(&self.references)
    }
}

fn tokenized(captions: &[impl AsRef<str> + Sync]) -> Vec<Vec<String>> {
    captions.par_iter().map(|caption| tokenize(caption.as_ref())).collect()
}

fn tokenized_lists<R: AsRef<str> + Sync>(lists: &[Vec<R>]) -> Vec<Vec<Vec<String>>> {
    lists.par_iter().map(|captions| tokenized(captions)).collect()
}

/// The conditions of candidates with references of their own.
pub(super) fn check<C, R>(candidates: &[C], references: &[Vec<R>]) -> Result<(), CorpusError> {
    if candidates.len() != references.len() {
        return Err(CorpusError::Unpaired {
            candidates: candidates.len(),
            references: references.len(),
        });
    }
    if candidates.is_empty() {
        return Err(CorpusError::Empty);
    }
    match references.iter().position(Vec::is_empty) {
        Some(index) => Err(CorpusError::NoReference { index }),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Vocabulary {
    ids: HashMap<String, WordId>,
    words: Vec<String>,
}

impl Vocabulary {
    fn ids(&mut self, words: &[impl AsRef<str>]) -> Vec<WordId> {
        words.iter().map(|word| self.id(word.as_ref())).collect()
    }

    fn id(&mut self, word: &str) -> WordId {
        if let Some(&id) = self.ids.get(word) {
            return id;
        }
        let id = self.words.len() as WordId;
        self.ids.insert(word.to_owned(), id);
        self.words.push(word.to_owned());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_corpora_are_refused() {
        let none: [&str; 0] = [];
        assert_eq!(Corpus::new(&none, &Vec::<Vec<&str>>::new()).err(), Some(CorpusError::Empty));
        assert_eq!(
            Corpus::new(&["a"], &Vec::<Vec<&str>>::new()).err(),
            Some(CorpusError::Unpaired { candidates: 1, references: 0 })
        );
        assert_eq!(
            Corpus::new(&["a", "b"], &[vec!["a"], vec![]]).err(),
            Some(CorpusError::NoReference { index: 1 })
        );
    }

    #[test]
    fn words_survive_interning() {
        let corpus = Corpus::new(&["A red, red bus."], &[vec!["a bus"]]).expect("a valid corpus");
        let word = |&id: &WordId| corpus.words()[id as usize].as_str();
        let words: Vec<&str> = corpus.candidates()[0].iter().map(word).collect();
        assert_eq!(words, ["a", "red", "red", "bus"]);
        assert_eq!(corpus.len(), 1);
    }
}
