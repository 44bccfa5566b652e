//! Numbers with their uncertainty, or the reason why there is none.

use serde::{Deserialize, Serialize};

/// A number with what is known of its uncertainty.
///
/// The interval is at 95%, in the results of a benchmark at 99%; the document says which: there it is `ci95`, or `low`
/// and `high`. A number that could not be computed is `None` with a `reason`; a record never holds NaN.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Ci95", into = "Ci95")]
pub struct Measure {
    /// The number.
    pub value: Option<f64>,
    /// Its standard error.
    pub se: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// Why something above is missing.
    pub reason: Option<String>,
}

impl Measure {
    /// A number without uncertainty. What is not finite becomes a missing value with a reason.
    pub fn exact(value: f64) -> Self {
        if !value.is_finite() {
            return Self::missing("the result is not a finite number");
        }
        Self { value: Some(value), ..Self::default() }
    }

    /// A number with its standard error and interval.
    pub fn estimated(value: f64, se: f64, [low, high]: [f64; 2]) -> Self {
        let exact = Self::exact(value);
        if exact.value.is_none() {
            return exact;
        }
        if !(se.is_finite() && low.is_finite() && high.is_finite()) {
            let reason = Some("the standard error is not a finite number".into());
            return Self { reason, ..exact };
        }
        Self { se: Some(se), low: Some(low), high: Some(high), ..exact }
    }

    /// No number, and why.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    /// Lower and upper end of the interval, where both are known.
    pub fn interval(&self) -> Option<[f64; 2]> {
        Some([self.low?, self.high?])
    }
}

/// A measure in the document: its interval whole or not at all.
#[derive(Serialize, Deserialize)]
struct Ci95 {
    value: Option<f64>,
    se: Option<f64>,
    ci95: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Measure> for Ci95 {
    fn from(measure: Measure) -> Self {
        Self {
            value: measure.value,
            se: measure.se,
            ci95: measure.interval(),
            reason: measure.reason,
        }
    }
}

impl From<Ci95> for Measure {
    fn from(document: Ci95) -> Self {
        Self {
            value: document.value,
            se: document.se,
            low: document.ci95.map(|[low, _]| low),
            high: document.ci95.map(|[_, high]| high),
            reason: document.reason,
        }
    }
}

/// A benchmark's measure in the document: `low` and `high` at 99%, of which samples may give only one.
pub(crate) mod bounds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Measure;

    #[derive(Serialize, Deserialize)]
    struct Bounds {
        value: Option<f64>,
        low: Option<f64>,
        high: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    impl From<&Measure> for Bounds {
        fn from(measure: &Measure) -> Self {
            Self {
                value: measure.value,
                low: measure.low,
                high: measure.high,
                reason: measure.reason.clone(),
            }
        }
    }

    impl From<Bounds> for Measure {
        fn from(document: Bounds) -> Self {
            Self {
                value: document.value,
                se: None,
                low: document.low,
                high: document.high,
                reason: document.reason,
            }
        }
    }

    pub fn serialize<S: Serializer>(measure: &Measure, to: S) -> Result<S::Ok, S::Error> {
        Bounds::from(measure).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Measure, D::Error> {
        Bounds::deserialize(from).map(Measure::from)
    }

    /// The same where there may be none.
    pub mod optional {
        use super::{Bounds, Deserialize, Deserializer, Measure, Serialize, Serializer};

        pub fn serialize<S: Serializer>(of: &Option<Measure>, to: S) -> Result<S::Ok, S::Error> {
            of.as_ref().map(Bounds::from).serialize(to)
        }

        pub fn deserialize<'de, D>(from: D) -> Result<Option<Measure>, D::Error>
        where
            D: Deserializer<'de>,
        {
            Ok(Option::<Bounds>::deserialize(from)?.map(Measure::from))
        }
    }
}

/// What a table says beside a number that is not to be taken like the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Few images for the dimensions: what the sample adds to the number is not known well, and the interval may fall short.
    SmallSample,
    /// Two standard errors and no more from equal sets: these cannot be told apart.
    NearlyEqual,
}

impl Mark {
    /// How tables say it.
    pub fn label(self) -> &'static str {
        match self {
            Self::SmallSample => "small sample",
            Self::NearlyEqual => "≈ equal sets",
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
    /// Standard error of `corrected`.
    pub se: Option<f64>,
    /// 95% interval around `corrected`.
    pub ci95: Option<[f64; 2]>,
    /// How the interval is to be taken; none where it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Why something above is missing: `corrected` is withheld where nothing is known of the bias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a reader must know before quoting the number, such as too few captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

impl SetMeasure {
    /// No number, and why.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    /// The distance as it is, as a measure without an interval.
    pub fn raw(&self) -> Measure {
        Measure {
            value: self.value,
            se: self.se,
            reason: self.reason.clone(),
            ..Measure::default()
        }
    }

    /// The distance with its bias removed, as a measure.
    pub fn without_bias(&self) -> Measure {
        Measure {
            value: self.corrected,
            se: self.se,
            low: self.ci95.map(|[low, _]| low),
            high: self.ci95.map(|[_, high]| high),
            reason: self.reason.clone(),
        }
    }
}
