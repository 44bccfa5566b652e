//! A night: everything the suite says, once, beside its history.

mod begin;
mod keep;
mod work;

pub use keep::accept_captions;

use super::execute::Executor;
use super::files::{self, Failure};
use super::hashes::Hashes;
use super::judged::Before;
use super::lock::Lock;
use super::plan::{Planner, key};
use super::{Job, NightlyError, notify, quality, site, trend};
use crate::jobs::compare::gate::Gate;
use crate::jobs::host;
use crate::jobs::provenance;
use begin::{close_abandoned, print_plan, tonight};
use fgd_record::{
    self as record, Input, NightlyResults, NightlyVerdict, Record, Results, SCHEMA_VERSION,
    ScoreResults,
};
use keep::{keep_accepted, retain};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use work::{AtWork, Scored};

/// How a night is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Begin a new night even where one is unfinished.
    pub fresh: bool,
}

/// Runs the suite's night and answers its record.
pub fn run(
    job: &Job,
    suite_file: &Path,
    options: Options,
    say: &dyn Fn(&str),
) -> Result<Record, NightlyError> {
    let began = Instant::now();
    let now = provenance::now();
    let (mut lock, dead) = Lock::take(&job.state, &now)?;
    if let Some(dead) = dead {
        say(&format!(
            "the run of process {} since {} died; its lock is taken over",
            dead.pid, dead.started
        ));
        if let Some(worker) = dead.worker {
            worker.end();
        }
    }
    let mut history = job.history()?;
    close_abandoned(job, &mut history, &now, options, say)?;
    let (folder, tonight) = tonight(job, &now, options, say)?;
    let mut hashes = Hashes::open(&job.state.join("hashes.json"));
    let planner = Planner::new(&job.suite, &job.folder, &tonight.started, &mut hashes);
    print_plan(job, say);

    let executor = Executor {
        folder: &job.folder,
        state: &job.state,
        night: &folder,
        lock: &mut lock,
        deadline: job.suite.budget().map(|budget| began + budget),
        say,
        steps: Vec::new(),
    };
    let nights = history.nights(&job.suite.name)?;
    let pasts = history.pasts(&job.suite.name, &nights)?;
    let before = Before {
        nights: &nights,
        pasts: &pasts,
        tonight: &tonight,
    };
    let mut at_work = AtWork {
        job,
        planner,
        hashes,
        executor,
        before,
        judged: Vec::new(),
        leaderboards: Vec::new(),
        benches: Vec::new(),
    };
    let scored = at_work.score_systems()?;
    let changed = at_work.compare_changed(&scored)?;
    quality::test(&mut at_work.judged, &changed, job.suite.gates.alpha);
    at_work.rank(&scored)?;
    at_work.run_benchmarks()?;
    let gates = check_gates(job, &scored);
    at_work.hashes.save();
    let AtWork {
        judged,
        leaderboards,
        benches,
        executor,
        ..
    } = at_work;
    let steps = executor.steps;

    let entries: Vec<_> = judged.iter().map(|judged| judged.entry.clone()).collect();
    history.record(&tonight, &entries)?;
    keep_accepted(job, &scored, &judged)?;
    let nights = history.nights(&job.suite.name)?;
    let pasts = history.pasts(&job.suite.name, &nights)?;
    let rule = job.suite.gates.speed.rule();
    let mut findings: Vec<_> = judged.into_iter().map(|judged| judged.finding).collect();
    findings.sort_by_key(|finding| (finding.verdict, !finding.gated));
    let crossed = gates.iter().any(|gate| gate.passed == Some(false));
    let worst = findings
        .iter()
        .map(|finding| finding.verdict)
        .min()
        .unwrap_or_default();
    let results = NightlyResults {
        suite: job.suite.name.clone(),
        night: tonight.started.clone(),
        verdict: if crossed {
            NightlyVerdict::Regressed
        } else {
            worst
        },
        findings,
        gates,
        steps,
        // The history has them; the record of a night would hold years.
        trends: Vec::new(),
    };
    let record = finished(job, suite_file, results, began)?;
    files::write(&folder.record(), record.to_json().as_bytes())?;
    let others: Vec<Record> = leaderboards
        .into_iter()
        .chain(scored.into_iter().map(|scored| scored.record))
        .chain(benches)
        .collect();
    site::write(
        job,
        &folder,
        &record,
        trend::all(&pasts, &nights, &rule),
        &others,
    )?;
    notify::tell(&job.suite, &record, say);
    folder.finish()?;
    retain(&job.state, &job.site, job.suite.retention.nights);
    Ok(record)
}

/// The suite's conditions. One that cannot be decided because a system has failed is not crossed: the failure is told.
fn check_gates(job: &Job, scored: &[Scored]) -> Vec<record::Gate> {
    let names: Vec<String> = job
        .suite
        .systems
        .iter()
        .map(|system| system.name.clone())
        .collect();
    let none = ScoreResults::default();
    let numbers: Vec<(&str, &ScoreResults)> = names
        .iter()
        .map(|name| {
            let found = scored.iter().find(|one| one.system.name == *name);
            let scores = found.and_then(|one| match &one.record.results {
                Results::Score(scores) => Some(&**scores),
                _ => None,
            });
            (name.as_str(), scores.unwrap_or(&none))
        })
        .collect();
    let check = |condition: &String| {
        let checked = Gate::parse(condition, &names).and_then(|gate| gate.check(&numbers));
        checked.unwrap_or_else(|error| record::Gate {
            condition: condition.clone(),
            passed: None,
            explanation: error.to_string(),
        })
    };
    job.suite.gates.conditions.iter().map(check).collect()
}

fn finished(
    job: &Job,
    suite_file: &Path,
    results: NightlyResults,
    began: Instant,
) -> Result<Record, Failure> {
    let failed = |source| Failure::new(suite_file, source);
    let sha256 =
        fgd_store::hub::sha256(suite_file).map_err(|error| failed(std::io::Error::other(error)))?;
    let suite = &job.suite;
    let inputs = vec![Input {
        role: "suite".into(),
        name: suite.name.clone(),
        path: suite_file.display().to_string(),
        sha256: sha256.clone(),
        rows: (suite.systems.len() + suite.benchmarks.len()) as u64,
    }];
    let comparability = provenance::comparability(None, sha256);
    let tool = provenance::tool();
    let seconds = began.elapsed().as_secs_f64();
    let gates = key([format!("{:?}", suite.gates).as_str()].into_iter());
    Ok(Record {
        schema_version: SCHEMA_VERSION,
        created: provenance::now(),
        signature: format!(
            "fgd:{}|suite:{}|night:{}|key:{}",
            tool.version, suite.name, results.night, comparability.key
        ),
        tool,
        host: host::describe(),
        encoder: None,
        checkpoint: None,
        inputs,
        settings: BTreeMap::from([
            ("encoder".to_owned(), suite.encoder.clone().into()),
            ("gates".to_owned(), gates[..16].into()),
        ]),
        comparability,
        findings: Vec::new(),
        results: Results::Nightly(Box::new(results)),
        timings: BTreeMap::from([("total".to_owned(), seconds)]),
    })
}
