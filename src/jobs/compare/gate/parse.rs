//! How a condition is written, and to whom it is put.

use super::{Bound, Gate, GateError, Relation};

/// The name of the first system in a bound.
const BASELINE: &str = "base";

impl Gate {
    /// Reads a condition on the systems of these names.
    ///
    /// # Errors
    /// A condition that is not of the form that is known, or names no system.
    pub fn parse(condition: &str, systems: &[String]) -> Result<Self, GateError> {
        let wrong = |problem: &str| GateError::Syntax {
            condition: condition.to_owned(),
            problem: problem.to_owned(),
        };
        let (subject, relation, bound) =
            split(condition).ok_or_else(|| wrong("there is no comparison in it"))?;
        let bound = Bound::parse(bound, systems)
            .ok_or_else(|| wrong(&format!("`{bound}` is neither a number nor a system")))?;
        let (system, metric) = match subject.rsplit_once('.') {
            Some((system, metric)) => {
                let index = index_of(system, systems)
                    .ok_or_else(|| wrong(&format!("no system is called `{system}`")))?;
                (Some(index), metric)
            }
            None => (None, subject),
        };
        if metric.is_empty() {
            return Err(wrong("it names no metric"));
        }
        let held: Vec<usize> = match (system, &bound) {
            (Some(system), _) => vec![system],
            (None, Bound::System(other, _)) => {
                (0..systems.len()).filter(|index| index != other).collect()
            }
            (None, Bound::Number(_)) => (0..systems.len()).collect(),
        };
        if held.is_empty() {
            return Err(wrong("there is no other system to hold to it"));
        }
        Ok(Self {
            condition: condition.to_owned(),
            held,
            metric: metric.to_owned(),
            relation,
            bound,
        })
    }
}

impl Bound {
    fn parse(text: &str, systems: &[String]) -> Option<Self> {
        if let Ok(number) = text.parse::<f64>() {
            return number.is_finite().then_some(Self::Number(number));
        }
        // Names may hold signs themselves: the longest name that fits is meant.
        let mut names: Vec<&str> = systems.iter().map(String::as_str).collect();
        names.push(BASELINE);
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().find_map(|name| {
            let margin = text.strip_prefix(name)?.replace(' ', "");
            let margin = match margin.as_str() {
                "" => 0.0,
                signed if signed.starts_with(['+', '-']) => signed.parse::<f64>().ok()?,
                _ => return None,
            };
            let index = index_of(name, systems)?;
            margin.is_finite().then_some(Self::System(index, margin))
        })
    }
}

fn index_of(name: &str, systems: &[String]) -> Option<usize> {
    let found = systems.iter().position(|system| system == name);
    found.or((name == BASELINE && !systems.is_empty()).then_some(0))
}

/// Subject, relation and bound of a condition.
fn split(condition: &str) -> Option<(&str, Relation, &str)> {
    let place = condition.find(['<', '>'])?;
    let (subject, rest) = condition.split_at(place);
    let (relation, bound) = [
        ("<=", Relation::LessOrEqual),
        (">=", Relation::GreaterOrEqual),
        ("<", Relation::Less),
        (">", Relation::Greater),
    ]
    .into_iter()
    .find_map(|(sign, relation)| Some((relation, rest.strip_prefix(sign)?)))?;
    Some((subject.trim(), relation, bound.trim()))
}
