//! What a leaderboard record says: who is ahead, and how sure that is.

use fgd_record::{LeaderboardResults, Measure, Record, Rejected, Split, Standing};

use super::{
    Kind, Subject, captions, columns, differences, figures, numbers, provenance, set, verdict,
};
use crate::document::number::{MISSING, counted};
use crate::document::{Cell, Document, Table, Tidy, Tone, plain};

impl Kind for LeaderboardResults {
    fn document(&self, record: &Record) -> Document {
        let references = provenance::input_name(record, "references");
        let mut document = Document::new(&format!("Leaderboard, {references}"));
        verdict::leaderboard(&mut document, self);
        verdict::warnings(&mut document, record);
        document.line(format!(
            "{} on {}, {} · ranked by {} · {}",
            counted(self.standings.len() as u64, "submission"),
            counted(self.n, "image"),
            counted(self.references, "reference"),
            self.ranked_by,
            provenance::encoder_name(record)
        ));
        document.line(provenance::drawn(record));
        provenance::encoder_notices(&mut document, record);
        if let Some(split) = &self.split {
            let both = self.standings.iter().any(|standing| standing.private.is_some());
            document.line(if both { split_line(split) } else { public_line(split) });
        }
        document.table(standings(self));
        let sets = self.standings.iter().map(|s| (s.name.as_str(), &s.scores.fgd_set));
        set::notices(&mut document, sets);
        let scores = self.standings.iter().map(|s| (s.name.as_str(), &s.scores));
        document.figures(
            figures::systems(scores).into_iter().chain(figures::shake_up(&self.standings)),
        );
        document.captions(record, None);
        let further = columns::further(self.standings.iter().map(|s| &s.scores));
        differences::table(&mut document, &self.differences, &further);
        let scores = self.standings.iter().map(|s| (s.name.as_str(), &s.scores));
        columns::slices(&mut document, &scores.collect::<Vec<_>>());
        document.table(rejected(&self.rejected));
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, _record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        for standing in &self.standings {
            ranks(&mut rows, self, standing);
            rows.scores(&standing.name, &standing.scores);
        }
        rows.differences(&self.differences, deciding(self));
        for rejected in &self.rejected {
            let reason = Measure::missing(&rejected.reason);
            rows.push(numbers::Number::of(&rejected.name).measure("rank", &reason));
        }
        rows.finish()
    }

    fn subjects(&self, _record: &Record) -> Vec<Subject<'_>> {
        self.standings
            .iter()
            .map(|standing| Subject {
                name: standing.name.clone(),
                scores: Some(&standing.scores),
                ..Subject::default()
            })
            .collect()
    }
}

/// The images that ranks and differences are of: those of the private part, where there is one.
fn deciding(results: &LeaderboardResults) -> u64 {
    let is_split = results.standings.iter().any(|standing| standing.private.is_some());
    let private = results.split.as_ref().filter(|_| is_split).map(|split| split.private);
    private.unwrap_or(results.n)
}

/// The ranks of a submission, over all images and over the parts of the split.
fn ranks(rows: &mut numbers::Numbers, results: &LeaderboardResults, standing: &Standing) {
    let [low, high] = [0, 1].map(|end| standing.rank_range.map(|range| range[end] as f64));
    let rank = Measure { low, high, ..plain(standing.rank as f64) };
    let row = || numbers::Number::of(&standing.name);
    rows.push(row().n(deciding(results)).measure("rank", &rank));
    let split = results.split.as_ref();
    for (group, n, rank, measure) in [
        ("public", split.map(|s| s.public), standing.public_rank, &standing.public),
        ("private", split.map(|s| s.private), standing.private_rank, &standing.private),
    ] {
        let row = || row().n(n).within("split", group);
        if let Some(rank) = rank {
            rows.push(row().measure("rank", &plain(rank as f64)));
        }
        if let Some(measure) = measure {
            rows.push(row().measure(&results.ranked_by, measure));
        }
    }
}

/// How the images were split and what it did to the ranking.
fn split_line(split: &Split) -> String {
    let source = match split.seed {
        Some(seed) => format!("drawn with seed {seed}"),
        None => format!("by column {}", split.source),
    };
    let shake_up = match split.rank_correlation {
        Some(tau) => {
            format!(
                "; shake-up: Kendall's τ between public and private ranking {tau:.2} (1 = none)"
            )
        }
        None => String::new(),
    };
    format!(
        "public {}, private {}, {source}: ranks and tests are those of the private images{shake_up}",
        counted(split.public, "image"),
        counted(split.private, "image")
    )
}

/// What a record of the public part alone is.
fn public_line(split: &Split) -> String {
    format!(
        "the public part: {} of {}; the others decide in the end",
        split.public,
        counted(split.public + split.private, "image")
    )
}

/// A range of ranks: `2`, or `2–4` where the systems in it are not separable.
fn rank_range(standing: &Standing) -> Cell {
    let Some([best, worst]) = standing.rank_range else {
        return MISSING.into();
    };
    let text = match best == worst {
        true => best.to_string(),
        false => format!("{best}–{worst}"),
    };
    Cell::new(text, Some(best as f64 + worst as f64 / 1e6))
}

/// How the rank moved from the public to the private part: `▲2`, `▼1`, `=`.
fn shake_up(standing: &Standing) -> Cell {
    let (Some(public), Some(private)) = (standing.public_rank, standing.private_rank) else {
        return MISSING.into();
    };
    let (text, tone) = match public.cmp(&private) {
        std::cmp::Ordering::Greater => (format!("▲{}", public - private), Tone::Good),
        std::cmp::Ordering::Less => (format!("▼{}", private - public), Tone::Bad),
        std::cmp::Ordering::Equal => ("=".to_string(), Tone::Plain),
    };
    Cell::new(text, Some(public as f64 - private as f64)).tone(tone)
}

/// The ranking.
fn standings(results: &LeaderboardResults) -> Table {
    // The set distance ranks where references are of other images: nothing else is known then.
    let by_set = results.ranked_by == "fgd_set";
    let part = |measure: &Option<Measure>| measure.as_ref().map_or(MISSING.into(), Cell::measure);
    let table = Table::of("Ranking", &results.standings)
        .number("rank", |s| Cell::new(s.rank.to_string(), Some(s.rank as f64)))
        .text("system", |s| Cell::subject(&s.name))
        .number(if by_set { "fgd_set" } else { "fgd_paired" }, |s| {
            let cell = match by_set {
                true => set::cell(&s.scores.fgd_set),
                false => Cell::with_interval(&s.scores.fgd_paired),
            };
            cell.strong()
        })
        .text("range", rank_range)
        .when(results.standings.iter().any(|s| s.private.is_some()), |table| {
            table
                .number("public", |s| part(&s.public))
                .number("private", |s| part(&s.private))
                .text("shake-up", shake_up)
                .optional()
        })
        .when(!by_set, |table| {
            table.number("fgd_set", |s| set::cell(&s.scores.fgd_set)).optional()
        });
    // Further metrics were asked for: they stand before what every board has.
    columns::metrics(table, results.standings.iter().map(|s| &s.scores), |s| &s.scores)
        .when(!by_set, |mut table| {
            for part in &set::PARTS {
                table = table.number(part.name, |s| part.cell(&s.scores)).optional();
            }
            let cosine = |s: &Standing| Cell::measure(&s.scores.mean_cosine);
            table.number("mean_cosine", cosine).optional()
        })
        .remark("fgd_paired and fgd_set: lower is better, fgd_set with its bias removed; ± is half of the 95% interval.")
        .explain("range", "range: the ranks that the differences leave open, none where there is no test; systems that share ranks are not separable.")
        .sortable()
        .into()
}

fn rejected(rejected: &[Rejected]) -> Table {
    let first = |submission: &Rejected| {
        let findings = submission.findings.iter().take(3).map(|f| match (f.row, &f.id) {
            (Some(row), _) => format!("row {row}: {}", f.message),
            (None, Some(id)) => format!("image {id}: {}", f.message),
            (None, None) => f.message.clone(),
        });
        findings.collect::<Vec<_>>().join("; ")
    };
    Table::of("Not ranked", rejected)
        .text("submission", |submission| Cell::from(&submission.name).tone(Tone::Bad))
        .text("reason", |submission| &submission.reason)
        .text("the first findings", first)
        .into()
}
