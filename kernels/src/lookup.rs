//! One query of a head of attention: softmax(q·Kᵀ + bias + mask)·V. What [`head`](super::head) makes ready for many queries would
//! cost more here than the rest: keys and values are read once, where they lie, in f32 or in bf16.

use super::attention::{Scratch, softmax};
use super::lanes::{Isa, LANES, Lanes, Words};
use super::level::{Kernel, Level};
use super::matrix::round_up;
use super::panels::Form;

/// Vectors of words of a value that are summed up together.
const VECTORS: usize = 2;

/// One query and what it looks at.
pub struct Lookup<'a> {
    /// As wide as a key.
    pub query: &'a [f32],
    /// What keys and values are kept in: [`Form::F32`] or [`Form::Halves`].
    pub form: Form,
    /// Keys, each as [`Form::round`] writes it.
    pub key: &'a [i32],
    /// Values, likewise.
    pub value: &'a [i32],
    /// Words from these keys to those that are looked at next, and from these values: they are fetched meanwhile.
    pub next: usize,
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
    ///
    /// # Panics
    /// Keys and values of another form.
    pub fn look_up(self, lookup: Lookup) {
        match lookup.form {
            Form::F32 => self.run(Look::<1>(lookup)),
            Form::Halves => self.run(Look::<2>(lookup)),
            form => unreachable!("keys and values are never kept as {form:?}"),
        }
    }
}

/// With so many numbers in a word.
struct Look<'a, const N: usize>(Lookup<'a>);

/// The first numbers of sixteen words, and the second ones where there are.
///
/// # Safety
/// `from` is valid for sixteen words.
#[inline(always)]
unsafe fn load<I: Isa, const N: usize>(isa: I, from: *const i32) -> [I::F32; N] {
    // SAFETY: the caller vouches for the words; four bytes are a float or two bf16.
    unsafe {
        match N {
            1 => [isa.load(from.cast()); N],
            _ => {
                let pairs = isa.load_words(from).widen_bf16();
                std::array::from_fn(|at| pairs[at])
            }
        }
    }
}

/// Asks for what lies so many words behind some others.
#[inline(always)]
fn fetch<I: Isa>(isa: I, words: &[i32], behind: usize) {
    for line in (0..words.len()).step_by(LANES) {
        isa.prefetch(words.as_ptr().wrapping_add(behind + line));
    }
}

impl<const N: usize> Kernel for Look<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Lookup { query, form, key, value, next, keys, bias, mask, output, scratch } = self.0;
        let stride = form.input_words(query.len());
        assert!(keys > 0 && output.len() == query.len(), "a query looks at something");
        assert!(key.len().min(value.len()) >= keys * stride, "every key and value is there");
        let Scratch { scores, keys: parted, .. } = scratch;
        // The query as words are loaded: first numbers, second numbers.
        parted.reserve(N * stride);
        for (at, to) in parted[..N * stride].iter_mut().enumerate() {
            let (vector, nth, lane) = (at / (N * LANES), at / LANES % N, at % LANES);
            *to = query.get((vector * LANES + lane) * N + nth).copied().unwrap_or(0.0);
        }
        scores.reserve(round_up(keys));
        let scores = &mut scores[..round_up(keys)];
        scores[keys..].fill(0.0);
        for (score, key) in scores.iter_mut().zip(key.chunks(stride).take(keys)) {
            fetch(isa, key, next);
            let mut sum = isa.splat(0.0);
            for (query, words) in parted.chunks(N * LANES).zip(key.chunks_exact(LANES)) {
                // SAFETY: sixteen words, and as many vectors of the query.
                unsafe {
                    for (nth, part) in load::<I, N>(isa, words.as_ptr()).into_iter().enumerate() {
                        sum = isa.load(query[nth * LANES..][..LANES].as_ptr()).mul_add(part, sum);
                    }
                }
            }
            *score = sum.sum();
        }
        for more in [bias, mask].into_iter().flatten() {
            assert_eq!(more.len(), keys, "a number for every key");
            scores.iter_mut().zip(more).for_each(|(score, more)| *score += more);
        }
        // SAFETY: a row of as many scores as it is told of, filled up to whole vectors.
        unsafe { softmax(isa, scores.as_mut_ptr(), keys, 1.0) };
        for from in (0..stride).step_by(VECTORS * LANES) {
            let mut sums = [[isa.splat(0.0); N]; VECTORS];
            for (share, value) in scores.iter().zip(value.chunks(stride).take(keys)) {
                fetch(isa, &value[from..stride.min(from + VECTORS * LANES)], next);
                let share = isa.splat(*share);
                for (sums, words) in sums.iter_mut().zip(value[from..].chunks_exact(LANES)) {
                    // SAFETY: sixteen words.
                    let parts = unsafe { load::<I, N>(isa, words.as_ptr()) };
                    for (sum, part) in sums.iter_mut().zip(parts) {
                        *sum = share.mul_add(part, *sum);
                    }
                }
            }
            for (vector, sums) in sums.into_iter().enumerate() {
                for (nth, sum) in sums.into_iter().enumerate() {
                    let first = (from + vector * LANES) * N + nth;
                    let to = output.iter_mut().skip(first).step_by(N);
                    to.zip(sum.to_array()).for_each(|(to, sum)| *to = sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;
    use crate::head::{Head, Strided};

    /// Rows as they are kept, and what they stand for.
    fn kept(form: Form, rows: &[f32], width: usize) -> (Vec<i32>, Vec<f32>) {
        let stride = form.input_words(width);
        let mut words = vec![0; rows.len() / width * stride];
        for (row, words) in rows.chunks(width).zip(words.chunks_mut(stride)) {
            form.round(Level::PORTABLE, row, words);
        }
        let exact = |x: &f32| match form {
            Form::Halves => half::bf16::from_f32(*x).to_f32(),
            _ => *x,
        };
        (words, rows.iter().map(exact).collect())
    }

    #[test]
    fn a_query_alone_gets_what_it_gets_among_others() {
        let sizes = [[1, 1], [9, 8], [17, 20], [41, 64], [5, 100]];
        for ([keys, width], form) in
            sizes.into_iter().flat_map(|size| [Form::F32, Form::Halves].map(|form| (size, form)))
        {
            let rows = |seed: usize| -> Vec<f32> {
                (0..keys * width).map(|i| 2.0 * value(i + seed)).collect()
            };
            let q = &rows(1)[..width];
            let [(key, k), (value, v)] = [2, 3].map(|seed| kept(form, &rows(seed), width));
            let bias: Vec<f32> = (0..keys).map(|i| crate::agreement::value(i + 4)).collect();
            let mut mask = vec![0.0; keys];
            mask[1..].iter_mut().step_by(3).for_each(|mask| *mask = f32::NEG_INFINITY);
            for (bias, mask) in [(None, None), (Some(&*bias), None), (Some(&*bias), Some(&*mask))] {
                for level in Level::available() {
                    let [mut alone, mut among] = [vec![7.0; width], vec![7.0; width]];
                    let mut scratch = Scratch::default();
                    level.look_up(Lookup {
                        query: q,
                        form,
                        key: &key,
                        value: &value,
                        next: 0,
                        keys,
                        bias,
                        mask,
                        output: &mut alone,
                        scratch: &mut scratch,
                    });
                    let strided = |values| Strided { values, stride: width };
                    level.attend(Head {
                        query: strided(q),
                        key: strided(&k),
                        value: strided(&v),
                        sizes: [1, keys, width],
                        scale: 1.0,
                        halves: false,
                        bias,
                        mask,
                        output: &mut among,
                        output_stride: width,
                        scratch: &mut scratch,
                    });
                    for (alone, among) in alone.iter().zip(among) {
                        let apart = (alone - among).abs();
                        assert!(apart < 1e-5, "{level}, {form:?}, {keys} × {width}: {apart}");
                    }
                }
            }
        }
    }
}
