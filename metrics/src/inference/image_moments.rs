//! What sums over images say of a part of them that has equally many references.

use ndarray::{Array1, Array2, ArrayView1, s};

use crate::moments::Moments;

/// Moments of images that have equally many references.
#[derive(Debug, Clone)]
pub struct ImageMoments {
    /// References of each image.
    pub references: usize,
    /// Of the rows (candidate, sum of the references), `[2d]`.
    pub joint: Moments,
    /// Of every reference, `[d]`; `None` where images have one.
    pub own: Option<Moments>,
}

impl ImageMoments {
    /// The same as a number to reckon with.
    pub(super) fn count(&self) -> f64 {
        self.references as f64
    }

    /// The moments of the candidates.
    pub(super) fn candidates(&self) -> Moments {
        half_of(&self.joint, 0)
    }

    /// The moments of the references.
    pub(super) fn of_references(&self) -> Moments {
        self.own.clone().unwrap_or_else(|| half_of(&self.joint, 1))
    }

    /// Σ (a − α)(b − β)ᵀ over the images, a and b the candidates (0) or the sums of references (1).
    pub(super) fn about(&self, which: [usize; 2], origins: [ArrayView1<f64>; 2]) -> Array2<f64> {
        let d = self.joint.dim() / 2;
        let own = which.map(|half| half * d..(half + 1) * d);
        let [a, b] = [0, 1].map(|k| &self.joint.mean().slice(s![own[k].clone()]) - &origins[k]);
        let [i, j] = own;
        shifted(self.joint.comoment().slice(s![i, j]).to_owned(), self.joint.n() as f64, &a, &b)
    }
}

/// Σ (x − α)(x − α)ᵀ
pub(super) fn about(moments: &Moments, origin: ArrayView1<f64>) -> Array2<f64> {
    let shift = &moments.mean() - &origin;
    shifted(moments.comoment().to_owned(), moments.n() as f64, &shift, &shift)
}

/// A co-moment about means that are `a` and `b` from where it was.
fn shifted(mut comoment: Array2<f64>, n: f64, a: &Array1<f64>, b: &Array1<f64>) -> Array2<f64> {
    comoment.outer_iter_mut().zip(a).for_each(|(mut row, &a)| row.scaled_add(n * a, b));
    comoment
}

/// The moments of one half of the rows.
fn half_of(joint: &Moments, which: usize) -> Moments {
    let d = joint.dim() / 2;
    let own = which * d..(which + 1) * d;
    let comoment = joint.comoment().slice(s![own.clone(), own.clone()]).to_owned();
    Moments::from_sums(joint.n(), joint.mean().slice(s![own]).to_owned(), comoment)
}
