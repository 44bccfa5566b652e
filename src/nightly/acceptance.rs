//! Taking a new level for good: what stands as a regression, or has moved without a gate, is what is held from now on.

use fgd_metrics::series::Standing;

use super::history::Kind;
use super::lock::Lock;
use super::place::NightFolder;
use super::{NightlyError, Workspace, night};
use crate::jobs::provenance;

/// What to accept.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of these systems and benchmarks only.
    pub systems: Vec<String>,
    /// These metrics and figures only.
    pub metrics: Vec<String>,
    /// What is said about it.
    pub note: String,
}

/// A level that is held from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The system or benchmark.
    pub system: String,
    /// The metric or figure.
    pub metric: String,
    /// The night with which it began.
    pub since: String,
}

/// Accepts every regression and every move of the last night that the selection names.
pub fn accept(workspace: &Workspace, selection: &Selection) -> Result<Vec<Level>, NightlyError> {
    let now = provenance::now();
    let (_lock, _) = Lock::take(&workspace.state, &now)?;
    let mut history = workspace.history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let chosen = |list: &[String], name: &String| list.is_empty() || list.contains(name);
    let mut levels = Vec::new();
    for past in &pasts {
        let series = &past.series;
        let last = past.points.iter().rposition(|point| point.value.is_some());
        // A speed that stood out for one night is not a level yet.
        let is_open = |last: &usize| match past.points[*last].standing {
            Standing::Accepted => false,
            Standing::Suspicious => series.kind == Kind::Quality,
            Standing::Regressed => true,
        };
        let Some(last) = last.filter(is_open) else {
            continue;
        };
        if !(chosen(&selection.systems, &series.system)
            && chosen(&selection.metrics, &series.metric))
        {
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
        history.accept(series, night, &now, &selection.note)?;
        levels.push(Level {
            system: series.system.clone(),
            metric: series.metric.clone(),
            since: night.started.clone(),
        });
    }
    keep_captions(workspace, &levels)?;
    Ok(levels)
}

/// The last night's captions of accepted systems are what later ones are compared with.
fn keep_captions(workspace: &Workspace, levels: &[Level]) -> Result<(), NightlyError> {
    let Some(last) = NightFolder::all(&workspace.state).into_iter().rfind(NightFolder::is_finished)
    else {
        return Ok(());
    };
    for system in &workspace.suite.systems {
        if !levels.iter().any(|level| level.system == system.name) {
            continue;
        }
        let like = system.submission.clone().unwrap_or_else(|| "captions.csv".into());
        let captions = last.captions(&system.name, &like);
        if captions.is_file() {
            night::accept_captions(workspace, &system.name, &captions)?;
        }
    }
    Ok(())
}
