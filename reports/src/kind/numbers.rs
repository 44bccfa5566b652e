//! The numbers of systems, one per row.

use fgd_record::{CaptionResults, Difference, Mark, Measure, ScoreResults};

use crate::document::number::known;
use crate::document::{Tidy, Value, plain};

const HEADER: [&str; 20] = [
    "system",
    "versus",
    "slice",
    "group",
    "metric",
    "value",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "p_value",
    "p_holm",
    "p_exchange",
    "detectable",
    "n_needed",
    "wins",
    "ties",
    "losses",
    "test",
    "reason",
];

/// One number with what it belongs to.
#[derive(Clone, Default)]
pub struct Number<'a> {
    system: &'a str,
    versus: &'a str,
    slice: &'a str,
    group: &'a str,
    metric: &'a str,
    measure: Measure,
    n: Option<u64>,
    p_holm: Option<f64>,
    tested: Option<&'a Difference>,
}

impl<'a> Number<'a> {
    /// A row of a system.
    pub fn of(system: &'a str) -> Self {
        Self { system, ..Self::default() }
    }

    /// So many things lie behind the number.
    pub fn n(self, n: impl Into<Option<u64>>) -> Self {
        Self { n: n.into(), ..self }
    }

    /// The number is of one group of the images.
    pub fn within(self, slice: &'a str, group: &'a str) -> Self {
        Self { slice, group, ..self }
    }

    /// The p-value of a test, after Holm's correction.
    pub fn p_holm(self, p_holm: Option<f64>) -> Self {
        Self { p_holm, ..self }
    }

    /// The number, and what it is.
    pub fn measure(self, metric: &'a str, measure: &Measure) -> Self {
        let measure = measure.clone();
        Self { metric, measure, ..self }
    }
}

/// The rows being written.
pub struct Numbers(Tidy);

impl Numbers {
    pub fn new() -> Self {
        Numbers(Tidy { header: &HEADER, rows: Vec::new() })
    }

    pub fn push(&mut self, row: Number<'_>) {
        let measure = &row.measure;
        let texts = [row.system, row.versus, row.slice, row.group, row.metric].map(Value::from);
        let numbers = [measure.value, measure.se, measure.low, measure.high].map(Value::from);
        let values = texts.into_iter().chain(numbers).chain([row.n.into()]);
        let p_value = row.tested.and_then(|difference| difference.p_value);
        let values = values.chain([p_value, row.p_holm].map(Value::from)).chain(tested(row.tested));
        self.0.rows.push(values.chain([(&measure.reason).into()]).collect());
    }

    /// The numbers of a system, over all images and per group.
    pub fn scores(&mut self, system: &str, results: &ScoreResults) {
        self.part(&Number::of(system), results);
        for slice in &results.slices {
            for part in &slice.parts {
                let row = Number::of(system).within(&slice.column, &part.value);
                self.part(&row, &part.results);
            }
        }
    }

    fn part(&mut self, row: &Number<'_>, results: &ScoreResults) {
        let row = row.clone().n(known(results.n));
        let mut push = |metric: &str, measure: &Measure| {
            self.push(row.clone().measure(metric, measure));
        };
        push("fgd_paired", &results.fgd_paired);
        let set = &results.fgd_set;
        // The standard error is that of the corrected value.
        push("fgd_set", &Measure { se: None, ..set.raw() });
        push("fgd_set_bias", &plain(set.bias));
        let reason = told(&set.marks, set.warning.as_ref().or(set.reason.as_ref()));
        let corrected = Measure { reason, ..set.without_bias() };
        push("fgd_set_corrected", &corrected);
        if let Some(parts) = &results.decomposition {
            push("mean_shift", &plain(parts.mean_shift));
            push("covariance", &plain(parts.covariance));
            push("misalignment", &plain(parts.misalignment));
        }
        push("mean_cosine", &results.mean_cosine);
        if let Some(infinity) = &results.fgd_infinity {
            push("fgd_infinity", &infinity.value);
        }
        for (name, metric) in &results.metrics {
            push(name, &metric.measure);
        }
    }

    /// How fast the captioner of a system was, and which images it left without a caption.
    pub fn captioning(&mut self, system: &str, results: &CaptionResults) {
        let mut push = |n: u64, metric: &str, measure: &Measure| {
            self.push(Number::of(system).n(n).measure(metric, measure));
        };
        let of_this_run = results.images.saturating_sub(results.resumed);
        push(of_this_run, "images_per_second", &results.images_per_second);
        push(of_this_run, "tokens_per_second", &results.tokens_per_second);
        if let Some(ms) = &results.caption_ms {
            push(ms.captions, "caption_ms_mean", &plain(ms.mean));
            push(ms.captions, "caption_ms_p50", &plain(ms.p50));
            push(ms.captions, "caption_ms_p90", &plain(ms.p90));
            push(ms.captions, "caption_ms_p99", &plain(ms.p99));
            push(ms.captions, "caption_ms_max", &plain(ms.max));
        }
        let all = results.images;
        push(all, "captions", &plain(results.captions as f64));
        push(all, "failures", &plain(results.failures.len() as f64));
        push(all, "tokens", &plain(results.tokens as f64));
        push(all, "cached_features", &plain(results.cached_features as f64));
        push(all, "seconds", &plain(results.seconds));
        push(all, "load_seconds", &plain(results.load_seconds));
        let memory = results.peak_memory_bytes.map(|bytes| bytes as f64);
        push(all, "peak_memory_bytes", &plain(memory));
        for failure in &results.failures {
            let row = Number::of(system).within("image", &failure.image_id);
            self.push(row.measure("caption", &Measure::missing(&failure.reason)));
        }
    }

    /// Differences between systems, over all `n` images and per group.
    pub fn differences(&mut self, differences: &[Difference], n: u64) {
        for difference in differences {
            let row = Number { versus: &difference.versus, ..Number::of(&difference.system) };
            let tested = Some(difference);
            let whole = Number { tested, ..row.clone().p_holm(difference.p_holm) };
            let measure = |estimate: &Measure, marks: &[Mark]| Measure {
                reason: told(marks, estimate.reason.as_ref()),
                ..estimate.clone()
            };
            let estimate = measure(&difference.estimate, &difference.marks);
            self.push(whole.n(n).measure(row_of(difference, &estimate), &estimate));
            for slice in &difference.slices {
                let row = row.clone().within(&slice.column, &slice.value).n(slice.n);
                let estimate = measure(&slice.estimate, &slice.marks);
                self.push(row.measure(row_of(difference, &estimate), &estimate));
            }
        }
    }

    pub fn finish(self) -> Tidy {
        self.0
    }
}

/// What the tests of a difference say beside their p-values, as far as there are any.
fn tested(difference: Option<&Difference>) -> [Value; 7] {
    let number = |of: fn(&Difference) -> Option<f64>| Value::from(difference.and_then(of));
    let count = |of: fn(&Difference) -> Option<u64>| Value::from(difference.and_then(of));
    [
        number(|d| d.exchange_p_value),
        number(|d| d.minimum_detectable),
        count(|d| d.n_needed),
        count(|d| d.wins),
        count(|d| d.ties),
        count(|d| d.losses),
        Value::from(difference.map_or("", |d| &d.test)),
    ]
}

/// The row of a system that a difference is of: that of set distances, where they have an error, is of the corrected ones.
fn row_of<'a>(difference: &'a Difference, estimate: &Measure) -> &'a str {
    match difference.metric == "fgd_set" && estimate.se.is_some() {
        true => "fgd_set_corrected",
        false => &difference.metric,
    }
}

/// What a reader must know of a number, in one cell: its marks, then why it is missing or to be taken with care.
fn told(marks: &[Mark], reason: Option<&String>) -> Option<String> {
    let texts = marks.iter().map(|mark| mark.label()).chain(reason.map(String::as_str));
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
