//! The distances that every score has, and FGD∞, as metrics of the [table](crate::table).

use crate::MetricError;
use crate::estimate::Estimate;
use crate::infinity::fgd_infinity;
use crate::metric::{
    Definition, Detail, Evaluation, FGD_INFINITY, FGD_PAIRED, FGD_SET, Group, MEAN_COSINE, Metric,
    Value,
};
use crate::paired::fgd_paired;
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
                Definition::lower(FGD_PAIRED, FGD_PAIRED).mean(),
                Definition::higher(MEAN_COSINE, MEAN_COSINE).mean(),
            ]
        }
    }

    fn evaluate(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let distance = fgd_paired(&sample.pairs()?)?;
        let paired = Value {
            statistics: Some(Statistics::mean(distance.per_image.clone())),
            ..distance.estimate().into()
        };
        // Of unit vectors the cosine says what the distance says: systems are compared in that.
        Ok(Evaluation::of([paired, Value::exact(distance.mean_cosine)]))
    }
}

/// The set distance.
pub(crate) struct FgdSet;

impl Metric for FgdSet {
    fn group(&self) -> Option<Group> {
        None
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::lower(FGD_SET, FGD_SET)] }
    }

    fn evaluate(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let found = set_statistics(sample.candidates, sample.references, sample.sampling())?;
        let value = Value {
            estimate: found.corrected.as_ref().ok().copied(),
            reason: found.bias.as_ref().err().cloned(),
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

    fn evaluate(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let (a, b) = (sample.candidates, sample.references);
        let line = fgd_infinity(a, b, sample.sampling(), sample.seed, POINTS)?;
        Ok(Evaluation {
            detail: Detail::Infinity(line.clone()),
            ..Evaluation::of([Estimate::normal(line.intercept, line.intercept_se)])
        })
    }
}
