//! Singular values by Householder bidiagonalisation and dqds: the step that the set distance spends its time in.
//!
//! Golub & Kahan (1965) reduce a matrix to a bidiagonal one of the same singular values; textbook code reads the whole
//! matrix four times for each column. Here both reflections of a step and the products for the next are made
//! in one pass, as Howell, Demmel, Fulton, Hammarling & Marmol (2008, "Cache efficient bidiagonalization using BLAS 2.5
//! operators") show is possible: while a column is in the first-level cache it takes the updates that the last step left
//! pending, is multiplied by the new left reflector, which yields its entry of the new row, and enters the product of
//! the matrix with that row. The bidiagonal's values come from [`dqds`].

mod dqds;

use ndarray::{Array1, ArrayView2};

use super::pass::{Columns, LANE, Lane, Pending};
use super::reflection::Reflection;

/// Singular values of a finite matrix, largest first; `None` if they do not converge.
pub(super) fn singular_values(matrix: ArrayView2<f64>) -> Option<Array1<f64>> {
    // Rows are contiguous, so they stand for columns: the transpose has the same singular values.
    let tall = if matrix.nrows() <= matrix.ncols() { matrix } else { matrix.reversed_axes() };
    let largest = tall.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
    if largest == 0.0 {
        return Some(Array1::zeros(tall.nrows()));
    }
    // Once inside the pool, the joins of every step stay between its threads.
    let (diagonal, above) = rayon::scope(|_| bidiagonal(Columns::of_rows(tall, largest)));
    let mut values = dqds::singular_values(&diagonal, &above)?;
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    Some(values.into_iter().map(|v| v * largest).collect())
}

/// Diagonal and superdiagonal of an upper bidiagonal matrix with the singular values of `columns`.
fn bidiagonal(mut columns: Columns) -> (Vec<f64>, Vec<f64>) {
    let n = columns.count;
    let mut diagonal = Vec::with_capacity(n);
    let mut above = Vec::with_capacity(n.saturating_sub(1));
    let mut pending = Pending::none(&columns);
    let mut left = vec![Lane::ZERO; columns.height];
    for k in 0..n {
        columns.settle(k, &pending);
        left.copy_from_slice(columns.column(k));
        let reflection = Reflection::of_lanes(&mut left, k);
        diagonal.push(reflection.image);
        if k + 1 == n {
            break;
        }
        // y = τ Aᵀu, row k of the reflected matrix, and A times that row.
        let mut step = columns.pass(k, &pending, &left, reflection.tau);
        let of_row = Reflection::of(&mut step.row);
        above.push(of_row.image);
        // A'h for the row's reflector h: h = (row − β e₁)/(α − β), and A' = A − u yᵀ.
        let next = columns.column(k + 1);
        let along = dot(&step.y, &step.entries);
        let scale = of_row.tau * of_row.scale;
        for (i, (x, (&u, &first))) in
            (step.product.iter_mut()).zip(left.iter().zip(next)).enumerate()
        {
            for c in 0..LANE {
                let row = i * LANE + c;
                let reflected = x.0[c] - u.0[c] * along;
                let first = first.0[c] - u.0[c] * step.y[0];
                x.0[c] = if row > k { scale * (reflected - of_row.image * first) } else { 0.0 };
            }
        }
        pending = Pending { u: left.clone(), y: step.y, x: step.product, h: step.row };
    }
    (diagonal, above)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
