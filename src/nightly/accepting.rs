//! Taking a new level for good: what stands as a regression is what is held from now on.

use super::history::{History, Kind};
use super::place::NightFolder;
use super::speed::is_regressed;
use super::{Job, NightlyError, lock::Lock, night};
use crate::jobs::provenance;
use fgd_metrics::series::Standing;

/// What is accepted.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Of these systems and benchmarks only.
    pub systems: Vec<String>,
    /// These metrics and figures only.
    pub metrics: Vec<String>,
    /// What is said about it.
    pub note: String,
}

/// A level that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The system or benchmark.
    pub system: String,
    /// The metric or figure.
    pub metric: String,
    /// The night with which it began.
    pub since: String,
}

/// Accepts every regression of the last night that the choice names.
pub fn accept(job: &Job, choice: &Choice) -> Result<Vec<Accepted>, NightlyError> {
    let now = provenance::now();
    let (_lock, _) = Lock::take(&job.state, &now)?;
    let mut history: History = job.history()?;
    let nights = history.nights(&job.suite.name)?;
    let pasts = history.pasts(&job.suite.name, &nights)?;
    let chosen = |list: &[String], name: &String| list.is_empty() || list.contains(name);
    let mut accepted = Vec::new();
    for past in &pasts {
        let series = &past.series;
        let last = past.points.iter().rposition(|point| point.value.is_some());
        let Some(last) = last.filter(|last| is_regressed(past.points[*last].standing)) else {
            continue;
        };
        if !(chosen(&choice.systems, &series.system) && chosen(&choice.metrics, &series.metric)) {
            continue;
        }
        let begins = match series.kind {
            // A quality is what it was last night; there is no level to estimate.
            Kind::Quality => last,
            Kind::Speed => past.points[..last]
                .iter()
                .rposition(|p| p.value.is_some() && p.standing == Standing::Accepted)
                .map_or(0, |ordinary| ordinary + 1),
        };
        let Some(night) = nights.get(past.points[begins].night) else {
            continue;
        };
        history.accept(series, night, &now, &choice.note)?;
        accepted.push(Accepted {
            system: series.system.clone(),
            metric: series.metric.clone(),
            since: night.started.clone(),
        });
    }
    keep_captions(job, &accepted)?;
    Ok(accepted)
}

/// The last night's captions of accepted systems are what later ones are compared with.
fn keep_captions(job: &Job, accepted: &[Accepted]) -> Result<(), NightlyError> {
    let Some(last) = NightFolder::all(&job.state)
        .into_iter()
        .rfind(NightFolder::is_finished)
    else {
        return Ok(());
    };
    for system in &job.suite.systems {
        if !accepted.iter().any(|level| level.system == system.name) {
            continue;
        }
        let like = system
            .submission
            .clone()
            .unwrap_or_else(|| "captions.csv".into());
        let captions = last.captions(&system.name, &like);
        if captions.is_file() {
            night::accept_captions(job, &system.name, &captions)?;
        }
    }
    Ok(())
}
