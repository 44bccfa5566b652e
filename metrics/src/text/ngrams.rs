//! Counts of the n-grams of a caption, n = 1 to 4: what BLEU, CIDEr and distinct-n are made of.

use super::corpus::WordId;

/// The longest n-gram that is counted.
pub(super) const MAX_ORDER: usize = 4;

/// Up to four word ids in one integer. Each id is stored plus one, so that n-grams of different order differ.
pub(super) type Ngram = u128;

/// The distinct n-grams of one order in ascending order, each with how often it occurs.
pub(super) type Counts = Vec<(Ngram, u32)>;

/// The n-gram counts of one caption, by order.
pub(super) type Profile = [Counts; MAX_ORDER];

/// Counts the n-grams of a caption; a caption of fewer than n words has none of order n.
pub(super) fn profile(words: &[WordId]) -> Profile {
    std::array::from_fn(|order| counts(words, order + 1))
}

/// Counts the n-grams of one order, `1 <= n <= 4`.
pub(super) fn counts(words: &[WordId], n: usize) -> Counts {
    let mut ngrams: Vec<Ngram> = words.windows(n).map(pack).collect();
    ngrams.sort_unstable();
    let mut counts = Counts::with_capacity(ngrams.len());
    for ngram in ngrams {
        match counts.last_mut() {
            Some((last, count)) if *last == ngram => *count += 1,
            _ => counts.push((ngram, 1)),
        }
    }
    counts
}

/// How often `ngram` occurs according to `counts`.
pub(super) fn count_of(counts: &Counts, ngram: Ngram) -> u32 {
    match counts.binary_search_by_key(&ngram, |&(key, _)| key) {
        Ok(position) => counts[position].1,
        Err(_) => 0,
    }
}

fn pack(words: &[WordId]) -> Ngram {
    words.iter().fold(0, |ngram, &word| (ngram << 32) | (Ngram::from(word) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_do_not_collide_and_repeats_are_counted() {
        let profile = profile(&[0, 0, 0, 1]);
        assert_eq!(profile.each_ref().map(Vec::len), [2, 2, 2, 1]);
        assert_eq!(count_of(&profile[0], pack(&[0])), 3);
        assert_eq!(count_of(&profile[1], pack(&[0, 0])), 2);
        assert_eq!(count_of(&profile[1], pack(&[0])), 0);
        assert_ne!(pack(&[0]), pack(&[0, 0]));
    }
}
