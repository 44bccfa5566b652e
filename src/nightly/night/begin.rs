//! How a night begins: gone on with, begun anew, or closed because nobody goes on with it.

use std::time::Duration;

use crate::host;
use crate::jobs::{Progress, provenance};
use crate::nightly::history::{History, Night, Outcome, fingerprint};
use crate::nightly::place::NightFolder;
use crate::nightly::preview::of_several;
use crate::nightly::timeline::Timeline;
use crate::nightly::{NightlyError, Workspace, quality, speed};

/// Goes on with an unfinished night, or begins one.
pub(super) fn tonight(
    workspace: &Workspace,
    now: &str,
    fresh: bool,
    progress: &dyn Progress,
) -> Result<(NightFolder, Night), NightlyError> {
    let unfinished = || NightFolder::unfinished(&workspace.state, now);
    if let Some(folder) = (!fresh).then(unfinished).flatten()
        && let Some(night) = folder.night()
    {
        progress.say(&format!("going on with the night of {}", night.started));
        return Ok((folder, night));
    }
    let mut started = now.to_owned();
    // A night is named by the second it began in.
    while NightFolder::exists(&workspace.state, &started) {
        std::thread::sleep(Duration::from_millis(200));
        started = provenance::now();
    }
    let tool = provenance::tool();
    let machine = host::describe();
    let night = Night {
        suite: workspace.suite.name.clone(),
        started,
        version: tool.version,
        commit: tool.commit,
        host: fingerprint(&machine),
        cpu: machine.cpu,
    };
    Ok((NightFolder::begin(&workspace.state, &night)?, night))
}

/// A night that nobody goes on with stands in the history as one that did not finish, never as a gap. What one measured that ended
/// later, when its site could not be written, say, stays.
pub(super) fn close_abandoned(
    workspace: &Workspace,
    history: &mut History,
    now: &str,
    fresh: bool,
    progress: &dyn Progress,
) -> Result<(), NightlyError> {
    let left = NightFolder::all(&workspace.state).into_iter().filter(|night| !night.is_finished());
    for folder in left.filter(|night| fresh || !night.is_resumable(now)) {
        if let Some(night) = folder.night() {
            let nights = history.nights(&workspace.suite.name)?;
            if nights.iter().any(|known| known.id() == night.id()) {
                folder.finish()?;
                continue;
            }
            let pasts = history.pasts(&workspace.suite.name, &nights)?;
            progress.say(&format!(
                "the night of {} was never finished; it stands as not run",
                night.started
            ));
            let timeline = Timeline { nights: &nights, pasts: &pasts, tonight: &night };
            let why = "the night was killed and not gone on with";
            let (suite, outcome) = (&workspace.suite, Outcome::NotRun);
            let systems = suite.systems.iter().flat_map(|system| {
                let names = (suite.name.as_str(), system.name.as_str());
                quality::missing(&timeline, names, outcome, why, &suite.gates)
            });
            let benchmarks = suite
                .benchmarks
                .iter()
                .flat_map(|benchmark| speed::missing(&timeline, suite, benchmark, outcome, why));
            let entries: Vec<_> =
                systems.chain(benchmarks).map(|assessment| assessment.entry).collect();
            history.record(&night, &entries)?;
        }
        folder.finish()?;
    }
    Ok(())
}

pub(super) fn print_plan(workspace: &Workspace, progress: &dyn Progress) {
    let suite = &workspace.suite;
    let mut steps: Vec<String> = Vec::new();
    for system in &suite.systems {
        if system.train.is_some() {
            steps.push(format!("train {}", system.name));
        }
        if system.checkpoint.is_some() {
            steps.push(format!("caption {}", system.name));
        }
        steps.push(format!("score {}", system.name));
    }
    steps.extend(of_several(suite).into_iter().map(|several| several.step));
    steps.extend(suite.benchmarks.iter().map(|benchmark| format!("bench {}", benchmark.name)));
    progress.say(&format!(
        "suite {}: {} · changed systems are compared with their accepted captions, slow benchmarks measured again",
        suite.name,
        steps.join(" · ")
    ));
}
