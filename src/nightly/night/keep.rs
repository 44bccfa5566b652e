//! What stays of a night: accepted captions for later ones, records for as long as the suite says.

use super::work::Scored;
use crate::nightly::Job;
use crate::nightly::files::{self, Failure};
use crate::nightly::judged::Judged;
use crate::nightly::place::{self, NightFolder};
use fgd_reports::record::NightlyVerdict;
use std::path::Path;

/// Tonight's captions become the accepted ones where there were none, where they are better, and where nothing that
/// goes into them has changed. Those that are merely not shown to be worse do not: many small steps would go unseen.
pub(super) fn keep_accepted(
    job: &Job,
    scored: &[Scored],
    judged: &[Judged],
) -> Result<(), Failure> {
    for one in scored {
        let name = &one.system.name;
        let gated: Vec<&Judged> = judged
            .iter()
            .filter(|judged| judged.finding.system == *name && judged.finding.gated)
            .collect();
        let has = |verdict| gated.iter().any(|judged| judged.finding.verdict == verdict);
        let is_first = place::find_accepted(&job.state, name).is_none();
        let is_worse = has(NightlyVerdict::Regressed) || has(NightlyVerdict::Invalid);
        if is_first || (!is_worse && has(NightlyVerdict::Improved)) {
            accept_captions(job, name, &one.captions)?;
        }
    }
    Ok(())
}

/// Puts captions into the place of the accepted ones.
pub fn accept_captions(job: &Job, system: &str, captions: &Path) -> Result<(), Failure> {
    let to = place::accepted(&job.state, system, captions);
    let folder = to.parent().unwrap_or(&job.state);
    std::fs::create_dir_all(folder).map_err(|source| Failure::new(folder, source))?;
    let before = place::find_accepted(&job.state, system);
    files::copy(captions, &to)?;
    if let Some(before) = before.filter(|before| *before != to) {
        std::fs::remove_file(&before).map_err(|source| Failure::new(&before, source))?;
    }
    Ok(())
}

/// Removes the records of old nights, and captions that no kept night was made from. Never a reason to fail.
pub(super) fn retain(job: &Job) {
    let nights = NightFolder::all(&job.state);
    let old = nights.len().saturating_sub(job.suite.retention.nights);
    for night in &nights[..old] {
        let _ = std::fs::remove_dir_all(&night.path);
        let _ = std::fs::remove_dir_all(job.site.join("records").join(&night.stamp));
    }
    let Some(oldest) = nights
        .get(old)
        .and_then(|n| n.path.metadata().ok()?.created().ok())
    else {
        return;
    };
    for entry in std::fs::read_dir(job.state.join("captions"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let file = entry.path().join("captions.csv.done.json");
        let used = file.metadata().and_then(|data| data.modified());
        if old > 0 && used.is_ok_and(|used| used < oldest) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
