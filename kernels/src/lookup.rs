//! One query of a head of attention: softmax(q·Kᵀ + bias + mask)·V. What [`head`](super::head) makes ready for many queries would
//! cost more here than the rest: keys and values are read once, where they lie.

use super::attention::{Scratch, softmax};
use super::head::Strided;
use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::matrix::round_up;
use super::row;

/// Vectors of a value that are summed up together.
const VECTORS: usize = 4;

/// One query and what it looks at.
pub struct Lookup<'a> {
    /// As wide as a key.
    pub query: &'a [f32],
    /// [keys × width]
    pub key: Strided<'a>,
    /// [keys × width]
    pub value: Strided<'a>,
    /// How many keys there are; at least one.
    pub keys: usize,
    /// Added to the scores, `[keys]`.
    pub bias: Option<&'a [f32]>,
    /// Likewise; not −∞ for all of them.
    pub mask: Option<&'a [f32]>,
    /// As wide as a value.
    pub output: &'a mut [f32],
    /// Working memory.
    pub scratch: &'a mut Scratch,
}

impl Level {
    /// Computes the context of one query.
    pub fn look_up(self, lookup: Lookup) {
        self.run(lookup);
    }
}

impl Kernel for Lookup<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (keys, width) = (self.keys, self.query.len());
        assert!(keys > 0 && self.output.len() == width);
        self.scratch.scores.reserve(round_up(keys));
        let scores = &mut self.scratch.scores[..round_up(keys)];
        scores[keys..].fill(0.0);
        for (at, score) in scores[..keys].iter_mut().enumerate() {
            let key = &self.key.values[at * self.key.stride..][..width];
            *score = row::dot(isa, self.query, key);
        }
        for more in [self.bias, self.mask].into_iter().flatten() {
            assert_eq!(more.len(), keys, "a number for every key");
            scores.iter_mut().zip(more).for_each(|(score, more)| *score += more);
        }
        // SAFETY: a row of as many scores as it is told of, filled up to whole vectors.
        unsafe { softmax(isa, scores.as_mut_ptr(), keys, 1.0) };
        let wide = VECTORS * LANES;
        for (from, output) in (0..).step_by(wide).zip(self.output.chunks_mut(wide)) {
            let mut sums = [isa.splat(0.0); VECTORS];
            for (at, share) in scores[..keys].iter().enumerate() {
                let value = &self.value.values[at * self.value.stride + from..][..output.len()];
                let share = isa.splat(*share);
                for (v, sum) in sums.iter_mut().enumerate() {
                    let value = value.get(v * LANES..).unwrap_or_default();
                    *sum = share.mul_add(row::load(isa, value, 0.0), *sum);
                }
            }
            for (sum, output) in sums.into_iter().zip(output.chunks_mut(LANES)) {
                row::store(sum, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;
    use crate::head::Head;

    #[test]
    fn a_query_alone_gets_what_it_gets_among_others() {
        for [keys, width] in [[1, 1], [9, 8], [17, 20], [41, 64]] {
            let stride = width + 3;
            let rows = |seed: usize| -> Vec<f32> {
                (0..keys * stride).map(|i| 2.0 * value(i + seed)).collect()
            };
            let (q, k, v) = (rows(1), rows(2), rows(3));
            let bias: Vec<f32> = (0..keys).map(|i| value(i + 4)).collect();
            let mut mask = vec![0.0; keys];
            mask[1..].iter_mut().step_by(3).for_each(|mask| *mask = f32::NEG_INFINITY);
            let strided = |values| Strided { values, stride };
            for (bias, mask) in [(None, None), (Some(&*bias), None), (Some(&*bias), Some(&*mask))] {
                for level in Level::available() {
                    let [mut alone, mut among] = [vec![7.0; width], vec![7.0; width]];
                    let mut scratch = Scratch::default();
                    level.look_up(Lookup {
                        query: &q[..width],
                        key: strided(&k),
                        value: strided(&v),
                        keys,
                        bias,
                        mask,
                        output: &mut alone,
                        scratch: &mut scratch,
                    });
                    level.attend(Head {
                        query: strided(&q),
                        key: strided(&k),
                        value: strided(&v),
                        sizes: [1, keys, width],
                        scale: 1.0,
                        bias,
                        mask,
                        output: &mut among,
                        output_stride: width,
                        scratch: &mut scratch,
                    });
                    for (alone, among) in alone.iter().zip(among) {
                        assert!((alone - among).abs() < 1e-5, "{level}, {keys} × {width}");
                    }
                }
            }
        }
    }
}
