//! The distances that every score has, and FGD∞, as metrics of the [table](crate::table).

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::infinity::fgd_infinity;
use crate::metric::{
    Definition, Detail, Evaluation, FGD_INFINITY, FGD_PAIRED, FGD_SET, Group, MEAN_COSINE, Metric,
    NOT_NEGATIVE, Value,
};
use crate::paired::{COSINES, fgd_paired};
use crate::samples::Sample;
use crate::statistics::set_statistics;
use crate::sufficient::Statistics;

/// Sample sizes that FGD∞ is extrapolated from.
const POINTS: usize = 10;

/// The paired distance and the mean cosine.
pub(crate) struct FgdPaired;

impl Metric for FgdPaired {
    fn group(&self) -> Option<Group> {
        None
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::lower(FGD_PAIRED, FGD_PAIRED).mean().within(NOT_NEGATIVE),
                Definition::higher(MEAN_COSINE, MEAN_COSINE).mean().within(COSINES),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let distance = fgd_paired(&sample.pairs()?)?;
        let mut paired = mean(distance.value, &distance.per_image, sample)?;
        paired.statistics = Some(Statistics::mean(distance.per_image));
        // Of unit vectors the cosine says what the distance says: systems are compared in that.
        let cosine = mean(distance.mean_cosine, &distance.cosines, sample)?;
        Ok(Evaluation::of([paired, cosine]))
    }
}

/// A mean with the error of its units, among the images of a finite population where there is one.
fn mean(value: f64, per_image: &[f64], sample: &Sample) -> Result<Value, MetricError> {
    let (units, left) = (sample.units()?, sample.left_to_chance()?);
    let found = Estimate::of_clustered_mean(per_image, units.of(0));
    let found = found.map(|estimate| estimate.with_error(left));
    Ok(Value { reason: found.as_ref().err().cloned(), estimate: found.ok(), ..Value::exact(value) })
}

/// The set distance.
pub(crate) struct FgdSet;

impl Metric for FgdSet {
    fn group(&self) -> Option<Group> {
        None
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::lower(FGD_SET, FGD_SET).within(NOT_NEGATIVE)] }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let found = set_statistics(sample)?;
        let value = Value {
            estimate: found.inference.as_ref().ok().map(|found| found.corrected),
            reason: found.inference.as_ref().err().cloned(),
            ..Value::exact(found.distance.value)
        };
        Ok(Evaluation { values: vec![value], detail: Detail::Set(Box::new(found)) })
    }
}

/// FGD∞.
pub(crate) struct FgdInfinity;

impl Metric for FgdInfinity {
    fn group(&self) -> Option<Group> {
        Some(Group::new("infinity", "The set distance at an infinite number of captions"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::lower(FGD_INFINITY, FGD_INFINITY)] }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let (a, b) = (sample.candidates, sample.references);
        let line = fgd_infinity(a, b, &sample.units()?, sample.seed, POINTS)?;
        let reason = "the points of the line share their captions, so their scatter is not the error of another sample; fgd_set \
                      without its bias, where that is known, estimates the same number with an interval";
        let value =
            Value { reason: Some(Unavailable::NoInterval(reason)), ..Value::exact(line.intercept) };
        Ok(Evaluation { detail: Detail::Infinity(line), ..Evaluation::of([value]) })
    }
}
