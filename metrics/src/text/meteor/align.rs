//! The one-to-one alignment of two captions: METEOR's beam search (Denkowski & Lavie 2011, W11-2107, section 2).
//!
//! Of all alignments the search looks for the one with the most exact matches, then the fewest chunks (runs of words
//! that are adjacent and in the same order on both sides), then the least distance between matched positions. As in
//! METEOR 1.5, a stem match earns nothing in the first place; it is taken where it costs no chunk, or where it is the
//! only possibility for both of its words.

use super::super::corpus::WordId;

/// Partial alignments kept after each word, as in METEOR 1.5.
const BEAM: usize = 40;

/// How two words are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Exact,
    Stem,
}

/// Positions of two words that are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub candidate: usize,
    pub reference: usize,
    pub stage: Stage,
}

impl Match {
    fn distance(&self) -> usize {
        self.reference.abs_diff(self.candidate)
    }
}

/// The matches in the order of the reference, and into how many chunks they fall.
#[derive(Debug)]
pub(super) struct Alignment {
    pub matches: Vec<Match>,
    pub chunks: usize,
}

/// Aligns two captions; `stem` gives equal numbers to words of equal stem.
pub(super) fn align(
    candidate: &[WordId],
    reference: &[WordId],
    stem: impl Fn(WordId) -> u32,
) -> Alignment {
    let options = options(candidate, reference, stem);
    let fixed = fixed(&options, candidate.len());
    let matches = search(&options, &fixed, candidate.len());
    let chunks = chunks(&matches);
    Alignment { matches, chunks }
}

/// For each word of the reference the matches it could have: equal words first, then equal stems.
fn options(
    candidate: &[WordId],
    reference: &[WordId],
    stem: impl Fn(WordId) -> u32,
) -> Vec<Vec<Match>> {
    // Identical captions need no stems: with them the beam might miss the identity.
    let stems = candidate != reference;
    let positions = |at: usize, stage: Stage| {
        let word = reference[at];
        let alike = |other: WordId| match stage {
            Stage::Exact => other == word,
            Stage::Stem => stems && other != word && stem(other) == stem(word),
        };
        let found = candidate.iter().enumerate().filter(|&(_, &other)| alike(other));
        found
            .map(|(position, _)| Match { candidate: position, reference: at, stage })
            .collect::<Vec<_>>()
    };
    (0..reference.len())
        .map(|at| [positions(at, Stage::Exact), positions(at, Stage::Stem)].concat())
        .collect()
}

/// The matches that are the only possibility for both of their words; the search takes them as given.
fn fixed(options: &[Vec<Match>], candidate_length: usize) -> Vec<Option<Match>> {
    let mut uses = vec![0; candidate_length];
    options.iter().flatten().for_each(|option| uses[option.candidate] += 1);
    let only = |options: &Vec<Match>| match options[..] {
        [single] if uses[single.candidate] == 1 => Some(single),
        _ => None,
    };
    options.iter().map(only).collect()
}

/// A partial alignment: decisions for the first words of the reference.
#[derive(Clone)]
struct Path {
    matches: Vec<Match>,
    used: Vec<bool>,
    exact: usize,
    chunks: usize,
    distance: usize,
    /// Candidate position that would continue the open chunk.
    next: Option<usize>,
}

impl Path {
    fn take(&mut self, option: Match) {
        self.used[option.candidate] = true;
        self.exact += usize::from(option.stage == Stage::Exact);
        self.chunks += usize::from(self.next.is_some_and(|next| next != option.candidate));
        self.next = Some(option.candidate + 1);
        self.matches.push(option);
    }

    fn skip(&mut self) {
        self.chunks += usize::from(self.next.take().is_some());
    }

    /// Ascending from the best.
    fn rank(&self) -> (std::cmp::Reverse<usize>, usize, usize) {
        (std::cmp::Reverse(self.exact), self.chunks, self.distance)
    }
}

fn search(options: &[Vec<Match>], fixed: &[Option<Match>], candidate_length: usize) -> Vec<Match> {
    let mut used = vec![false; candidate_length];
    fixed.iter().flatten().for_each(|option| used[option.candidate] = true);
    let start = Path { matches: Vec::new(), used, exact: 0, chunks: 0, distance: 0, next: None };
    let mut paths = vec![start];
    for (options, fixed) in options.iter().zip(fixed) {
        paths.sort_by_key(Path::rank);
        paths.truncate(BEAM);
        let mut extended = Vec::with_capacity(paths.len());
        for mut path in paths {
            if let Some(option) = fixed {
                path.distance += option.distance();
                path.take(*option);
                extended.push(path);
                continue;
            }
            for option in options {
                if path.used[option.candidate] {
                    continue;
                }
                let mut longer = path.clone();
                longer.take(*option);
                extended.push(longer);
                // METEOR 1.5 charges a match's distance to the paths that come after it in this list, those that
                // pass the match by included, not to the one that takes it. It decides ties, and published values
                // depend on it, so it is done alike.
                path.distance += option.distance();
            }
            path.skip();
            extended.push(path);
        }
        paths = extended;
    }
    paths.iter_mut().for_each(Path::skip);
    paths.sort_by_key(Path::rank);
    paths.swap_remove(0).matches
}

fn chunks(matches: &[Match]) -> usize {
    let breaks = matches.windows(2).filter(|pair| {
        pair[1].reference != pair[0].reference + 1 || pair[1].candidate != pair[0].candidate + 1
    });
    breaks.count() + usize::from(!matches.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(candidate: &[WordId], reference: &[WordId]) -> Alignment {
        align(candidate, reference, |word| word)
    }

    #[test]
    fn fewest_chunks_win_among_equal_coverage() {
        // "the" (0) occurs twice in the candidate; the one beside "cat" (1) keeps a single chunk.
        let alignment = exact(&[0, 9, 0, 1], &[0, 1]);
        assert_eq!(alignment.chunks, 1);
        assert_eq!(alignment.matches.iter().map(|pair| pair.candidate).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn words_are_used_once() {
        let alignment = exact(&[0, 0], &[0, 0, 0]);
        assert_eq!(alignment.matches.len(), 2);
        assert_eq!(exact(&[], &[1]).chunks, 0);
    }

    #[test]
    fn stems_pair_words_that_differ() {
        let alignment = align(&[1, 2], &[1, 3], |word| if word == 1 { 1 } else { 0 });
        assert_eq!(alignment.matches[1].stage, Stage::Stem);
        assert_eq!(alignment.chunks, 1);
    }
}
