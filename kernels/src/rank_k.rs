//! The symmetric rank-k update in f64, lower triangle only: C += Σₖ pₖ pₖᵀ, the arithmetic under the moments.
//!
//! The vectors p lie in panels of [`WIDTH`] columns, so that one packing serves both factors of the product; C is kept in
//! square tiles of as many columns. A part of a tile, as much as the registers hold, stays there while it runs down the rows; every
//! entry of C is summed in the same order whatever the registers.

use super::lanes::Isa;
use super::level::{Kernel, Level};

/// Columns per panel: three AVX-512 registers of `f64`.
pub const WIDTH: usize = 24;

/// One row of one panel.
pub type Lane = [f64; WIDTH];
/// A square of C, by rows.
pub type Tile = [Lane; WIDTH];

impl Level {
    /// Adds Σₖ pₖ pₖᵀ to the tiles on and below the diagonal, row by row; `panels` holds `height` lanes for each panel in
    /// turn.
    pub fn rank_k(self, panels: &[Lane], height: usize, tiles: &mut [Tile]) {
        self.run(RankK { panels, height, tiles });
    }
}

struct RankK<'a> {
    panels: &'a [Lane],
    height: usize,
    tiles: &'a mut [Tile],
}

impl Kernel for RankK<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let count = self.panels.len() / self.height.max(1);
        assert_eq!(self.tiles.len(), count * (count + 1) / 2, "a tile for each pair");
        let mut tiles = self.tiles.iter_mut();
        for (i, left) in self.panels.chunks_exact(self.height.max(1)).enumerate() {
            let rights = self.panels.chunks_exact(self.height.max(1)).take(i + 1);
            for (right, tile) in rights.zip(&mut tiles) {
                #[cfg(target_arch = "x86_64")]
                if isa.avx512().is_some() {
                    for (part, target) in tile.as_chunks_mut().0.iter_mut().enumerate() {
                        // SAFETY: there is a proof of the features.
                        unsafe { avx512::strip(left, part, right, target) };
                    }
                    continue;
                } else if isa.avx2().is_some() {
                    for (part, target) in tile.as_chunks_mut().0.iter_mut().enumerate() {
                        for half in 0..2 {
                            // SAFETY: there is a proof of the features.
                            unsafe { avx2::strip(left, part, right, half, target) };
                        }
                    }
                    continue;
                }
                let _ = isa;
                for (x, y) in left.iter().zip(right) {
                    for (sums, a) in tile.iter_mut().zip(x) {
                        sums.iter_mut().zip(y).for_each(|(sum, b)| *sum += a * b);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Lane;

    /// Rows of a strip. 8 × 24 sums, 24 factors and a broadcast are twenty-eight of the thirty-two registers.
    const STRIP: usize = 8;

    /// Adds the products of eight columns of `left`, the `part`-th eight, with all of `right` to `target`, summed before they are
    /// added: short sums round less than one long one.
    #[target_feature(enable = "avx512f")]
    pub fn strip(left: &[Lane], part: usize, right: &[Lane], target: &mut [Lane; STRIP]) {
        // SAFETY: eight numbers are read.
        let load = |from: &[f64; 8]| unsafe { _mm512_loadu_pd(from.as_ptr()) };
        let mut sums = [[_mm512_setzero_pd(); 3]; STRIP];
        for (x, y) in left.iter().zip(right) {
            let [y0, y1, y2] = y.as_chunks().0 else { unreachable!("three times eight") };
            let y = [load(y0), load(y1), load(y2)];
            for (sums, &x) in sums.iter_mut().zip(&x.as_chunks::<STRIP>().0[part]) {
                let x = _mm512_set1_pd(x);
                for c in 0..3 {
                    sums[c] = _mm512_fmadd_pd(x, y[c], sums[c]);
                }
            }
        }
        for (row, sums) in target.iter_mut().zip(sums) {
            for (to, sum) in row.as_chunks_mut().0.iter_mut().zip(sums) {
                let sum = _mm512_add_pd(sum, load(to));
                // SAFETY: eight numbers are written.
                unsafe { _mm512_storeu_pd(to.as_mut_ptr(), sum) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::asm;

    use super::{Lane, WIDTH};

    /// Rows of a strip. 4 × 12 sums, 12 factors and one broadcast are the sixteen registers there are.
    const STRIP: usize = 4;

    /// Adds the products of four columns of `left`, the `part`-th four, with one half of `right` to that half of `target`, summed
    /// before they are added.
    ///
    /// In assembly because the sums need twelve registers of sixteen, and the compiler keeps one of them in memory:
    /// its round trip through the store doubles the time of the loop.
    #[target_feature(enable = "avx2,fma")]
    pub fn strip(
        left: &[Lane],
        part: usize,
        right: &[Lane],
        half: usize,
        target: &mut [Lane; STRIP],
    ) {
        assert!((part + 1) * STRIP <= WIDTH && half < 2);
        assert!(!left.is_empty() && left.len() == right.len());
        // SAFETY: the loop runs once for each lane of the two slices, which are equally long and not empty, and reads
        // `STRIP` entries of the one and half of the other. It writes that half of the rows of `target` alone.
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
                "add {left}, 192",
                "add {right}, 192",
                "dec {count}",
                "jnz 2b",
                "vaddpd ymm0, ymm0, [{target}]",
                "vaddpd ymm1, ymm1, [{target} + 32]",
                "vaddpd ymm2, ymm2, [{target} + 64]",
                "vaddpd ymm3, ymm3, [{target} + 192]",
                "vaddpd ymm4, ymm4, [{target} + 224]",
                "vaddpd ymm5, ymm5, [{target} + 256]",
                "vaddpd ymm6, ymm6, [{target} + 384]",
                "vaddpd ymm7, ymm7, [{target} + 416]",
                "vaddpd ymm8, ymm8, [{target} + 448]",
                "vaddpd ymm9, ymm9, [{target} + 576]",
                "vaddpd ymm10, ymm10, [{target} + 608]",
                "vaddpd ymm11, ymm11, [{target} + 640]",
                "vmovupd [{target}], ymm0",
                "vmovupd [{target} + 32], ymm1",
                "vmovupd [{target} + 64], ymm2",
                "vmovupd [{target} + 192], ymm3",
                "vmovupd [{target} + 224], ymm4",
                "vmovupd [{target} + 256], ymm5",
                "vmovupd [{target} + 384], ymm6",
                "vmovupd [{target} + 416], ymm7",
                "vmovupd [{target} + 448], ymm8",
                "vmovupd [{target} + 576], ymm9",
                "vmovupd [{target} + 608], ymm10",
                "vmovupd [{target} + 640], ymm11",
                left = inout(reg) left.as_ptr().cast::<f64>().add(part * STRIP) => _,
                right = inout(reg) right.as_ptr().cast::<f64>().add(half * WIDTH / 2) => _,
                count = inout(reg) left.len() => _,
                target = in(reg) target.as_mut_ptr().cast::<f64>().add(half * WIDTH / 2),
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
    fn all_levels_agree() {
        let panels: Vec<Lane> = (0..3 * 50)
            .map(|i| std::array::from_fn(|c| ((i * 31 + c * 17) % 29) as f64 / 13.0 - 1.0))
            .collect();
        let run = |level: Level| {
            let mut tiles = vec![[[0.0; WIDTH]; WIDTH]; 6];
            level.rank_k(&panels, 50, &mut tiles);
            tiles.as_flattened().as_flattened().to_vec()
        };
        let plain = run(Level::PORTABLE);
        assert!(plain.iter().any(|v| v.abs() > 1.0));
        let vectors: Vec<_> =
            Level::available().filter(|&level| level != Level::PORTABLE).collect();
        for &level in &vectors {
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(run(level).iter().zip(&plain).all(alike), "{level}");
            assert_eq!(run(level), run(vectors[0]), "{level}");
        }
    }
}
