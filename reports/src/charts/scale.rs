//! Which part of an axis to show: a few values far from the others must not squash them.

/// Quartile ranges beyond the quartiles from which on a value counts as far away.
const FAR: f64 = 4.0;
/// An axis is cut only where this share of it or less would be left to the values that are not far away.
const SQUASHED: f64 = 0.4;

/// The part of an axis that is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The lowest value that is shown.
    pub low: f64,
    /// The highest value that is shown.
    pub high: f64,
    /// How many values lie outside.
    pub outside: usize,
}

impl Span {
    /// Whether a value is shown.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The name of the axis, which says where it was cut.
    pub fn named(&self, axis: &str) -> String {
        match self.outside {
            0 => axis.to_owned(),
            n => format!("{axis} (axis cut, {n} beyond)"),
        }
    }
}

/// The part of the axis for these values; `None` where there is none or one is not finite.
pub fn span(values: impl Iterator<Item = f64>) -> Option<Span> {
    let mut sorted: Vec<f64> = values.collect();
    if sorted.is_empty() || sorted.iter().any(|value| !value.is_finite()) {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    let (lowest, highest) = (sorted[0], sorted[sorted.len() - 1]);
    let whole = Span { low: lowest, high: highest, outside: 0 };
    let quartile = |share: usize| sorted[(sorted.len() - 1) * share / 4];
    let (first, third) = (quartile(1), quartile(3));
    let reach = FAR * (third - first);
    if sorted.len() < 4 || reach <= 0.0 {
        return Some(whole);
    }
    let near: Vec<f64> =
        sorted.iter().copied().filter(|v| (first - reach..=third + reach).contains(v)).collect();
    let (low, high) = (near[0], near[near.len() - 1]);
    let outside = sorted.len() - near.len();
    let squashed = high - low <= SQUASHED * (highest - lowest);
    Some(if squashed { Span { low, high, outside } } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_cut_where_one_value_would_squash_the_others() {
        let found = span([0.115, 0.116, 0.12, 0.13, 0.9].into_iter()).unwrap();
        assert_eq!(found, Span { low: 0.115, high: 0.13, outside: 1 });
        let found = span([0.1, 0.2, 0.3, 0.4, 0.5].into_iter()).unwrap();
        assert_eq!((found.high, found.outside), (0.5, 0));
        assert_eq!(span([1.0, 1.0, 1.0, 9.0].into_iter()).unwrap().high, 9.0);
        assert_eq!(span([f64::NAN].into_iter()), None);
    }
}
