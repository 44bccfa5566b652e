//! Eigenvalues alone of a symmetric tridiagonal matrix: the rational QL algorithm of Pal, Walker & Kahan (Parlett 1998, *The Symmetric
//! Eigenvalue Problem*, section 8.15), which is implicit QL on the squares of the entries beside the diagonal, without roots.

use super::ql::ITERATIONS;

/// Eigenvalues of the matrix with this diagonal and these entries beside it, in no particular order, each within rounding of the largest;
/// `None` if they do not converge. Entries are of order 1, so that their squares neither overflow nor vanish where it matters.
pub(super) fn values(mut d: Vec<f64>, mut beside: Vec<f64>) -> Option<Vec<f64>> {
    let n = d.len();
    // Small eigenvalues come first where the matrix grows downwards.
    if n > 0 && d[0].abs() > d[n - 1].abs() {
        d.reverse();
        beside.reverse();
    }
    let norm = d.iter().chain(&beside).fold(0.0, |max: f64, v| max.max(v.abs()));
    let negligible = (f64::EPSILON * norm).powi(2);
    let mut squares: Vec<f64> = beside.iter().map(|b| b * b).collect();
    for low in 0..n {
        let mut iterations = 0..ITERATIONS;
        loop {
            let end = (low..n - 1).find(|&i| squares[i] <= negligible).unwrap_or(n - 1);
            if end == low {
                break;
            }
            iterations.next()?;
            if end < n - 1 {
                squares[end] = 0.0;
            }
            iterate(&mut d[low..=end], &mut squares[low..end]);
        }
    }
    Some(d)
}

/// One iteration on a block, with Wilkinson's shift from the two rows at the top.
fn iterate(d: &mut [f64], squares: &mut [f64]) {
    let end = squares.len();
    let root = squares[0].sqrt();
    let half = (d[1] - d[0]) / (2.0 * root);
    let shift = d[0] - root / (half + (1.0 + half * half).sqrt().copysign(half));
    // Cosine and sine of the rotations, squared.
    let (mut c, mut s) = (1.0, 0.0);
    let mut gamma = d[end] - shift;
    let mut p = gamma * gamma;
    for i in (0..end).rev() {
        let beside = squares[i];
        let r = p + beside;
        if i + 1 < end {
            squares[i + 1] = s * r;
        }
        let before = (c, gamma);
        // Both quotients at once: the second would otherwise wait for all that follows from the first.
        let inverse = r / p;
        c = p / r;
        s = beside / r;
        gamma = c * (d[i] - shift) - s * before.1;
        d[i + 1] = before.1 + (d[i] - gamma);
        p = if c > 0.0 { gamma * gamma * inverse } else { before.0 * beside };
    }
    squares[0] = s * p;
    d[0] = shift + gamma;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_is_known() {
        // 2 cos(kπ/(n+1)), of both signs, for ones beside a diagonal of zeros.
        let n = 61;
        let mut values = values(vec![0.0; n], vec![1.0; n - 1]).expect("converges");
        values.sort_unstable_by(|a, b| b.total_cmp(a));
        for (k, value) in values.iter().enumerate() {
            let known = 2.0 * ((k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
            assert!((value - known).abs() < 2e-14, "{k}: {value} {known}");
        }
    }

    #[test]
    fn blocks_and_zeros() {
        assert_eq!(values(vec![0.0; 3], vec![0.0; 2]), Some(vec![0.0; 3]));
        assert_eq!(values(vec![], vec![]), Some(vec![]));
        let mut found = values(vec![1.0, 1.0, 0.0, 3.0], vec![1.0, 0.0, 4.0]).expect("converges");
        found.sort_unstable_by(f64::total_cmp);
        // Two blocks: 1 ± 1 and (3 ± √73)/2.
        let root = 73_f64.sqrt();
        for (found, known) in found.iter().zip([(3.0 - root) / 2.0, 0.0, 2.0, (3.0 + root) / 2.0]) {
            assert!((found - known).abs() < 4e-15, "{found} {known}");
        }
    }
}
