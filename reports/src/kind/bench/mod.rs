//! What a benchmark record says: how fast, how sure, where the time goes, and whether the run counts.

mod figures;
mod numbers;
mod tables;

use std::collections::BTreeSet;

use fgd_record::{BenchResults, BenchTarget, Record, Scenario};

use super::{IndexEntry, Kind, Listing, Subject, provenance};
use crate::document::number::{bytes, count, counted, duration, significant};
use crate::document::{Cell, Document, Table, Tidy, Tone};

impl Kind for BenchResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&format!("Benchmark: {}", name(record, self)));
        verdict(&mut document, self);
        document.line(asked(self));
        document.line(ran_on(record, self));
        document.table(tables::headlines(self));
        if let Some(latency) = &self.latency {
            document.table(tables::latency(latency));
        }
        if let Some(server) = &self.server {
            document.table(tables::server(server));
        }
        document.table(tables::sweep(self));
        document.table(tables::stages(&self.stages));
        if let Some(ceilings) = &self.ceilings {
            document.line(format!(
                "Ceilings, measured in this run: {} GFLOP/s of multiply-adds, {} GFLOP/s in a matrix product, {} GB/s of memory read",
                significant(ceilings.fma_gflop_per_second),
                significant(ceilings.gemm_gflop_per_second),
                significant(ceilings.read_gb_per_second)
            ));
        }
        document.figures(figures::figures(self));
        for warning in &self.validity.warnings {
            document.notice(Tone::Warning, format!("{}: {}", warning.reason, warning.change));
        }
        document.line(overhead(self));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        numbers::rows(record, self)
    }

    fn listing(&self, record: &Record) -> Listing {
        let valid = match self.validity.valid {
            true => Cell::from("VALID").tone(Tone::Good),
            false => Cell::from("INVALID").tone(Tone::Bad),
        };
        let name = name(record, self);
        let first = self.headlines.iter().take(1);
        let table = Table::of("Speed, with 99% intervals", first)
            .text("benchmark", |_| Cell::subject(&name))
            .text("figure", |headline| &headline.name)
            .number("value", |headline| tables::amount(headline).strong())
            .text("99% interval", tables::interval)
            .text("unit", |headline| tables::unit(headline).0)
            .text("machine", |_| &record.host.cpu)
            .text("run", |_| valid.clone())
            .sortable();
        Listing {
            page: Some(name),
            entry: IndexEntry::Row { heading: "Benchmarks", table: table.into() },
        }
    }

    fn subjects(&self, record: &Record) -> Vec<Subject<'_>> {
        let (target, scenario) = (self.target.name(), self.scenario.name());
        vec![Subject {
            name: format!("{target} {} {scenario}", record.system_name()),
            headlines: &self.headlines,
            ..Subject::default()
        }]
    }
}

/// What was benchmarked, in a few words.
fn name(record: &Record, results: &BenchResults) -> String {
    let (target, scenario) = (results.target.name(), results.scenario.name());
    format!("{target} {}, {scenario}", record.system_name())
}

fn asked(results: &BenchResults) -> String {
    let queries = &results.queries;
    let items = counted(queries.items_per_query, &results.item);
    let issued = match results.scenario {
        Scenario::Offline => format!("{} over {items}", counted(queries.issued, "pass")),
        Scenario::Server => format!(
            "{} of 1 {}, up to {} served together,",
            counted(queries.issued, "query"),
            results.item,
            count(queries.items_per_query)
        ),
        Scenario::Sweep => format!(
            "{} with {} over {}",
            counted(queries.issued, "query"),
            counted(queries.items, &results.item),
            counted(results.sweep.len() as u64, "cell")
        ),
        Scenario::Single => format!("{} of {items}", counted(queries.issued, "query")),
    };
    let failed = match queries.failed {
        0 => String::new(),
        n => format!(", {} FAILED", count(n)),
    };
    let tokens = match queries.tokens {
        Some(tokens) => format!(", {}", counted(tokens, "token")),
        None => String::new(),
    };
    format!(
        "{issued} in {}{failed}{tokens}; {} before that to warm up",
        duration(queries.seconds),
        count(queries.warm_up)
    )
}

fn ran_on(record: &Record, results: &BenchResults) -> String {
    let engine = match (&record.encoder, &record.checkpoint) {
        (Some(encoder), None) => format!("engine {} on ", encoder.engine),
        (_, Some(checkpoint)) => format!("{} on {}, ", checkpoint.dtype, checkpoint.device),
        (None, None) => String::new(),
    };
    let swept: BTreeSet<u64> = results.sweep.iter().map(|cell| cell.threads).collect();
    let threads = match Vec::from_iter(swept.into_iter().map(count)).as_slice() {
        [first @ .., last] if !first.is_empty() => {
            format!("{} and {last} threads", first.join(", "))
        }
        [_] => counted(results.sweep[0].threads, "thread"),
        _ => counted(record.host.threads as u64, "thread"),
    };
    format!("{engine}{threads} of {}", record.host.cpu)
}

fn overhead(results: &BenchResults) -> String {
    let late = match results.overhead.late_p99_seconds {
        Some(late) => {
            format!(", and woke up at most {} late for 99% of the arrivals", duration(late))
        }
        None => String::new(),
    };
    let whose = match results.target {
        BenchTarget::Score => " of the largest job",
        _ => "",
    };
    let memory = match results.peak_memory_bytes {
        Some(size) => format!("; peak memory {}{whose}", bytes(size as f64)),
        None => String::new(),
    };
    format!(
        "The harness itself takes {} per query{late}{memory}",
        duration(results.overhead.seconds_per_query)
    )
}

/// Whether the run counts, with the figure to look at where it does, and else what speaks against it and would change that.
fn verdict(document: &mut Document, results: &BenchResults) {
    if !results.validity.valid {
        let reasons = counted(results.validity.reasons.len() as u64, "reason");
        document.verdict(Tone::Bad, format!("INVALID for {reasons}"));
        for against in &results.validity.reasons {
            document.verdict(Tone::Bad, format!("{}: {}", against.reason, against.change));
        }
        return;
    }
    let figure = results.headlines.first().map_or(String::new(), |headline| {
        let number = tables::amount(headline).text;
        let cell =
            results.fastest().map_or(String::new(), |cell| format!(" with {}", tables::cell(cell)));
        format!(": {} {number} {}{cell}", headline.name, tables::unit(headline).0)
    });
    document.verdict(Tone::Good, format!("VALID{figure}"));
}
