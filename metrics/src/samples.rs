//! What metrics are measured on: candidates, references, and which rows share an image.
//!
//! [`Sample`] is all that a metric may look at, [`TwoSamples`] what distances between two sets see of it. The rows of one
//! [unit](crate::units) are one draw: the captions of an image describe the same picture. A standard error therefore sums what they
//! contribute before it squares, and its interval is Student's of so many units: that is here, for every metric that compares two sets.

use std::sync::OnceLock;

use ndarray::ArrayView2;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::frechet::same_dimension;
use crate::metric::Value;
use crate::paired::Pairs;
use crate::text::{Corpus, CorpusError};
use crate::units::Units;

/// One system's captions beside their references.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// Candidate embeddings, `[N, d]`.
    pub candidates: ArrayView2<'a, f32>,
    /// Reference embeddings, `[M, d]`.
    pub references: ArrayView2<'a, f32>,
    /// For each reference the row of its image's candidate; `None` where the references are of other images.
    pub image_of: Option<&'a [usize]>,
    /// Which rows were drawn together, where that is more than `image_of` says; `None` for the images, or for rows that have nothing
    /// to do with each other.
    pub units: Option<&'a Units>,
    /// Images of the finite set that is to be known, of which these were drawn without replacement; `None` for captions yet to
    /// come.
    pub population: Option<f64>,
    /// The captions themselves, where they are known.
    pub captions: Option<Captions<'a>>,
    /// Seed of everything random.
    pub seed: u64,
}

impl<'a> Sample<'a> {
    /// The pairs of candidates and references.
    ///
    /// # Errors
    /// [`MetricError::Unpaired`] where the references are of other images.
    pub fn pairs(&self) -> Result<Pairs<'a>, MetricError> {
        Ok(Pairs {
            candidates: self.candidates,
            references: self.references,
            image_of: self.image_of.ok_or(MetricError::Unpaired)?,
        })
    }

    /// Two sets of embeddings and nothing else.
    pub fn of_embeddings(
        candidates: ArrayView2<'a, f32>,
        references: ArrayView2<'a, f32>,
        image_of: Option<&'a [usize]>,
    ) -> Self {
        Self {
            candidates,
            references,
            image_of,
            units: None,
            population: None,
            captions: None,
            seed: 0,
        }
    }

    /// Which rows were drawn together.
    ///
    /// # Errors
    /// Pairs that are inconsistent; labels for other numbers of rows.
    pub fn units(&self) -> Result<Units, MetricError> {
        let (n, m) = (self.candidates.nrows(), self.references.nrows());
        match (self.units, self.image_of) {
            (Some(units), _) if (units.of(0).len(), units.of(1).len()) == (n, m) => {
                Ok(units.clone())
            }
            (Some(units), _) => Err(MetricError::InvalidPairs(format!(
                "clusters of {} candidates and {} references for {n} and {m}",
                units.of(0).len(),
                units.of(1).len()
            ))),
            (None, Some(_)) => Units::of_pairs(&self.pairs()?),
            (None, None) => Ok(Units::independent(n, m)),
        }
    }

    /// Share of the finite population that the sample holds, where there is one.
    ///
    /// # Errors
    /// A population smaller than the sample, or one of which the two sets hold different shares.
    pub fn sampled_share(&self, units: &Units) -> Result<Option<f64>, MetricError> {
        let Some(population) = self.population else {
            return Ok(None);
        };
        let images = self.candidates.nrows();
        if population < images as f64 {
            return Err(MetricError::InvalidSetting(format!(
                "population: {population:.0} images, of which the sample already has {images}; give the number of all images that the \
                 score is to speak for"
            )));
        }
        let (a, b) = (units.on(0) as f64, units.on(1) as f64);
        if self.image_of.is_none() && (a / b - 1.0).abs() > 0.02 {
            return Err(MetricError::InvalidSetting(format!(
                "population: unpaired sets must hold the same share of it, not {a} and {b} images; draw equally many, or leave the \
                 population out"
            )));
        }
        Ok(Some(images as f64 / population))
    }

    /// What a standard error of captions yet to come is multiplied by for this sample: √(1 − share) of a finite population, which is
    /// known as far as it was drawn, and 1 where there is none.
    ///
    /// # Errors
    /// As [`Sample::sampled_share`] and [`Sample::units`].
    pub(crate) fn left_to_chance(&self) -> Result<f64, MetricError> {
        match self.population {
            None => Ok(1.0),
            Some(_) => Ok((1.0 - self.sampled_share(&self.units()?)?.unwrap_or(0.0)).sqrt()),
        }
    }

    /// The two sets, with what belongs together.
    ///
    /// # Errors
    /// As [`TwoSamples::independent`] and [`Sample::units`].
    pub fn two_samples(&self) -> Result<TwoSamples<'a>, MetricError> {
        check(self.candidates, self.references)?;
        let Self { candidates, references, .. } = *self;
        let left = self.left_to_chance()?;
        Ok(TwoSamples { candidates, references, units: self.units()?, left })
    }

    /// The captions, each beside the references of its image.
    ///
    /// # Errors
    /// [`MetricError::NoCaptions`] where there are only embeddings, or references of other images.
    pub fn captions(&self) -> Result<&Captions<'a>, MetricError> {
        self.captions.as_ref().filter(|captions| captions.are_paired).ok_or(MetricError::NoCaptions)
    }

    /// The captions of both sides, be it of other images.
    ///
    /// # Errors
    /// [`MetricError::NoTexts`] where there are only embeddings.
    pub fn sides(&self) -> Result<&Captions<'a>, MetricError> {
        self.captions.as_ref().ok_or(MetricError::NoTexts)
    }
}

/// Captions image by image, tokenised once for all metrics that ask.
#[derive(Clone, Debug)]
pub struct Captions<'a> {
    /// One candidate per image.
    pub candidates: &'a [String],
    /// The references of each image; of other images, one list of all.
    pub references: Vec<Vec<&'a str>>,
    /// Whether a word or phrase runs away in a caption: the rule of whoever reads captions, so that a file is described as it is
    /// linted.
    pub is_runaway: fn(&str) -> bool,
    are_paired: bool,
    corpus: OnceLock<Result<Corpus, CorpusError>>,
}

impl<'a> Captions<'a> {
    /// `candidates[i]` belongs to the image of `references[i]`.
    pub fn new(
        candidates: &'a [String],
        references: Vec<Vec<&'a str>>,
        is_runaway: fn(&str) -> bool,
    ) -> Self {
        Self { candidates, references, is_runaway, are_paired: true, corpus: OnceLock::new() }
    }

    /// `references` are of other images.
    pub fn of_other_images(
        candidates: &'a [String],
        references: Vec<&'a str>,
        is_runaway: fn(&str) -> bool,
    ) -> Self {
        Self { are_paired: false, ..Self::new(candidates, vec![references], is_runaway) }
    }

    /// The captions as words.
    ///
    /// # Errors
    /// As [`Corpus::new`].
    pub fn corpus(&self) -> Result<&Corpus, MetricError> {
        let corpus = self.corpus.get_or_init(|| match self.are_paired {
            true => Corpus::new(self.candidates, &self.references),
            false => Corpus::of_other_images(self.candidates, &self.references),
        });
        corpus.as_ref().map_err(|error| error.clone().into())
    }
}

/// Two sets of embeddings, one a row, of one dimension.
#[derive(Clone, Debug)]
pub struct TwoSamples<'a> {
    candidates: ArrayView2<'a, f32>,
    references: ArrayView2<'a, f32>,
    units: Units,
    /// See [`Sample::left_to_chance`].
    left: f64,
}

impl<'a> TwoSamples<'a> {
    /// Sets that were drawn independently of each other, every row a draw of its own.
    ///
    /// # Errors
    /// Fewer than two rows in a set, dimensions that differ, or a component that is not finite.
    pub fn independent(
        candidates: ArrayView2<'a, f32>,
        references: ArrayView2<'a, f32>,
    ) -> Result<Self, MetricError> {
        check(candidates, references)?;
        let units = Units::independent(candidates.nrows(), references.nrows());
        Ok(TwoSamples { candidates, references, units, left: 1.0 })
    }

    /// Sets of which the rows of one image belong together: one candidate and its references.
    ///
    /// # Errors
    /// As [`TwoSamples::independent`], and pairs that are inconsistent.
    pub fn by_image(pairs: &Pairs<'a>) -> Result<Self, MetricError> {
        let Pairs { candidates, references, .. } = *pairs;
        let units = Units::of_pairs(pairs)?;
        check(candidates, references)?;
        Ok(TwoSamples { candidates, references, units, left: 1.0 })
    }

    /// Candidate embeddings, one a row.
    pub fn candidates(&self) -> ArrayView2<'a, f32> {
        self.candidates
    }

    /// Reference embeddings, one a row.
    pub fn references(&self) -> ArrayView2<'a, f32> {
        self.references
    }

    /// See [`Sample::left_to_chance`].
    pub(crate) fn left_to_chance(&self) -> f64 {
        self.left
    }

    /// Which rows were drawn together.
    pub(crate) fn units(&self) -> &Units {
        &self.units
    }

    /// Standard error of a statistic from what each row contributes to it, to first order
    /// (its influence divided by the number of rows of its set).
    ///
    /// The contributions of one unit are summed, so that what the two captions of an easy picture have in
    /// common is not counted as if it were independent. `of_pairs` is the variance that pairs of units make, which the squares of
    /// contributions hold twice.
    pub(crate) fn standard_error(
        &self,
        candidates: &[f64],
        references: &[f64],
        of_pairs: f64,
    ) -> f64 {
        let (candidates, references) = (centred(candidates), centred(references));
        let parts = self.units.contributions(&candidates, &references);
        let twice: f64 = parts.iter().map(|part| part * part).sum();
        // Of a finite population, of which a share f was drawn, 1 − f of the squares is left, and its square of what pairs make.
        let left = self.left.powi(2);
        (left * (twice - ((2.0 - left) * of_pairs).min(0.5 * twice))).sqrt()
    }

    /// A value with [`TwoSamples::standard_error`], as [`TwoSamples::student`] has it.
    pub(crate) fn estimate(
        &self,
        value: f64,
        candidates: &[f64],
        references: &[f64],
        of_pairs: f64,
    ) -> Estimate {
        self.student(value, self.standard_error(candidates, references, of_pairs))
    }

    /// A value with Student's interval, of the units of the set that has fewer.
    pub(crate) fn student(&self, value: f64, se: f64) -> Estimate {
        Estimate::student(value, se, self.fewest_units().max(2) - 1)
    }

    fn fewest_units(&self) -> usize {
        self.units.on(0).min(self.units.on(1))
    }

    /// An estimate whose spread so many units begin to tell; of fewer there is the value alone.
    pub(crate) fn of_enough(&self, found: Estimate, needed: usize) -> Value {
        Value::of_enough(found, self.fewest_units(), needed)
    }
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| v - mean).collect()
}

fn check(
    candidates: ArrayView2<'_, f32>,
    references: ArrayView2<'_, f32>,
) -> Result<(), MetricError> {
    same_dimension(candidates.ncols(), references.ncols())?;
    for (what, rows) in [("candidates", candidates), ("references", references)] {
        let n = rows.nrows();
        if n < 2 {
            return Err(MetricError::TooFew { what, n, needed: 2 });
        }
        if rows.iter().any(|v| !v.is_finite()) {
            return Err(MetricError::NotFinite { what });
        }
    }
    Ok(())
}
