//! How a suite stands: who is at work, what is unfinished, what the last night came to. Nothing is written.

use fgd_metrics::series::Standing;
use fgd_record::{NightlyFinding, NightlyResults, NightlyVerdict, Record, Results};

use super::lock::{Holder, Lock};
use super::place::NightFolder;
use super::{NightlyError, Workspace, preview};
use crate::jobs::saved;

/// What somebody has to look at.
const OPEN: [NightlyVerdict; 2] = [NightlyVerdict::Regressed, NightlyVerdict::Moved];

/// How a suite stands.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Who is at work now.
    pub running: Option<Holder>,
    /// The night that the next run would go on with.
    pub unfinished: Option<String>,
    /// The record of the last night that came to its end.
    pub last: Option<Record>,
    /// System and metric of what was open then and has been accepted since.
    pub accepted: Vec<[String; 2]>,
}

/// Looks at a suite.
///
/// # Errors
/// The last night's record, or the history, cannot be read.
pub fn status(workspace: &Workspace) -> Result<Status, NightlyError> {
    let last = NightFolder::last_finished(&workspace.state);
    let last = last.map(|night| saved::read(&night.record())).transpose()?;
    let accepted = match last.as_ref().map(|record| &record.results) {
        Some(Results::Nightly(results)) => accepted_since(workspace, results)?,
        _ => Vec::new(),
    };
    let unfinished = preview::unfinished(workspace).and_then(|folder| folder.night());
    Ok(Status {
        running: Lock::holder(&workspace.state),
        unfinished: unfinished.map(|night| night.started),
        last,
        accepted,
    })
}

/// Of what stood out in a night that which the history has as accepted now.
fn accepted_since(
    workspace: &Workspace,
    results: &NightlyResults,
) -> Result<Vec<[String; 2]>, NightlyError> {
    let history = workspace.read_history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let is_accepted = |finding: &&NightlyFinding| {
        let of_figure = pasts.iter().filter(|past| {
            past.series.system == finding.system && past.series.metric == finding.metric
        });
        let mut of_night = of_figure.flat_map(|past| &past.points).filter(|point| {
            nights.get(point.night).is_some_and(|night| night.started == results.night)
        });
        OPEN.contains(&finding.verdict)
            && of_night.next_back().is_some_and(|point| point.standing == Standing::Accepted)
    };
    let accepted = results.findings.iter().filter(is_accepted);
    Ok(accepted.map(|finding| [finding.system.clone(), finding.metric.clone()]).collect())
}

impl Status {
    /// It in lines, the most urgent first.
    pub fn lines(&self, workspace: &Workspace) -> Vec<String> {
        let mut lines = Vec::new();
        match (&self.running, &self.unfinished) {
            (Some(holder), _) => lines.push(format!(
                "running: process {} on {} since {}",
                holder.pid, holder.host, holder.started
            )),
            (None, Some(night)) => lines
                .push(format!("unfinished: the night of {night}; fgd nightly run goes on with it")),
            (None, None) => {}
        }
        match self.last.as_ref().map(|record| &record.results) {
            Some(Results::Nightly(results)) => {
                lines.push(format!("last night, {}: {}", results.night, results.headline()));
                lines.extend(self.open(results));
                let accepted = self.accepted.iter();
                lines.extend(
                    accepted.map(|[system, metric]| format!("  {system} {metric}: accepted since")),
                );
                lines.push(format!("report: {}", workspace.site.join("index.html").display()));
            }
            _ => lines.push("no night is finished yet: fgd nightly run comes first".into()),
        }
        lines
    }

    /// Whether nothing of the last night has to be looked at any more.
    pub fn is_settled(&self) -> bool {
        match self.last.as_ref().map(|record| &record.results) {
            Some(Results::Nightly(results)) => {
                let is_crossed = results.gates.iter().any(|gate| gate.passed == Some(false));
                let mut open = self.findings(results);
                let is_regressed = open.any(|finding| finding.verdict == NightlyVerdict::Regressed);
                !is_crossed && !is_regressed && !results.has_failed()
            }
            _ => true,
        }
    }

    /// What stands out and was not accepted since.
    fn findings<'a>(
        &'a self,
        results: &'a NightlyResults,
    ) -> impl Iterator<Item = &'a NightlyFinding> {
        let is_accepted = |finding: &NightlyFinding| {
            let of = |[system, metric]: &[String; 2]| {
                *system == finding.system && *metric == finding.metric
            };
            self.accepted.iter().any(of)
        };
        let open = results.findings.iter().filter(|finding| OPEN.contains(&finding.verdict));
        open.filter(move |finding| !is_accepted(finding))
    }

    /// What somebody has to look at, each with its reason.
    fn open(&self, results: &NightlyResults) -> Vec<String> {
        let figures = self
            .findings(results)
            .map(|f| format!("  {} {}, {}: {}", f.system, f.metric, f.verdict.name(), f.reason));
        let crossed = results.gates.iter().filter(|gate| gate.passed == Some(false));
        let gates = crossed.map(|gate| format!("  crossed: {}", gate.explanation));
        let failures = results.failures.iter().map(|failure| {
            let allowed = if failure.allowed { " (allowed)" } else { "" };
            format!("  {}, failed{allowed}: {}", failure.subject, failure.reason)
        });
        figures.chain(gates).chain(failures).collect()
    }
}
