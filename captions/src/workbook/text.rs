//! What the cells of a workbook say: texts that are kept apart from the cells, and numbers that are shown as dates.

use std::borrow::Cow;

use super::part::{Part, attribute};
use crate::error::ReadProblem;

/// The texts that cells point at, one after the other.
#[derive(Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    pub fn read(part: &mut Part<'_>) -> Result<Self, ReadProblem> {
        let mut strings = Self::default();
        while part.next_start("si")?.is_some() {
            part.text_until("si", &mut strings.text)?;
            strings.ends.push(strings.text.len());
        }
        Ok(strings)
    }

    /// The text of this number.
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }
}

/// Undoes `_x000D_`, which stands for a character that XML does not have, and `_x005F_`, for an underscore that would look like it.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let Some(mut at) = text.find("_x") else { return text.into() };
    let (mut plain, mut rest) = (String::new(), text);
    loop {
        let code = rest.get(at..at + 7).filter(|code| code.ends_with('_'));
        let code = code.filter(|code| code[2..6].bytes().all(|byte| byte.is_ascii_hexdigit()));
        let known =
            code.and_then(|code| char::from_u32(u32::from_str_radix(&code[2..6], 16).ok()?));
        plain.push_str(&rest[..at]);
        let taken = match known {
            Some(character) => {
                plain.push(character);
                7
            }
            None => {
                plain.push_str("_x");
                2
            }
        };
        rest = &rest[at + taken..];
        match rest.find("_x") {
            Some(next) => at = next,
            None => break,
        }
    }
    plain.push_str(rest);
    plain.into()
}

/// Which styles of cells show a number as a date or a time.
#[derive(Default)]
pub(super) struct DateStyles {
    is_date: Vec<bool>,
    from_1904: bool,
}

impl DateStyles {
    pub fn read(part: &mut Part<'_>, from_1904: bool) -> Result<Self, ReadProblem> {
        let mut own: Vec<u64> = Vec::new();
        let mut styles = Self { is_date: Vec::new(), from_1904 };
        let mut of_cells = false;
        while let Some(element) = part.next_start("")? {
            let number = |name| attribute(&element, name)?.parse::<u64>().ok();
            match element.local_name().as_ref() {
                "numFmt"
                    if attribute(&element, "formatCode").is_some_and(|code| tells_dates(&code)) =>
                {
                    own.extend(number("numFmtId"));
                }
                "cellXfs" => of_cells = true,
                "cellStyles" | "dxfs" => of_cells = false,
                "xf" if of_cells => {
                    // The numbers of the formats that every workbook has (18.8.30).
                    let format = number("numFmtId").unwrap_or(0);
                    let built_in = matches!(format, 14..=22 | 27..=36 | 45..=47 | 50..=58);
                    styles.is_date.push(built_in || own.contains(&format));
                }
                _ => {}
            }
        }
        Ok(styles)
    }

    /// How a number is written in a cell of this style: as it stands, whole ones without what floats add, or as a date.
    pub fn number<'a>(&self, raw: &'a str, style: usize) -> Cow<'a, str> {
        let raw = raw.trim();
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        let is_date = self.is_date.get(style) == Some(&true);
        if !is_date && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return raw.into();
        }
        match raw.parse::<f64>() {
            Ok(days) if is_date => self.date(days).map_or(raw.into(), Cow::Owned),
            // Beyond, a float does not say which whole number was meant.
            Ok(number) if number.abs() < 1e15 => number.to_string().into(),
            _ => raw.into(),
        }
    }

    /// A count of days as `2026-01-31`, with the time of the day if it has one.
    fn date(&self, days: f64) -> Option<String> {
        /// 9999-12-31, the last day that Excel knows.
        const LAST: f64 = 2_958_465.0;
        if !(0.0..=LAST).contains(&days) {
            return None;
        }
        let seconds = (days * 86_400.0).round() as i64;
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        // Day 60 is 29 February 1900, which never was.
        let since_1970 = match self.from_1904 {
            true => day - 24_107,
            false => day - 25_569 + i64::from(day < 60),
        };
        let (year, month, day) = civil(since_1970);
        let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        Some(match second {
            0 => format!("{year:04}-{month:02}-{day:02}"),
            _ if days < 1.0 => time,
            _ => format!("{year:04}-{month:02}-{day:02} {time}"),
        })
    }
}

/// Year, month and day of a count of days since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// Whether a format has letters of dates outside of quotes, brackets and escapes.
fn tells_dates(code: &str) -> bool {
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => drop(letters.by_ref().find(|&c| c == '"')),
            '[' => {
                // `[h]` counts hours beyond a day; `[Red]` is a colour.
                let inside: String = letters.by_ref().take_while(|&c| c != ']').collect();
                if matches!(inside.as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss") {
                    return true;
                }
            }
            '\\' | '_' | '*' => drop(letters.next()),
            'd' | 'm' | 'y' | 'h' | 's' | 'D' | 'M' | 'Y' | 'H' | 'S' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_looks_like_one_is_not() {
        for (written, said) in [
            ("a_x000D_b", "a\rb"),
            ("_x0041__x0042_", "AB"),
            ("_x005F_x000D_", "_x000D_"),
            ("a_xb", "a_xb"),
            ("_x00é_", "_x00é_"),
            ("_xD83D_", "_xD83D_"),
            ("plain", "plain"),
        ] {
            assert_eq!(unescaped(written), said);
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_dates_are_dates() {
        let mut styles = DateStyles { is_date: vec![false, true], from_1904: false };
        for (raw, style, said) in [
            ("393225000123456789", 0, "393225000123456789"),
            ("007", 0, "007"),
            ("102.0", 0, "102"),
            ("1.02E2", 0, "102"),
            ("3.932250001234568E+17", 0, "3.932250001234568E+17"),
            ("0.25", 0, "0.25"),
            ("45293", 9, "45293"),
            ("45293", 1, "2024-01-02"),
            ("45293.5", 1, "2024-01-02 12:00:00"),
            ("0.75", 1, "18:00:00"),
            ("1", 1, "1900-01-01"),
            ("61", 1, "1900-03-01"),
            ("1e9", 1, "1e9"),
            ("NaN", 0, "NaN"),
        ] {
            assert_eq!(styles.number(raw, style), said, "{raw}");
        }
        styles.from_1904 = true;
        assert_eq!(styles.number("43831", 1), "2024-01-02");
        for (code, is_date) in [
            ("yyyy-mm-dd", true),
            ("[h]:mm", true),
            ("0.00", false),
            ("[Red]0", false),
            ("\"day\" 0", false),
            ("General", false),
        ] {
            assert_eq!(tells_dates(code), is_date, "{code}");
        }
    }
}
