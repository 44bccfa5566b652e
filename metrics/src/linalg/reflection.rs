//! Householder reflections, which turn a vector into a multiple of an axis.

use super::pass::{LANE, Lane};

/// Entries whose squares add up to less have lost digits to underflow. Beside the matrix, whose entries are of order 1, they are nothing.
const NOTHING: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// The reflection I − τ h hᵀ, h₁ = 1, that turns a vector into a multiple of the first axis.
pub(super) struct Reflection {
    /// Zero where the vector is a multiple of the first axis already.
    pub(super) tau: f64,
    /// The multiple β.
    pub(super) image: f64,
    /// 1/(α − β): what the vector's other entries are multiplied with to make h.
    pub(super) scale: f64,
}

impl Reflection {
    /// Turns the vector into h.
    pub(super) fn of(vector: &mut [f64]) -> Self {
        let (first, rest) = vector.split_first_mut().expect("a vector is not empty");
        let squares: f64 = rest.iter().map(|v| v * v).sum();
        let reflection = Self::new(*first, squares);
        *first = 1.0;
        rest.iter_mut().for_each(|v| *v *= reflection.scale);
        reflection
    }

    /// Turns the entries from `start` on into h, and those before into zeros.
    pub(super) fn of_lanes(vector: &mut [Lane], start: usize) -> Self {
        let at = |row: usize| (row / LANE, row % LANE);
        let (lane, c) = at(start);
        let alpha = vector[lane].0[c];
        for row in 0..=start {
            let (lane, c) = at(row);
            vector[lane].0[c] = 0.0;
        }
        let mut squares = [0.0; LANE];
        for v in &vector[lane..] {
            squares.iter_mut().zip(v.0).for_each(|(s, v)| *s += v * v);
        }
        let reflection = Self::new(alpha, squares.iter().sum());
        vector[lane..].iter_mut().flat_map(|v| &mut v.0).for_each(|v| *v *= reflection.scale);
        vector[lane].0[c] = 1.0;
        reflection
    }

    /// `rest` is the sum of squares of all entries but the first, `alpha`.
    fn new(alpha: f64, rest: f64) -> Self {
        if rest < NOTHING {
            return Self { tau: 0.0, image: alpha, scale: 0.0 };
        }
        let beta = -(alpha * alpha + rest).sqrt().copysign(alpha);
        Self { tau: (beta - alpha) / beta, image: beta, scale: 1.0 / (alpha - beta) }
    }
}
