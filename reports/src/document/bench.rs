//! What a benchmark record says: how fast, how sure, where the time goes, and whether the run counts.

use super::bench_figures::figures;
use super::number::{
    MISSING, bytes, bytes_unit, count, counted, duration, percent, significant, time_unit, value,
};
use super::{Block, Cell, Column, Document, Table, Tone, provenance, visible};
use fgd_record::{
    BenchResults, BenchTarget, BoundBy, Bounded, Ceilings, Headline, QueryLatency, Record, Remark,
    Scenario, Server, ServerOutcome, Stage, SweepCell, Validity,
};

/// Standard errors in half of a 99% interval.
const HALF_WIDTH: f64 = 2.576;

/// The document of a benchmark record.
pub fn document(record: &Record, results: &BenchResults) -> Document {
    let mut blocks = vec![
        Block::Line {
            text: asked(results),
        },
        Block::Line {
            text: ran_on(record),
        },
        Block::Table(headlines(&results.headlines)),
    ];
    blocks.extend(results.latency.as_ref().map(latency).map(Block::Table));
    blocks.extend(results.server.as_ref().map(server).map(Block::Table));
    if !results.sweep.is_empty() {
        blocks.push(Block::Table(sweep(&results.sweep, &results.item)));
    }
    if !results.stages.is_empty() {
        blocks.push(Block::Table(stages(&results.stages)));
    }
    blocks.extend(results.ceilings.as_ref().map(ceilings));
    blocks.extend(figures(results).map(|figures| Block::Figures { figures }));
    blocks.push(overhead(results));
    blocks.extend(validity(&results.validity));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: title(record, results),
        blocks,
        appendix: provenance::tables(record),
    }
}

/// What was benchmarked, in a few words.
pub fn title(record: &Record, results: &BenchResults) -> String {
    let name = visible(&record.system_name());
    let (target, scenario) = (results.target.name(), results.scenario.name());
    format!("Benchmark: {target} {name}, {scenario}")
}

fn asked(results: &BenchResults) -> String {
    let queries = &results.queries;
    let issued = match results.scenario {
        Scenario::Offline => format!(
            "{} over {}",
            counted(queries.issued, "pass").replace("passs", "passes"),
            counted(queries.items_per_query, &results.item)
        ),
        Scenario::Server => format!(
            "{} of 1 {}, up to {} served together,",
            counted(queries.issued, "query").replace("querys", "queries"),
            visible(&results.item),
            count(queries.items_per_query)
        ),
        _ => format!(
            "{} of {}",
            counted(queries.issued, "query").replace("querys", "queries"),
            counted(queries.items_per_query, &results.item)
        ),
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

fn ran_on(record: &Record) -> String {
    let engine = match (&record.encoder, &record.checkpoint) {
        (Some(encoder), None) => format!("engine {} on ", visible(&encoder.engine)),
        (_, Some(checkpoint)) => format!(
            "{} on {}, ",
            visible(&checkpoint.dtype),
            visible(&checkpoint.device)
        ),
        (None, None) => String::new(),
    };
    format!(
        "{engine}{} of {}",
        counted(record.host.threads as u64, "thread"),
        visible(&record.host.cpu)
    )
}

/// A number and its bounds in one unit, as two cells.
fn bounded(measured: &Bounded, factor: f64) -> [Cell; 2] {
    let scale = |number: Option<f64>| number.map(|number| number * factor);
    let (low, high) = (scale(measured.low), scale(measured.high));
    let Some(number) = scale(measured.value) else {
        let reason = measured.reason.as_deref().unwrap_or_default();
        return [Cell::text(MISSING), Cell::text(reason).tone(Tone::Dim)];
    };
    // Half of what is known of the interval stands for the digits that the number deserves.
    let spread = high.unwrap_or(number) - low.unwrap_or(number);
    let se = (spread > 0.0).then_some((spread / 2.0 / HALF_WIDTH).max(number.abs() * 1e-4));
    let text = |number: f64| match se {
        Some(_) => value(Some(number), se),
        None => significant(number),
    };
    let end = |end: Option<f64>| end.map_or_else(|| MISSING.to_string(), text);
    let interval = match (low, high) {
        (None, None) => measured.reason.as_deref().map_or_else(String::new, visible),
        _ => format!("[{}, {}]", end(low), end(high)),
    };
    [
        Cell::number(text(number), measured.value),
        Cell::text(&interval),
    ]
}

fn headlines(headlines: &[Headline]) -> Table {
    let mut table = Table::new(
        "Result",
        vec![
            Column::text("figure"),
            Column::number("value"),
            Column::text("99% interval"),
            Column::text("unit"),
            Column::text("better").optional(),
        ],
    );
    for (at, headline) in headlines.iter().enumerate() {
        let number = headline.measured.value.unwrap_or(0.0);
        let (unit, factor) = match headline.unit.as_str() {
            "s" => time_unit(number),
            "bytes" => bytes_unit(number),
            other => (other, 1.0),
        };
        let tone = if at == 0 { Tone::Strong } else { Tone::Plain };
        let [measured, interval] = bounded(&headline.measured, factor);
        table.rows.push(vec![
            Cell::text(&headline.name),
            measured.tone(tone),
            interval,
            Cell::text(unit),
            Cell::text(if headline.higher_is_better {
                "higher"
            } else {
                "lower"
            }),
        ]);
    }
    table
}

fn latency(latency: &QueryLatency) -> Table {
    let (unit, factor) = time_unit(latency.mean);
    let mut table = Table::new(
        &format!("Latency in {unit}"),
        vec![
            Column::text("percentile"),
            Column::number("latency"),
            Column::text("99% interval"),
        ],
    );
    let mut row = |name: &str, measured: &Bounded| {
        let [measured, interval] = bounded(measured, factor);
        table.rows.push(vec![Cell::text(name), measured, interval]);
    };
    row("fastest", &Bounded::exact(latency.min));
    for percentile in &latency.percentiles {
        row(&format!("p{}", percentile.percentile), &percentile.seconds);
    }
    row("slowest", &Bounded::exact(latency.max));
    table.remark = (latency.design_effect > 1.05).then(|| {
        format!(
            "Neighbouring queries are alike: it took {} times as many for these intervals as independent ones.",
            significant(latency.design_effect)
        )
    });
    table
}

fn server(server: &Server) -> Table {
    let bound = duration(server.bound_seconds);
    let title = format!(
        "Arrivals at random (seed {}), 99% of them to be answered within {bound}",
        server.seed
    );
    let (unit, factor) = time_unit(server.bound_seconds);
    let mut table = Table::new(
        &title,
        vec![
            Column::number("queries/s"),
            Column::number("queries"),
            Column::number("answered/s"),
            Column::number(&format!("p99, {unit}")),
            Column::text("99% interval"),
            Column::text("bound"),
        ],
    );
    for point in &server.points {
        let [p99, interval] = bounded(&point.p99_seconds, factor);
        let (word, tone) = match point.outcome {
            ServerOutcome::Kept => ("kept", Tone::Good),
            ServerOutcome::Missed => ("missed", Tone::Bad),
            ServerOutcome::Undecided => ("not decided", Tone::Plain),
            ServerOutcome::Overloaded => ("overloaded", Tone::Bad),
        };
        table.rows.push(vec![
            number(Some(point.rate)),
            Cell::number(count(point.queries), Some(point.queries as f64)),
            number(Some(point.answered_per_second)),
            p99,
            interval,
            Cell::text(word).tone(tone),
        ]);
    }
    table.remark = Some(
        "Latency counts from the scheduled arrival, so waiting counts too. The last row is the run that the latencies are of."
            .into(),
    );
    table
}

fn number(number: Option<f64>) -> Cell {
    match number {
        Some(n) => Cell::number(significant(n), Some(n)),
        None => Cell::text(MISSING),
    }
}

fn sweep(cells: &[SweepCell], item: &str) -> Table {
    let has_tokens = cells.iter().any(|cell| cell.tokens_per_second.is_some());
    let fastest = cells
        .iter()
        .filter_map(|cell| cell.items_per_second.value)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut columns = vec![
        Column::number("threads"),
        Column::number("batch"),
        Column::number(&format!("{item}s/s")),
        Column::text("99% interval").optional(),
        Column::number("p50, ms"),
        Column::number("queries").optional(),
    ];
    if has_tokens {
        columns.insert(4, Column::number("tokens/s").optional());
    }
    let mut table = Table::new("Batch sizes and threads", columns);
    for cell in cells {
        let [items, interval] = bounded(&cell.items_per_second, 1.0);
        let is_fastest = cell.items_per_second.value == Some(fastest);
        let tone = if is_fastest {
            Tone::Strong
        } else {
            Tone::Plain
        };
        let [p50, _] = bounded(&cell.p50_seconds, 1e3);
        let mut row = vec![
            Cell::number(count(cell.threads), Some(cell.threads as f64)),
            Cell::number(count(cell.batch), Some(cell.batch as f64)),
            items.tone(tone),
            interval,
            p50,
            Cell::number(count(cell.queries), Some(cell.queries as f64)),
        ];
        if has_tokens {
            row.insert(4, number(cell.tokens_per_second));
        }
        table.rows.push(row);
    }
    table.sortable()
}

fn stages(stages: &[Stage]) -> Table {
    let counts_work = stages.iter().any(|stage| stage.gflop_per_unit.is_some());
    let mut columns = vec![
        Column::text("where the time goes"),
        Column::number("share"),
        Column::number("ms"),
        Column::text("per"),
    ];
    if counts_work {
        columns.extend([
            Column::number("GFLOP").optional(),
            Column::number("GFLOP/s"),
            Column::number("GB/s").optional(),
            Column::number("of ceiling"),
            Column::text("bound by").optional(),
        ]);
    }
    let mut table = Table::new("Stages", columns);
    for stage in stages {
        let mut row = vec![
            Cell::text(&stage.name),
            Cell::number(percent(stage.share), Some(stage.share)),
            number(Some(stage.seconds_per_unit * 1e3)),
            Cell::text(&stage.unit),
        ];
        if counts_work {
            let share = stage.share_of_ceiling();
            row.extend([
                number(stage.gflop_per_unit),
                number(stage.gflop_per_second),
                number(stage.gb_per_second),
                match share {
                    Some(share) => Cell::number(percent(share), Some(share)),
                    None => Cell::text(MISSING),
                },
                Cell::text(match stage.bound_by {
                    Some(BoundBy::Arithmetic) => "arithmetic",
                    Some(BoundBy::Memory) => "reading weights",
                    None => MISSING,
                }),
            ]);
        }
        table.rows.push(row);
    }
    let rest = 1.0 - stages.iter().map(|stage| stage.share).sum::<f64>();
    let mut remarks = Vec::new();
    if counts_work {
        remarks
            .push("What a stage lacks to 100% of its ceiling is what is left to gain.".to_string());
    }
    if rest > 0.005 {
        remarks.push(format!(
            "{} of the time is in none of these.",
            percent(rest)
        ));
    }
    table.remark = (!remarks.is_empty()).then(|| remarks.join(" "));
    table
}

fn ceilings(ceilings: &Ceilings) -> Block {
    Block::Line {
        text: format!(
            "Ceilings, measured in this run: {} GFLOP/s of multiply-adds, {} GFLOP/s in a matrix product, {} GB/s of memory read",
            significant(ceilings.fma_gflop_per_second),
            significant(ceilings.gemm_gflop_per_second),
            significant(ceilings.read_gb_per_second)
        ),
    }
}

fn overhead(results: &BenchResults) -> Block {
    let late = match results.overhead.late_p99_seconds {
        Some(late) => format!(
            ", and woke up at most {} late for 99% of the arrivals",
            duration(late)
        ),
        None => String::new(),
    };
    let memory = match results.peak_memory_bytes {
        Some(size) => format!("; peak memory {}", bytes(size as f64)),
        None => String::new(),
    };
    let whose = match results.target {
        BenchTarget::Score => " of the largest job",
        _ => "",
    };
    Block::Line {
        text: format!(
            "The harness itself takes {} per query{late}{memory}{}",
            duration(results.overhead.seconds_per_query),
            if memory.is_empty() { "" } else { whose }
        ),
    }
}

fn validity(validity: &Validity) -> Vec<Block> {
    let remark = |tone: Tone, remark: &Remark| Block::Notice {
        tone,
        text: format!("{}: {}", visible(&remark.reason), visible(&remark.change)),
    };
    let (tone, text) = if validity.valid {
        (Tone::Good, "VALID".to_string())
    } else {
        let reasons = counted(validity.reasons.len() as u64, "reason");
        (Tone::Bad, format!("INVALID for {reasons}"))
    };
    let warnings = validity.warnings.iter().map(|w| remark(Tone::Warning, w));
    let reasons = validity.reasons.iter().map(|r| remark(Tone::Plain, r));
    warnings
        .chain([Block::Notice { tone, text }])
        .chain(reasons)
        .collect()
}
