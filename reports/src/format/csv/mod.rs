//! CSV in tidy form: one row per number, so that a data frame needs no reshaping.
//!
//! Numbers are written in full. Texts that a spreadsheet would run as a formula are defused.

mod bench;
mod nightly;

use fgd_record::{CaptionResults, Difference, Measure, Record, Results, ScoreResults, SetMeasure};

const HEADER: [&str; 15] = [
    "system", "versus", "slice", "group", "metric", "value", "se", "ci_low", "ci_high", "n",
    "p_value", "p_holm", "wins", "ties", "losses",
];

/// One number with what it belongs to.
#[derive(Default)]
struct Row<'a> {
    system: &'a str,
    versus: &'a str,
    slice: &'a str,
    group: &'a str,
    metric: &'a str,
    value: Option<f64>,
    se: Option<f64>,
    ci95: Option<[f64; 2]>,
    n: Option<u64>,
    p: [Option<f64>; 2],
    outcomes: [Option<u64>; 3],
    reason: Option<&'a str>,
}

/// The record as CSV, with a header and a final newline. A benchmark and a night have columns of their own.
pub fn render(record: &Record) -> String {
    if let Results::Bench(results) = &record.results {
        return bench::render(record, results);
    }
    if let Results::Nightly(results) = &record.results {
        return nightly::render(results);
    }
    let mut rows = Rows::new();
    match &record.results {
        Results::Score(results) => rows.scores(&record.system_name(), results),
        Results::Compare(results) => {
            for system in &results.systems {
                rows.scores(&system.name, &system.scores);
                if let Some(captioning) = &system.captioning {
                    rows.captioning(&system.name, captioning);
                }
            }
            rows.differences(&results.differences, results.n);
        }
        Results::Leaderboard(results) => {
            for standing in &results.standings {
                let system = standing.name.as_str();
                let [best, worst] = standing.rank_range;
                rows.push(Row {
                    system,
                    metric: "rank",
                    value: Some(standing.rank as f64),
                    ci95: Some([best as f64, worst as f64]),
                    n: Some(results.n),
                    ..Row::default()
                });
                for (group, rank, measure) in [
                    ("public", standing.public_rank, &standing.public),
                    ("private", standing.private_rank, &standing.private),
                ] {
                    let n = results.split.as_ref().map(|split| match group {
                        "public" => split.public,
                        _ => split.private,
                    });
                    let part = Row {
                        system,
                        slice: "split",
                        group,
                        n,
                        ..Row::default()
                    };
                    if let Some(rank) = rank {
                        rows.push(Row {
                            metric: "rank",
                            value: Some(rank as f64),
                            ..part
                        });
                    }
                    if let Some(measure) = measure {
                        rows.push(part.measure(&results.ranked_by, measure));
                    }
                }
                rows.scores(system, &standing.scores);
            }
            rows.differences(&results.differences, results.n);
            for rejected in &results.rejected {
                rows.push(Row {
                    system: &rejected.name,
                    metric: "rank",
                    reason: Some(&rejected.reason),
                    ..Row::default()
                });
            }
        }
        Results::Caption(results) => rows.captioning(&record.system_name(), results),
        Results::Bench(_) | Results::Nightly(_) => {}
    }
    rows.finish()
}

impl<'a> Row<'a> {
    fn measure(self, metric: &'a str, measure: &'a Measure) -> Self {
        Row {
            metric,
            value: measure.value,
            se: measure.se,
            ci95: measure.ci95,
            reason: measure.reason.as_deref(),
            ..self
        }
    }
}

/// The document being written. Writing to memory can not fail.
struct Rows(csv::Writer<Vec<u8>>);

const IN_MEMORY: &str = "memory takes every write, and texts are UTF-8";

impl Rows {
    fn new() -> Self {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = HEADER.into_iter().chain(["reason"]);
        writer.write_record(header).expect(IN_MEMORY);
        Rows(writer)
    }

    fn push(&mut self, row: Row<'_>) {
        let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
        let count = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let [p_value, p_holm] = row.p;
        let [wins, ties, losses] = row.outcomes;
        let cells = [
            defused(row.system),
            defused(row.versus),
            defused(row.slice),
            defused(row.group),
            defused(row.metric),
            number(row.value),
            number(row.se),
            number(row.ci95.map(|ci| ci[0])),
            number(row.ci95.map(|ci| ci[1])),
            count(row.n),
            number(p_value),
            number(p_holm),
            count(wins),
            count(ties),
            count(losses),
            defused(row.reason.unwrap_or_default()),
        ];
        self.0.write_record(cells).expect(IN_MEMORY);
    }

    fn scores(&mut self, system: &str, results: &ScoreResults) {
        self.part(system, ["", ""], results);
        for slice in &results.slices {
            for part in &slice.parts {
                self.part(system, [&slice.column, &part.value], &part.results);
            }
        }
    }

    fn part(&mut self, system: &str, [slice, group]: [&str; 2], results: &ScoreResults) {
        let row = || Row {
            system,
            slice,
            group,
            n: Some(results.n),
            ..Row::default()
        };
        self.push(row().measure("fgd_paired", &results.fgd_paired));
        self.set(&results.fgd_set, row);
        if let Some(parts) = &results.decomposition {
            for (metric, value) in [
                ("mean_shift", parts.mean_shift),
                ("covariance", parts.covariance),
                ("misalignment", parts.misalignment),
            ] {
                self.push(Row {
                    metric,
                    value: Some(value),
                    ..row()
                });
            }
        }
        self.push(row().measure("mean_cosine", &results.mean_cosine));
        if let Some(infinity) = &results.fgd_infinity {
            self.push(row().measure("fgd_infinity", &infinity.value));
        }
        for (name, metric) in &results.metrics {
            self.push(row().measure(name, &metric.measure));
        }
    }

    fn captioning(&mut self, system: &str, results: &CaptionResults) {
        let row = |n: u64| Row {
            system,
            n: Some(n),
            ..Row::default()
        };
        for (metric, measure) in [
            ("images_per_second", &results.images_per_second),
            ("tokens_per_second", &results.tokens_per_second),
        ] {
            let of_this_run = results.images.saturating_sub(results.resumed);
            self.push(row(of_this_run).measure(metric, measure));
        }
        if let Some(ms) = &results.caption_ms {
            for (metric, value) in [
                ("caption_ms_mean", Some(ms.mean)),
                ("caption_ms_p50", Some(ms.p50)),
                ("caption_ms_p90", Some(ms.p90)),
                ("caption_ms_p99", ms.p99),
                ("caption_ms_max", Some(ms.max)),
            ] {
                self.push(Row {
                    metric,
                    value,
                    ..row(ms.captions)
                });
            }
        }
        for (metric, value) in [
            ("captions", Some(results.captions as f64)),
            ("failures", Some(results.failures.len() as f64)),
            ("tokens", Some(results.tokens as f64)),
            ("cached_features", Some(results.cached_features as f64)),
            ("seconds", Some(results.seconds)),
            ("load_seconds", Some(results.load_seconds)),
            (
                "peak_memory_bytes",
                results.peak_memory_bytes.map(|b| b as f64),
            ),
        ] {
            self.push(Row {
                metric,
                value,
                ..row(results.images)
            });
        }
        for failure in &results.failures {
            self.push(Row {
                system,
                slice: "image",
                group: &failure.image_id,
                metric: "caption",
                reason: Some(&failure.reason),
                ..Row::default()
            });
        }
    }

    fn set<'a>(&mut self, set: &'a SetMeasure, row: impl Fn() -> Row<'a>) {
        self.push(Row {
            metric: "fgd_set",
            value: set.value,
            se: set.se,
            reason: set.reason.as_deref(),
            ..row()
        });
        self.push(Row {
            metric: "fgd_set_bias",
            value: set.bias,
            ..row()
        });
        self.push(Row {
            metric: "fgd_set_corrected",
            value: set.corrected,
            se: set.se,
            ci95: set.ci95,
            reason: set.warning.as_deref(),
            ..row()
        });
    }

    fn differences(&mut self, differences: &[Difference], n: u64) {
        for difference in differences {
            let row = Row {
                system: &difference.system,
                versus: &difference.versus,
                n: Some(n),
                p: [difference.p_value, difference.p_holm],
                outcomes: [difference.wins, difference.ties, difference.losses],
                ..Row::default()
            };
            self.push(row.measure(&difference.metric, &difference.estimate));
            for slice in &difference.slices {
                let row = Row {
                    system: &difference.system,
                    versus: &difference.versus,
                    slice: &slice.column,
                    group: &slice.value,
                    n: Some(slice.n),
                    ..Row::default()
                };
                self.push(row.measure(&difference.metric, &slice.estimate));
            }
        }
    }

    fn finish(self) -> String {
        let bytes = self.0.into_inner().expect(IN_MEMORY);
        String::from_utf8(bytes).expect(IN_MEMORY)
    }
}

/// A text that no spreadsheet runs as a formula: after an apostrophe it is shown as it is.
///
/// See OWASP, "CSV Injection".
pub fn defused(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::defused;

    #[test]
    fn formulas_stay_text() {
        for text in ["=cmd()", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        assert_eq!(defused("a = b"), "a = b");
    }
}
