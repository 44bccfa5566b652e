//! The symmetric rank-k update in f64, lower triangle only: C += Σₖ pₖ pₖᵀ, the arithmetic under the moments.
//!
//! The vectors p lie in panels of [`WIDTH`] columns, so that one packing serves both factors of the product; C is kept in
//! square tiles of as many columns. A third of a tile, four rows of it, stays in registers while it runs down the rows.

use super::lanes::Isa;
use super::level::{Kernel, Level};

/// Columns per panel: three AVX2 registers of `f64`.
pub const WIDTH: usize = 12;
/// Rows of a strip. 4 × 12 sums, 12 factors and one broadcast are the sixteen registers there are.
#[cfg(target_arch = "x86_64")]
const STRIP: usize = 4;

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
                if isa.avx2().is_some() {
                    for (part, target) in tile.as_chunks_mut::<STRIP>().0.iter_mut().enumerate() {
                        // SAFETY: there is a proof of the features.
                        unsafe { avx2::strip(left, part * STRIP, right, target) };
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
mod avx2 {
    use std::arch::asm;

    use super::{Lane, STRIP, WIDTH};

    /// Adds the products of four columns of `left`, from `top` on, with all of `right` to `target`, summed before they are
    /// added: short sums round less than one long one.
    ///
    /// In assembly because the sums need twelve registers of sixteen, and the compiler keeps one of them in memory:
    /// its round trip through the store doubles the time of the loop.
    #[target_feature(enable = "avx2,fma")]
    pub fn strip(left: &[Lane], top: usize, right: &[Lane], target: &mut [Lane; STRIP]) {
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
        for level in Level::available() {
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(run(level).iter().zip(&plain).all(alike), "{level}");
        }
    }
}
