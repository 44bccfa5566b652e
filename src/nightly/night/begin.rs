//! How a night begins: gone on with, begun anew, or closed because nobody goes on with it.

use super::Options;
use crate::jobs::host;
use crate::jobs::provenance;
use crate::nightly::files::Failure;
use crate::nightly::history::{History, Night, Outcome, fingerprint};
use crate::nightly::judged::Before;
use crate::nightly::place::NightFolder;
use crate::nightly::suite::System;
use crate::nightly::{Job, NightlyError, quality, speed};
use std::time::Duration;

/// Goes on with an unfinished night, or begins one.
pub(super) fn tonight(
    job: &Job,
    now: &str,
    options: Options,
    say: &dyn Fn(&str),
) -> Result<(NightFolder, Night), Failure> {
    let unfinished = NightFolder::all(&job.state)
        .pop()
        .filter(|night| !night.is_finished());
    if let Some(folder) = unfinished.filter(|night| !options.fresh && night.is_resumable(now))
        && let Some(night) = folder.night()
    {
        say(&format!("going on with the night of {}", night.started));
        return Ok((folder, night));
    }
    let mut started = now.to_owned();
    // A night is named by the second it began in.
    while NightFolder::exists(&job.state, &started) {
        std::thread::sleep(Duration::from_millis(200));
        started = provenance::now();
    }
    let tool = provenance::tool();
    let machine = host::describe();
    let night = Night {
        suite: job.suite.name.clone(),
        started,
        version: tool.version,
        commit: tool.commit,
        host: fingerprint(&machine),
        cpu: machine.cpu,
    };
    Ok((NightFolder::begin(&job.state, &night)?, night))
}

/// A night that nobody goes on with stands in the history as one that did not finish, never as a gap.
pub(super) fn close_abandoned(
    job: &Job,
    history: &mut History,
    now: &str,
    options: Options,
    say: &dyn Fn(&str),
) -> Result<(), NightlyError> {
    let left = NightFolder::all(&job.state)
        .into_iter()
        .filter(|night| !night.is_finished());
    for folder in left.filter(|night| options.fresh || !night.is_resumable(now)) {
        if let Some(night) = folder.night() {
            say(&format!(
                "the night of {} was never finished; it stands as not run",
                night.started
            ));
            let nights = history.nights(&job.suite.name)?;
            let pasts = history.pasts(&job.suite.name, &nights)?;
            let before = Before {
                nights: &nights,
                pasts: &pasts,
                tonight: &night,
            };
            let why = "the night was killed and not gone on with";
            let (suite, outcome) = (&job.suite, Outcome::NotRun);
            let systems = suite.systems.iter().flat_map(|system| {
                let names = (suite.name.as_str(), system.name.as_str());
                quality::missing(&before, names, outcome, why, &suite.gates)
            });
            let benchmarks = suite
                .benchmarks
                .iter()
                .flat_map(|benchmark| speed::missing(&before, suite, benchmark, outcome, why));
            let entries: Vec<_> = systems
                .chain(benchmarks)
                .map(|judged| judged.entry)
                .collect();
            history.record(&night, &entries)?;
        }
        folder.finish()?;
    }
    Ok(())
}

pub(super) fn print_plan(job: &Job, say: &dyn Fn(&str)) {
    let suite = &job.suite;
    let mut steps: Vec<String> = Vec::new();
    for system in &suite.systems {
        if system.checkpoint.is_some() {
            steps.push(format!("caption {}", system.name));
        }
        steps.push(format!("score {}", system.name));
    }
    for data in &suite.data {
        let of_data = |system: &&System| suite.data_of(system).name == data.name;
        if suite.systems.iter().filter(of_data).count() > 1 {
            steps.push(format!("leaderboard {}", data.name));
        }
    }
    steps.extend(
        suite
            .benchmarks
            .iter()
            .map(|benchmark| format!("bench {}", benchmark.name)),
    );
    say(&format!(
        "suite {}: {} · changed systems are compared with their accepted captions, slow benchmarks measured again",
        suite.name,
        steps.join(" · ")
    ));
}
