//! The second order of the set distance under resampling: small beside the first, but it holds the bias.
//!
//! With image k drawn wₖ times, the means move by m₁, m₂ and the balanced covariances by E₁ − E₂ = Σ wₖ Zₖ / N, where
//! Zₖ is the outer product of image k's candidate less that of its references. Sums of squares of Σ wₖ Zₖ over all
//! replicates are one matrix product of the counts with the entries of Z, made block by block and never kept.
//!
//! Written as Σₖₗ (wₖ − 1)(wₗ − 1)⟨Zₖ, Zₗ⟩, its diagonal k = l is the bias: resampling adds it once more, and more or
//! less of it as some images happen to be drawn often, which is a trait of resampling and not of samples. What another sample
//! of images would change is off the diagonal, in the directions of large variance; it is followed in the leading
//! [`LEADING`] of them.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::by_image::ByImage;
use super::expansion::{Coordinates, Expansion, Side};

/// Balanced directions, those of largest variance, in which pairs of different images are followed.
const LEADING: usize = 64;
/// Entries of Z, and images, that are made at a time: both factors of the product stay in cache.
const ENTRIES: usize = 256;
const IMAGES: usize = 256;

/// The second order of one system's set distance.
pub(super) struct Quadratic<'a> {
    expansion: &'a Expansion,
    by_image: &'a ByImage,
    /// Candidates over N and sums of each image's references over M, `[N, d]`.
    steps: [Array2<f32>; 2],
    /// Candidates `[LEADING, N]`, and references in the order of images `[LEADING, M]`, balanced.
    candidates: Array2<f32>,
    references: Array2<f32>,
    images: usize,
    /// The diagonal over the directions that are followed, by image.
    pub(super) diagonal: Vec<f64>,
    /// Expectation of the second order over draws of images: the finite-sample bias of the distance.
    pub(super) bias: f64,
}

impl<'a> Quadratic<'a> {
    pub(super) fn new(
        expansion: &'a Expansion,
        candidates: &Coordinates,
        references: &Coordinates,
        by_image: &'a ByImage,
    ) -> Self {
        let images = candidates.centred.nrows();
        let mut sums = Array2::zeros(candidates.centred.dim());
        for (image, mut sum) in sums.outer_iter_mut().enumerate() {
            by_image
                .of(image)
                .iter()
                .for_each(|&reference| sum += &references.centred.row(reference));
        }
        let transposed = |rows: ArrayView2<'_, f32>| rows.t().as_standard_layout().into_owned();
        let mut quadratic = Quadratic {
            expansion,
            by_image,
            steps: [&candidates.centred / images as f32, sums / by_image.total() as f32],
            candidates: transposed(candidates.balanced.view()),
            references: transposed(references.balanced.select(Axis(0), &by_image.order).view()),
            images,
            diagonal: Vec::new(),
            bias: 0.0,
        };
        let rank = expansion.spectrum.len();
        let leading = rank.min(LEADING);
        let [x, y] = &quadratic.steps;
        // The share of the covariances' own means is no bias: ddof = 1 has taken it already.
        let apart: f64 = x.iter().zip(y).map(|(&x, &y)| f64::from(x - y).powi(2)).sum();
        quadratic.bias = apart + quadratic.image_terms(rank).iter().sum::<f64>();
        let of_means = quadratic.of_means(x, y);
        let of_entries = quadratic.image_terms(leading);
        quadratic.diagonal = of_means.iter().zip(of_entries).map(|(m, e)| m + e).collect();
        quadratic.candidates = quadratic.candidates.slice(s![..leading, ..]).to_owned();
        quadratic.references = quadratic.references.slice(s![..leading, ..]).to_owned();
        quadratic
    }

    /// References weigh as if there were one for each image.
    fn share(&self) -> f32 {
        self.images as f32 / self.by_image.total() as f32
    }

    /// The second order off its diagonal in every replicate, less its expectation; `counts` `[replicates, N]` says
    /// how often each image is drawn.
    pub(super) fn off_diagonal(&self, counts: &Array2<f32>) -> Vec<f64> {
        let [candidates, references] = &self.steps;
        // Counts of two images have covariance −1/N, and all of the second order sums to 0 over images.
        let expected = self.diagonal.iter().sum::<f64>() / self.images as f64;
        let mut total = self.of_means(&counts.dot(candidates), &counts.dot(references));
        let leading = self.candidates.nrows();
        let blocks: Vec<Vec<f64>> = blocks(leading * (leading + 1) / 2)
            .into_par_iter()
            .map(|block| self.of_entries(block, counts))
            .collect();
        for block in blocks {
            total.iter_mut().zip(block).for_each(|(sum, term)| *sum += term);
        }
        for (value, counts) in total.iter_mut().zip(counts.outer_iter()) {
            let on: f64 = (counts.iter().zip(&self.diagonal))
                .map(|(&n, own)| f64::from(n - 1.0).powi(2) * own)
                .sum();
            *value -= on + expected;
        }
        total
    }

    /// What shifts of the two means do, a pair of shifts per row.
    fn of_means(&self, candidates: &Array2<f32>, references: &Array2<f32>) -> Vec<f64> {
        let balanced =
            |side: &Side, shifts: &Array2<f32>| shifts.dot(&side.balance.mapv(|v| v as f32));
        let (a, b) = (&self.expansion.candidates, &self.expansion.references);
        let (in_a, in_b) = (balanced(a, candidates), balanced(b, references));
        let square = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>()
        };
        (0..candidates.nrows())
            .map(|i| {
                let (x, y) = (candidates.row(i), references.row(i));
                square((&x - &y).view()) - a.scale * square(x) - b.scale * square(y)
                    + self.expansion.scale * (square(in_a.row(i)) + square(in_b.row(i)))
            })
            .collect()
    }

    /// ⟨Zₖ, Zₖ⟩ of every image over the leading `rank` directions.
    fn image_terms(&self, rank: usize) -> Vec<f64> {
        let spectrum = self.expansion.spectrum.slice(s![..rank]);
        let form = Array2::from_shape_fn((rank, rank), |(i, j)| {
            (0.5 / (spectrum[i] + spectrum[j])) as f32
        });
        let tiles: Vec<Vec<f64>> = tiles(self.images)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|images| self.image_terms_of(images, &form, spectrum.sum()))
            .collect();
        tiles.concat()
    }

    /// Zₖ is a sum of ± u uᵀ and of a multiple of S, and Σᵢⱼ (u uᵀ)ᵢⱼ (v vᵀ)ᵢⱼ / (sᵢ + sⱼ) a quadratic form of u ∘ v.
    fn image_terms_of(&self, images: Range<usize>, form: &Array2<f32>, trace: f64) -> Vec<f64> {
        let share = f64::from(self.share());
        let mut pairs = Vec::new();
        for image in images.clone() {
            let mut rows = vec![(1.0, &self.candidates, image)];
            rows.extend(self.by_image.slots(image).map(|slot| (-share, &self.references, slot)));
            for (at, &u) in rows.iter().enumerate() {
                pairs.extend(rows[..=at].iter().map(|&v| (image, u, v)));
            }
        }
        let products = Array2::from_shape_fn((form.nrows(), pairs.len()), |(i, pair)| {
            let (_, (_, u, at_u), (_, v, at_v)) = pairs[pair];
            u[[i, at_u]] * v[[i, at_v]]
        });
        let values = (form.dot(&products) * &products).sum_axis(Axis(0));
        let norms = products.sum_axis(Axis(0));

        let excess = |image: usize| share * self.by_image.count(image) as f64 - 1.0;
        let mut sums: Vec<f64> =
            images.clone().map(|image| 0.25 * excess(image).powi(2) * trace).collect();
        for (pair, &(image, (factor, u, at_u), (other, v, at_v))) in pairs.iter().enumerate() {
            let sum = &mut sums[image - images.start];
            let value = factor * other * f64::from(values[pair]);
            if std::ptr::eq(u, v) && at_u == at_v {
                *sum += value + 0.5 * excess(image) * factor * f64::from(norms[pair]);
            } else {
                *sum += 2.0 * value;
            }
        }
        let scale = self.expansion.scale / (self.images as f64).powi(2);
        sums.iter().map(|sum| scale * sum).collect()
    }

    /// The weighted sum of squares of some entries of Σ wₖ Zₖ / N in every replicate.
    fn of_entries(&self, block: Range<usize>, counts: &Array2<f32>) -> Vec<f64> {
        let mut sums = Array2::<f32>::zeros((counts.nrows(), block.len()));
        for images in tiles(self.images) {
            let tile = self.tile(block.clone(), images.clone());
            general_mat_mul(1.0, &counts.slice(s![.., images]), &tile.t(), 1.0, &mut sums);
        }
        let weights: Vec<f64> = block.map(|entry| self.weight(entry)).collect();
        (sums.outer_iter())
            .map(|row| row.iter().zip(&weights).map(|(&v, w)| w * f64::from(v).powi(2)).sum())
            .collect()
    }

    /// Some entries of Z, for some images: `[entries, images]`.
    fn tile(&self, entries: Range<usize>, images: Range<usize>) -> Array2<f32> {
        let mut tile = Array2::zeros((entries.len(), images.len()));
        let share = self.share();
        for (mut row, entry) in tile.outer_iter_mut().zip(entries) {
            let (i, j) = place(entry);
            let (xi, xj) = (self.candidates.row(i), self.candidates.row(j));
            let (yi, yj) = (self.references.row(i), self.references.row(j));
            let spread = if i == j { self.expansion.spectrum[i] as f32 } else { 0.0 };
            for (value, image) in row.iter_mut().zip(images.clone()) {
                let slots = self.by_image.slots(image);
                let excess = share * slots.len() as f32 - 1.0;
                let references: f32 = slots.map(|slot| yi[slot] * yj[slot]).sum();
                *value = xi[image] * xj[image] - share * references + spread * excess;
            }
        }
        tile
    }

    /// Weight of the square of an entry of Σ wₖ Zₖ: 2 · ¼ / (sᵢ + sⱼ), twice off the diagonal, over N².
    fn weight(&self, entry: usize) -> f64 {
        let (i, j) = place(entry);
        let twice = if i == j { 1.0 } else { 2.0 };
        let spread = self.expansion.spectrum[i] + self.expansion.spectrum[j];
        self.expansion.scale * twice * 0.5 / spread / (self.images as f64).powi(2)
    }
}

/// Row and column of an entry on or above the diagonal, counted column by column.
fn place(entry: usize) -> (usize, usize) {
    let mut column = (((8 * entry + 1) as f64).sqrt() as usize - 1) / 2;
    while (column + 1) * (column + 2) / 2 <= entry {
        column += 1;
    }
    (entry - column * (column + 1) / 2, column)
}

fn blocks(entries: usize) -> Vec<Range<usize>> {
    (0..entries).step_by(ENTRIES).map(|start| start..entries.min(start + ENTRIES)).collect()
}

fn tiles(images: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(IMAGES).map(move |start| start..images.min(start + IMAGES))
}
