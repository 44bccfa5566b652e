//! Conditions on the results of a comparison, such as `fgd_paired<=base+0.002`: a script's way to say no.
//!
//! `[SYSTEM.]METRIC OP BOUND`, where OP is one of `<`, `<=`, `>`, `>=` and BOUND is a number, the name of a
//! system, or a system with a margin (`base+0.002`). Without SYSTEM the condition is put to every system but the
//! one in the bound. `base` means the first system unless another one is called that.
//!
//! `fgd_set` against a system is a matter of the test of equal distance, at the 5% level: `fgd_set<=base` holds unless the system is
//! shown to be worse, `fgd_set<base` holds where it is shown to be better. Against a number it is the corrected value that counts, as it
//! is the one that tables show; the raw one where there is no other. Raw values of two systems decide nothing, since what finite
//! samples add to them differs from system to system.

mod parse;
#[cfg(test)]
mod tests;

use fgd_metrics::metric::{FGD_PAIRED, FGD_SET};
use fgd_metrics::table::group_of;
use fgd_record::{self as record, Difference, ScoreResults};

use crate::jobs::scoring::metrics::{self, Choice, numbers};

/// The set distance with its bias removed, which only conditions call by a name of its own.
pub const FGD_SET_CORRECTED: &str = "fgd_set_corrected";

/// The 97.5% point of the normal distribution: the level of the table's verdicts.
const Z975: f64 = 1.959_963_984_540_054;

/// A condition that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    condition: String,
    /// Indices of the systems that are held to it.
    held: Vec<usize>,
    metric: String,
    relation: Relation,
    bound: Bound,
}

/// How a value must stand to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a value is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Number(f64),
    /// The same metric of the system of this index, and a margin.
    System(usize, f64),
}

/// Why a condition was not understood. Who asks says what it is called there: `--gate`, or a key of a suite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// It is not of the form that is known.
    #[error(
        "{condition}: {problem}; write METRIC<=BOUND with <, <=, > or >=, where BOUND is a number or a system, \
         as in fgd_paired<=base+0.002"
    )]
    Syntax {
        /// The condition.
        condition: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No system has this metric.
    #[error("{condition}: no metric is called `{metric}`; there are {known}")]
    Metric {
        /// The condition.
        condition: String,
        /// What was asked for.
        metric: String,
        /// What there is.
        known: String,
    },
    /// The scores will not have this metric.
    #[error("{condition}: `{metric}` is not computed; add --metrics {group}")]
    NotComputed {
        /// The condition.
        condition: String,
        /// What was asked for.
        metric: String,
        /// The group that computes it.
        group: &'static str,
    },
}

impl Gate {
    /// Name of the metric that it is about.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Refuses a metric that scores of this choice will not have, before anything is computed.
    ///
    /// # Errors
    /// How to have it, or which there are.
    pub fn check_computed(&self, choice: &Choice) -> Result<(), GateError> {
        let mut computed = choice.names();
        computed.push(FGD_SET_CORRECTED);
        if computed.contains(&self.metric()) {
            return Ok(());
        }
        let (condition, metric) = (self.condition.clone(), self.metric.clone());
        Err(match group_of(&metric) {
            Some(group) => GateError::NotComputed { condition, metric, group: group.name },
            None => GateError::Metric { condition, metric, known: computed.join(", ") },
        })
    }

    /// Whether it is undecided only because some of its systems have no scores: all others have what it asks for.
    pub fn lacks_systems_only(&self, scores: &[Option<&ScoreResults>]) -> bool {
        let bound = match self.bound {
            Bound::System(other, _) => Some(other),
            Bound::Number(_) => None,
        };
        let own: Vec<_> = self.held.iter().copied().chain(bound).map(|at| scores[at]).collect();
        own.contains(&None)
            && own.iter().flatten().all(|scores| value(scores, &self.metric).flatten().is_some())
    }

    /// The systems whose difference in the set distance decides the condition, by index: the one in the bound first. Empty where
    /// values decide.
    pub fn tested_systems(&self) -> Vec<usize> {
        match self.bound {
            Bound::System(other, _) if self.is_of_sets() => {
                std::iter::once(other).chain(self.held.iter().copied()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the condition holds for `systems`, given by name in the order of [`Gate::parse`]. A value that is
    /// missing, or a difference of [`tested_systems`](Gate::tested_systems) that is not among `differences`, leaves it undecided.
    ///
    /// # Errors
    /// A metric that none of the systems has.
    pub fn check(
        &self,
        systems: &[(&str, &ScoreResults)],
        differences: &[Difference],
    ) -> Result<record::Gate, GateError> {
        let has = |(_, scores): &(&str, &ScoreResults)| value(scores, &self.metric).is_some();
        if !systems.iter().any(has) {
            return Err(GateError::Metric {
                condition: self.condition.clone(),
                metric: self.metric.clone(),
                known: known(systems).join(", "),
            });
        }
        let verdicts: Vec<(Option<bool>, String)> = (self.held.iter())
            .map(|&index| match self.bound {
                Bound::System(other, margin) if self.is_of_sets() => {
                    self.tested(systems[index].0, systems[other].0, margin, differences)
                }
                _ => self.verdict(systems[index], systems),
            })
            .collect();
        let crossed: Vec<&(Option<bool>, String)> =
            verdicts.iter().filter(|(passed, _)| *passed != Some(true)).collect();
        let passed = match &crossed[..] {
            [] => Some(true),
            _ if crossed.iter().any(|(passed, _)| passed.is_some()) => Some(false),
            _ => None,
        };
        // What was crossed is the news; only where nothing was, everything is told.
        let told = if crossed.is_empty() { verdicts.iter().collect() } else { crossed };
        let explanations: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
        Ok(record::Gate {
            condition: self.condition.clone(),
            passed,
            explanation: explanations.join("; "),
        })
    }

    fn is_of_sets(&self) -> bool {
        [FGD_SET, FGD_SET_CORRECTED].contains(&self.metric.as_str())
    }

    /// What the test of the difference in `fgd_set` says of a system and the one in the bound.
    fn tested(
        &self,
        name: &str,
        other: &str,
        margin: f64,
        differences: &[Difference],
    ) -> (Option<bool>, String) {
        let of = |system: &str, versus: &str| {
            differences
                .iter()
                .find(|d| d.metric == FGD_SET && d.system == system && d.versus == versus)
                .and_then(|d| d.estimate.value.zip(d.estimate.se))
        };
        let found = of(name, other).or_else(|| of(other, name).map(|(value, se)| (-value, se)));
        let Some((difference, se)) = found else {
            let untested = format!("the difference of {name} and {other} in fgd_set has no test");
            return (None, untested);
        };
        let (excess, bound) = (difference - margin, Z975 * se);
        let passed = match self.relation {
            Relation::LessOrEqual => excess <= bound,
            Relation::GreaterOrEqual => excess >= -bound,
            Relation::Less => excess < -bound,
            Relation::Greater => excess > bound,
        };
        let shown = match () {
            () if excess > bound => "above",
            () if excess < -bound => "below",
            () => "not separable from",
        };
        let target = if margin == 0.0 { other.to_owned() } else { format!("{other} {margin:+}") };
        (
            Some(passed),
            format!(
                "{name}: corrected fgd_set {shown} {target} (difference {difference:+.6} ± {:.6})",
                bound
            ),
        )
    }

    fn verdict(
        &self,
        (name, scores): (&str, &ScoreResults),
        systems: &[(&str, &ScoreResults)],
    ) -> (Option<bool>, String) {
        let undecided = |name: &str| (None, format!("{name} has no {}", self.metric));
        let Some(value_of_system) = value(scores, &self.metric).flatten() else {
            return undecided(name);
        };
        let (bound, shown) = match self.bound {
            Bound::Number(number) => (number, format!("{number}")),
            Bound::System(index, margin) => {
                let (other, scores) = systems[index];
                let Some(value) = value(scores, &self.metric).flatten() else {
                    return undecided(other);
                };
                let shown = match margin {
                    0.0 => format!("{value:.6} of {other}"),
                    _ if margin < 0.0 => format!("{value:.6} of {other} − {}", -margin),
                    _ => format!("{value:.6} of {other} + {margin}"),
                };
                (value + margin, shown)
            }
        };
        let passed = self.relation.holds(value_of_system, bound);
        let sign = self.relation.sign(passed);
        let raw = match self.metric == FGD_SET && scores.fgd_set.corrected.is_none() {
            true => " raw",
            false => "",
        };
        (Some(passed), format!("{name}: {value_of_system:.6}{raw} {sign} {shown}"))
    }
}

impl Relation {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }

    /// The sign that is true of the two numbers.
    fn sign(self, holds: bool) -> &'static str {
        match (self, holds) {
            (Self::Less, true) | (Self::GreaterOrEqual, false) => "<",
            (Self::LessOrEqual, true) | (Self::Greater, false) => "≤",
            (Self::Greater, true) | (Self::LessOrEqual, false) => ">",
            (Self::GreaterOrEqual, true) | (Self::Less, false) => "≥",
        }
    }
}

/// As [`metrics::value`], and `fgd_set` as tables show it.
fn value(scores: &ScoreResults, metric: &str) -> Option<Option<f64>> {
    match metric {
        FGD_SET => Some(scores.fgd_set.corrected.or(scores.fgd_set.value)),
        FGD_SET_CORRECTED => Some(scores.fgd_set.corrected),
        _ => metrics::value(scores, metric),
    }
}

/// The names of all metrics that a system has.
fn known<'a>(systems: &[(&str, &'a ScoreResults)]) -> Vec<&'a str> {
    let mut names = vec![FGD_PAIRED, FGD_SET, FGD_SET_CORRECTED];
    for (name, _) in systems.iter().flat_map(|(_, scores)| numbers(scores)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
