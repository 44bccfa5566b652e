//! What a record of scores comes to, in a sentence that stands before everything else.

use fgd_record::{
    AgreementResults, CaptionResults, CompareResults, Difference, LEVEL, LeaderboardResults,
    Measure, MetricAgreement, Pairing, Record, ScoreResults, Standing, TrainResults,
};

use super::{differences, set};
use crate::document::number::{count, counted, interval, p_value, signed, significant, value};
use crate::document::{Document, Tone};

/// Sentences of differences; the table has all of them.
const MOST: usize = 3;

/// What makes every number of the record one of another scale.
pub fn warnings(document: &mut Document, record: &Record) {
    for finding in record.findings.iter().filter(|finding| finding.kind == "not-unit-length") {
        let row = finding.row.map_or(String::new(), |row| format!("row {}: ", count(row)));
        document.verdict(Tone::Warning, format!("{row}{}", finding.message));
    }
}

/// The distance that counts, and how to read it.
pub fn score(document: &mut Document, record: &Record, results: &ScoreResults) {
    let is_fgd = record.encoder.as_ref().is_some_and(|encoder| encoder.is_gte_small);
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
    let says = match differences::can_tell(difference) || joint == "than" {
        true => format!("{system} is {} {joint} {versus}", verdict.text),
        false => format!("too few images or clusters to tell {system} from {versus}"),
    };
    (verdict.tone, format!("{says}: {metric} {number}{range} ({p}{wins})"))
}

/// Who is ahead, and of whom that can not be said.
pub fn leaderboard(document: &mut Document, results: &LeaderboardResults) {
    let Some((first, others)) = results.standings.split_first() else { return };
    // Of a split the private images decide.
    fn paired(standing: &Standing) -> &Measure {
        standing.private.as_ref().unwrap_or(&standing.scores.fgd_paired)
    }
    let part = first.private.as_ref().map_or("", |_| " on the private images");
    let number = match results.ranked_by.as_str() {
        "fgd_set" => set::cell(&first.scores.fgd_set).text,
        _ => with_interval(paired(first)).unwrap_or_default() + part,
    };
    let open: Vec<&Standing> =
        others.iter().filter(|s| s.rank_range.is_some_and(|[best, _]| best == 1)).collect();
    let distance = |standing: &Standing| match results.ranked_by.as_str() {
        "fgd_set" => standing.scores.fgd_set.without_bias().value,
        _ => paired(standing).value,
    };
    let level = others.iter().take_while(|other| distance(other) == distance(first)).count();
    let rest = match open.as_slice() {
        [] if others.is_empty() => String::new(),
        [] if level > 0 => format!(", as does {}", others[0].name),
        [] if first.rank_range.is_none() => ", by a difference that has no test".into(),
        [] => ", separably ahead of all others".into(),
        [only] => format!(", not separable from {}", only.name),
        [one, rest @ ..] => format!(", not separable from {} and {} more", one.name, rest.len()),
    };
    document.verdict(
        Tone::Strong,
        format!("{} leads with {} {number}{rest}", first.name, results.ranked_by),
    );
}

/// Whether people agree with the first metric, by its interval, and whether more than with the others.
pub fn agreement(document: &mut Document, results: &AgreementResults) {
    let Some((first, others)) = results.metrics.split_first() else { return };
    let Some(number) = with_interval(&first.tau_c) else { return };
    let is_behind = |metric: &&MetricAgreement| {
        let behind = metric.behind_first.as_ref().and_then(|behind| behind.value);
        metric.p_holm.is_some_and(|p| p < LEVEL) && behind.is_some_and(|behind| behind > 0.0)
    };
    let behind = others.iter().filter(is_behind).count();
    let rest = match others.len() {
        0 => String::new(),
        all if all == behind => format!(", more than with {}", counted(all as u64, "other metric")),
        all => format!(", shown to be more than with {behind} of {all} others"),
    };
    let said = match first.tau_c.interval() {
        Some([least, _]) if least > 0.0 => {
            format!("people agree with {}: τ-c {number}{rest}", first.label)
        }
        Some([_, most]) if most < 0.0 => {
            format!("people disagree with {}: τ-c {number}", first.label)
        }
        _ => format!("whether people agree with {} is not shown: τ-c {number}", first.label),
    };
    document.verdict(Tone::Strong, said);
}

/// What the best adapter came to beside the untrained model.
pub fn train(document: &mut Document, results: &TrainResults) {
    let first = results.validation.first();
    let best = results.validation.iter().find(|point| Some(point.step) == results.best_step);
    let Some((first, best)) = first.zip(best) else { return };
    let fgd = |measure: &Option<Measure>| measure.as_ref().and_then(with_interval);
    let (what, before, after) = match (fgd(&first.fgd_paired), fgd(&best.fgd_paired)) {
        (Some(before), Some(after)) => ("fgd_paired", before, after),
        _ => ("validation loss", significant(first.loss), significant(best.loss)),
    };
    let (tone, text) = match best.step == first.step {
        true => (Tone::Warning, format!("no adapter is better than the first: {what} {before}")),
        false => (
            Tone::Good,
            format!(
                "{what} from {before} to {after} with the adapter of step {}",
                count(best.step)
            ),
        ),
    };
    document.verdict(tone, text);
}

/// Whether every image has a caption, and how fast they came.
pub fn caption(document: &mut Document, results: &CaptionResults) {
    let speed = match results.images_per_second.value {
        Some(speed) => format!(", {} images/s", significant(speed)),
        None => String::new(),
    };
    let images = counted(results.images, "image");
    match results.failures.len() as u64 {
        0 => document.verdict(Tone::Good, format!("every one of {images} has a caption{speed}")),
        failed => document.verdict(
            Tone::Warning,
            format!("{} of {images} without a caption{speed}", count(failed)),
        ),
    }
}
