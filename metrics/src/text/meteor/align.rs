//! The one-to-one alignment of two captions: METEOR's beam search (Denkowski & Lavie 2011, W11-2107, section 2).
//!
//! Of all alignments the search looks for the one with the most exact matches, then the fewest chunks (runs of words
//! that are adjacent and in the same order on both sides), then the least distance between matched positions. As in
//! METEOR 1.5, a stem match earns nothing in the first place; it is taken where it costs no chunk, or where it is the
//! only possibility for both of its words.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::corpus::WordId;

/// Partial alignments kept after each word, as in METEOR 1.5.
const BEAM: usize = 40;

/// Positions of one word that are tried for its twin, the nearest; no caption has a word so often.
const MOST_OPTIONS: usize = 64;

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
    let (mut words, mut stemmed) = (HashMap::new(), HashMap::new());
    for (position, &word) in candidate.iter().enumerate() {
        words.entry(word).or_insert_with(Vec::new).push(position);
        stemmed.entry(stem(word)).or_insert_with(Vec::new).push(position);
    }
    let none = Vec::new();
    (0..reference.len())
        .map(|at| {
            let word = reference[at];
            let matched =
                |stage| move |position| Match { candidate: position, reference: at, stage };
            let exact = nearest(words.get(&word).unwrap_or(&none), at).iter().copied();
            let alike = stemmed.get(&stem(word)).filter(|_| stems).unwrap_or(&none);
            let alike = nearest(alike, at).iter().copied().filter(|&at| candidate[at] != word);
            exact.map(matched(Stage::Exact)).chain(alike.map(matched(Stage::Stem))).collect()
        })
        .collect()
}

/// Those of the ascending `positions` that lie nearest to `at`, where there are very many.
fn nearest(positions: &[usize], at: usize) -> &[usize] {
    let most = MOST_OPTIONS.min(positions.len());
    let middle = positions.partition_point(|&position| position < at);
    let first = middle.saturating_sub(most / 2).min(positions.len() - most);
    &positions[first..first + most]
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

/// What a partial alignment is judged by: decisions for the first words of the reference.
#[derive(Debug, Clone, Copy)]
struct Standing {
    exact: usize,
    chunks: usize,
    distance: usize,
    /// Candidate position that would continue the open chunk.
    next: Option<usize>,
}

impl Standing {
    fn take(mut self, option: Match) -> Self {
        self.exact += usize::from(option.stage == Stage::Exact);
        self.chunks += usize::from(self.next.is_some_and(|next| next != option.candidate));
        self.next = Some(option.candidate + 1);
        self
    }

    fn skip(mut self) -> Self {
        self.chunks += usize::from(self.next.take().is_some());
        self
    }

    /// Ascending from the best.
    fn rank(&self) -> (Reverse<usize>, usize, usize) {
        (Reverse(self.exact), self.chunks, self.distance)
    }
}

/// A partial alignment that is kept.
struct Path {
    standing: Standing,
    /// Candidate positions that are taken.
    used: Vec<u64>,
    /// The last of its matches in the trail.
    last: Option<usize>,
}

impl Path {
    fn has(&self, position: usize) -> bool {
        self.used[position / 64] >> (position % 64) & 1 == 1
    }

    fn mark(&mut self, position: usize) {
        self.used[position / 64] |= 1 << (position % 64);
    }
}

/// A way for a path to go on: its place among the paths, and the match that it takes.
struct Step {
    /// Its place among all ways.
    order: usize,
    path: usize,
    option: Option<Match>,
    standing: Standing,
}

/// Time is that of [`BEAM`] × [`MOST_OPTIONS`] steps for each word of the reference.
fn search(options: &[Vec<Match>], fixed: &[Option<Match>], candidate_length: usize) -> Vec<Match> {
    let standing = Standing { exact: 0, chunks: 0, distance: 0, next: None };
    let mut start = Path { standing, used: vec![0; candidate_length.div_ceil(64)], last: None };
    fixed.iter().flatten().for_each(|option| start.mark(option.candidate));
    let mut paths = vec![start];
    // The matches of all paths, each with the one before it on its path.
    let mut trail: Vec<(Match, Option<usize>)> = Vec::new();
    for (at, (choices, fixed)) in options.iter().zip(fixed).enumerate() {
        let mut steps = steps(&paths, choices, *fixed);
        // As METEOR does: of equals the one that was found first stays. Chunks are all closed at the end.
        let key = |step: &Step| match at + 1 == options.len() {
            true => (step.standing.skip().rank(), step.order),
            false => (step.standing.rank(), step.order),
        };
        if steps.len() > BEAM {
            steps.select_nth_unstable_by_key(BEAM, key);
            steps.truncate(BEAM);
        }
        steps.sort_unstable_by_key(key);
        let walked = steps.into_iter().map(|step| {
            let Path { used, last, .. } = &paths[step.path];
            let mut path = Path { standing: step.standing, used: used.clone(), last: *last };
            if let Some(option) = step.option {
                path.mark(option.candidate);
                trail.push((option, path.last));
                path.last = Some(trail.len() - 1);
            }
            path
        });
        paths = walked.collect();
    }
    let mut matches = Vec::new();
    let mut last = paths[0].last;
    while let Some(at) = last {
        matches.push(trail[at].0);
        last = trail[at].1;
    }
    matches.reverse();
    matches
}

/// Every way for the paths to go on over the next word of the reference.
fn steps(paths: &[Path], options: &[Match], fixed: Option<Match>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(paths.len() * (options.len() + 1));
    let mut push = |path, option, standing| {
        steps.push(Step { order: steps.len(), path, option, standing });
    };
    for (path, Path { standing, .. }) in paths.iter().enumerate() {
        let mut standing = *standing;
        if let Some(option) = fixed {
            standing.distance += option.distance();
            push(path, fixed, standing.take(option));
            continue;
        }
        for &option in options.iter().filter(|option| !paths[path].has(option.candidate)) {
            push(path, Some(option), standing.take(option));
            // METEOR 1.5 charges a match's distance to the paths that come after it in this list, those that
            // pass the match by included, not to the one that takes it. It decides ties, and published values
            // depend on it, so it is done alike.
            standing.distance += option.distance();
        }
        push(path, None, standing.skip());
    }
    steps
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
    fn a_word_without_end_is_aligned_with_itself() {
        let many = vec![7; 2_000];
        let alignment = exact(&many, &many);
        assert_eq!((alignment.matches.len(), alignment.chunks), (2_000, 1));
        // Two words in turns, shifted by one: quadratic in options, thousands of paths alike.
        let turns = |first: u32| (0..2_000).map(|at| first ^ (at & 1)).collect::<Vec<_>>();
        assert!(exact(&turns(0), &turns(1)).matches.len() >= 1_999);
    }

    #[test]
    fn stems_pair_words_that_differ() {
        let alignment = align(&[1, 2], &[1, 3], |word| if word == 1 { 1 } else { 0 });
        assert_eq!(alignment.matches[1].stage, Stage::Stem);
        assert_eq!(alignment.chunks, 1);
    }
}
