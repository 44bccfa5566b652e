//! The implicit QL algorithm on a symmetric tridiagonal matrix, with its rotations kept to be applied later.

/// Iterations for each eigenvalue before giving up: two are usual.
pub(super) const ITERATIONS: usize = 60;

/// One chase through the matrix: rotations of rows `i` and `i + 1` for `i` falling from `top`.
pub(super) struct Chase {
    pub(super) top: usize,
    /// Cosine and sine of each.
    pub(super) turns: Vec<[f64; 2]>,
}

/// Eigenvalues, and the rotations that turn unit vectors into eigenvectors.
pub(super) fn values(mut d: Vec<f64>, mut e: Vec<f64>) -> Option<(Vec<f64>, Vec<Chase>)> {
    let n = d.len();
    let norm = d.iter().chain(&e).fold(0.0, |max: f64, v| max.max(v.abs()));
    let mut chases = Vec::new();
    e.push(0.0);
    for low in 0..n {
        let mut iterations = 0..ITERATIONS;
        loop {
            let negligible = |i: usize| e[i].abs() <= f64::EPSILON * norm;
            let end = (low..n - 1).find(|&i| negligible(i)).unwrap_or(n - 1);
            if end == low {
                break;
            }
            iterations.next()?;
            chases.push(chase(&mut d, &mut e, low, end));
        }
    }
    Some((d, chases))
}

/// One iteration on rows `low..=end`, with Wilkinson's shift from the two at the top.
fn chase(d: &mut [f64], e: &mut [f64], low: usize, end: usize) -> Chase {
    let half = (d[low + 1] - d[low]) / (2.0 * e[low]);
    let shift = d[low] - e[low] / (half + (1.0 + half * half).sqrt().copysign(half));
    let mut bulge = d[end] - shift;
    let (mut c, mut s, mut carried) = (1.0, 1.0, 0.0);
    let mut turns = Vec::with_capacity(end - low);
    for i in (low..end).rev() {
        let (f, b) = (s * e[i], c * e[i]);
        let r = (f * f + bulge * bulge).sqrt();
        e[i + 1] = r;
        if r == 0.0 {
            // The matrix falls apart here; the next iteration finds it so.
            d[i + 1] -= carried;
            e[end] = 0.0;
            return Chase { top: end - 1, turns };
        }
        (s, c) = (f / r, bulge / r);
        bulge = d[i + 1] - carried;
        let mixed = (d[i] - bulge) * s + 2.0 * c * b;
        carried = s * mixed;
        d[i + 1] = bulge + carried;
        bulge = c * mixed - b;
        turns.push([c, s]);
    }
    d[low] -= carried;
    e[low] = bulge;
    e[end] = 0.0;
    Chase { top: end - 1, turns }
}
