//! Taking a new level for good: what stands as a regression, or has moved untested, is what is held from now on, and a night that it
//! stood out in says so.

use std::collections::HashSet;

use fgd_metrics::series::Standing;
use fgd_record::{NightlyVerdict, Record, Results};

use super::history::{Kind, Level, Night, Past, Point, Series};
use super::lock::Lock;
use super::place::NightFolder;
use super::{NightlyError, Workspace};
use crate::jobs::provenance;

/// What somebody has to look at, and can accept.
pub const OPEN: [NightlyVerdict; 2] = [NightlyVerdict::Regressed, NightlyVerdict::Moved];

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
pub struct Accepted {
    /// The system or benchmark.
    pub system: String,
    /// The metric or figure.
    pub metric: String,
    /// The night with which it began.
    pub since: String,
}

/// Accepts every regression and every move of the last night that the selection names, and of a system all other numbers of its captions.
pub fn accept(workspace: &Workspace, selection: &Selection) -> Result<Vec<Accepted>, NightlyError> {
    let now = provenance::now();
    let (_lock, _) = Lock::take(&workspace.state, &now)?;
    let mut history = workspace.history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let last = NightFolder::last_finished(&workspace.state).and_then(|folder| folder.night());
    let accepted = chosen(&pasts, &nights, last.as_ref(), selection);
    // The captions first: a level without them could not be accepted again.
    for (series, night) in &accepted {
        if series.kind == Kind::Quality {
            keep_captions(workspace, &series.system, night)?;
        }
    }
    let mut levels = Vec::new();
    for (series, night) in accepted {
        history.accept(series, night, &now, &selection.note)?;
        levels.push(Accepted {
            system: series.system.clone(),
            metric: series.metric.clone(),
            since: night.started.clone(),
        });
    }
    Ok(levels)
}

/// Marks what stood out in a night and has been accepted since, as the history has it: what is left open is what somebody has to look
/// at, and the verdict of the night from now on.
pub fn mark(workspace: &Workspace, record: &mut Record) -> Result<(), NightlyError> {
    let Results::Nightly(results) = &mut record.results else { return Ok(()) };
    let history = workspace.read_history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let night = nights.iter().position(|night| night.started == results.night);
    for finding in &mut results.findings {
        let is_open = OPEN.contains(&finding.verdict);
        let of_figure = pasts.iter().filter(|past| {
            past.series.system == finding.system && past.series.metric == finding.metric
        });
        let mut since = of_figure.filter_map(|past| {
            let at = past.points.iter().position(|point| Some(point.night) == night)?;
            let is_later =
                |level: &&Level| level.from <= at && level.acceptance.when >= results.night;
            past.levels.iter().find(is_later)
        });
        if let Some(level) = since.next_back().filter(|_| is_open) {
            finding.accepted = Some(level.acceptance.clone());
        }
    }
    results.verdict = results.worst();
    Ok(())
}

/// What is accepted, each with the night that its level begins with.
fn chosen<'a>(
    pasts: &'a [Past],
    nights: &'a [Night],
    last: Option<&Night>,
    selection: &Selection,
) -> Vec<(&'a Series, &'a Night)> {
    // Other machines, and clocks that were ahead, leave nights that come after it.
    let until = |point: &Point| last.is_none_or(|last| nights[point.night].started <= last.started);
    let newest =
        |past: &Past| past.points.iter().rposition(|point| point.value.is_some() && until(point));
    // A speed that stood out for one night is not a level yet.
    let stands_out = |past: &&Past| match newest(past).map(|last| past.points[last].standing) {
        Some(Standing::Suspicious) => past.series.kind == Kind::Quality,
        Some(Standing::Regressed) => true,
        _ => false,
    };
    // Of a figure that is measured anew, with another encoder, say, what was before it is no level to hold.
    let ends =
        |past: &Past| past.points.iter().rfind(|point| until(point)).map(|point| point.night);
    let is_latest = |past: &&Past| {
        let mut same = pasts.iter().filter(|other| other.series.is_of_name(&past.series));
        same.all(|other| ends(other) <= ends(past))
    };
    let latest: Vec<&Past> = pasts.iter().filter(is_latest).collect();
    let is_named = |past: &&&Past| selection.names(&past.series);
    let open = latest.iter().filter(is_named).filter(|past| stands_out(past));
    let mut open: HashSet<&str> = open.map(|past| past.series.system.as_str()).collect();
    open.extend(selection.systems.iter().map(String::as_str));
    // With the captions of a system all its numbers are accepted.
    let is_accepted = |past: &&&Past, last: usize| match past.series.kind {
        Kind::Quality => {
            open.contains(&*past.series.system) && past.points[last].standing != Standing::Accepted
        }
        Kind::Speed => selection.names(&past.series) && stands_out(past),
    };
    let mut accepted = Vec::new();
    for past in &latest {
        let series = &past.series;
        let Some(last) = newest(past).filter(|last| is_accepted(&past, *last)) else { continue };
        let begins = match series.kind {
            // A quality is what it was last night; there is no level to estimate.
            Kind::Quality => last,
            Kind::Speed => past.points[..last]
                .iter()
                .rposition(|p| p.value.is_some() && p.standing == Standing::Accepted)
                .map_or(0, |ordinary| ordinary + 1),
        };
        accepted.push((series, &nights[past.points[begins].night]));
    }
    accepted
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
