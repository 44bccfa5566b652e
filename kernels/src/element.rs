//! What the products multiply: f32, or bf16 two by two. The latter are rounded from f32 here; their products are exact in
//! f32, and so are the sums kept.

use half::bf16;

use super::lanes::{Isa, Words};
use super::level::{Kernel, Level};
use super::matrix::Buffer;
use super::product::Product;
use super::transpose::Transpose;

/// Four bytes of a matrix, zero by default: one f32, or two inputs in bf16.
pub trait Element: Copy + Default + Send + Sync + sealed::Sealed {
    /// Inputs in an element.
    const INPUTS: usize;
    /// Sixteen of them in registers.
    type Vector<I: Isa>: Copy;

    /// The element in every lane.
    fn splat<I: Isa>(self, isa: I) -> Self::Vector<I>;

    /// Sixteen consecutive ones; no alignment is asked for.
    ///
    /// # Safety
    /// `from` is valid for sixteen elements.
    unsafe fn load<I: Isa>(isa: I, from: *const Self) -> Self::Vector<I>;

    /// sum + row · column, over the inputs of the elements.
    fn mul_add<I: Isa>(row: Self::Vector<I>, column: Self::Vector<I>, sum: I::F32) -> I::F32;

    /// [`Level::product`]: not generic, so that it is compiled here, whatever is made of the crates that use it.
    fn product(level: Level, product: Product<Buffer<Self>, Self>);

    /// [`Level::transpose`], likewise.
    fn transpose(level: Level, block: &[Self], out: &mut [Self], stride: usize);

    /// Rounds rows of inputs to elements, with a zero where the last element lacks an input.
    fn round(level: Level, from: &[f32], to: &mut [Self]);
}

/// Two consecutive inputs in bf16, as they lie in memory: the first one in the lower half of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(4))]
pub struct Pair(pub [bf16; 2]);

impl Pair {
    /// The inputs of consecutive pairs, one after the other.
    pub fn halves(pairs: &[Pair]) -> &[bf16] {
        // SAFETY: a pair is two bf16 in a row, and nothing else.
        unsafe { std::slice::from_raw_parts(pairs.as_ptr().cast(), 2 * pairs.len()) }
    }
}

mod sealed {
    /// Implementors have four bytes without padding.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for super::Pair {}
}

impl Element for f32 {
    const INPUTS: usize = 1;
    type Vector<I: Isa> = I::F32;

    #[inline(always)]
    fn splat<I: Isa>(self, isa: I) -> I::F32 {
        isa.splat(self)
    }

    #[inline(always)]
    unsafe fn load<I: Isa>(isa: I, from: *const f32) -> I::F32 {
        // SAFETY: handed on from the caller.
        unsafe { isa.load(from) }
    }

    #[inline(always)]
    fn mul_add<I: Isa>(row: I::F32, column: I::F32, sum: I::F32) -> I::F32 {
        super::lanes::Lanes::mul_add(row, column, sum)
    }

    fn product(level: Level, product: Product) {
        level.run(product);
    }

    fn transpose(level: Level, block: &[f32], out: &mut [f32], stride: usize) {
        level.run(Transpose { block, out, stride });
    }

    fn round(_: Level, from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}

impl Element for Pair {
    const INPUTS: usize = 2;
    type Vector<I: Isa> = I::Words;

    #[inline(always)]
    fn splat<I: Isa>(self, isa: I) -> I::Words {
        let [first, second] = self.0.map(|half| u32::from(half.to_bits()));
        isa.splat_word((second << 16 | first) as i32)
    }

    #[inline(always)]
    unsafe fn load<I: Isa>(isa: I, from: *const Pair) -> I::Words {
        // SAFETY: the caller vouches for sixteen pairs, which have the size and alignment of words; any bits are a word.
        unsafe { isa.load_words(from.cast()) }
    }

    #[inline(always)]
    fn mul_add<I: Isa>(row: I::Words, column: I::Words, sum: I::F32) -> I::F32 {
        row.dot_halves(column, sum)
    }

    fn product(level: Level, product: Product<Buffer<Pair>, Pair>) {
        level.run(product);
    }

    fn transpose(level: Level, block: &[Pair], out: &mut [Pair], stride: usize) {
        level.run(Transpose { block, out, stride });
    }

    fn round(level: Level, from: &[f32], to: &mut [Pair]) {
        level.run(Round { from, to });
    }
}

struct Round<'a> {
    from: &'a [f32],
    to: &'a mut [Pair],
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Round { from, to } = self;
        assert_eq!(to.len(), from.len().div_ceil(2), "two inputs for each pair");
        let (pairs, rest) = from.as_chunks::<2>();
        for (to, pair) in to.iter_mut().zip(pairs) {
            *to = Pair(pair.map(nearest));
        }
        if let ([last], Some(to)) = (rest, to.last_mut()) {
            *to = Pair([nearest(*last), bf16::ZERO]);
        }
    }
}

/// The nearest bf16, ties to even, as `bf16::from_f32` but for what is no number: that may become infinite.
#[inline(always)]
fn nearest(x: f32) -> bf16 {
    let bits = x.to_bits();
    bf16::from_bits(((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;
    use crate::{Finish, Matrix, Shape};

    #[test]
    fn rounding_is_that_of_bf16() {
        let x: Vec<f32> = (0..1013).map(|i| value(i) * 3e3f32.powi(i as i32 % 9 - 4)).collect();
        let ties = [1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8), -0.0, f32::MAX, 1e-40];
        for from in [&x[..], &x[..16], &x[..1], &ties, &[]] {
            for level in Level::available() {
                let mut to = vec![Pair::default(); from.len().div_ceil(2)];
                Pair::round(level, from, &mut to);
                let mut want = from.iter().map(|x| bf16::from_f32(*x)).collect::<Vec<_>>();
                want.resize(2 * to.len(), bf16::ZERO);
                assert_eq!(Pair::halves(&to), want, "{level}");
            }
        }
    }

    /// All levels give the same bits: products are exact, and the sums are rounded in one order.
    #[test]
    fn products_of_halves_are_the_same_on_every_level() {
        for [rows, outputs, inputs] in [[1, 16, 32], [13, 112, 400], [30, 80, 832]] {
            let pairs = inputs / 2;
            let x: Vec<f32> = (0..rows * inputs).map(value).collect();
            let mut input = vec![Pair::default(); rows * pairs];
            Pair::round(Level::PORTABLE, &x, &mut input);
            let weight = |o: usize, i: usize| bf16::from_f32(value(o * 37 + i * 3));
            let exact = |row: usize, o: usize| -> f64 {
                let x = |i: usize| f64::from(input[row * pairs + i / 2].0[i % 2]);
                (0..inputs).map(|i| x(i) * f64::from(weight(o, i))).sum()
            };
            let run = |level: Level| {
                let shape = Shape::new([outputs, pairs], level.panel());
                let mut values = Buffer::<Pair>::zeros(shape.outputs * shape.inputs);
                let mut next = 0;
                shape.visit(1, |o, pair| {
                    if pair < pairs {
                        values[next] = Pair([weight(o, 2 * pair), weight(o, 2 * pair + 1)]);
                    }
                    next += 1;
                });
                let weights = Matrix { values, bias: shape.bias(value), shape };
                let mut output = vec![0.0; rows * outputs];
                level.product(Product {
                    input: &input,
                    input_stride: pairs,
                    rows,
                    weights: &weights,
                    columns: 0..outputs,
                    inner: 0..pairs,
                    output: &mut output,
                    output_stride: outputs,
                    proceed: false,
                    finish: Finish::Bias,
                });
                output
            };
            let want = run(Level::PORTABLE);
            for (at, got) in want.iter().enumerate() {
                let (row, o) = (at / outputs, at % outputs);
                let exact = exact(row, o) + f64::from(value(o));
                assert!((f64::from(*got) - exact).abs() < 1e-4, "{got}, not {exact}");
            }
            for level in Level::available() {
                assert_eq!(run(level), want, "{level} {}", level.has_bf16());
            }
        }
    }
}
