//! Inner products of two sets of rows, one tile at a time.
//!
//! The kernel distances and the nearest-neighbour metrics look at every pair of rows but keep none of
//! them: a tile of products is made, folded into sums by row and by column, and forgotten. The products
//! are taken in f64, so that the sums agree with a transcription of their definition to its rounding.
//! Tiles of rows are worked on in parallel and folded in their order: the number of threads changes nothing.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

/// Rows of a tile: two operands and their product stay in a core's second-level cache at d = 384.
const TILE: usize = 128;
/// Tiles of rows between two reductions, which bounds how many states are alive at once.
const BAND: usize = 32;
/// Below this share of ‖x‖² + ‖y‖² a squared distance is summed from the differences: what
/// ‖x‖² + ‖y‖² − 2 x·y leaves has lost too many digits, and equal rows must be at distance zero.
const CANCELLED: f64 = 1e-6;

/// A set of embeddings, one a row, with the squared norms of its rows.
pub(crate) struct Rows<'a> {
    values: ArrayView2<'a, f32>,
    norms: Vec<f64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(values: ArrayView2<'a, f32>) -> Self {
        let norms = (values.outer_iter())
            .map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum())
            .collect();
        Rows { values, norms }
    }

    pub(crate) fn len(&self) -> usize {
        self.norms.len()
    }

    fn tiles(&self) -> usize {
        self.len().div_ceil(TILE)
    }

    fn range(&self, tile: usize) -> Range<usize> {
        tile * TILE..self.len().min((tile + 1) * TILE)
    }

    fn tile(&self, range: Range<usize>) -> Array2<f64> {
        self.values.slice(s![range, ..]).mapv(f64::from)
    }
}

/// The inner products of some rows of one set with some rows of another.
pub(crate) struct Tile<'t, 'a> {
    x: &'t Rows<'a>,
    y: &'t Rows<'a>,
    products: Array2<f64>,
    /// Rows of the first set.
    pub(crate) rows: Range<usize>,
    /// Rows of the second set.
    pub(crate) columns: Range<usize>,
}

impl Tile<'_, '_> {
    /// Inner product of row `i` of the first set and row `j` of the second.
    pub(crate) fn product(&self, i: usize, j: usize) -> f64 {
        self.products[[i - self.rows.start, j - self.columns.start]]
    }

    /// Squared Euclidean distance of the same rows; exactly 0 where they are equal.
    pub(crate) fn squared_distance(&self, i: usize, j: usize) -> f64 {
        let norms = self.x.norms[i] + self.y.norms[j];
        let distance = norms - 2.0 * self.product(i, j);
        if distance > CANCELLED * norms {
            return distance;
        }
        let (a, b) = (self.x.values.row(i), self.y.values.row(j));
        a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
    }
}

/// Which tiles are looked at.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    /// All pairs of a row of the first and a row of the second set.
    Full,
    /// The tiles on and above the diagonal of a set with itself.
    UpperTiles,
}

/// Visits the tiles: `start` makes the state of a tile of rows, `visit` folds a tile of products into it,
/// `finish` receives the states in the order of their rows.
pub(crate) fn fold_tiles<'a, S: Send>(
    x: &Rows<'a>,
    y: &Rows<'a>,
    part: Part,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Tile<'_, 'a>) + Sync,
    mut finish: impl FnMut(Range<usize>, S),
) {
    for band in (0..x.tiles()).step_by(BAND) {
        let states: Vec<S> = (band..x.tiles().min(band + BAND))
            .into_par_iter()
            .map(|t| {
                let rows = x.range(t);
                let left = x.tile(rows.clone());
                let mut state = start(rows.clone());
                let first = if part == Part::UpperTiles { t } else { 0 };
                for columns in (first..y.tiles()).map(|u| y.range(u)) {
                    let right = y.tile(columns.clone());
                    let mut products = Array2::zeros((rows.len(), columns.len()));
                    general_mat_mul(1.0, &left, &right.t(), 0.0, &mut products);
                    let rows = rows.clone();
                    visit(&mut state, &Tile { x, y, products, rows, columns });
                }
                state
            })
            .collect();
        for (t, state) in (band..).zip(states) {
            finish(x.range(t), state);
        }
    }
}
