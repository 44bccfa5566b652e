//! Singular values of a bidiagonal matrix by dqds, the differential quotient-difference algorithm with shifts.
//!
//! Fernando & Parlett (1994), "Accurate singular values and differential qd algorithms": q holds the squares of the
//! diagonal, e those of the superdiagonal. A sweep with a shift τ below the smallest eigenvalue λ of BᵀB turns
//! (q, e) into that of BᵀB − τ in one division per entry; one with a shift too large shows by a negative d and is
//! repeated with a smaller one. Close shifts make the last e vanish at least quadratically, which gives λ.

/// Neglected entries change a singular value by less than rounding does.
const TOLERANCE: f64 = f64::EPSILON * f64::EPSILON;
/// Sweeps for each value before giving up; two to four are usual.
const SWEEPS: usize = 60;
/// The larger end of a block goes first when it exceeds the other by this factor.
const FLIP: f64 = 1.5;

/// Singular values of the upper bidiagonal matrix with this diagonal and superdiagonal, in no particular order.
pub(super) fn singular_values(diagonal: &[f64], above: &[f64]) -> Option<Vec<f64>> {
    let scale = (diagonal.iter().chain(above)).fold(0.0, |max: f64, v| max.max(v.abs()));
    if scale == 0.0 {
        return Some(vec![0.0; diagonal.len()]);
    }
    let squares = |values: &[f64]| values.iter().map(|v| (v / scale).powi(2)).collect();
    let mut state = State {
        q: squares(diagonal),
        e: squares(above),
        next_q: vec![0.0; diagonal.len()],
        next_e: vec![0.0; above.len()],
        values: Vec::with_capacity(diagonal.len()),
        sweeps: SWEEPS * diagonal.len(),
    };
    let mut blocks = vec![Block { low: 0, high: diagonal.len(), shift: Shift::default() }];
    while let Some(block) = blocks.pop() {
        blocks.extend(state.work_off(block)?);
    }
    Some(state.values.iter().map(|v| v.sqrt() * scale).collect())
}

/// Entries `low..high` of q, whose matrix is BᵀB less a shift.
struct Block {
    low: usize,
    high: usize,
    shift: Shift,
}

/// The sum of all shifts so far, with what its rounding lost.
#[derive(Clone, Copy, Default)]
struct Shift {
    sum: f64,
    lost: f64,
}

impl Shift {
    fn add(&mut self, tau: f64) {
        let term = tau + self.lost;
        let sum = self.sum + term;
        self.lost = term - (sum - self.sum);
        self.sum = sum;
    }

    /// The eigenvalue that is `rest` above the shift.
    fn above(self, rest: f64) -> f64 {
        self.sum + (rest + self.lost)
    }
}

/// The d of a sweep: at its smallest, before the last, at the last.
struct Swept {
    smallest: f64,
    before: f64,
    last: f64,
}

struct State {
    q: Vec<f64>,
    e: Vec<f64>,
    next_q: Vec<f64>,
    next_e: Vec<f64>,
    /// Eigenvalues of BᵀB found.
    values: Vec<f64>,
    /// Sweeps that are left.
    sweeps: usize,
}

impl State {
    /// Finds the eigenvalues of a block from its end; returns the parts where it falls apart.
    fn work_off(&mut self, block: Block) -> Option<Vec<Block>> {
        let Block { low, mut high, mut shift } = block;
        let mut swept: Option<Swept> = None;
        let mut fresh = true;
        loop {
            while high > low {
                if high - low == 1 {
                    self.values.push(shift.above(self.q[low]));
                    high -= 1;
                } else if self.negligible(high - 2, high - 1, shift) {
                    self.values.push(shift.above(self.q[high - 1]));
                    high -= 1;
                } else if high - low == 2 || self.negligible(high - 3, high - 2, shift) {
                    let [larger, smaller] = self.last_two(high);
                    self.values.extend([larger, smaller].map(|v| shift.above(v)));
                    high -= 2;
                } else {
                    break;
                }
                swept = None;
            }
            if high <= low {
                return Some(Vec::new());
            }
            let split = (low..high - 1).rev().find(|&i| self.negligible(i, i, shift));
            if let Some(middle) = split.map(|i| i + 1) {
                let part = |low, high| Block { low, high, shift };
                return Some(vec![part(low, middle), part(middle, high)]);
            }
            if std::mem::take(&mut fresh) && FLIP * self.q[low] < self.q[high - 1] {
                self.q[low..high].reverse();
                self.e[low..high - 1].reverse();
            }
            swept = Some(self.step(low, high, &mut shift, swept)?);
        }
    }

    /// Whether e at `at` is nothing beside the eigenvalue near q at `beside`.
    fn negligible(&self, at: usize, beside: usize, shift: Shift) -> bool {
        let e = self.e[at];
        // Below ε of the largest, a value need not have digits of its own.
        e <= TOLERANCE * (shift.sum + self.q[beside]) || (e <= TOLERANCE && shift.sum <= TOLERANCE)
    }

    /// The eigenvalues of the last two rows, which nothing ties to the others any more.
    fn last_two(&self, high: usize) -> [f64; 2] {
        let (a, b, c) = (self.q[high - 2], self.e[high - 2], self.q[high - 1]);
        let larger = 0.5 * (a + b + c + ((a - c).powi(2) + b * (b + 2.0 * (a + c))).sqrt());
        if larger == 0.0 {
            return [0.0; 2];
        }
        [larger, c * (a / larger)]
    }

    /// One sweep with a shift that succeeds.
    fn step(
        &mut self,
        low: usize,
        high: usize,
        shift: &mut Shift,
        before: Option<Swept>,
    ) -> Option<Swept> {
        let mut tau = self.guess(high, before);
        for attempt in 0.. {
            self.sweeps = self.sweeps.checked_sub(1)?;
            let swept = self.sweep(low, high, tau);
            if swept.smallest >= 0.0 {
                shift.add(tau);
                self.q[low..high].copy_from_slice(&self.next_q[low..high]);
                self.e[low..high - 1].copy_from_slice(&self.next_e[low..high - 1]);
                return Some(swept);
            }
            tau = match attempt {
                // Where only the last d fell below zero, it says by how much the shift was too large.
                0 | 1 if swept.before > 0.0 => {
                    (tau + swept.last).max(0.0) * (1.0 - 4.0 * f64::EPSILON)
                }
                0 | 1 => 0.25 * tau,
                _ => 0.0,
            };
        }
        None
    }

    /// A shift that is likely to be close below the smallest eigenvalue.
    fn guess(&self, high: usize, before: Option<Swept>) -> f64 {
        let Some(swept) = before else { return 0.0 };
        if swept.smallest < swept.last {
            return 0.25 * swept.smallest;
        }
        // The smaller eigenvalue of the last two rows of BBᵀ, less the residual of its vector in the row above.
        let (q, e) = (&self.q[..high], &self.e[..high - 1]);
        let (corner, tie) = (q[high - 2] + e[high - 2], e[high - 2] * q[high - 1]);
        let gap = corner - q[high - 1];
        let larger = 0.5 * (corner + q[high - 1] + (gap * gap + 4.0 * tie).sqrt());
        let smaller = q[high - 2] * (q[high - 1] / larger);
        let distance = corner - smaller;
        let residual = e[high - 3] * q[high - 2] * tie / (distance * distance + tie);
        let tau = smaller - residual.sqrt();
        if tau > 0.0 { tau } else { 0.25 * swept.smallest }
    }

    /// One sweep from (q, e) to the next; stops where d is negative or not a number.
    fn sweep(&mut self, low: usize, high: usize, tau: f64) -> Swept {
        let mut d = self.q[low] - tau;
        let mut smallest = d;
        let mut before = d;
        let q = &self.q[low + 1..high];
        let e = &self.e[low..high - 1];
        let next_q = &mut self.next_q[low..high];
        let next_e = &mut self.next_e[low..high - 1];
        for i in 0..e.len() {
            before = smallest;
            let sum = d + e[i];
            next_q[i] = sum;
            if sum > 0.0 {
                let ratio = q[i] / sum;
                next_e[i] = e[i] * ratio;
                d = d * ratio - tau;
            } else {
                // A row of zeros: what follows is a matrix of its own.
                next_e[i] = 0.0;
                d = q[i] - tau;
            }
            smallest = smallest.min(d);
            if smallest < 0.0 && i + 1 < e.len() {
                break;
            }
        }
        next_q[e.len()] = d;
        Swept { smallest, before, last: d }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_is_known() {
        // 2 sin(kπ/2(2n+1)) for the matrix of ones on and above the diagonal (its inverse is the second difference).
        let n = 50;
        let values = singular_values(&vec![1.0; n], &vec![1.0; n - 1]).expect("converges");
        let mut values: Vec<f64> = values;
        values.sort_unstable_by(f64::total_cmp);
        for (k, value) in values.iter().enumerate() {
            let angle = (2 * k + 1) as f64 * std::f64::consts::PI / (2 * (2 * n + 1)) as f64;
            let known = 2.0 * angle.sin();
            assert!((value / known - 1.0).abs() < 1e-13, "{k}: {value} {known}");
        }
    }

    #[test]
    fn a_product_of_all_values_is_the_determinant() {
        let diagonal: Vec<f64> = (0..30).map(|i| 0.5_f64.powi(i)).collect();
        let above: Vec<f64> = (0..29).map(|i| 0.3 * 0.7_f64.powi(i)).collect();
        let values = singular_values(&diagonal, &above).expect("converges");
        let ratio: f64 = values.iter().zip(&diagonal).map(|(v, d)| v / d).product();
        assert!((ratio - 1.0).abs() < 1e-12, "{ratio}");
    }

    #[test]
    fn zeros_are_found() {
        let values = singular_values(&[0.0, 3.0, 0.0, 1.0], &[4.0, 0.0, 0.0]).expect("converges");
        let mut values = values;
        values.sort_unstable_by(f64::total_cmp);
        for (value, known) in values.iter().zip([0.0, 0.0, 1.0, 5.0]) {
            assert!((value - known).abs() < 1e-15, "{value} {known}");
        }
        assert_eq!(singular_values(&[0.0; 3], &[0.0; 2]), Some(vec![0.0; 3]));
        assert_eq!(singular_values(&[], &[]), Some(vec![]));
    }
}
