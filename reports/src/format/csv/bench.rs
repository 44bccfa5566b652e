//! A benchmark in tidy form: one row per number, with its 99% bounds.

use super::{IN_MEMORY, defused};
use fgd_record::{BenchResults, Bounded, Record, Stage};

const HEADER: [&str; 10] = [
    "system", "target", "scenario", "part", "name", "value", "low99", "high99", "unit", "reason",
];

/// The document being written.
struct Rows<'a> {
    writer: csv::Writer<Vec<u8>>,
    start: [String; 3],
    results: &'a BenchResults,
}

/// The benchmark as CSV, with a header and a final newline.
pub fn render(record: &Record, results: &BenchResults) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).expect(IN_MEMORY);
    let mut rows = Rows {
        writer,
        start: [
            defused(&record.system_name()),
            results.target.name().into(),
            results.scenario.name().into(),
        ],
        results,
    };
    rows.headlines();
    rows.latency();
    rows.server();
    rows.sweep();
    results.stages.iter().for_each(|stage| rows.stage(stage));
    rows.rest();
    let bytes = rows.writer.into_inner().expect(IN_MEMORY);
    String::from_utf8(bytes).expect(IN_MEMORY)
}

impl Rows<'_> {
    fn push(&mut self, part: &str, name: &str, measured: &Bounded, unit: &str) {
        let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
        let [system, target, scenario] = self.start.clone();
        let cells = [
            system,
            target,
            scenario,
            defused(part),
            defused(name),
            number(measured.value),
            number(measured.low),
            number(measured.high),
            unit.to_string(),
            defused(measured.reason.as_deref().unwrap_or_default()),
        ];
        self.writer.write_record(cells).expect(IN_MEMORY);
    }

    fn exact(&mut self, part: &str, name: &str, value: Option<f64>, unit: &str) {
        if let Some(value) = value {
            self.push(part, name, &Bounded::exact(value), unit);
        }
    }

    fn headlines(&mut self) {
        for headline in &self.results.headlines {
            self.push(
                "headline",
                &headline.name,
                &headline.measured,
                &headline.unit,
            );
        }
    }

    fn latency(&mut self) {
        let Some(latency) = &self.results.latency else {
            return;
        };
        for (name, value) in [
            ("min", latency.min),
            ("mean", latency.mean),
            ("max", latency.max),
        ] {
            self.exact("latency", name, Some(value), "s");
        }
        for percentile in &latency.percentiles {
            let name = format!("p{}", percentile.percentile);
            self.push("latency", &name, &percentile.seconds, "s");
        }
    }

    fn server(&mut self) {
        let Some(server) = &self.results.server else {
            return;
        };
        self.exact("server", "bound", Some(server.bound_seconds), "s");
        for (at, point) in server.points.iter().enumerate() {
            let part = format!("arrivals {}", at + 1);
            self.exact(&part, "rate", Some(point.rate), "queries/s");
            self.exact(
                &part,
                "answered",
                Some(point.answered_per_second),
                "queries/s",
            );
            self.push(&part, "p99", &point.p99_seconds, "s");
        }
    }

    fn sweep(&mut self) {
        let unit = format!("{}s/s", self.results.item);
        for cell in &self.results.sweep {
            let part = format!("{} threads, batch {}", cell.threads, cell.batch);
            self.push(&part, "throughput", &cell.items_per_second, &unit);
            self.exact(
                &part,
                "tokens_per_second",
                cell.tokens_per_second,
                "tokens/s",
            );
            self.push(&part, "p50", &cell.p50_seconds, "s");
        }
    }

    fn stage(&mut self, stage: &Stage) {
        let part = format!("stage {}", stage.name);
        let per_unit = format!("s/{}", stage.unit);
        self.exact(&part, "share", Some(stage.share), "");
        self.exact(
            &part,
            "seconds_per_unit",
            Some(stage.seconds_per_unit),
            &per_unit,
        );
        self.exact(&part, "gflop_per_unit", stage.gflop_per_unit, "GFLOP");
        self.exact(&part, "gflop_per_second", stage.gflop_per_second, "GFLOP/s");
        self.exact(&part, "gb_per_second", stage.gb_per_second, "GB/s");
        self.exact(&part, "share_of_ceiling", stage.share_of_ceiling(), "");
    }

    fn rest(&mut self) {
        let results = self.results;
        if let Some(ceilings) = &results.ceilings {
            for (name, value, unit) in [
                ("fma", ceilings.fma_gflop_per_second, "GFLOP/s"),
                ("gemm", ceilings.gemm_gflop_per_second, "GFLOP/s"),
                ("read", ceilings.read_gb_per_second, "GB/s"),
            ] {
                self.exact("ceiling", name, Some(value), unit);
            }
        }
        let queries = &results.queries;
        self.exact("run", "queries", Some(queries.issued as f64), "");
        self.exact("run", "failed", Some(queries.failed as f64), "");
        self.exact("run", "seconds", Some(queries.seconds), "s");
        let overhead = &results.overhead;
        self.exact(
            "run",
            "overhead",
            Some(overhead.seconds_per_query),
            "s/query",
        );
        self.exact("run", "late_p99", overhead.late_p99_seconds, "s");
        let valid = if results.validity.valid { 1.0 } else { 0.0 };
        self.exact("run", "valid", Some(valid), "");
    }
}
