//! Taking a new level for good: what stands as a regression, or has moved untested, is what is held from now on.

use std::collections::HashSet;

use fgd_metrics::series::Standing;

use super::history::{Kind, Night, Past, Series};
use super::lock::Lock;
use super::place::NightFolder;
use super::{NightlyError, Workspace};
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

impl Selection {
    fn names(&self, series: &Series) -> bool {
        let chosen = |list: &[String], name: &String| list.is_empty() || list.contains(name);
        chosen(&self.systems, &series.system) && chosen(&self.metrics, &series.metric)
    }
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

/// Accepts every regression and every move of the last night that the selection names, and with a system's what else its captions changed.
pub fn accept(workspace: &Workspace, selection: &Selection) -> Result<Vec<Level>, NightlyError> {
    let now = provenance::now();
    let (_lock, _) = Lock::take(&workspace.state, &now)?;
    let mut history = workspace.history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let newest = |past: &Past| past.points.iter().rposition(|point| point.value.is_some());
    // A speed that stood out for one night is not a level yet.
    let stands_out = |past: &&Past| match newest(past).map(|last| past.points[last].standing) {
        Some(Standing::Suspicious) => past.series.kind == Kind::Quality,
        Some(Standing::Regressed) => true,
        _ => false,
    };
    // Of a figure that is measured anew, with another encoder, say, what was before it is no level to hold.
    let ends = |past: &Past| past.points.last().map(|point| point.night);
    let is_latest = |past: &&Past| {
        let mut same = pasts.iter().filter(|other| other.series.is_of_name(&past.series));
        same.all(|other| ends(other) <= ends(past))
    };
    let named = |past: &&Past| selection.names(&past.series);
    let pasts = pasts.iter().filter(is_latest).filter(named);
    let mut open: HashSet<&str> =
        pasts.clone().filter(stands_out).map(|past| past.series.system.as_str()).collect();
    open.extend(selection.systems.iter().map(String::as_str));
    let mut accepted = Vec::new();
    for past in pasts {
        let series = &past.series;
        // With the captions of a system all its numbers are accepted.
        let comes_along = |last: &usize| {
            past.points[*last].standing == Standing::Unproven && open.contains(&*series.system)
        };
        let Some(last) = newest(past).filter(|last| stands_out(&past) || comes_along(last)) else {
            continue;
        };
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
        accepted.push((series, night));
    }
    // The captions first: a level without them could not be accepted again.
    for (series, night) in &accepted {
        if series.kind == Kind::Quality {
            keep_captions(workspace, &series.system, night)?;
        }
    }
    let mut levels = Vec::new();
    for (series, night) in accepted {
        history.accept(series, night, &now, &selection.note)?;
        levels.push(Level {
            system: series.system.clone(),
            metric: series.metric.clone(),
            since: night.started.clone(),
        });
    }
    Ok(levels)
}

/// The captions of the night whose numbers are accepted are what later ones are compared with.
fn keep_captions(workspace: &Workspace, name: &str, night: &Night) -> Result<(), NightlyError> {
    let mut folders = NightFolder::all(&workspace.state).into_iter();
    let folder = folders.find(|folder| folder.night().as_ref() == Some(night));
    let system = workspace.suite.systems.iter().find(|system| system.name == name);
    let (Some(folder), Some(system)) = (folder, system) else { return Ok(()) };
    let like = system.submission.clone().unwrap_or_else(|| "captions.csv".into());
    let captions = folder.captions(name, &like);
    match captions.is_file() {
        true => super::night::accept_captions(workspace, name, &captions),
        false => Ok(()),
    }
}
