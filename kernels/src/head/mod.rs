//! One head of attention wherever its rows lie: softmax(scale·Q·Kᵀ + bias + mask)·V. Keys are transposed and values gathered
//! once; then everything stays in the second-level cache.

mod halves;

use super::amx::{Blocks, Registers};
use super::attention::{Scratch, multiply_wide, softmax};
use super::lanes::{Isa, LANES};
use super::level::{Kernel, Level};
use super::matrix::round_up;
use super::tile::{Factor, Tile};
use super::transpose::Transpose;

/// Rows of equal width; row i begins at i · stride.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// From the first row on.
    pub values: &'a [f32],
    /// Floats from one row to the next.
    pub stride: usize,
}

/// One head.
pub struct Head<'a> {
    /// [queries × width]
    pub query: Strided<'a>,
    /// [keys × width]
    pub key: Strided<'a>,
    /// [keys × width]
    pub value: Strided<'a>,
    /// How many queries and keys there are, and how wide they are; there is a key.
    pub sizes: [usize; 3],
    /// Factor of the scores.
    pub scale: f32,
    /// Whether all that is multiplied is rounded to bf16; levels that have no instructions for it widen it again.
    pub halves: bool,
    /// Added to the scores, [queries × keys].
    pub bias: Option<&'a [f32]>,
    /// Added to the scores of every query, `[keys]`; not −∞ for all of them.
    pub mask: Option<&'a [f32]>,
    /// [queries × width], row i at i · `output_stride`.
    pub output: &'a mut [f32],
    /// Floats from one row of the output to the next.
    pub output_stride: usize,
    /// Working memory.
    pub scratch: &'a mut Scratch,
}

impl Head<'_> {
    /// Makes room, and panics unless every access of the kernel lies inside the slices.
    fn check(&mut self) {
        let [queries, keys, width] = self.sizes;
        let covers = |rows: usize, stride: usize, len: usize| {
            let last = rows.saturating_sub(1).checked_mul(stride);
            rows == 0 || last.is_some_and(|at| at <= len && width <= len - at)
        };
        assert!(covers(queries, self.query.stride, self.query.values.len()) && keys > 0);
        assert!(covers(keys, self.key.stride, self.key.values.len()));
        assert!(covers(keys, self.value.stride, self.value.values.len()));
        assert!(covers(queries, self.output_stride, self.output.len()));
        assert!(self.bias.is_none_or(|bias| bias.len() == queries * keys));
        assert!(self.mask.is_none_or(|mask| mask.len() == keys));
        let [padded, wide] = [keys, width].map(|of| of.next_multiple_of(halves::BLOCK));
        self.scratch.keys.reserve(wide * padded);
        self.scratch.scores.reserve(queries * padded);
        self.scratch.values.reserve(padded * wide);
        self.scratch.context.reserve(queries.max(LANES) * wide);
        self.scratch.queries.reserve(queries * wide);
    }
}

impl Level {
    /// Computes the context of a head.
    pub fn attend(self, head: Head) {
        self.run(Attend { head, registers: self.amx() });
    }
}

struct Attend<'a, R> {
    head: Head<'a>,
    registers: Option<R>,
}

impl<R: Registers> Kernel for Attend<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { mut head, registers } = self;
        head.check();
        match head.halves {
            true => halves::run(head, isa, &mut registers.map(Blocks::new)),
            false => head.run(isa),
        }
    }
}

impl Head<'_> {
    /// In f32, once it is checked.
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let [queries, keys, width] = self.sizes;
        let (padded, wide) = (round_up(keys), round_up(width));
        for first in (0..padded).step_by(LANES) {
            let block = &mut self.scratch.context[..LANES * wide];
            block.fill(0.0);
            for (token, out) in (first..keys).zip(block.chunks_mut(wide)) {
                let row = &self.key.values[token * self.key.stride..];
                out[..width].copy_from_slice(&row[..width]);
            }
            let out = &mut self.scratch.keys[first..];
            Transpose { block, out, stride: padded }.run(isa);
        }
        for (token, out) in self.scratch.values[..keys * wide].chunks_mut(wide).enumerate() {
            let row = &self.value.values[token * self.value.stride..];
            out[..width].copy_from_slice(&row[..width]);
            out[width..].fill(0.0);
        }
        let query = self.query.values.as_ptr();
        let [transposed, values] = [&self.scratch.keys, &self.scratch.values].map(|b| b.as_ptr());
        let scores = self.scratch.scores.as_mut_ptr();
        let context = self.scratch.context.as_mut_ptr();
        // SAFETY: `check` bounds the queries and has made room in the scratch for all columns of whole vectors.
        unsafe {
            columns(isa, queries, padded, |row, column| Tile {
                a: query.add(row * self.query.stride),
                a_stride: self.query.stride,
                b: transposed.add(column),
                b_stride: padded,
                depth: width,
                c: scores.add(row * padded + column),
                c_stride: padded,
            });
        }
        let rows = self.scratch.scores[..queries * padded].chunks_mut(padded);
        for (row, scores) in rows.enumerate() {
            let bias = self.bias.map(|bias| &bias[row * keys..][..keys]);
            weigh(isa, scores, [bias, self.mask], self.scale, keys);
        }
        let scores = self.scratch.scores.as_ptr();
        // SAFETY: as above.
        unsafe {
            columns(isa, queries, wide, |row, column| Tile {
                a: scores.add(row * padded),
                a_stride: padded,
                b: values.add(column),
                b_stride: wide,
                depth: keys,
                c: context.add(row * wide + column),
                c_stride: wide,
            });
        }
        for (row, context) in self.scratch.context[..queries * wide].chunks(wide).enumerate() {
            self.output[row * self.output_stride..][..width].copy_from_slice(&context[..width]);
        }
    }
}

/// The scores of one query, filled up to whole vectors, become softmax(scale · score + what is added).
#[inline(always)]
fn weigh<I: Isa>(isa: I, scores: &mut [f32], added: [Option<&[f32]>; 2], scale: f32, keys: usize) {
    let plain = added.iter().all(Option::is_none);
    if !plain {
        scores[..keys].iter_mut().for_each(|score| *score *= scale);
        for more in added.into_iter().flatten() {
            scores.iter_mut().zip(more).for_each(|(score, more)| *score += more);
        }
    }
    assert!(round_up(keys) <= scores.len());
    // SAFETY: there is room for whole vectors.
    unsafe { softmax(isa, scores.as_mut_ptr(), keys, if plain { scale } else { 1.0 }) };
}

/// All columns of tiles, as wide as the instruction set likes them.
///
/// # Safety
/// The tiles are valid for all rows and for whole vectors of columns.
#[inline(always)]
unsafe fn columns<I: Isa, T: Factor<I>>(
    isa: I,
    rows: usize,
    width: usize,
    tile: impl Fn(usize, usize) -> Tile<T>,
) {
    let mut column = 0;
    while column < width {
        let wide = I::VECTORS == 2 && column + 2 * LANES <= width;
        // SAFETY: handed on from the caller.
        unsafe {
            match wide {
                true => multiply_wide::<I, T, 2>(isa, rows, |row| tile(row, column)),
                false => multiply_wide::<I, T, 1>(isa, rows, |row| tile(row, column)),
            }
        }
        column += if wide { 2 * LANES } else { LANES };
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::agreement::value;
    use crate::amx::Model;

    /// It once weighed 10⁻³⁸, which took a hundred times as long as another number.
    #[test]
    fn what_is_masked_weighs_nothing() {
        let (keys, width) = (9, 16);
        let ones = vec![1.0; keys * width];
        let mut values = ones.clone();
        values[..4 * width].fill(1e38);
        let mut mask = vec![0.0; keys];
        mask[..4].fill(f32::NEG_INFINITY);
        for (level, halves) in Level::available().flat_map(|level| [(level, false), (level, true)])
        {
            let mut output = vec![0.0; width];
            level.attend(Head {
                query: Strided { values: &ones, stride: width },
                key: Strided { values: &ones, stride: width },
                value: Strided { values: &values, stride: width },
                sizes: [1, keys, width],
                scale: 1.0,
                halves,
                bias: None,
                mask: Some(&mask),
                output: &mut output,
                output_stride: width,
                scratch: &mut Scratch::default(),
            });
            assert!(output.iter().all(|x| (x - 1.0).abs() < 0.01), "{level} {halves}: {output:?}");
        }
    }

    /// In f64, of numbers that are rounded first where products are of bf16.
    #[test]
    fn heads_of_any_size_follow_the_formula_on_every_level() {
        let sizes = [[1, 1, 1], [1, 9, 8], [5, 17, 20], [40, 40, 88], [2, 70, 64]];
        for ([queries, keys, width], halves) in
            sizes.into_iter().flat_map(|s| [(s, false), (s, true)])
        {
            let stride = width + 3;
            let rows = |count: usize, seed: usize| -> Vec<f32> {
                (0..count * stride).map(|i| 2.0 * value(i + seed)).collect()
            };
            let (q, k, v) = (rows(queries, 1), rows(keys, 2), rows(keys, 3));
            let exact = |x: &f32| f64::from(if halves { bf16::from_f32(*x).to_f32() } else { *x });
            // A weight is moved by 2⁻⁸ of itself at most, and the sum of all is 1.
            let largest = v.iter().fold(0f32, |m, v| m.max(v.abs()));
            let bound = 1e-5 + if halves { f64::from(largest) / 256.0 } else { 0.0 };
            let bias: Vec<f32> = (0..queries * keys).map(|i| value(i + 4)).collect();
            let mut mask = vec![0.0; keys];
            mask[1..].iter_mut().step_by(3).for_each(|mask| *mask = f32::NEG_INFINITY);
            for (bias, mask) in [(None, None), (Some(&bias), None), (Some(&bias), Some(&mask))] {
                let want = |i: usize, column: usize| -> f64 {
                    let score = |j: usize| -> f64 {
                        let (q, k) = (&q[i * stride..][..width], &k[j * stride..][..width]);
                        let dot: f64 = q.iter().zip(k).map(|(q, k)| exact(q) * exact(k)).sum();
                        0.3 * dot
                            + bias.map_or(0.0, |bias| f64::from(bias[i * keys + j]))
                            + mask.map_or(0.0, |mask| f64::from(mask[j]))
                    };
                    let e: Vec<f64> = (0..keys).map(|j| score(j).exp()).collect();
                    let mixed: f64 = (0..keys).map(|j| e[j] * exact(&v[j * stride + column])).sum();
                    mixed / e.iter().sum::<f64>()
                };
                // Tile registers where products are of bf16: of this CPU if it has them, and their model.
                for level in Level::available().map(Some).chain(halves.then_some(None)) {
                    let mut output = vec![7.0; queries * stride];
                    let rows = |values| Strided { values, stride };
                    let mut scratch = Scratch::default();
                    let head = Head {
                        query: rows(&q),
                        key: rows(&k),
                        value: rows(&v),
                        sizes: [queries, keys, width],
                        scale: 0.3,
                        halves,
                        bias: bias.map(|bias| &bias[..]),
                        mask: mask.map(|mask| &mask[..]),
                        output: &mut output,
                        output_stride: stride,
                        scratch: &mut scratch,
                    };
                    match level {
                        Some(level) => level.attend(head),
                        None => {
                            let registers = Some(Model::default());
                            Level::PORTABLE.run(Attend { head, registers });
                        }
                    }
                    for (i, row) in output.chunks(stride).enumerate() {
                        for (column, got) in row.iter().enumerate() {
                            let want = if column < width { want(i, column) } else { 7.0 };
                            assert!(
                                (f64::from(*got) - want).abs() < bound,
                                "{level:?} {halves}, {queries}×{keys}×{width}: {got}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }
}
