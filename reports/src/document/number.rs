//! How many digits a number deserves.
//!
//! A value is shown to two significant digits of its standard error: `0.1163 ± 0.0041`, never
//! `0.116342187 ± 0.0041`. The interval is printed as `±` its half-width where it is symmetric and
//! by its two ends where it is not.

use fgd_record::Measure;
pub use fgd_record::words::{count, counted, plural};

use super::visible;

/// What stands in a table where there is no number.
pub const MISSING: &str = "–";

/// Decimals without a standard error to go by.
const DEFAULT_DECIMALS: usize = 4;
/// Distances are of the order of one: what is smaller than this is the rounding of f64, of which a jackknife makes some more.
pub const ROUNDING: f64 = 1e-10;
/// More decimals than this nobody reads; smaller numbers are shown in scientific notation.
const MOST_DECIMALS: usize = 7;

/// Decimals that a standard error justifies: down to its second significant digit.
fn decimals(se: Option<f64>) -> usize {
    match se {
        Some(se) if se > 0.0 && se.is_finite() => {
            // What rounds up to the next power of ten counts as it: 0.00996 is 0.010 to two digits.
            let exponent = (se * (1.0 + 0.05 / 9.95)).log10().floor() as i32;
            (1 - exponent).clamp(0, MOST_DECIMALS as i32) as usize
        }
        _ => DEFAULT_DECIMALS,
    }
}

/// A number at a fixed count of decimals, zero without a sign.
fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| matches!(b, b'0' | b'.')) => digits.to_string(),
        _ => text,
    }
}

/// A value, to the digits that its standard error justifies.
pub fn value(value: Option<f64>, se: Option<f64>) -> String {
    let Some(number) = value else {
        return MISSING.to_string();
    };
    let decimals = decimals(se);
    let rounds_to_zero = number.abs() < 0.5 * 10f64.powi(-(decimals as i32));
    let within_noise = se.is_some_and(|se| number.abs() < se) && decimals < MOST_DECIMALS;
    if rounds_to_zero && !within_noise && number.abs() > ROUNDING {
        return format!("{number:.1e}");
    }
    fixed(number, decimals)
}

/// A measure's 95% interval to the digits that the standard error justifies: `± 0.0041`, or both ends.
pub fn interval(measure: &Measure) -> String {
    let (Some(value), Some([low, high])) = (measure.value, measure.interval()) else {
        return MISSING.to_string();
    };
    let decimals = decimals(measure.se.or(Some((high - low) / 3.92)));
    let (below, above) = (value - low, high - value);
    if (above - below).abs() <= 0.1 * (above + below).abs() {
        format!("± {}", fixed((above + below) / 2.0, decimals))
    } else {
        format!("[{}, {}]", fixed(low, decimals), fixed(high, decimals))
    }
}

/// A number with its sign, for differences and influences.
pub fn signed(number: Option<f64>, se: Option<f64>) -> String {
    let text = value(number, se);
    if number.is_some_and(|n| n > 0.0) { format!("+{text}") } else { text }
}

/// A difference of counts with its sign: `+1,312`.
pub fn signed_count(number: Option<f64>) -> String {
    let Some(number) = number else {
        return MISSING.to_string();
    };
    let sign = if number > 0.0 {
        "+"
    } else if number < 0.0 {
        "-"
    } else {
        ""
    };
    format!("{sign}{}", count(number.abs() as u64))
}

/// A count of which 0 means that it is not known.
pub fn known(n: u64) -> Option<u64> {
    (n > 0).then_some(n)
}

/// The same with its noun: `3,771 captions`, `an unknown number of captions`.
pub fn counted_if_known(n: u64, noun: &str) -> String {
    known(n).map_or_else(|| format!("an unknown number of {}", plural(noun)), |n| counted(n, noun))
}

/// A measurement to three significant digits: `0.00123`, `45.6`, `1,230`.
pub fn significant(number: f64) -> String {
    let magnitude = number.abs();
    if !magnitude.is_finite() {
        return MISSING.to_string();
    }
    if magnitude >= 999.5 {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(magnitude.round() as u64));
    }
    if magnitude == 0.0 {
        return "0".to_string();
    }
    // What rounds up to the next power of ten counts as it.
    let exponent = (magnitude * 1.005).log10().floor() as i32;
    fixed(number, (2 - exponent).clamp(0, 12) as usize)
}

/// The unit in which a time reads best, and how many of it a second has.
pub fn time_unit(seconds: f64) -> (&'static str, f64) {
    match seconds.abs() {
        s if s >= 1.0 || s == 0.0 => ("s", 1.0),
        s if s >= 1e-3 => ("ms", 1e3),
        s if s >= 1e-6 => ("µs", 1e6),
        _ => ("ns", 1e9),
    }
}

/// A time in its best unit: `12.3 ms`.
pub fn duration(seconds: f64) -> String {
    let (unit, per_second) = time_unit(seconds);
    format!("{} {unit}", significant(seconds * per_second))
}

/// A size in its best decimal unit: `1.23 GB`.
pub fn bytes(size: f64) -> String {
    let (unit, factor) = bytes_unit(size);
    format!("{} {unit}", significant(size * factor))
}

/// The unit in which a size reads best, and how many of it a byte is.
pub fn bytes_unit(size: f64) -> (&'static str, f64) {
    match size.abs() {
        s if s >= 1e9 => ("GB", 1e-9),
        s if s >= 1e6 => ("MB", 1e-6),
        s if s >= 1e3 => ("kB", 1e-3),
        _ => ("bytes", 1.0),
    }
}

/// A share in whole per cent: `55%`.
pub fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// A share of change with its sign: `+1.5%`.
pub fn change(share: f64) -> String {
    format!("{:+.1}%", 100.0 * share)
}

/// A figure that is followed over time, to four digits with its unit; bytes in powers of 1000.
pub fn followed(value: Option<f64>, unit: &str) -> String {
    let Some(value) = value else {
        return MISSING.to_string();
    };
    let (value, unit) = match unit {
        "bytes" if value >= 1e9 => (value / 1e9, "GB"),
        "bytes" if value >= 1e6 => (value / 1e6, "MB"),
        "s" if value < 1.0 => (value * 1e3, "ms"),
        unit => (value, unit),
    };
    let magnitude = match value {
        0.0 => 0,
        value => value.abs().log10().floor() as i32,
    };
    let decimals = (3 - magnitude).clamp(0, 9) as usize;
    visible(format!("{value:.decimals$} {unit}").trim_end())
}

/// The date of a time in RFC 3339.
pub fn day(time: &str) -> String {
    visible(time.get(..10).unwrap_or(time))
}

/// A p-value: two significant digits, and never a false zero.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        None => MISSING.to_string(),
        Some(p) if p < 0.000_05 => "< 0.0001".to_string(),
        Some(p) if p < 0.1 => format!("{p:.*}", decimals(Some(p))),
        Some(p) => format!("{p:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_standard_error() {
        let measure = Measure::estimated(0.1163, 0.0021, [0.1122, 0.1204]);
        assert_eq!(value(Some(0.116_342), Some(0.002_1)), "0.1163");
        assert_eq!(interval(&measure), "± 0.0041");
        assert_eq!(value(Some(0.116_342), Some(0.021)), "0.116");
        assert_eq!(value(Some(41.237), Some(3.4)), "41.2");
        assert_eq!(value(Some(0.5), None), "0.5000");
        assert_eq!(value(Some(2.0), None), "2.0000");
        assert_eq!(value(None, None), MISSING);
    }

    #[test]
    fn a_skewed_interval_shows_both_ends() {
        let text = interval(&Measure::estimated(0.01, 0.002, [0.004, 0.022]));
        assert_eq!(text, "[0.0040, 0.0220]");
    }

    #[test]
    fn tiny_numbers_are_not_false_zeros_and_zero_has_no_sign() {
        assert_eq!(value(Some(3.2e-9), None), "3.2e-9");
        assert_eq!(value(Some(0.0), None), "0.0000");
        assert_eq!(value(Some(-0.0), None), "0.0000");
        assert_eq!(value(Some(3.1e-17), Some(0.0)), "0.0000");
        assert_eq!(value(Some(-0.000_01), Some(0.01)), "0.000");
        assert_eq!(p_value(Some(1e-7)), "< 0.0001");
        assert_eq!(p_value(Some(1.0 / 10_001.0)), "0.00010");
        assert_eq!(p_value(Some(0.031)), "0.031");
        assert_eq!(p_value(Some(0.42)), "0.42");
    }

    #[test]
    fn measurements_have_three_significant_digits_and_a_fitting_unit() {
        assert_eq!(significant(0.001_234), "0.00123");
        assert_eq!(significant(99.96), "100");
        assert_eq!(significant(9.996), "10.0");
        assert_eq!(significant(1234.5), "1,235");
        assert_eq!(significant(0.0), "0");
        assert_eq!(duration(0.012_34), "12.3 ms");
        assert_eq!(duration(4.5e-7), "450 ns");
        assert_eq!(bytes(1.5e9), "1.50 GB");
    }

    #[test]
    fn differences_of_counts_have_their_sign() {
        let signs = [1312.0, -2.0, 0.0].map(|number| signed_count(Some(number)));
        assert_eq!(signs, ["+1,312", "-2", "0"]);
    }

    #[test]
    fn followed_figures_have_four_digits() {
        assert_eq!(followed(Some(0.123456), ""), "0.1235");
        assert_eq!(followed(Some(0.01234), "s"), "12.34 ms");
        assert_eq!(followed(Some(123456.0), "captions/s"), "123456 captions/s");
        assert_eq!(followed(Some(2.5e9), "bytes"), "2.500 GB");
        assert_eq!(followed(None, "s"), "–");
        assert_eq!(followed(Some(0.0), ""), "0.000");
    }
}
