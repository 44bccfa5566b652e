//! Numbers with their uncertainty, or the reason why there is none.

use serde::{Deserialize, Serialize};

/// A number with its standard error and 95% interval.
///
/// A number that could not be computed is `None` with a `reason`; a record never holds NaN.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The number.
    pub value: Option<f64>,
    /// Its standard error.
    pub se: Option<f64>,
    /// Its 95% interval, lower and upper end.
    pub ci95: Option<[f64; 2]>,
    /// Why something above is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Measure {
    /// A number without uncertainty. What is not finite becomes a missing value with a reason.
    pub fn exact(value: f64) -> Self {
        if !value.is_finite() {
            return Self::missing("the result is not a finite number");
        }
        Self {
            value: Some(value),
            ..Self::default()
        }
    }

    /// A number with its standard error and interval.
    pub fn estimated(value: f64, se: f64, ci95: [f64; 2]) -> Self {
        let mut measure = Self::exact(value);
        if measure.value.is_none() {
            return measure;
        }
        if se.is_finite() && ci95.iter().all(|end| end.is_finite()) {
            measure.se = Some(se);
            measure.ci95 = Some(ci95);
        } else {
            measure.reason = Some("the standard error is not a finite number".into());
        }
        measure
    }

    /// No number, and why.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }
}

/// The set distance with what a finite number of captions does to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetMeasure {
    /// The distance of the two samples as they are.
    pub value: Option<f64>,
    /// How much of it the finite samples alone are expected to make.
    pub bias: Option<f64>,
    /// `value − bias`: the estimate of the distance of the populations. May fall below zero.
    pub corrected: Option<f64>,
    /// Standard error of `value` and of `corrected`.
    pub se: Option<f64>,
    /// 95% interval around `corrected`.
    pub ci95: Option<[f64; 2]>,
    /// Why something above is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a reader must know before quoting the number, such as too few captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

impl SetMeasure {
    /// No number, and why.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }

    /// The distance with its bias removed, as a measure.
    pub fn without_bias(&self) -> Measure {
        Measure {
            value: self.corrected,
            se: self.se,
            ci95: self.ci95,
            reason: self.reason.clone(),
        }
    }
}
