//! What stays of a night: accepted captions for later ones, records for as long as the suite says.

use std::path::{Path, PathBuf};

use fgd_record::NightlyVerdict;

use super::work::NightScore;
use crate::nightly::assessment::Assessment;
use crate::nightly::place::{self, NightFolder};
use crate::nightly::{NightlyError, Workspace};

/// Tonight's captions become the accepted ones where they are better, and where there were none, or ones `outgrown` by the references, unless
/// they regressed from a level that is known all the same. Those that are merely not shown to be worse do not: many small steps would go
/// unseen.
///
/// Each with the system whose they are: the night puts them there when all else of it stands, since a night that goes on after a kill
/// compares with what was accepted before.
pub(super) fn to_accept(
    workspace: &Workspace,
    scores: &[NightScore],
    assessments: &[Assessment],
    outgrown: &[String],
) -> Vec<(String, PathBuf)> {
    let is_accepted = |score: &&NightScore| {
        let name = &score.system.name;
        let of_system = |one: &&Assessment| one.finding.system == *name && one.finding.gated;
        let gated: Vec<&Assessment> = assessments.iter().filter(of_system).collect();
        let has = |verdict| gated.iter().any(|one| one.finding.verdict == verdict);
        let is_first =
            place::find_accepted(&workspace.state, name).is_none() || outgrown.contains(name);
        let is_worse = has(NightlyVerdict::Regressed) || has(NightlyVerdict::Invalid);
        match is_first {
            true => !has(NightlyVerdict::Regressed),
            false => !is_worse && has(NightlyVerdict::Improved),
        }
    };
    let accepted = scores.iter().filter(is_accepted);
    accepted.map(|score| (score.system.name.clone(), score.captions.clone())).collect()
}

/// Puts captions into the place of the accepted ones.
pub fn accept_captions(
    workspace: &Workspace,
    system: &str,
    captions: &Path,
) -> Result<(), NightlyError> {
    let to = place::accepted(&workspace.state, system, captions);
    let folder = to.parent().unwrap_or(&workspace.state);
    std::fs::create_dir_all(folder).map_err(|source| NightlyError::io(folder, source))?;
    let before = place::find_accepted(&workspace.state, system);
    place::copy(captions, &to)?;
    if let Some(before) = before.filter(|before| *before != to) {
        std::fs::remove_file(&before).map_err(|source| NightlyError::io(&before, source))?;
    }
    Ok(())
}

/// Removes the records of old nights, and captions and trainings that no kept night has used. Never a reason to fail.
pub(super) fn retain(state: &Path, site: &Path, nights: usize) {
    let all = NightFolder::all(state);
    let old = all.len().saturating_sub(nights);
    for night in &all[..old] {
        let _ = std::fs::remove_dir_all(&night.path);
        let _ = std::fs::remove_dir_all(site.join("records").join(&night.stamp));
    }
    if old == 0 {
        return;
    }
    let Some(oldest) = all.get(old).and_then(NightFolder::begun) else {
        return;
    };
    let entries =
        |folder: &str| std::fs::read_dir(state.join(folder)).into_iter().flatten().flatten();
    let captions = entries("captions").map(|entry| (entry, "captions.csv.done.json"));
    let trainings = entries("training").map(|entry| (entry, "record.json.done.json"));
    for (entry, marker) in captions.chain(trainings) {
        // Every use leaves its time on the marker of the finished step; a run that is not finished has none.
        let marker = entry.path().join(marker);
        let used = marker.metadata().and_then(|data| data.modified());
        if used.is_ok_and(|used| used < oldest) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::nightly::history::Night;

    fn begin(state: &Path, started: &str, age: u64) -> NightFolder {
        let night = Night {
            suite: "s".into(),
            started: started.into(),
            version: String::new(),
            commit: None,
            host: String::new(),
            cpu: String::new(),
        };
        let folder = NightFolder::begin(state, &night).unwrap();
        date(&folder.path.join("plan.json"), age);
        folder
    }

    fn date(file: &Path, age: u64) {
        let then = SystemTime::now() - Duration::from_secs(age);
        let file = File::options().append(true).create(true).open(file).unwrap();
        file.set_modified(then).unwrap();
    }

    #[test]
    fn captions_stay_as_long_as_a_kept_night_has_used_them() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let nights = [("2026-01-01", 300), ("2026-01-02", 200), ("2026-01-03", 100)]
            .map(|(started, age)| begin(state, started, age));
        // Made by the first night and used again by the last, and used by the first alone.
        for (key, age) in [("used", 90), ("unused", 290)] {
            let place = state.join("captions").join(key);
            std::fs::create_dir_all(&place).unwrap();
            date(&place.join("captions.csv.done.json"), age);
        }
        retain(state, &state.join("site"), 3);
        assert!(state.join("captions/unused").exists());
        retain(state, &state.join("site"), 2);
        assert_eq!(nights.map(|night| night.path.exists()), [false, true, true]);
        assert!(state.join("captions/used").exists());
        assert!(!state.join("captions/unused").exists());
    }
}
