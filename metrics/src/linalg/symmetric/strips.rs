//! Reflections and rotations applied to the unit matrix, strip by strip of its columns.

use fgd_kernels::{Doubles, Isa, Kernel, LANES_F64, Level};
use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use super::Reflector;
use super::ql::Chase;

/// Columns of a strip: at d = 384 it fills less than half of a second-level cache.
const WIDTH: usize = 64;

/// A row of a strip.
type Row = [f64; WIDTH];

/// Eigenvectors in columns, `[n, n]`: the transpose of what the reflections, then the rotations make of the unit matrix.
pub(super) fn vectors(reflections: &[Reflector], chases: &[Chase], n: usize) -> Array2<f64> {
    let mut rows = Array2::zeros((n, n));
    rows.axis_chunks_iter_mut(Axis(1), WIDTH).into_par_iter().enumerate().for_each(
        |(at, mut target)| {
            let mut strip = vec![[0.0; WIDTH]; n];
            let width = target.ncols();
            for (c, row) in strip[at * WIDTH..].iter_mut().take(width).enumerate() {
                row[c] = 1.0;
            }
            Level::current().run(Apply { reflections, chases, strip: &mut strip });
            for (mut target, row) in target.outer_iter_mut().zip(&strip) {
                target.assign(&ndarray::aview1(row).slice(s![..width]));
            }
        },
    );
    rows.reversed_axes()
}

/// The reflections, then the rotations, on one strip.
struct Apply<'a> {
    reflections: &'a [Reflector],
    chases: &'a [Chase],
    strip: &'a mut [Row],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Apply { reflections, chases, strip } = self;
        for Reflector { tau, start, h } in reflections {
            let rows = &mut strip[*start..];
            let mut along = [isa.splat_f64(0.0); WIDTH / LANES_F64];
            for (row, &h) in rows.iter().zip(h) {
                let h = isa.splat_f64(h);
                for (along, row) in along.iter_mut().zip(row.as_chunks().0) {
                    *along = isa.load_f64(row).mul_add(h, *along);
                }
            }
            for (row, &h) in rows.iter_mut().zip(h) {
                let factor = isa.splat_f64(-tau * h);
                for (along, row) in along.iter().zip(row.as_chunks_mut().0) {
                    along.mul_add(factor, isa.load_f64(row)).store(row);
                }
            }
        }
        for Chase { top, turns } in chases {
            for (k, &[c, s]) in turns.iter().enumerate() {
                let [upper, lower] = &mut strip[top - k..][..2] else {
                    unreachable!("a rotation has two rows")
                };
                let (c, s, back) = (isa.splat_f64(c), isa.splat_f64(s), isa.splat_f64(-s));
                for (a, b) in upper.as_chunks_mut().0.iter_mut().zip(lower.as_chunks_mut().0) {
                    let (x, y) = (isa.load_f64(a), isa.load_f64(b));
                    y.mul_add(c, x.mul(s)).store(b);
                    x.mul_add(c, y.mul(back)).store(a);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_levels_agree() {
        let reflections = [Reflector { tau: 0.7, start: 2, h: vec![1.0, -0.5, 0.25] }];
        let chases = [Chase { top: 3, turns: vec![[0.6, 0.8], [0.8, -0.6]] }];
        let strip: Vec<Row> = (0..5)
            .map(|i| std::array::from_fn(|c| ((i * 13 + c * 7) % 17) as f64 / 5.0 - 1.5))
            .collect();
        let run = |level: Level| {
            let mut strip = strip.clone();
            level.run(Apply { reflections: &reflections, chases: &chases, strip: &mut strip });
            strip.as_flattened().to_vec()
        };
        let plain = run(Level::PORTABLE);
        assert!(plain != strip.as_flattened());
        for level in Level::available() {
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14;
            assert!(run(level).iter().zip(&plain).all(alike), "{level}");
        }
    }
}
