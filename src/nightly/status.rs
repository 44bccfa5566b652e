//! How a suite stands: who is at work, what is unfinished, what the last night came to. Nothing is written.

use fgd_record::{NightlyFinding, NightlyResults, Record, Results};

use super::acceptance::OPEN;
use super::lock::{Holder, Lock};
use super::place::NightFolder;
use super::{NightlyError, Workspace, acceptance, preview};
use crate::jobs::saved;

/// How a suite stands.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Who is at work now.
    pub running: Option<Holder>,
    /// The night that the next run would go on with.
    pub unfinished: Option<String>,
    /// The record of the last night that came to its end, with what has been accepted since.
    pub last: Option<Record>,
}

/// Looks at a suite.
///
/// # Errors
/// The last night's record, or the history, cannot be read.
pub fn status(workspace: &Workspace) -> Result<Status, NightlyError> {
    let last = NightFolder::last_finished(&workspace.state);
    let mut last = last.map(|night| saved::read(&night.record())).transpose()?;
    if let Some(record) = &mut last {
        acceptance::mark(workspace, record)?;
    }
    let unfinished = preview::unfinished(workspace).and_then(|folder| folder.night());
    Ok(Status {
        running: Lock::holder(&workspace.state),
        unfinished: unfinished.map(|night| night.started),
        last,
    })
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
                lines.extend(open(results));
                lines.extend(results.findings.iter().filter_map(|f| {
                    let accepted = f.accepted.as_ref()?;
                    Some(format!("  {} {}: accepted {accepted}", f.system, f.metric))
                }));
                lines.push(format!("report: {}", workspace.site.join("index.html").display()));
            }
            _ => lines.push("no night is finished yet: fgd nightly run comes first".into()),
        }
        lines
    }
}

/// What somebody has to look at, each with its reason.
fn open(results: &NightlyResults) -> Vec<String> {
    let is_open = |f: &&NightlyFinding| OPEN.contains(&f.verdict) && f.accepted.is_none();
    let figures = (results.findings.iter().filter(is_open))
        .map(|f| format!("  {} {}, {}: {}", f.system, f.metric, f.verdict.name(), f.reason));
    let crossed = results.gates.iter().filter(|gate| gate.passed == Some(false));
    let gates = crossed.map(|gate| format!("  crossed: {}", gate.explanation));
    let failures = results.failures.iter().map(|failure| {
        let allowed = if failure.allowed { " (allowed)" } else { "" };
        format!("  {}, failed{allowed}: {}", failure.subject, failure.reason)
    });
    figures.chain(gates).chain(failures).collect()
}
