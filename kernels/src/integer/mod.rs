//! Products of 12-bit integers in 16-bit lanes: weights quantised per output, inputs per row and block of inputs, sums
//! exact in 32 bits (Dettmers et al. 2022, arXiv:2208.07339, section 2 for the scheme, there with 8 bits). Everything
//! between the products stays f32. Twelve bits are what 384 products leave room for, and cost AVX2 no more than eight,
//! which moved distances by 0.004.

mod codes;
mod integers;

use super::lanes::{LANES, Lanes};
use super::product::{Finish, Product, finish};
use codes::quantize;
use integers::{Integers, Words};
#[cfg(target_arch = "x86_64")]
use integers::{Pairs, WidePairs};

pub use codes::{Codes, Inputs};

use super::matrix::{Matrix, Shape};

/// Inputs that share a scale.
pub const DEPTH: usize = 384;

/// The integer product of one instruction set. A table is only handed out by [`available`], which has asked the CPU.
pub struct IntegerKernels {
    /// `vnni`, `avx2`, `portable`.
    pub name: &'static str,
    /// Name of the f32 kernels that go with it.
    pub float: &'static str,
    /// Columns in a panel of packed weights.
    pub panel: usize,
    product: unsafe fn(&mut Product<Codes>, &mut Inputs),
    present: fn() -> bool,
}

impl IntegerKernels {
    /// Quantises and packs weights for these kernels.
    pub fn pack(
        &self,
        sizes: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix<Codes> {
        Codes::pack(Shape::new(sizes, self.panel), weight, bias)
    }

    /// See [`Product`]; `inner` starts at a multiple of the block that inputs are quantised in.
    pub fn product(&self, mut args: Product<Codes>, inputs: &mut Inputs) {
        args.check();
        assert_eq!(
            args.weights.shape.panel, self.panel,
            "weights are packed for these kernels"
        );
        assert!(args.inner.start.is_multiple_of(DEPTH) && args.inner.len().is_multiple_of(LANES));
        // SAFETY: the CPU has the instruction set, and `check` has passed.
        unsafe { (self.product)(&mut args, inputs) }
    }
}

/// Computes a product.
///
/// # Safety
/// The instruction set of `I` is present and `p.check()` passes.
#[inline(always)]
unsafe fn product<I: Integers>(p: &mut Product<Codes>, inputs: &mut Inputs) {
    let shape = p.weights.shape;
    let mut from = p.inner.start;
    loop {
        let to = (from + DEPTH).min(p.inner.end);
        // SAFETY: `check` bounds rows, columns and inputs.
        unsafe {
            let input = p.input.as_ptr().add(from - p.inner.start);
            quantize::<I>(input, p.input_stride, [p.rows, to - from], inputs);
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
                    1 => rows::<I, 1>(p, inputs, &panel),
                    2 => rows::<I, 2>(p, inputs, &panel),
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

/// Some columns of the weights for one block of inputs.
struct Panel<'a> {
    words: &'a [i32],
    /// What is worth fetching meanwhile.
    ahead: &'a [i32],
    scales: &'a [f32],
    first: usize,
    proceed: bool,
    last: bool,
}

/// All rows against `V` vectors of columns.
#[inline(always)]
unsafe fn rows<I: Integers, const V: usize>(
    p: &mut Product<Codes>,
    inputs: &Inputs,
    panel: &Panel,
) {
    let groups = panel.words.len() / (V * LANES);
    let tiles = p.rows.div_ceil(I::Float::ROWS).max(1);
    let mut ahead = panel
        .ahead
        .chunks((panel.ahead.len() / LANES).div_ceil(tiles).max(1) * LANES);
    let mut row = 0;
    while row < p.rows {
        for line in ahead.next().unwrap_or_default().chunks(LANES) {
            I::Float::prefetch(line.as_ptr().cast());
        }
        let height = I::Float::ROWS.min(p.rows - row);
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
            tile.run_height::<I, V>(height, panel);
            if panel.last {
                let bias = &p.weights.bias[panel.first..];
                finish::<I::Float, V>(&p.finish, bias, at, c, [height, p.output_stride]);
            }
        }
        row += height;
    }
}

/// A few rows of input codes and where their products go.
struct Tile<'a> {
    words: &'a [i32],
    scales: &'a [f32],
    groups: usize,
    c: *mut f32,
    stride: usize,
}

impl Tile<'_> {
    #[inline(always)]
    unsafe fn run_height<I: Integers, const V: usize>(&self, height: usize, panel: &Panel) {
        macro_rules! heights {
            ($($n:literal)*) => {
                match height {
                    // SAFETY: handed on from the caller.
                    $($n if $n <= I::Float::ROWS => unsafe { self.run::<I, $n, V>(panel) },)*
                    _ => unreachable!("tiles are at most {} rows high", I::Float::ROWS),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    unsafe fn run<I: Integers, const R: usize, const V: usize>(&self, panel: &Panel) {
        // SAFETY: the caller vouches for the instruction set and for R rows of V vectors.
        unsafe {
            let mut sums = [[I::splat(0); V]; R];
            let (mut a, mut b) = (self.words.as_ptr(), panel.words.as_ptr());
            for _ in 0..self.groups {
                let mut columns = [I::splat(0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = I::load(b.add(v * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = I::splat(*a.add(r * self.groups));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = sum.dot(row, column);
                    }
                }
                a = a.add(1);
                b = b.add(V * LANES);
            }
            for (r, sums) in sums.iter().enumerate() {
                let scale = I::Float::splat(self.scales[r]);
                for (v, sum) in sums.iter().enumerate() {
                    let worth = scale.mul(I::Float::load(panel.scales.as_ptr().add(v * LANES)));
                    let mut value = sum.to_floats().mul(worth);
                    let to = self.c.add(r * self.stride + v * LANES);
                    if panel.proceed {
                        value = value.add(I::Float::load(to));
                    }
                    value.store(to);
                }
            }
        }
    }
}

/// Defines the kernel of `$integers` compiled for `$features`, and its table.
macro_rules! kernels {
    ($table:ident, $module:ident, $float:literal, $integers:ty, $features:meta, $present:expr) => {
        mod $module {
            use super::*;

            // SAFETY: the table is only handed out where the instruction set is present; what else the kernel asks
            // for is handed on.
            #[$features]
            pub unsafe fn product(args: &mut Product<Codes>, inputs: &mut Inputs) {
                // SAFETY: see above.
                unsafe { super::product::<$integers>(args, inputs) }
            }
        }

        static $table: IntegerKernels = IntegerKernels {
            name: stringify!($module),
            float: $float,
            panel: <<$integers as Integers>::Float as Lanes>::VECTORS * LANES,
            product: $module::product,
            present: || $present,
        };
    };
}

kernels!(PORTABLE, portable, "portable", Words, inline(never), true);

#[cfg(target_arch = "x86_64")]
kernels!(
    AVX2,
    avx2,
    "avx2",
    Pairs,
    target_feature(enable = "avx2,fma"),
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
);

#[cfg(target_arch = "x86_64")]
kernels!(
    VNNI,
    vnni,
    "avx512",
    WidePairs,
    target_feature(enable = "avx512f,avx512vnni"),
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
);

/// The integer kernels that this CPU can run, the fastest first; the portable ones are always there, at the end.
pub fn available() -> impl Iterator<Item = &'static IntegerKernels> {
    #[cfg(target_arch = "x86_64")]
    let all = [&VNNI, &AVX2, &PORTABLE];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [&PORTABLE];
    all.into_iter().filter(|kernels| (kernels.present)())
}

/// The integer kernels that go with f32 kernels of this name: of the same instruction set or of one below it, and in
/// agreement with the portable ones on a small problem.
pub fn beside(float: &str) -> &'static IntegerKernels {
    let expected = small_problem(&PORTABLE, [13, 112, 400]);
    available()
        .skip_while(|kernels| kernels.float != float && float != "avx512")
        .find(|kernels| {
            let agree = small_problem(kernels, [13, 112, 400]) == expected;
            if !agree {
                tracing::warn!(
                    "the {} integer kernels disagree with the portable ones on this CPU and are not used; please \
                     report this",
                    kernels.name
                );
            }
            agree
        })
        .unwrap_or(&PORTABLE)
}

/// A product of `rows` rows, `columns` outputs and `inner` inputs: all kernels must give the same floats.
fn small_problem(kernels: &IntegerKernels, [rows, columns, inner]: [usize; 3]) -> Vec<f32> {
    let input: Vec<f32> = (0..rows * inner).map(small_value).collect();
    let weights = kernels.pack(
        [columns, inner],
        |output, input| small_value(output * 37 + input * 3),
        small_value,
    );
    let mut output = vec![0.0; rows * columns];
    let product = Product {
        input: &input,
        input_stride: inner,
        rows,
        weights: &weights,
        columns: 0..columns,
        inner: 0..inner,
        output: &mut output,
        output_stride: columns,
        proceed: false,
        finish: Finish::Bias,
    };
    kernels.product(product, &mut Inputs::default());
    output
}

/// Values of [`small_problem`], between −1 and 1.
fn small_value(i: usize) -> f32 {
    ((i * 7919 + 13) % 1013) as f32 / 500.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kernel gives the same floats, hence the same integers, for odd sizes and several blocks.
    #[test]
    fn all_kernels_give_the_same_integers() {
        for size in [[1, 16, 16], [7, 48, 80], [13, 112, 384], [29, 80, 832]] {
            let [rows, columns, inner] = size;
            let want = small_problem(&PORTABLE, size);
            for kernels in available() {
                assert_eq!(
                    small_problem(kernels, size),
                    want,
                    "{} {size:?}",
                    kernels.name
                );
            }
            // And the twin is right: near the product of the floats.
            for row in 0..rows {
                for column in 0..columns {
                    let exact: f32 = (0..inner)
                        .map(|i| small_value(row * inner + i) * small_value(column * 37 + i * 3))
                        .sum::<f32>()
                        + small_value(column);
                    let got = want[row * columns + column];
                    let bound = 0.001 * (inner as f32).sqrt() + 1e-3;
                    assert!((got - exact).abs() < bound, "{got}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn the_largest_codes_do_not_overflow() {
        for kernels in available() {
            let weights = kernels.pack([16, DEPTH], |_, _| -3.0, |_| 0.0);
            let input = [-2.0; DEPTH];
            let mut output = [0.0; 16];
            let product = Product {
                input: &input,
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
            kernels.product(product, &mut Inputs::default());
            let want = 6.0 * DEPTH as f32;
            assert!(
                output.iter().all(|got| (got / want - 1.0).abs() < 1e-5),
                "{output:?}"
            );
        }
    }
}
