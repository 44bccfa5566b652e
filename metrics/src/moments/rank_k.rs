//! The symmetric rank-k update under the co-moment: C += Σ xxᵀ over packed rows, lower triangle only.
//!
//! Rows are packed into panels of [`WIDTH`] columns, so that one packing serves both factors of the product. A tile of
//! 4 × 8 sums stays in registers while it runs down the rows. The one body is compiled twice: for any processor, and
//! for AVX2 with fused multiply-add, chosen at run time.

/// Columns per panel: two AVX2 registers of `f64`.
pub(super) const WIDTH: usize = 8;
/// Rows of a tile. Eight registers of sums hide the latency of the multiply-add; twelve (4 × 12) would do so with fewer
/// loads, but the compiler then spills one of them in the inner loop and the whole runs at half the speed.
const HEIGHT: usize = 4;

/// One row of one panel.
pub(super) type Lane = [f64; WIDTH];

/// Adds Σₖ pₖpₖᵀ to the lower triangle of `sums`, block by block of `WIDTH` columns.
///
/// `panels` holds `rows` lanes for each panel in turn; `sums` is row-major with a side of `WIDTH` times the panels.
pub(super) fn add_products(panels: &[Lane], rows: usize, sums: &mut [f64]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just been seen to have both features.
        unsafe { with_avx2(panels, rows, sums) };
        return;
    }
    portable(panels, rows, sums);
}

/// [`add_products`] on any processor.
pub(super) fn portable(panels: &[Lane], rows: usize, sums: &mut [f64]) {
    triangle::<false>(panels, rows, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(panels: &[Lane], rows: usize, sums: &mut [f64]) {
    triangle::<true>(panels, rows, sums);
}

#[inline(always)]
fn triangle<const FUSED: bool>(panels: &[Lane], rows: usize, sums: &mut [f64]) {
    let count = panels.len() / rows.max(1);
    let side = count * WIDTH;
    for (i, left) in panels.chunks_exact(rows).enumerate() {
        for (j, right) in panels.chunks_exact(rows).enumerate().take(i + 1) {
            for top in (0..WIDTH).step_by(HEIGHT) {
                let products = tile::<FUSED>(left, top, right);
                for (r, line) in products.iter().enumerate() {
                    let start = (i * WIDTH + top + r) * side + j * WIDTH;
                    let target = &mut sums[start..start + WIDTH];
                    target
                        .iter_mut()
                        .zip(line)
                        .for_each(|(sum, product)| *sum += product);
                }
            }
        }
    }
}

#[inline(always)]
fn tile<const FUSED: bool>(left: &[Lane], top: usize, right: &[Lane]) -> [Lane; HEIGHT] {
    let mut sums = [[0.0; WIDTH]; HEIGHT];
    for (x, y) in left.iter().zip(right) {
        for r in 0..HEIGHT {
            for c in 0..WIDTH {
                let (a, b, sum) = (x[top + r], y[c], sums[r][c]);
                sums[r][c] = if FUSED {
                    a.mul_add(b, sum)
                } else {
                    sum + a * b
                };
            }
        }
    }
    sums
}
