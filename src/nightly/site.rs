//! The site of the suite: tonight beside its history, with the records it was made from.

use std::path::PathBuf;

use fgd_record::{NightlyResults, Record, Results, Trend};
use fgd_store::file;

use super::place::{NightFolder, copy};
use super::{NightlyError, Workspace};
use crate::jobs::saved;

/// Writes the site: the night's record first, then the records behind it.
pub fn write(
    workspace: &Workspace,
    night: &NightFolder,
    record: &Record,
    trends: Vec<Trend>,
    others: &[Record],
) -> Result<PathBuf, NightlyError> {
    let folder = workspace.site.join("records").join(&night.stamp);
    std::fs::create_dir_all(&folder).map_err(|source| NightlyError::io(&folder, source))?;
    let mut shown = record.clone();
    if let Results::Nightly(results) = &mut shown.results {
        link(workspace, night, results)?;
        results.trends = trends;
    }
    file::write(&folder.join("night.json"), record.to_json().as_bytes())?;
    let mut records = vec![shown];
    records.extend(others.iter().cloned());
    Ok(fgd_reports::site::write(&records, &workspace.site)?)
}

/// Copies the records of the steps into the site and points the steps at them. Captions stay where they are.
fn link(
    workspace: &Workspace,
    night: &NightFolder,
    results: &mut NightlyResults,
) -> Result<(), NightlyError> {
    for step in &mut results.steps {
        let Some(from) = step.record.take().map(|path| workspace.state.join(path)) else {
            continue;
        };
        let is_record = from.extension().is_some_and(|extension| extension == "json");
        let Some(name) = from.file_name().filter(|_| is_record) else {
            continue;
        };
        let name = name.to_string_lossy().replace('%', "_");
        if from.is_file() {
            copy(&from, &workspace.site.join("records").join(&night.stamp).join(&name))?;
            step.record = Some(format!("records/{}/{name}", night.stamp));
        }
    }
    Ok(())
}

/// The records of a finished night: its own, and those of its steps.
pub fn read(
    workspace: &Workspace,
    night: &NightFolder,
) -> Result<(Record, Vec<Record>), NightlyError> {
    let record = saved::read(&night.record())?;
    let mut others = Vec::new();
    if let Results::Nightly(results) = &record.results {
        for step in &results.steps {
            let file = step.record.as_ref().map(|path| workspace.state.join(path));
            let is_shown =
                ["leaderboard ", "score ", "bench "].iter().any(|kind| step.name.starts_with(kind));
            if let Some(file) = file.filter(|_| is_shown && !step.name.ends_with(" again")) {
                others.push(saved::read(&file)?);
            }
        }
    }
    Ok((record, others))
}
