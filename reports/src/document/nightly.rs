//! What a night says: the verdict, every figure beside its history, and what was run.

use super::nightly_figures::trends;
use super::number::{MISSING, counted};
use super::{Block, Cell, Column, Document, Entry, Field, Table, Tone, provenance, visible};
use fgd_record::{
    Gate, NightlyFinding, NightlyResults, NightlyStep, NightlyVerdict, Record, StepOutcome, Trend,
};

/// The document of a night.
pub fn document(record: &Record, results: &NightlyResults) -> Document {
    let mut blocks = vec![
        Block::Line {
            text: format!(
                "night of {} · {} · {}",
                visible(&results.night),
                visible(&record.host.cpu),
                counts(results)
            ),
        },
        verdict(results),
    ];
    blocks.extend(gates(&results.gates).map(Block::Table));
    blocks.extend(news(&results.findings));
    blocks.push(Block::Table(findings(&results.findings)));
    blocks.push(Block::Table(steps(&results.steps)));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: format!(
            "Nightly {}, {}",
            visible(&results.suite),
            day(&results.night)
        ),
        blocks,
        appendix: provenance::tables(record),
    }
}

/// The history of one system or benchmark: its trends, and tonight's figures.
pub fn history(results: &NightlyResults, system: &str) -> Document {
    let of_system = |name: &str| name == system;
    let all: Vec<&Trend> = results
        .trends
        .iter()
        .filter(|t| of_system(&t.system))
        .collect();
    let tonight: Vec<NightlyFinding> = results
        .findings
        .iter()
        .filter(|f| of_system(&f.system))
        .cloned()
        .collect();
    Document {
        title: format!("{} in suite {}", visible(system), visible(&results.suite)),
        blocks: vec![
            Block::Table(findings(&tonight)),
            reasons("Why", &tonight.iter().collect::<Vec<_>>()),
            Block::Figures {
                figures: trends(&all),
            },
        ],
        appendix: Vec::new(),
    }
}

/// The date of a time.
pub fn day(time: &str) -> String {
    visible(time.get(..10).unwrap_or(time))
}

fn counts(results: &NightlyResults) -> String {
    use NightlyVerdict::{Improved, InsufficientHistory, Invalid, Regressed, Unchanged};
    let mut parts = vec![counted(results.findings.len() as u64, "figure")];
    for verdict in [Regressed, Invalid, Improved, InsufficientHistory, Unchanged] {
        let count = results
            .findings
            .iter()
            .filter(|f| f.verdict == verdict)
            .count();
        if count > 0 {
            parts.push(format!("{count} {}", verdict.name()));
        }
    }
    parts.join(" · ")
}

fn verdict(results: &NightlyResults) -> Block {
    let of = |verdict: NightlyVerdict| -> Vec<String> {
        let named = |f: &NightlyFinding| visible(&format!("{} {}", f.system, f.metric));
        results
            .findings
            .iter()
            .filter(|f| f.verdict == verdict)
            .map(named)
            .collect()
    };
    let mut regressed = of(NightlyVerdict::Regressed);
    let crossed = results
        .gates
        .iter()
        .filter(|gate| gate.passed == Some(false));
    regressed.extend(crossed.map(|gate| visible(&gate.condition)));
    let invalid = of(NightlyVerdict::Invalid);
    let (tone, mut text) = if regressed.is_empty() {
        let text = match results.verdict {
            NightlyVerdict::Improved => {
                format!("IMPROVED: {}", of(NightlyVerdict::Improved).join(", "))
            }
            _ => "NO REGRESSION".into(),
        };
        (Tone::Good, text)
    } else {
        (Tone::Bad, format!("REGRESSED: {}", regressed.join(", ")))
    };
    if !invalid.is_empty() {
        text += &format!(". WITHOUT A FIGURE: {}", invalid.join(", "));
    }
    let tone = if regressed.is_empty() && !invalid.is_empty() {
        Tone::Warning
    } else {
        tone
    };
    Block::Notice { tone, text }
}

/// What is not as it was, and what was measured twice, with the reasons.
fn news(findings: &[NightlyFinding]) -> Option<Block> {
    use NightlyVerdict::{InsufficientHistory, Unchanged};
    let is_news = |finding: &&NightlyFinding| {
        !matches!(finding.verdict, Unchanged | InsufficientHistory) || finding.first.is_some()
    };
    let news: Vec<&NightlyFinding> = findings.iter().filter(is_news).collect();
    (!news.is_empty()).then(|| reasons("News", &news))
}

fn reasons(title: &str, findings: &[&NightlyFinding]) -> Block {
    let entry = |finding: &&NightlyFinding| Entry {
        title: visible(&format!("{} {}", finding.system, finding.metric)),
        detail: format!(
            "{}, {}",
            finding.verdict.name(),
            figure(finding.value, &finding.unit)
        ),
        fields: vec![Field::new("why", &finding.reason)],
        thumbnail_jpeg: None,
    };
    Block::Entries {
        title: title.into(),
        entries: findings.iter().map(entry).collect(),
    }
}

fn tone(verdict: NightlyVerdict) -> Tone {
    match verdict {
        NightlyVerdict::Regressed => Tone::Bad,
        NightlyVerdict::Invalid => Tone::Warning,
        NightlyVerdict::Improved => Tone::Good,
        NightlyVerdict::InsufficientHistory => Tone::Dim,
        NightlyVerdict::Unchanged => Tone::Plain,
    }
}

fn findings(findings: &[NightlyFinding]) -> Table {
    let mut table = Table::new(
        "Figures",
        vec![
            Column::text("verdict"),
            Column::text("system"),
            Column::text("figure"),
            Column::number("tonight"),
            Column::number("accepted"),
            Column::number("change"),
        ],
    );
    for finding in findings {
        let figure = |value: Option<f64>| Cell::number(figure(value, &finding.unit), value);
        let change = finding
            .change
            .map_or(MISSING.to_string(), |c| format!("{:+.1}%", 100.0 * c));
        table.rows.push(vec![
            Cell::text(finding.verdict.name()).tone(tone(finding.verdict)),
            Cell::system(&finding.system),
            Cell::text(&finding.metric),
            figure(finding.value).tone(Tone::Strong),
            figure(finding.level),
            Cell::number(change, finding.change),
        ]);
    }
    table.remark = Some(
        "accepted: the accepted value of a quality, the median of the accepted runs of a speed."
            .into(),
    );
    table.sortable()
}

fn gates(gates: &[Gate]) -> Option<Table> {
    if gates.is_empty() {
        return None;
    }
    let columns = [
        Column::text("gate"),
        Column::text("holds"),
        Column::text("why"),
    ];
    let mut table = Table::new("Gates", columns.into());
    for gate in gates {
        let (holds, tone) = match gate.passed {
            Some(true) => ("yes", Tone::Good),
            Some(false) => ("NO", Tone::Bad),
            None => ("undecided", Tone::Warning),
        };
        table.rows.push(vec![
            Cell::text(&gate.condition),
            Cell::text(holds).tone(tone),
            Cell::text(&gate.explanation),
        ]);
    }
    Some(table)
}

fn steps(steps: &[NightlyStep]) -> Table {
    let columns = vec![
        Column::text("step"),
        Column::text("ended"),
        Column::number("seconds"),
        Column::text("why"),
    ];
    let mut table = Table::new("Steps", columns);
    for step in steps {
        let (ended, tone) = match step.outcome {
            StepOutcome::Done => ("done", Tone::Plain),
            StepOutcome::Cached => ("done before", Tone::Dim),
            StepOutcome::Failed => ("failed", Tone::Bad),
            StepOutcome::NotRun => ("not run", Tone::Warning),
        };
        table.rows.push(vec![
            Cell::system(&step.name),
            Cell::text(ended).tone(tone),
            Cell::number(format!("{:.1}", step.seconds), Some(step.seconds)),
            Cell::text(step.message.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

/// A figure to four digits with its unit; bytes in powers of 1000.
pub fn figure(value: Option<f64>, unit: &str) -> String {
    let Some(value) = value else {
        return MISSING.to_string();
    };
    let (value, unit) = match unit {
        "bytes" if value >= 1e9 => (value / 1e9, "GB"),
        "bytes" if value >= 1e6 => (value / 1e6, "MB"),
        "s" if value < 1.0 => (value * 1e3, "ms"),
        unit => (value, unit),
    };
    let magnitude = if value == 0.0 {
        0
    } else {
        value.abs().log10().floor() as i32
    };
    let decimals = (3 - magnitude).clamp(0, 9) as usize;
    let number = format!("{value:.decimals$}");
    if unit.is_empty() {
        number
    } else {
        format!("{number} {}", visible(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_have_four_digits() {
        assert_eq!(figure(Some(0.123456), ""), "0.1235");
        assert_eq!(figure(Some(0.01234), "s"), "12.34 ms");
        assert_eq!(figure(Some(123456.0), "captions/s"), "123456 captions/s");
        assert_eq!(figure(Some(2.5e9), "bytes"), "2.500 GB");
        assert_eq!(figure(None, "s"), "–");
        assert_eq!(figure(Some(0.0), ""), "0.000");
    }
}
