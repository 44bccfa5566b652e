//! Lengths of time as people write them: `90m`, `6h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Span).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is no length of time; write a number with s, m or h, such as \"6h\""
            ))
        })
    }
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        _ => return None,
    };
    let number: f64 = text[..text.len() - 1].trim().parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok().filter(|span| !span.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit_are_lengths_of_time() {
        assert_eq!(parse("90m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("1.5 h"), Some(Duration::from_secs(5400)));
        for wrong in ["", "h", "6", "6d", "-1h", "0s", "NaNs", "6µ"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
