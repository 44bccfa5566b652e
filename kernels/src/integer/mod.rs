//! Products of 12-bit integers in 16-bit lanes: weights quantised per output, inputs per row and block of inputs, sums
//! exact in 32 bits (Dettmers et al. 2022, arXiv:2208.07339, section 2 for the scheme, there with 8 bits). Everything
//! between the products stays f32. Twelve bits are what 384 products leave room for, and cost AVX2 no more than eight,
//! which moved distances by 0.004.

mod codes;
mod tile;

use super::lanes::{Isa, LANES};
use super::level::{Kernel, Level};
use super::product::Product;
use super::tile::finish;
use codes::quantize;
use tile::{Panel, Tile};

pub use codes::{Codes, Inputs};

/// Inputs that share a scale.
pub const DEPTH: usize = 384;

impl Level {
    /// See [`Product`]; `inner` starts at a multiple of [`DEPTH`], where a block of inputs begins.
    pub fn integer_product(self, product: Product<Codes>, inputs: &mut Inputs) {
        self.run(IntegerProduct(product, inputs));
    }
}

struct IntegerProduct<'a, 'b>(Product<'a, Codes>, &'b mut Inputs);

impl Kernel for IntegerProduct<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let IntegerProduct(mut p, inputs) = self;
        p.check(I::VECTORS * LANES);
        assert!(p.inner.start.is_multiple_of(DEPTH) && p.inner.len().is_multiple_of(LANES));
        let shape = p.weights.shape;
        let mut from = p.inner.start;
        loop {
            let to = (from + DEPTH).min(p.inner.end);
            // SAFETY: `check` bounds rows, columns and inputs.
            unsafe {
                let input = p.input.as_ptr().add(from - p.inner.start);
                quantize(isa, input, p.input_stride, [p.rows, to - from], inputs);
            }
            let mut first = p.columns.start;
            while first < p.columns.end {
                let width = shape.width(first);
                let begin = (first * shape.inputs + from * width) / 2;
                let end = begin + (to - from) * width / 2;
                // Where the next panel holds the same inputs.
                let next = ((first + width) * shape.inputs + from * width) / 2;
                let panel = Panel {
                    ahead: p
                        .weights
                        .values
                        .words
                        .get(next..next + (end - begin))
                        .unwrap_or_default(),
                    words: &p.weights.values.words[begin..end],
                    scales: &p.weights.values.scales[first..first + width],
                    first,
                    proceed: p.proceed || from > p.inner.start,
                    last: to == p.inner.end,
                };
                // SAFETY: as above; the panel holds `width` columns.
                unsafe {
                    match width / LANES {
                        1 => rows::<I, 1>(isa, &mut p, inputs, &panel),
                        2 => rows::<I, 2>(isa, &mut p, inputs, &panel),
                        _ => unreachable!("panels are one or two vectors wide"),
                    }
                }
                first += width;
            }
            from = to;
            if from == p.inner.end {
                break;
            }
        }
    }
}

/// All rows against `V` vectors of columns.
#[inline(always)]
unsafe fn rows<I: Isa, const V: usize>(
    isa: I,
    p: &mut Product<Codes>,
    inputs: &Inputs,
    panel: &Panel,
) {
    let groups = panel.words.len() / (V * LANES);
    let tiles = p.rows.div_ceil(I::ROWS).max(1);
    let mut ahead = panel.ahead.chunks((panel.ahead.len() / LANES).div_ceil(tiles).max(1) * LANES);
    let mut row = 0;
    while row < p.rows {
        for line in ahead.next().unwrap_or_default().chunks(LANES) {
            isa.prefetch(line.as_ptr());
        }
        let height = I::ROWS.min(p.rows - row);
        let at = row * p.output_stride + panel.first - p.columns.start;
        // SAFETY: `row + height ≤ rows`, so the tile lies inside what `check` has bounded.
        unsafe {
            let c = p.output.as_mut_ptr().add(at);
            let tile = Tile {
                words: &inputs.words[row * groups..(row + height) * groups],
                scales: &inputs.scales[row..row + height],
                groups,
                c,
                stride: p.output_stride,
            };
            tile.run_height::<I, V>(isa, height, panel);
            if panel.last {
                let bias = &p.weights.bias[panel.first..];
                finish::<I, V>(isa, &p.finish, bias, at, c, [height, p.output_stride]);
            }
        }
        row += height;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::Finish;

    /// An output of inputs that all have the same weights.
    fn multiplied(level: Level, weight: f32, input: &[f32; DEPTH]) -> f32 {
        let weights = Codes::pack([16, DEPTH], level.panel(), |_, _| weight, |_| 0.0);
        let mut output = [0.0; 16];
        let product = Product {
            input,
            input_stride: DEPTH,
            rows: 1,
            weights: &weights,
            columns: 0..16,
            inner: 0..DEPTH,
            output: &mut output,
            output_stride: 16,
            proceed: false,
            finish: Finish::Keep,
        };
        level.integer_product(product, &mut Inputs::default());
        assert!(output.iter().all(|x| x.to_bits() == output[0].to_bits()), "{level}: {output:?}");
        output[0]
    }

    #[test]
    fn the_largest_codes_do_not_overflow() {
        for level in Level::available() {
            let got = multiplied(level, -3.0, &[-2.0; DEPTH]);
            assert!((got / (6.0 * DEPTH as f32) - 1.0).abs() < 1e-5, "{level}: {got}");
        }
    }

    /// Such numbers had codes beyond the largest, others on each level.
    #[test]
    fn what_is_too_small_for_a_code_is_nothing_and_what_is_no_number_stays_so() {
        for level in Level::available() {
            let mut input = [1e-38; DEPTH];
            assert_eq!(multiplied(level, -3.0, &input), 0.0, "{level}");
            input.fill(5.0);
            for weight in [3e-42, 1e-38] {
                assert_eq!(multiplied(level, weight, &input), 0.0, "{level}: {weight}");
            }
            for (at, odd) in [(0, f32::NAN), (DEPTH - 1, f32::NAN), (40, f32::INFINITY)] {
                input[at] = odd;
                assert!(multiplied(level, 1.0, &input).is_nan(), "{level}: {odd} at {at}");
                input[at] = 1.0;
            }
        }
    }
}
