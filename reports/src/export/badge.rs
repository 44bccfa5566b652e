//! A badge for a README: a label and a number or a verdict, as a small SVG without fonts, scripts or requests of its own.

use fgd_record::{NightlyVerdict, Record, Results, ScoreResults};
use unicode_width::UnicodeWidthStr;

use crate::document::number::{count, counted, interval, significant, value};
use crate::document::width::clipped;
use crate::document::{escaped, visible};

/// Height of a badge, and of its letters.
const HEIGHT: usize = 20;
/// Units that a letter takes on average at this size; `textLength` makes every font keep to it.
const LETTER: f64 = 6.6;
/// Space around a text.
const SIDE: f64 = 6.0;
/// Columns of letters that a side shows at most.
const MOST: usize = 40;

/// What a badge says of a number or verdict by its colour. White letters keep a contrast of 4.5 on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    /// A number: neither good nor bad by itself.
    Plain,
    Good,
    Warning,
    Bad,
}

impl Color {
    fn hex(self) -> &'static str {
        match self {
            Self::Plain => "#0b5c99",
            Self::Good => "#1a7f37",
            Self::Warning => "#8a5a00",
            Self::Bad => "#b3261e",
        }
    }
}

/// The badge of a record.
pub fn badge(record: &Record) -> String {
    let (label, message, color) = words(record);
    let shown = |text: &str| clipped(&visible(text), MOST);
    let (label, message) = (shown(&label), shown(&message));
    let width = |text: &str| (text.width() as f64 * LETTER + 2.0 * SIDE).ceil();
    let (left, right) = (width(&label), width(&message));
    let total = left + right;
    let text = |text: &str, from: f64, width: f64| {
        format!(
            "<text x=\"{}\" y=\"14\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
            from + width / 2.0,
            width - 2.0 * SIDE,
            escaped(text)
        )
    };
    let name = escaped(&format!("{label}: {message}"));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{name}\">\
         <title>{name}</title>\
         <clipPath id=\"r\"><rect width=\"{total}\" height=\"{HEIGHT}\" rx=\"3\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"{HEIGHT}\" fill=\"#3d4248\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"{HEIGHT}\" fill=\"{}\"/></g>\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">{}{}</g></svg>\n",
        color.hex(),
        text(&label, 0.0, left),
        text(&message, left, right),
    )
}

/// Label, message and colour of a record.
fn words(record: &Record) -> (String, String, Color) {
    match &record.results {
        Results::Score(scores) => {
            let (name, number) = number(record, scores);
            (name, number, Color::Plain)
        }
        Results::Compare(results) if !results.gates.is_empty() => {
            let crossed = results.gates.iter().filter(|gate| gate.passed == Some(false)).count();
            let open = results.gates.iter().filter(|gate| gate.passed.is_none()).count();
            let (message, color) = match (crossed, open) {
                (0, 0) => ("passed".to_owned(), Color::Good),
                (0, open) => (format!("{open} undecided"), Color::Warning),
                (crossed, _) => (format!("{crossed} crossed"), Color::Bad),
            };
            ("fgd gates".into(), message, color)
        }
        Results::Compare(results) => {
            let systems = results.systems.iter().map(|system| &system.scores);
            let best = systems.min_by(|a, b| {
                let value =
                    |scores: &ScoreResults| scores.fgd_paired.value.unwrap_or(f64::INFINITY);
                value(a).total_cmp(&value(b))
            });
            let (name, number) =
                best.map_or(("fgd".into(), "–".into()), |scores| number(record, scores));
            (format!("best {name}"), number, Color::Plain)
        }
        Results::Leaderboard(results) => {
            let first = results.standings.first();
            let name = first.map_or("nobody", |first| first.name.as_str());
            let tied =
                results.standings.iter().filter(|one| first.is_some_and(|f| f.rank == one.rank));
            let more = match tied.count() {
                0 | 1 => String::new(),
                tied => format!(" and {} more", count(tied as u64 - 1)),
            };
            let of = count(results.standings.len() as u64);
            ("leaderboard".into(), format!("{name}{more}, 1st of {of}"), Color::Plain)
        }
        Results::Agreement(results) => {
            let first = results.metrics.first();
            let tau = first.and_then(|metric| metric.tau_c.value);
            let tau = tau.map_or_else(|| "–".into(), |tau| format!("τ-c {tau:.3}"));
            ("agreement with people".into(), tau, Color::Plain)
        }
        Results::Select(results) => {
            ("chosen captions".into(), counted(results.images, "image"), Color::Plain)
        }
        Results::Train(results) => {
            ("fine-tuned".into(), counted(results.steps, "step"), Color::Plain)
        }
        Results::Curate(results) => {
            ("captions to train on".into(), count(results.kept), Color::Plain)
        }
        Results::Caption(results) => {
            ("captions".into(), counted(results.captions, "image"), Color::Plain)
        }
        Results::Bench(results) if !results.validity.valid => {
            (results.target.name().into(), "not valid".into(), Color::Warning)
        }
        Results::Bench(results) => {
            let shown = results.headlines.first().map_or("–".to_owned(), |headline| {
                let value = headline.measured.value.map_or("–".into(), significant);
                format!("{value} {}", headline.unit)
            });
            (results.target.name().into(), shown, Color::Plain)
        }
        Results::Nightly(results) => {
            let (message, color) = match results.verdict {
                NightlyVerdict::Regressed => ("regressed", Color::Bad),
                _ if results.has_failed() => ("failed", Color::Bad),
                NightlyVerdict::Moved => ("moved", Color::Warning),
                NightlyVerdict::NewSeries => ("new series", Color::Warning),
                NightlyVerdict::InsufficientHistory => ("first nights", Color::Plain),
                _ => ("no regression", Color::Good),
            };
            (results.suite.clone(), message.into(), color)
        }
    }
}

/// The distance of a system with its interval. It is called FGD only where it is one.
fn number(record: &Record, scores: &ScoreResults) -> (String, String) {
    let is_fgd = record.encoder.as_ref().is_some_and(|encoder| encoder.is_gte_small);
    let (name, measure) = match scores.fgd_paired.value {
        Some(_) => (if is_fgd { "FGD" } else { "fgd_paired" }, scores.fgd_paired.clone()),
        None => ("fgd_set", scores.fgd_set.without_bias()),
    };
    let encoder = match (&record.encoder, is_fgd) {
        (Some(encoder), false) => format!(" ({})", encoder.id),
        _ => String::new(),
    };
    let mut shown = value(measure.value, measure.se);
    if measure.interval().is_some() {
        shown += &format!(" {}", interval(&measure));
    }
    (format!("{name}{encoder}"), shown)
}
