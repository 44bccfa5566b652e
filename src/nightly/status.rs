//! How a suite stands: who is at work, what is unfinished, what the last night came to. Nothing is written.

use fgd_record::{NightlyResults, NightlyVerdict, Record, Results};

use super::lock::{Holder, Lock};
use super::place::NightFolder;
use super::{NightlyError, Workspace, preview, site};

/// How a suite stands.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Who is at work now.
    pub running: Option<Holder>,
    /// The night that the next run would go on with.
    pub unfinished: Option<String>,
    /// The record of the last night that came to its end.
    pub last: Option<Record>,
}

/// Looks at a suite.
///
/// # Errors
/// The last night's record cannot be read.
pub fn status(workspace: &Workspace) -> Result<Status, NightlyError> {
    let last = NightFolder::last_finished(&workspace.state);
    let unfinished = preview::unfinished(workspace).and_then(|folder| folder.night());
    Ok(Status {
        running: Lock::holder(&workspace.state),
        unfinished: unfinished.map(|night| night.started),
        last: last.map(|night| site::read_record(&night.record())).transpose()?,
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
                lines.push(format!("report: {}", workspace.site.join("index.html").display()));
            }
            _ => lines.push("no night is finished yet: fgd nightly run comes first".into()),
        }
        lines
    }
}

/// What somebody has to look at, each with its reason.
fn open(results: &NightlyResults) -> Vec<String> {
    let urgent = [NightlyVerdict::Regressed, NightlyVerdict::Moved];
    let findings = results.findings.iter().filter(|finding| urgent.contains(&finding.verdict));
    let figures = findings
        .map(|f| format!("  {} {}, {}: {}", f.system, f.metric, f.verdict.name(), f.reason));
    let crossed = results.gates.iter().filter(|gate| gate.passed == Some(false));
    let gates = crossed.map(|gate| format!("  crossed: {}", gate.explanation));
    let failures = results.failures.iter().map(|failure| {
        let allowed = if failure.allowed { " (allowed)" } else { "" };
        format!("  {}, failed{allowed}: {}", failure.subject, failure.reason)
    });
    figures.chain(gates).chain(failures).collect()
}
