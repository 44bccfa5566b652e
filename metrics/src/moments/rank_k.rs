//! The symmetric rank-k update under the co-moment: C += Σ (x − s)(x − s)ᵀ over rows x, lower triangle only.
//!
//! Rows are packed as `f64` into panels of [`WIDTH`] columns, so that one packing serves both factors of the product; C is
//! kept in square tiles of as many columns. A third of a tile, four rows of it, stays in registers while it runs down the rows.
//! Packing and products are written once for any processor; AVX2 with fused multiply-add has its own strip, and which is
//! taken is chosen at run time.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// Columns per panel: three AVX2 registers of `f64`.
const WIDTH: usize = 12;
/// Rows of a strip. 4 × 12 sums, 12 factors and one broadcast are the sixteen registers there are.
#[cfg(target_arch = "x86_64")]
const STRIP: usize = 4;
/// Rows packed at once: two panels of them fit into the first-level cache.
const PACKED_ROWS: usize = 128;
/// Rows whose every panel is written before the next are read.
const READ_ROWS: usize = 16;

/// One row of one panel.
type Lane = [f64; WIDTH];
/// A square of C, by rows.
type Tile = [Lane; WIDTH];

/// The sums over some rows, shifted by a vector near their mean.
pub(super) struct Products {
    d: usize,
    /// The tiles on and below the diagonal, row by row.
    tiles: Vec<Tile>,
    /// Σ (x − s), padded to whole lanes.
    sums: Vec<f64>,
}

impl Products {
    /// Sums over `rows`, of any real type, each scaled by the square root of its weight; weights are 1 where none are given.
    pub(super) fn of<T: Copy + Into<f64>>(
        rows: ArrayView2<T>,
        shift: ArrayView1<f64>,
        weights: Option<&[f64]>,
    ) -> Self {
        let d = rows.ncols();
        let count = d.div_ceil(WIDTH);
        let mut products = Self {
            d,
            tiles: vec![[[0.0; WIDTH]; WIDTH]; count * (count + 1) / 2],
            sums: vec![0.0; count * WIDTH],
        };
        let mut panels = vec![[0.0; WIDTH]; count * PACKED_ROWS];
        let mut padded = vec![0.0; count * WIDTH];
        padded.iter_mut().zip(shift).for_each(|(p, &s)| *p = s);
        let mut row_major = Vec::new();
        for start in (0..rows.nrows()).step_by(PACKED_ROWS) {
            let part = rows.slice(ndarray::s![
                start..rows.nrows().min(start + PACKED_ROWS),
                ..
            ]);
            let height = part.nrows();
            let values = match part.to_slice() {
                Some(values) => values,
                None => {
                    row_major.clear();
                    row_major.extend(part.iter().copied());
                    &row_major
                }
            };
            let panels = &mut panels[..count * height];
            pack(values, d, &padded, panels, &mut products.sums);
            if let Some(weights) = weights {
                scale(panels, &weights[start..start + height]);
            }
            add_products(panels, height, &mut products.tiles);
        }
        products
    }

    /// Adds the sums over other rows, shifted by the same vector.
    pub(super) fn add(&mut self, other: &Self) {
        let entries = |tiles: &'_ [Tile]| tiles.as_flattened().as_flattened().len();
        debug_assert_eq!(entries(&self.tiles), entries(&other.tiles));
        let own = self.tiles.as_flattened_mut().as_flattened_mut();
        let others = other.tiles.as_flattened().as_flattened();
        own.iter_mut().zip(others).for_each(|(a, b)| *a += b);
        self.sums
            .iter_mut()
            .zip(&other.sums)
            .for_each(|(a, b)| *a += b);
    }

    /// Σ (x − s), `[d]`.
    pub(super) fn sums(&self) -> ArrayView1<'_, f64> {
        ArrayView1::from(&self.sums[..self.d])
    }

    /// Σ (x − s)(x − s)ᵀ, `[d, d]`.
    pub(super) fn into_matrix(self) -> Array2<f64> {
        let at = |i: usize, j: usize| {
            let (row, column) = (i / WIDTH, j / WIDTH);
            self.tiles[row * (row + 1) / 2 + column][i % WIDTH][j % WIDTH]
        };
        Array2::from_shape_fn((self.d, self.d), |(i, j)| at(i.max(j), i.min(j)))
    }
}

/// Writes rows less the shift into panels of as many lanes as there are rows, and adds them to the sums.
fn pack<T: Copy + Into<f64>>(
    values: &[T],
    d: usize,
    shift: &[f64],
    panels: &mut [Lane],
    sums: &mut [f64],
) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just been seen to have both features.
        unsafe { pack_with_avx2(values, d, shift, panels, sums) };
        return;
    }
    pack_body(values, d, shift, panels, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pack_with_avx2<T: Copy + Into<f64>>(
    values: &[T],
    d: usize,
    shift: &[f64],
    panels: &mut [Lane],
    sums: &mut [f64],
) {
    pack_body(values, d, shift, panels, sums);
}

#[inline(always)]
fn pack_body<T: Copy + Into<f64>>(
    values: &[T],
    d: usize,
    shift: &[f64],
    panels: &mut [Lane],
    sums: &mut [f64],
) {
    let height = values.len() / d.max(1);
    for first in (0..height).step_by(READ_ROWS) {
        let rows = &values[first * d..d * height.min(first + READ_ROWS)];
        for (p, panel) in panels.chunks_exact_mut(height).enumerate() {
            let from = p * WIDTH;
            let width = WIDTH.min(d - from);
            let shift: &Lane = shift[from..].first_chunk().expect("padded to whole lanes");
            let mut total = [0.0; WIDTH];
            for (row, lane) in rows.chunks_exact(d).zip(&mut panel[first..]) {
                if let Some(columns) = row[from..].first_chunk::<WIDTH>() {
                    for c in 0..WIDTH {
                        lane[c] = columns[c].into() - shift[c];
                        total[c] += lane[c];
                    }
                } else {
                    for c in 0..width {
                        lane[c] = row[from + c].into() - shift[c];
                        total[c] += lane[c];
                    }
                }
            }
            let sums = &mut sums[from..from + WIDTH];
            sums.iter_mut().zip(total).for_each(|(sum, t)| *sum += t);
        }
    }
}

fn scale(panels: &mut [Lane], weights: &[f64]) {
    for panel in panels.chunks_exact_mut(weights.len()) {
        for (lane, weight) in panel.iter_mut().zip(weights) {
            let root = weight.sqrt();
            lane.iter_mut().for_each(|v| *v *= root);
        }
    }
}

/// Adds Σₖ pₖpₖᵀ to the tiles; `panels` holds `height` lanes for each panel in turn.
fn add_products(panels: &[Lane], height: usize, tiles: &mut [Tile]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just been seen to have both features.
        unsafe { avx2::triangle(panels, height, tiles) };
        return;
    }
    portable(panels, height, tiles);
}

/// [`add_products`] on any processor.
fn portable(panels: &[Lane], height: usize, tiles: &mut [Tile]) {
    let mut tiles = tiles.iter_mut();
    for (i, left) in panels.chunks_exact(height).enumerate() {
        for right in panels.chunks_exact(height).take(i + 1) {
            let tile = tiles.next().expect("a tile for each pair of panels");
            for (x, y) in left.iter().zip(right) {
                for (sums, a) in tile.iter_mut().zip(x) {
                    sums.iter_mut().zip(y).for_each(|(sum, b)| *sum += a * b);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::asm;

    use super::{Lane, STRIP, Tile, WIDTH};

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn triangle(panels: &[Lane], height: usize, tiles: &mut [Tile]) {
        let mut tiles = tiles.iter_mut();
        for (i, left) in panels.chunks_exact(height).enumerate() {
            for right in panels.chunks_exact(height).take(i + 1) {
                let tile = tiles.next().expect("a tile for each pair of panels");
                for (part, target) in tile.as_chunks_mut::<STRIP>().0.iter_mut().enumerate() {
                    strip(left, part * STRIP, right, target);
                }
            }
        }
    }

    /// Adds the products of four columns of `left`, from `top` on, with all of `right` to `target`, summed before they are
    /// added: short sums round less than one long one.
    ///
    /// In assembly because the sums need twelve registers of sixteen, and the compiler keeps one of them in memory:
    /// its round trip through the store doubles the time of the loop.
    #[target_feature(enable = "avx2,fma")]
    fn strip(left: &[Lane], top: usize, right: &[Lane], target: &mut [Lane; STRIP]) {
        assert!(top + STRIP <= WIDTH && !left.is_empty() && left.len() == right.len());
        // SAFETY: the loop runs once for each lane of the two slices, which are equally long and not empty, and reads
        // `STRIP` entries from `top` on of the one and all of the other. It writes the twelve registers of `target` alone.
        unsafe {
            asm!(
                "vxorpd xmm0, xmm0, xmm0",
                "vxorpd xmm1, xmm1, xmm1",
                "vxorpd xmm2, xmm2, xmm2",
                "vxorpd xmm3, xmm3, xmm3",
                "vxorpd xmm4, xmm4, xmm4",
                "vxorpd xmm5, xmm5, xmm5",
                "vxorpd xmm6, xmm6, xmm6",
                "vxorpd xmm7, xmm7, xmm7",
                "vxorpd xmm8, xmm8, xmm8",
                "vxorpd xmm9, xmm9, xmm9",
                "vxorpd xmm10, xmm10, xmm10",
                "vxorpd xmm11, xmm11, xmm11",
                "2:",
                "vmovupd ymm12, [{right}]",
                "vmovupd ymm13, [{right} + 32]",
                "vmovupd ymm14, [{right} + 64]",
                "vbroadcastsd ymm15, [{left}]",
                "vfmadd231pd ymm0, ymm12, ymm15",
                "vfmadd231pd ymm1, ymm13, ymm15",
                "vfmadd231pd ymm2, ymm14, ymm15",
                "vbroadcastsd ymm15, [{left} + 8]",
                "vfmadd231pd ymm3, ymm12, ymm15",
                "vfmadd231pd ymm4, ymm13, ymm15",
                "vfmadd231pd ymm5, ymm14, ymm15",
                "vbroadcastsd ymm15, [{left} + 16]",
                "vfmadd231pd ymm6, ymm12, ymm15",
                "vfmadd231pd ymm7, ymm13, ymm15",
                "vfmadd231pd ymm8, ymm14, ymm15",
                "vbroadcastsd ymm15, [{left} + 24]",
                "vfmadd231pd ymm9, ymm12, ymm15",
                "vfmadd231pd ymm10, ymm13, ymm15",
                "vfmadd231pd ymm11, ymm14, ymm15",
                "add {left}, 96",
                "add {right}, 96",
                "dec {count}",
                "jnz 2b",
                "vaddpd ymm0, ymm0, [{target}]",
                "vaddpd ymm1, ymm1, [{target} + 32]",
                "vaddpd ymm2, ymm2, [{target} + 64]",
                "vaddpd ymm3, ymm3, [{target} + 96]",
                "vaddpd ymm4, ymm4, [{target} + 128]",
                "vaddpd ymm5, ymm5, [{target} + 160]",
                "vaddpd ymm6, ymm6, [{target} + 192]",
                "vaddpd ymm7, ymm7, [{target} + 224]",
                "vaddpd ymm8, ymm8, [{target} + 256]",
                "vaddpd ymm9, ymm9, [{target} + 288]",
                "vaddpd ymm10, ymm10, [{target} + 320]",
                "vaddpd ymm11, ymm11, [{target} + 352]",
                "vmovupd [{target}], ymm0",
                "vmovupd [{target} + 32], ymm1",
                "vmovupd [{target} + 64], ymm2",
                "vmovupd [{target} + 96], ymm3",
                "vmovupd [{target} + 128], ymm4",
                "vmovupd [{target} + 160], ymm5",
                "vmovupd [{target} + 192], ymm6",
                "vmovupd [{target} + 224], ymm7",
                "vmovupd [{target} + 256], ymm8",
                "vmovupd [{target} + 288], ymm9",
                "vmovupd [{target} + 320], ymm10",
                "vmovupd [{target} + 352], ymm11",
                left = inout(reg) left.as_ptr().cast::<f64>().add(top) => _,
                right = inout(reg) right.as_ptr() => _,
                count = inout(reg) left.len() => _,
                target = in(reg) target.as_mut_ptr(),
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
                out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
                out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_agree() {
        let panels: Vec<Lane> = (0..3 * 50)
            .map(|i| std::array::from_fn(|c| ((i * 31 + c * 17) % 29) as f64 / 13.0 - 1.0))
            .collect();
        let (mut fast, mut plain) = (
            vec![[[0.0; WIDTH]; WIDTH]; 6],
            vec![[[0.0; WIDTH]; WIDTH]; 6],
        );
        add_products(&panels, 50, &mut fast);
        portable(&panels, 50, &mut plain);
        let entries = |tiles: &[Tile]| tiles.as_flattened().as_flattened().to_vec();
        let (fast, plain) = (entries(&fast), entries(&plain));
        assert!(fast.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(plain.iter().any(|v| v.abs() > 1.0));
    }
}
