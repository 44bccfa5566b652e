//! What a night says: the verdict, every figure beside its history, and what was run.

mod trends;

use std::collections::BTreeSet;

use fgd_record::NightlyVerdict::{
    Improved, InsufficientHistory, Invalid, Moved, NewSeries, Regressed, Unchanged,
};
use fgd_record::{
    NightlyFailure, NightlyFinding, NightlyResults, NightlyStep, NightlyVerdict, Record,
    StepOutcome, Trend,
};

use super::{Kind, gates, provenance};
use crate::document::number::{MISSING, change, counted, day, followed};
use crate::document::{Cell, Document, Entry, Table, Tidy, Tone};

const HEADER: [&str; 14] = [
    "suite", "night", "system", "metric", "kind", "verdict", "value", "unit", "level", "low",
    "high", "change", "p_holm", "reason",
];

impl Kind for NightlyResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&format!("Nightly {}, {}", self.suite, day(&self.night)));
        let (night, cpu) = (&self.night, &record.host.cpu);
        verdict(&mut document, self);
        document.line(format!("night of {night} · {cpu} · {}", counts(self)));
        document.table(gates::table(&self.gates, ["gate", "holds", "why"]));
        document.entries("Failed", self.failures.iter().map(failure));
        document.entries("News", self.findings.iter().filter(is_news).map(reason));
        document.table(findings(self.findings.iter(), &self.trends));
        document.table(steps(&self.steps));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, _record: &Record) -> Tidy {
        let row = |finding: &NightlyFinding| {
            let NightlyFinding { system, metric, kind, unit, .. } = finding;
            let [low, high] = finding.band.map_or([None, None], |band| band.map(Some));
            vec![
                self.suite.as_str().into(),
                self.night.as_str().into(),
                system.as_str().into(),
                metric.as_str().into(),
                kind.as_str().into(),
                finding.verdict.name().into(),
                finding.value.into(),
                unit.as_str().into(),
                finding.level.into(),
                low.into(),
                high.into(),
                finding.change.into(),
                finding.p_holm.into(),
                finding.reason.as_str().into(),
            ]
        };
        Tidy { header: &HEADER, rows: self.findings.iter().map(row).collect() }
    }

    /// A page for the history of each system and benchmark.
    fn pages(&self, _record: &Record) -> (&'static str, Vec<String>) {
        let of_trends = self.trends.iter().map(|trend| &trend.system);
        let of_findings = self.findings.iter().map(|finding| &finding.system);
        let systems: BTreeSet<&String> = of_trends.chain(of_findings).collect();
        ("history", systems.into_iter().cloned().collect())
    }

    fn page(&self, _record: &Record, system: &str) -> Option<Document> {
        let mut document = Document::new(&format!("{system} in suite {}", self.suite));
        let tonight = || self.findings.iter().filter(|f| f.system == system);
        document.table(findings(tonight(), &self.trends));
        document.entries("Why", tonight().map(reason));
        let trends = self.trends.iter().filter(|trend| trend.system == system);
        document.figures(trends.map(trends::figure));
        Some(document)
    }
}

fn counts(results: &NightlyResults) -> String {
    let mut parts = vec![counted(results.findings.len() as u64, "figure")];
    for verdict in NightlyVerdict::ALL {
        match results.findings.iter().filter(|f| f.verdict == verdict).count() {
            0 => {}
            count => parts.push(format!("{count} {}", verdict.name())),
        }
    }
    parts.join(" · ")
}

fn title(finding: &NightlyFinding) -> String {
    format!("{} {}", finding.system, finding.metric)
}

fn verdict(document: &mut Document, results: &NightlyResults) {
    for (about, text) in results.headlines() {
        let tone = match about {
            Regressed | Invalid => Tone::Bad,
            Moved | NewSeries => Tone::Warning,
            Improved | Unchanged => Tone::Good,
            InsufficientHistory => Tone::Plain,
        };
        document.verdict(tone, text);
    }
}

fn failure(failure: &NightlyFailure) -> Entry {
    let detail = if failure.allowed { "allowed to fail" } else { "failed" };
    Entry::new(&failure.subject, detail).field("why", &failure.reason)
}

/// Whether something is not as it was, or was measured twice.
fn is_news(finding: &&NightlyFinding) -> bool {
    !matches!(finding.verdict, Unchanged | InsufficientHistory) || finding.first.is_some()
}

fn reason(finding: &NightlyFinding) -> Entry {
    let figure = followed(finding.value, &finding.unit);
    let detail = format!("{}, {figure}", finding.verdict.name());
    let entry = Entry::new(&title(finding), detail).field("why", &finding.reason);
    let entry = match &finding.since {
        Some(night) => entry.field("since", &day(night)),
        None => entry,
    };
    match &finding.accepted {
        Some(accepted) => entry.field("accepted", &accepted.to_string()),
        None => entry,
    }
}

fn findings<'a>(findings: impl Iterator<Item = &'a NightlyFinding>, trends: &[Trend]) -> Table {
    let tone = |verdict| match verdict {
        Regressed => Tone::Bad,
        Invalid | Moved | NewSeries => Tone::Warning,
        Improved => Tone::Good,
        InsufficientHistory => Tone::Dim,
        Unchanged => Tone::Plain,
    };
    let figure = |value, f: &NightlyFinding| Cell::new(followed(value, &f.unit), value);
    Table::of("Figures", findings)
        .text("verdict", |f| match f.accepted {
            Some(_) => Cell::from(format!("{}, accepted", f.verdict.name())).tone(Tone::Dim),
            None => Cell::from(f.verdict.name()).tone(tone(f.verdict)),
        })
        .text("system", |f| Cell::subject(&f.system))
        .text("figure", |f| &f.metric)
        .number("tonight", |f| {
            let trend = trends::values(trends, f);
            Cell { trend, ..figure(f.value, f).strong() }
        })
        .number("accepted", |f| figure(f.level, f))
        .number("change", |f| Cell::new(f.change.map_or(MISSING.into(), change), f.change))
        .remark("accepted: the accepted value of a quality, the median of the accepted runs of a speed.")
        .sortable()
        .into()
}

fn steps(steps: &[NightlyStep]) -> Table {
    let name = |step: &NightlyStep| Cell { href: step.record.clone(), ..Cell::subject(&step.name) };
    let ended = |step: &NightlyStep| match step.outcome {
        StepOutcome::Done => "done".into(),
        StepOutcome::Cached => Cell::from("done before").tone(Tone::Dim),
        StepOutcome::Failed => Cell::from("failed").tone(Tone::Bad),
        StepOutcome::NotRun => Cell::from("not run").tone(Tone::Warning),
    };
    Table::of("Steps", steps)
        .text("step", name)
        .text("ended", ended)
        .number("seconds", |step| Cell::new(format!("{:.1}", step.seconds), Some(step.seconds)))
        .text("why", |step| step.message.as_deref().unwrap_or_default())
        .into()
}
