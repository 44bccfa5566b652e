//! The symmetric rank-k update under the co-moment: C += Σ (x − s)(x − s)ᵀ over rows x, lower triangle only.
//!
//! Rows are packed as `f64` into the panels of the [kernel](fgd_kernels::rank_k), a few rows at a time.

use fgd_kernels::rank_k::{Lane, Tile, WIDTH};
use fgd_kernels::{Isa, Kernel, Level};
use ndarray::{Array2, ArrayView1, ArrayView2, s};

/// Rows packed at once: two panels of them fit into the first-level cache.
const PACKED_ROWS: usize = 128;
/// Rows whose every panel is written before the next are read.
const READ_ROWS: usize = 16;

/// The sums over some rows, shifted by a vector near their mean.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    d: usize,
    /// The tiles on and below the diagonal, row by row.
    tiles: Vec<Tile>,
    /// Σ (x − s), padded to whole lanes.
    sums: Vec<f64>,
}

impl Products {
    /// Sums over `rows`, of any real type, each scaled by the square root of its weight; weights are 1 where none are given.
    pub(crate) fn of<T: Copy + Into<f64>>(
        rows: ArrayView2<T>,
        shift: ArrayView1<f64>,
        weights: Option<&[f64]>,
    ) -> Self {
        let d = rows.ncols();
        let count = d.div_ceil(WIDTH);
        let mut products = Self {
            d,
            tiles: vec![[[0.0; WIDTH]; WIDTH]; count * (count + 1) / 2],
            sums: vec![0.0; count * WIDTH],
        };
        let mut panels = vec![[0.0; WIDTH]; count * PACKED_ROWS];
        let mut padded = vec![0.0; count * WIDTH];
        padded.iter_mut().zip(shift).for_each(|(p, &s)| *p = s);
        let mut row_major = Vec::new();
        let level = Level::current();
        for start in (0..rows.nrows()).step_by(PACKED_ROWS) {
            let part = rows.slice(s![start..rows.nrows().min(start + PACKED_ROWS), ..]);
            let height = part.nrows();
            let values = match part.to_slice() {
                Some(values) => values,
                None => {
                    row_major.clear();
                    row_major.extend(part.iter().copied());
                    &row_major
                }
            };
            let panels = &mut panels[..count * height];
            level.run(Pack { values, shift: &padded, panels, d, sums: &mut products.sums });
            if let Some(weights) = weights {
                scale(panels, &weights[start..start + height]);
            }
            level.rank_k(panels, height, &mut products.tiles);
        }
        products
    }

    /// Adds the sums over other rows, shifted by the same vector.
    pub(crate) fn add(&mut self, other: &Self) {
        let entries = |tiles: &'_ [Tile]| tiles.as_flattened().as_flattened().len();
        debug_assert_eq!(entries(&self.tiles), entries(&other.tiles));
        let own = self.tiles.as_flattened_mut().as_flattened_mut();
        let others = other.tiles.as_flattened().as_flattened();
        own.iter_mut().zip(others).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
    }

    /// Σ (x − s), `[d]`.
    pub(crate) fn sums(&self) -> ArrayView1<'_, f64> {
        ArrayView1::from(&self.sums[..self.d])
    }

    /// Σ (x − s)(x − s)ᵀ, `[d, d]`.
    pub(crate) fn into_matrix(self) -> Array2<f64> {
        let mut matrix = Array2::zeros((self.d, self.d));
        let places = (0..).flat_map(|row| (0..=row).map(move |column| [row, column]));
        for (place, tile) in places.zip(&self.tiles) {
            let [rows, columns] = place.map(|at| at * WIDTH..self.d.min((at + 1) * WIDTH));
            let tile = ArrayView2::from(tile);
            let tile = tile.slice(s![..rows.len(), ..columns.len()]);
            matrix.slice_mut(s![rows.clone(), columns.clone()]).assign(&tile);
            matrix.slice_mut(s![columns, rows]).assign(&tile.t());
        }
        matrix
    }
}

/// Writes rows less the shift into panels of as many lanes as there are rows, and adds them to the sums.
struct Pack<'a, T> {
    values: &'a [T],
    d: usize,
    shift: &'a [f64],
    panels: &'a mut [Lane],
    sums: &'a mut [f64],
}

impl<T: Copy + Into<f64>> Kernel for Pack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Pack { values, d, shift, panels, sums } = self;
        let height = values.len() / d.max(1);
        for first in (0..height).step_by(READ_ROWS) {
            let rows = &values[first * d..d * height.min(first + READ_ROWS)];
            for (p, panel) in panels.chunks_exact_mut(height).enumerate() {
                let from = p * WIDTH;
                let width = WIDTH.min(d - from);
                let shift: &Lane = shift[from..].first_chunk().expect("padded to whole lanes");
                let mut total = [0.0; WIDTH];
                for (row, lane) in rows.chunks_exact(d).zip(&mut panel[first..]) {
                    if let Some(columns) = row[from..].first_chunk::<WIDTH>() {
                        for c in 0..WIDTH {
                            lane[c] = columns[c].into() - shift[c];
                            total[c] += lane[c];
                        }
                    } else {
                        for c in 0..width {
                            lane[c] = row[from + c].into() - shift[c];
                            total[c] += lane[c];
                        }
                    }
                }
                let sums = &mut sums[from..from + WIDTH];
                sums.iter_mut().zip(total).for_each(|(sum, t)| *sum += t);
            }
        }
    }
}

fn scale(panels: &mut [Lane], weights: &[f64]) {
    for panel in panels.chunks_exact_mut(weights.len()) {
        for (lane, weight) in panel.iter_mut().zip(weights) {
            let root = weight.sqrt();
            lane.iter_mut().for_each(|v| *v *= root);
        }
    }
}
