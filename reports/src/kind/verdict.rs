//! What a record of scores comes to, in a sentence that stands before everything else.

use fgd_record::{
    CompareResults, Difference, LeaderboardResults, Measure, Pairing, Record, ScoreResults,
    Standing,
};

use super::{differences, set};
use crate::document::number::{count, counted, interval, p_value, signed, value};
use crate::document::{Document, Tone};

/// Sentences of differences; the table has all of them.
const MOST: usize = 3;

/// The distance that counts, and how to read it.
pub fn score(document: &mut Document, record: &Record, results: &ScoreResults) {
    let is_fgd = record.encoder.as_ref().is_none_or(|encoder| encoder.is_gte_small);
    let scale = match (is_fgd, results.pairing) {
        (true, Pairing::Paired) => {
            "; lower is better, good systems come to 0.12–0.18, unrelated captions to about 0.44"
        }
        _ => "; lower is better",
    };
    let (name, number) = match results.pairing {
        Pairing::Paired => ("fgd_paired", with_interval(&results.fgd_paired)),
        Pairing::Unpaired => ("fgd_set", Some(set::cell(&results.fgd_set).text)),
    };
    if let Some(number) = number {
        document.verdict(Tone::Strong, format!("{name} {number}{scale}"));
    }
}

fn with_interval(measure: &Measure) -> Option<String> {
    measure.value?;
    let number = value(measure.value, measure.se);
    Some(match measure.interval() {
        Some(_) => format!("{number} {}", interval(measure)),
        None => number,
    })
}

/// Crossed gates, and whether the systems are better than the first.
pub fn compare(document: &mut Document, results: &CompareResults) {
    for gate in results.gates.iter().filter(|gate| gate.passed != Some(true)) {
        let (tone, word) = match gate.passed {
            Some(_) => (Tone::Bad, "GATE CROSSED"),
            None => (Tone::Warning, "GATE UNDECIDED"),
        };
        document.verdict(tone, format!("{word}: {}: {}", gate.condition, gate.explanation));
    }
    let Some(base) = results.systems.first() else { return };
    let tested = |metric: &str| -> Vec<&Difference> {
        let of = results.differences.iter();
        of.filter(|d| d.metric == metric && d.versus == base.name && d.p_value.is_some()).collect()
    };
    let paired = tested("fgd_paired");
    let differences = if paired.is_empty() { tested("fgd_set") } else { paired };
    for difference in differences.iter().take(MOST) {
        let (tone, text) = sentence(difference, results.n);
        document.verdict(tone, text);
    }
    if differences.len() > MOST {
        document.line(format!(
            "{} more below.",
            counted((differences.len() - MOST) as u64, "difference")
        ));
    }
}

fn sentence(difference: &Difference, n: u64) -> (Tone, String) {
    let Difference { system, versus, metric, estimate, .. } = difference;
    let verdict = differences::verdict(difference);
    let joint = match verdict.tone {
        Tone::Good | Tone::Bad => "than",
        _ => "from",
    };
    let number = signed(estimate.value, estimate.se);
    let range = if estimate.interval().is_some() {
        format!(" {}", interval(estimate))
    } else {
        String::new()
    };
    let p = p_value(difference.p_holm.or(difference.p_value));
    let p = if p.starts_with('<') { format!("p {p}") } else { format!("p = {p}") };
    let wins = match difference.wins {
        Some(wins) => format!(", better on {} of {}", count(wins), counted(n, "image")),
        None => String::new(),
    };
    (
        verdict.tone,
        format!(
            "{system} is {} {joint} {versus}: {metric} {number}{range} ({p}{wins})",
            verdict.text
        ),
    )
}

/// Who is ahead, and of whom that can not be said.
pub fn leaderboard(document: &mut Document, results: &LeaderboardResults) {
    let Some((first, others)) = results.standings.split_first() else { return };
    let number = match results.ranked_by.as_str() {
        "fgd_set" => set::cell(&first.scores.fgd_set).text,
        _ => with_interval(&first.scores.fgd_paired).unwrap_or_default(),
    };
    let open: Vec<&Standing> =
        others.iter().filter(|standing| standing.rank_range[0] == 1).collect();
    let rest = match open.as_slice() {
        [] if others.is_empty() => String::new(),
        [] => ", separably ahead of all others".into(),
        [only] => format!(", not separable from {}", only.name),
        [one, rest @ ..] => format!(", not separable from {} and {} more", one.name, rest.len()),
    };
    document.verdict(
        Tone::Strong,
        format!("{} leads with {} {number}{rest}", first.name, results.ranked_by),
    );
}
