//! Reflections and rotations applied to the unit matrix, strip by strip of its columns.

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
    rows.axis_chunks_iter_mut(Axis(1), WIDTH)
        .into_par_iter()
        .enumerate()
        .for_each(|(at, mut target)| {
            let mut strip = vec![[0.0; WIDTH]; n];
            let width = target.ncols();
            for (c, row) in strip[at * WIDTH..].iter_mut().take(width).enumerate() {
                row[c] = 1.0;
            }
            apply(reflections, chases, &mut strip);
            for (mut target, row) in target.outer_iter_mut().zip(&strip) {
                target.assign(&ndarray::aview1(row).slice(s![..width]));
            }
        });
    rows.reversed_axes()
}

fn apply(reflections: &[Reflector], chases: &[Chase], strip: &mut [Row]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just been seen to have both features.
        unsafe { apply_with_avx2(reflections, chases, strip) };
        return;
    }
    portable(reflections, chases, strip);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn apply_with_avx2(reflections: &[Reflector], chases: &[Chase], strip: &mut [Row]) {
    body::<true>(reflections, chases, strip);
}

/// [`apply`] on any processor.
fn portable(reflections: &[Reflector], chases: &[Chase], strip: &mut [Row]) {
    body::<false>(reflections, chases, strip);
}

#[inline(always)]
fn body<const FUSED: bool>(reflections: &[Reflector], chases: &[Chase], strip: &mut [Row]) {
    for Reflector { tau, start, h } in reflections {
        let rows = &mut strip[*start..];
        let mut along = [0.0; WIDTH];
        for (row, &h) in rows.iter().zip(h) {
            for c in 0..WIDTH {
                along[c] = fma::<FUSED>(row[c], h, along[c]);
            }
        }
        for (row, &h) in rows.iter_mut().zip(h) {
            let factor = -tau * h;
            for c in 0..WIDTH {
                row[c] = fma::<FUSED>(along[c], factor, row[c]);
            }
        }
    }
    for Chase { top, turns } in chases {
        for (k, &[c, s]) in turns.iter().enumerate() {
            let [upper, lower] = &mut strip[top - k..][..2] else {
                unreachable!("a rotation has two rows")
            };
            for (a, b) in upper.iter_mut().zip(lower.iter_mut()) {
                let (x, y) = (*a, *b);
                *b = fma::<FUSED>(c, y, s * x);
                *a = fma::<FUSED>(c, x, -s * y);
            }
        }
    }
}

#[inline(always)]
fn fma<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_agree() {
        let reflections = [Reflector {
            tau: 0.7,
            start: 2,
            h: vec![1.0, -0.5, 0.25],
        }];
        let chases = [Chase {
            top: 3,
            turns: vec![[0.6, 0.8], [0.8, -0.6]],
        }];
        let strip: Vec<Row> = (0..5)
            .map(|i| std::array::from_fn(|c| ((i * 13 + c * 7) % 17) as f64 / 5.0 - 1.5))
            .collect();
        let (mut fast, mut plain) = (strip.clone(), strip.clone());
        apply(&reflections, &chases, &mut fast);
        portable(&reflections, &chases, &mut plain);
        let (fast, plain) = (fast.as_flattened(), plain.as_flattened());
        assert!(fast.iter().zip(plain).all(|(a, b)| (a - b).abs() < 1e-14));
        assert!(plain != strip.as_flattened());
    }
}
