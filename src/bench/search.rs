//! The highest rate of arrivals that keeps the bound of the scenario `server`: found by serving at one rate after the other.

use std::time::Duration;

use fgd_record::{Measure, Remark, ServerOutcome, ServerPoint};

use super::queries::{Harness, Order, warm_up};
use super::samples::Samples;
use super::server::{ServerRun, Service, fewest_queries, judge, serve};
use super::target::Target;

/// A search ends when the lowest rate that failed is this much above the highest that did not.
const PRECISION: f64 = 1.05;

/// A search gives up below this share of the capacity.
const LOWEST: f64 = 1.0 / 64.0;

/// How many times the fewest queries a rate is asked, one after the other, until they decide: queues make neighbours alike, and it
/// takes as many more of them. Simulated queues needed the ninefold near the rate that is found, and what is far from it once.
const LOOKS: [u64; 3] = [1, 3, 9];

/// So many rates of which nothing can be said end a search that knows nothing yet: queries are too much alike for others to say more.
const BLIND: usize = 2;

/// Searches for the highest rate at which the bound is shown to be kept: from below the capacity upwards or downwards until
/// one rate is kept and one is not, then by halving the (logarithmic) distance. Trials take half of the duration; the rate
/// found must stand a whole run, or gives way to a lower one.
pub fn search(target: &mut dyn Target, service: &Service, harness: &Harness) -> ServerRun {
    let capacity = capacity(target, service, harness);
    let (begin, longest) = (harness.clock.now(), harness.limits.max_duration);
    // How many rates are to come nobody knows, but when the last one ends.
    let progress = |_: f64| {
        let spent = harness.clock.now() - begin;
        (harness.progress)((spent.as_secs_f64() / longest.as_secs_f64()).min(1.0));
    };
    let harness = &Harness { progress: &progress, ..*harness };
    let until = begin + longest;
    let mut search =
        Search { target, service, harness, until, points: Vec::new(), samples: Samples::default() };
    let (queries, longest) = (harness.limits.min_queries as f64, longest.as_secs_f64());
    let found = match queries / capacity > longest {
        true => Err(unsettled(
            format!(
                "{queries} queries take more than {longest} s at the {capacity:.3} per second that can be answered, and there are several trials"
            ),
            "raise --max-duration, or use more threads",
        )),
        false => search.highest(capacity),
    };
    let (highest_rate, unsettled) = match found {
        Ok(highest_rate) => (highest_rate, None),
        Err(remark) => (Measure::missing(&remark.reason), Some(remark)),
    };
    ServerRun {
        highest_rate: Some(highest_rate),
        unsettled,
        points: search.points,
        samples: search.samples,
    }
}

/// A search under way.
struct Search<'a> {
    target: &'a mut dyn Target,
    service: &'a Service,
    harness: &'a Harness<'a>,
    /// When no further rate is tried.
    until: Duration,
    points: Vec<ServerPoint>,
    samples: Samples,
}

impl Search<'_> {
    /// The rate, or why there is none.
    fn highest(&mut self, capacity: f64) -> Result<Measure, Remark> {
        let mut trial = *self.harness;
        trial.limits.min_duration /= 2;
        let (mut kept, mut failed) = (None, None);
        while let Some(rate) = next_rate(kept, failed, capacity) {
            match self.keeps(rate, &trial)? {
                true => kept = Some(rate),
                false => failed = Some(rate),
            }
        }
        // A whole run at the rate found; what a trial showed may not hold for it.
        while let Some(rate) = kept.filter(|rate| *rate >= capacity * LOWEST) {
            if self.keeps(rate, self.harness)? {
                return Ok(Measure { low: Some(rate), high: failed, ..Measure::exact(rate) });
            }
            failed = Some(rate);
            kept = Some(rate / PRECISION);
        }
        let lowest = failed.unwrap_or(capacity);
        Err(unsettled(
            format!("not even {lowest:.3} queries per second were shown to keep the bound"),
            "raise --latency-bound, or use more threads",
        ))
    }

    /// Whether a rate is shown to keep the bound; where the queries do not decide it, more may. The error is why no
    /// other rate would do: somebody ended the search, its time is over, or so few queries say nothing of any rate.
    fn keeps(&mut self, rate: f64, harness: &Harness) -> Result<bool, Remark> {
        for times in LOOKS {
            let mut harness = *harness;
            harness.limits.min_queries = harness.limits.min_queries.saturating_mul(times);
            harness.limits.max_duration = self.left()?;
            self.samples = serve(self.target, rate, self.service, &harness);
            let point = judge(rate, &self.samples, self.service.bound);
            let outcome = point.outcome;
            self.points.push(point);
            if self.samples.interrupted || (self.harness.stop)() {
                self.samples.interrupted = true;
                return Err(unsettled("the search was interrupted".into(), "let it end"));
            }
            if outcome != ServerOutcome::Undecided {
                return Ok(outcome == ServerOutcome::Kept);
            }
        }
        self.left()?;
        let (queries, needed) = (self.samples.all.len(), fewest_queries());
        let unseen = |point: &ServerPoint| {
            point.outcome == ServerOutcome::Undecided && point.p99_seconds.high.is_none()
        };
        // Where one was kept, those above it may be of any kind.
        let is_blind = self.points.len() >= LOOKS.len() * BLIND && self.points.iter().all(unseen);
        if is_blind && queries as u64 >= needed {
            return Err(unsettled(
                format!(
                    "queries in a row are so alike that {queries} of them give no upper bound of their 99th percentile"
                ),
                "end other programs, or raise --min-queries",
            ));
        }
        match (queries as u64) < needed {
            true => Err(unsettled(
                format!(
                    "{queries} queries at {rate:.3} per second give no upper bound of their 99th percentile, {needed} may"
                ),
                "raise --min-queries",
            )),
            false => Ok(false),
        }
    }

    /// The time that is left for further rates. Where it is over, the error says what is known of them.
    fn left(&self) -> Result<Duration, Remark> {
        let left = self.until.saturating_sub(self.harness.clock.now());
        if !left.is_zero() {
            return Ok(left);
        }
        let of = |outcomes: &[ServerOutcome]| {
            let rates = self.points.iter().filter(|point| outcomes.contains(&point.outcome));
            rates.map(|point| point.rate).collect::<Vec<f64>>()
        };
        let kept = of(&[ServerOutcome::Kept]).into_iter().reduce(f64::max);
        let failed =
            of(&[ServerOutcome::Missed, ServerOutcome::Overloaded]).into_iter().reduce(f64::min);
        let known = match (kept, failed) {
            (Some(kept), Some(failed)) => {
                format!("; {kept:.3} per second kept the bound, {failed:.3} did not")
            }
            (Some(kept), None) => format!("; {kept:.3} per second kept the bound"),
            (None, Some(failed)) => format!("; {failed:.3} per second did not keep the bound"),
            (None, None) => String::new(),
        };
        let longest = self.harness.limits.max_duration.as_secs_f64();
        Err(unsettled(
            format!("the {longest} s of the search were over before a rate was settled{known}"),
            "raise --max-duration",
        ))
    }
}

fn unsettled(reason: String, change: &str) -> Remark {
    Remark { reason, change: change.into() }
}

/// The rate to try next, given the highest that was kept and the lowest that was not; `None` at the end of the search.
fn next_rate(kept: Option<f64>, failed: Option<f64>, capacity: f64) -> Option<f64> {
    match (kept, failed) {
        (None, None) => Some(0.7 * capacity),
        (Some(kept), Some(failed)) => (failed / kept > PRECISION).then(|| (kept * failed).sqrt()),
        // Beyond the capacity the line grows without end, though a short run may not show it.
        (Some(kept), None) => (kept < capacity).then(|| (kept * 1.25).min(capacity)),
        (None, Some(failed)) => Some(0.6 * failed).filter(|rate| *rate >= capacity * LOWEST),
    }
}

/// Items per second in full batches: what no rate of arrivals can exceed for long.
fn capacity(target: &mut dyn Target, service: &Service, harness: &Harness) -> f64 {
    let mut order = Order::new(target.items(), harness.seed);
    let batch = service.batch.min(target.items());
    warm_up(target, batch, &mut order, harness);
    let begin = harness.clock.now();
    let mut items = 0;
    while items == 0
        || (harness.clock.now() - begin < harness.limits.min_duration / 8 && !(harness.stop)())
    {
        let _ = target.query(order.take(batch));
        items += batch;
    }
    items as f64 / (harness.clock.now() - begin).as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::bench::simulation::{ALONE, SimulatedClock, SimulatedTarget, harness, limits};

    #[test]
    fn the_search_finds_the_rate_that_the_queue_allows() {
        // M/D/1 with s = 10 ms: P(wait > 90 ms) reaches 1% between ρ = 0.70 and ρ = 0.80 (heavy-traffic
        // approximation of the tail: exp(−2 (1 − ρ) t / (ρ s)) gives 0.74 to 0.80).
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let found = search(&mut target, &ALONE, &harness(&clock, limits(100.0, 20_000)));
        let highest = found.highest_rate.unwrap();
        let (rate, above) = (highest.value.unwrap(), highest.high.unwrap());
        assert!((60.0..85.0).contains(&rate), "{rate}");
        assert!(above / rate <= PRECISION * PRECISION, "{rate} to {above}");
        let last = found.points.last().unwrap();
        assert_eq!((last.rate, last.outcome), (rate, ServerOutcome::Kept));
        assert!(last.p99_seconds.high.unwrap() <= 0.1);
    }

    #[test]
    fn the_fewest_queries_find_a_rate_too() {
        // Of three times as many, 99% would be below no bound at either of the first rates.
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let harness = Harness { seed: 0, ..harness(&clock, limits(10.0, fewest_queries())) };
        let highest = search(&mut target, &ALONE, &harness).highest_rate.unwrap();
        assert!((40.0..85.0).contains(&highest.value.unwrap()), "{highest:?}");
    }

    #[test]
    fn no_rate_beyond_the_capacity_is_tried() {
        // The bound is so wide that no run of this length breaks it, however fast queries arrive.
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let wide = Service { bound: 1e6, batch: 1 };
        let found = search(&mut target, &wide, &harness(&clock, limits(1.0, 20_000)));
        assert!(found.points.iter().all(|point| point.rate <= 100.0 + 1e-6));
        let highest = found.highest_rate.unwrap().value.unwrap();
        assert!(highest > 60.0, "{highest}");
    }

    #[test]
    fn a_search_that_would_never_end_is_not_begun() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 60.0);
        let mut limits = limits(10.0, 1000);
        limits.max_duration = Duration::from_secs(600);
        let found = search(&mut target, &ALONE, &harness(&clock, limits));
        assert!(found.points.is_empty());
        assert!(found.highest_rate.unwrap().reason.unwrap().contains("600 s"));
    }

    #[test]
    fn queries_that_are_too_few_for_any_rate_end_the_search() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let wide = Service { bound: 1e6, batch: 1 };
        let found = search(&mut target, &wide, &harness(&clock, limits(0.1, 20)));
        assert_eq!(found.points.len(), LOOKS.len());
        let reason = found.highest_rate.unwrap().reason.unwrap();
        assert!(reason.contains("180 queries"), "{reason}");
    }

    #[test]
    fn a_search_ends_with_its_time_and_says_what_it_knows() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let mut limits = limits(10.0, 20_000);
        limits.max_duration = Duration::from_secs(1600);
        // What is done is the share of that time, which every trial brings nearer.
        let said = Mutex::new(vec![0.0]);
        let progress = |share: f64| said.lock().unwrap().push(share);
        let harness = Harness { progress: &progress, ..harness(&clock, limits) };
        let found = search(&mut target, &ALONE, &harness);
        let said = said.into_inner().unwrap();
        assert!(said.is_sorted() && *said.last().unwrap() > 0.99, "{:?}", said.last());
        let reason = found.highest_rate.unwrap().reason.unwrap();
        let known = "over before a rate was settled; ";
        assert!(reason.contains(known) && reason.contains("per second kept"), "{reason}");
        assert_eq!(found.unsettled.unwrap().change, "raise --max-duration");
    }

    #[test]
    fn a_bound_that_one_query_alone_breaks_has_no_rate() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.2);
        let found = search(&mut target, &ALONE, &harness(&clock, limits(10.0, 600)));
        assert!(found.highest_rate.unwrap().value.is_none());
    }
}
