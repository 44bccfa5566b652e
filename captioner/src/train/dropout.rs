//! Dropout whose masks are a function of where they stand (seed, place in the network, example, row), not of what was drawn
//! before: a block that is computed again sees the same mask, and so does a run that goes on after a kill.

use std::borrow::Cow;

use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

/// Words of the stream that a row may take: 2²⁰ columns.
const WORDS_OF_A_ROW: u32 = 20;

/// Values are dropped with this probability and the others grow by 1/(1 − p).
pub struct Dropout {
    stream: ChaCha8Rng,
    dropped_below: u32,
    scale: f32,
}

impl Dropout {
    /// `probability` from 0 to below 1; `purpose` keeps two kinds of dropout with one seed apart.
    pub fn new(probability: f64, seed: u64, purpose: u8) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose;
        Self {
            stream: ChaCha8Rng::from_seed(key),
            dropped_below: (probability * f64::from(u32::MAX)).round() as u32,
            scale: (1.0 / (1.0 - probability)) as f32,
        }
    }

    /// None.
    pub fn off() -> Self {
        Self::new(0.0, 0, 0)
    }

    /// Drops some of a row's values. `site` is the place in the network, `key` names the row across the whole training.
    pub fn row(&self, site: u64, key: u64, row: &mut [f32]) {
        if self.dropped_below == 0 {
            return;
        }
        let mut stream = self.stream.clone();
        stream.set_stream(site);
        stream.set_word_pos(u128::from(key) << WORDS_OF_A_ROW);
        for value in row {
            *value *= if stream.next_u32() < self.dropped_below { 0.0 } else { self.scale };
        }
    }

    /// Drops some of the values of every row; `keys` has one for each.
    pub fn rows(&self, site: u64, keys: &[u64], values: &mut [f32]) {
        if self.dropped_below == 0 || keys.is_empty() {
            return;
        }
        let width = values.len() / keys.len();
        values.par_chunks_mut(width).zip(keys).for_each(|(row, key)| self.row(site, *key, row));
    }

    /// The same on a copy, where there is anything to drop.
    pub fn of<'a>(&self, site: u64, keys: &[u64], values: &'a [f32]) -> Cow<'a, [f32]> {
        if self.dropped_below == 0 {
            return Cow::Borrowed(values);
        }
        let mut values = values.to_vec();
        self.rows(site, keys, &mut values);
        Cow::Owned(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_depends_on_its_place_alone() {
        let dropout = Dropout::new(0.3, 7, 1);
        let ones = vec![1.0; 3 * 500];
        let all = dropout.of(4, &[10, 11, 12], &ones);
        let mut alone = vec![1.0; 500];
        dropout.row(4, 11, &mut alone);
        assert_eq!(all[500..1000], alone);
        for other in [Dropout::new(0.3, 8, 1), Dropout::new(0.3, 7, 2)] {
            assert_ne!(other.of(4, &[10, 11, 12], &ones), all);
        }
        assert_ne!(dropout.of(5, &[10, 11, 12], &ones), all);
        assert_ne!(all[..500], all[500..1000]);
    }

    #[test]
    fn so_many_are_dropped_and_the_mean_stays() {
        let keys: Vec<u64> = (0..40).collect();
        let ones = vec![1.0; 40 * 1000];
        let kept = Dropout::new(0.05, 1, 0).of(0, &keys, &ones).into_owned();
        let dropped = kept.iter().filter(|x| **x == 0.0).count() as f64 / 40_000.0;
        let mean = kept.iter().map(|x| f64::from(*x)).sum::<f64>() / 40_000.0;
        // Five standard deviations of 40,000 draws.
        assert!((dropped - 0.05).abs() < 0.0055, "{dropped}");
        assert!((mean - 1.0).abs() < 0.006, "{mean}");
        assert!(matches!(Dropout::off().of(0, &keys, &ones), Cow::Borrowed(_)));
    }
}
