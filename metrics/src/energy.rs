//! Energy distance: how far apart two sets are, with nothing to choose.
//!
//! 2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ (Székely & Rizzo 2013, *Energy statistics*), zero exactly where the
//! distributions are equal. It is MMD² under the kernel −‖x − y‖ (Sejdinovic et al. 2013) and estimated as
//! that is: over pairs of rows of different images, unbiased, hence possibly negative near equality.

use crate::MetricError;
use crate::estimate::Estimate;
use crate::mmd::{Kernel, mmd2};
use crate::samples::TwoSamples;

/// Unbiased energy distance of two sets of embeddings, in units of a distance (not squared). Lower is better.
///
/// # Errors
/// Sets in which no two rows are of different images.
pub fn energy_distance(samples: &TwoSamples<'_>) -> Result<Estimate, MetricError> {
    mmd2(samples, Kernel::Distance)
}
