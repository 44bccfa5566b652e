//! Whether a run counts, why not, and what to change: the end of every summary.

use fgd_record::{BenchResults, Host, Remark, Scenario, ServerOutcome, Validity};

use super::queries::Limits;
use super::samples::Samples;

/// The harness may take this share of a query.
const OVERHEAD: f64 = 0.01;

/// A throughput known no better than this is not worth a comparison.
const SPREAD: f64 = 0.10;

/// Judges a finished run.
pub fn judge(
    results: &BenchResults,
    samples: &Samples,
    unsettled: Option<Remark>,
    limits: &Limits,
    host: &Host,
) -> Validity {
    let is_settled = unsettled.is_none();
    let reasons: Vec<Remark> = [
        interrupted(samples),
        failed(results),
        too_short(results, samples, limits).filter(|_| is_settled),
        overhead(results),
        unsettled.or_else(|| bound(results)).filter(|_| !samples.interrupted),
    ]
    .into_iter()
    .flatten()
    .collect();
    let warnings = [loaded(host), powersave(host), unsteady(results), unoptimised()];
    Validity {
        valid: reasons.is_empty(),
        reasons,
        warnings: warnings.into_iter().flatten().collect(),
    }
}

fn remark(reason: String, change: &str) -> Option<Remark> {
    Some(Remark { reason, change: change.into() })
}

fn interrupted(samples: &Samples) -> Option<Remark> {
    match samples.interrupted {
        true => remark("the run was interrupted".into(), "let it end"),
        false => None,
    }
}

fn failed(results: &BenchResults) -> Option<Remark> {
    let queries = &results.queries;
    if queries.failed == 0 {
        return None;
    }
    let first = queries.failures.first().map_or("nothing", String::as_str);
    remark(
        format!("{} of {} queries failed; the first said: {first}", queries.failed, queries.issued),
        "mend that, or leave the items out that cannot be answered",
    )
}

/// Every cell of a sweep must be large enough; the other scenarios have one run. What a server was cut short for is told
/// by [`bound`], or by the search itself.
fn too_short(results: &BenchResults, samples: &Samples, limits: &Limits) -> Option<Remark> {
    if samples.interrupted || samples.overloaded {
        return None;
    }
    let fewest = match results.scenario {
        Scenario::Sweep => results.sweep.iter().map(|cell| cell.queries).min().unwrap_or(0),
        _ => results.queries.issued,
    };
    let longest = limits.max_duration.as_secs_f64();
    if fewest >= limits.min_queries {
        return None;
    }
    remark(
        format!(
            "{fewest} of at least {} queries were there when the {longest} s were over",
            limits.min_queries
        ),
        "raise --max-duration, or lower --min-queries and read how wide the intervals are",
    )
}

fn overhead(results: &BenchResults) -> Option<Remark> {
    let queries = results.queries.issued.max(1) as f64;
    let per_query = results.queries.seconds / queries;
    let share = results.overhead.seconds_per_query / per_query;
    if results.scenario == Scenario::Server || share.is_nan() || share <= OVERHEAD {
        return None;
    }
    remark(
        format!("the harness itself takes {:.1}% of a query", 100.0 * share),
        "put more items into a query: raise --batch-size",
    )
}

fn bound(results: &BenchResults) -> Option<Remark> {
    let server = results.server.as_ref()?;
    let bound = server.bound_seconds;
    let last = server.points.last()?;
    let (rate, answered) = (last.rate, last.answered_per_second);
    let p99 = last.p99_seconds.value.map_or_else(|| "unknown".into(), |p99| format!("{p99:.4} s"));
    match last.outcome {
        ServerOutcome::Kept => None,
        ServerOutcome::Overloaded => remark(
            format!(
                "overloaded: queries arrived at {rate:.1} per second and were answered at {answered:.1}, so that the line grew without end"
            ),
            "lower --rate below what is answered, raise --batch-size, or leave --rate away to search for the highest",
        ),
        ServerOutcome::Missed => remark(
            format!("the 99th percentile of the latency is {p99}, above the bound of {bound} s"),
            "lower --rate, or raise --latency-bound",
        ),
        ServerOutcome::Undecided => remark(
            format!(
                "{} queries do not show whether the 99th percentile ({p99}) keeps the bound of {bound} s",
                last.queries
            ),
            "raise --min-queries or --duration, or lower --rate",
        ),
    }
}

fn loaded(host: &Host) -> Option<Remark> {
    let load = host.load_at_start.filter(|load| *load > 0.5 * host.cores as f64)?;
    remark(
        format!("the load average was {load} on {} cores when the run started", host.cores),
        "end other programs and measure again",
    )
}

fn powersave(host: &Host) -> Option<Remark> {
    host.governor.as_ref().filter(|governor| *governor == "powersave")?;
    remark("the frequency governor is powersave".into(), "choose `performance` while measuring")
}

fn unsteady(results: &BenchResults) -> Option<Remark> {
    let rate = &results.throughput.as_ref()?.items_per_second;
    let spread = (rate.high? - rate.low?) / 2.0 / rate.value?;
    // Where nothing was done the mean is 0, and the spread no number.
    if results.scenario == Scenario::Server || !spread.is_finite() || spread <= SPREAD {
        return None;
    }
    remark(
        format!("the speed varied over the run: ± {:.0}% around its mean", 100.0 * spread),
        "measure on a quiet machine, or longer with --duration",
    )
}

fn unoptimised() -> Option<Remark> {
    match cfg!(debug_assertions) {
        true => {
            remark("this program was built without optimisation".into(), "build it with --release")
        }
        false => None,
    }
}
