//! A night: everything the suite says, once, beside its history.

mod begin;
mod failures;
mod keep;
mod work;

use std::collections::BTreeMap;
use std::time::Instant;

use fgd_record::{
    self as record, Difference, Host, Input, NightlyResults, NightlyVerdict, Record, Results,
    ScoreResults,
};
use fgd_store::digest::{Digest, HashMemo, file_sha256};
use fgd_store::file;

use super::execute::Executor;
use super::lock::{Holder, Lock};
use super::place::NightFolder;
use super::plan::{Planner, json};
use super::timeline::Timeline;
use super::{NightlyError, Workspace, notify, quality, site, trend};
use crate::host;
use crate::jobs::compare::gate::Gate;
use crate::jobs::provenance::{self, Origin};
use crate::jobs::{Progress, Session, saved};
use begin::{close_abandoned, print_plan, tonight};
use keep::{retain, to_accept};
use work::{NightRun, NightScore};

pub use keep::accept_captions;

/// Runs the suite's night and answers its record.
///
/// # Errors
/// Another run is at work; the history or a folder cannot be used. A step that fails is no error: its figures are missing.
pub fn run(workspace: &Workspace, fresh: bool, session: &Session) -> Result<Record, NightlyError> {
    let began = Instant::now();
    let machine = host::describe();
    let now = provenance::now();
    let (suite, progress) = (&workspace.suite, &*session.progress);
    let (mut lock, dead) = Lock::take(&workspace.state, &now)?;
    if let Some(dead) = dead {
        take_over(&mut lock, dead, progress)?;
    }
    let mut history = workspace.history()?;
    workspace.check_named(&history)?;
    close_abandoned(workspace, &mut history, &now, fresh, progress)?;
    let before = NightFolder::last_finished(&workspace.state);
    let before = before.and_then(|night| saved::read(&night.record()).ok());
    let (folder, tonight) = tonight(workspace, &now, fresh, progress)?;
    let mut hashes = HashMemo::open(&workspace.state.join("hashes.json"));
    let planner = Planner::new(workspace, &session.settings, &tonight.started, &mut hashes);
    print_plan(workspace, progress);

    let executor = Executor {
        workspace,
        session,
        night: &folder,
        lock: &mut lock,
        copies: Vec::new(),
        deadline: suite.budget().and_then(|budget| began.checked_add(budget)),
        steps: Vec::new(),
    };
    let nights = history.nights(&suite.name)?;
    let pasts = history.pasts(&suite.name, &nights)?;
    let mut run = NightRun {
        workspace,
        planner,
        hashes,
        executor,
        timeline: Timeline { nights: &nights, pasts: &pasts, tonight: &tonight },
        assessments: Vec::new(),
        leaderboards: Vec::new(),
        benches: Vec::new(),
        outgrown: Vec::new(),
    };
    let scores = run.score_systems()?;
    let changed = run.compare_changed(&scores)?;
    quality::test(&mut run.assessments, &changed, suite.gates.alpha);
    let differences = run.test_conditions(&scores)?;
    run.rank(&scores)?;
    run.run_benchmarks()?;
    let gone = failures::gone(suite, &run.timeline, &run.assessments);
    run.assessments.extend(gone);
    let gates = check_gates(workspace, &scores, &differences);
    run.hashes.save();
    let NightRun { mut assessments, leaderboards, benches, executor, outgrown, .. } = run;
    let steps = executor.steps;
    let accepted = to_accept(workspace, &scores, &assessments, &outgrown);
    quality::settle(&mut assessments, &accepted, &tonight.started);

    let entries: Vec<_> = assessments.iter().map(|one| one.entry.clone()).collect();
    history.record(&tonight, &entries)?;
    let nights = history.nights(&suite.name)?;
    let pasts = history.pasts(&suite.name, &nights)?;
    let mut findings: Vec<_> = assessments.into_iter().map(|one| one.finding).collect();
    findings.sort_by_key(|finding| (finding.verdict, !finding.gated));
    let failures = failures::all(suite, &steps, &findings, &gates);
    let mut results = NightlyResults {
        suite: suite.name.clone(),
        night: tonight.started.clone(),
        verdict: NightlyVerdict::default(),
        findings,
        gates: gates.into_iter().map(|(gate, _)| gate).collect(),
        steps,
        failures,
        // The history has them; the record of a night would hold years.
        trends: Vec::new(),
    };
    results.verdict = results.worst();
    let record = record_of(workspace, machine, results, began)?;
    file::write(&folder.record(), record.to_json().as_bytes())?;
    let others: Vec<Record> = leaderboards
        .into_iter()
        .chain(scores.into_iter().map(|score| score.record))
        .chain(benches)
        .collect();
    let trends = trend::all(&pasts, &nights, &suite.gates);
    site::write(workspace, &folder, &record, trends, &others)?;
    notify::tell(suite, before.as_ref(), &record, progress);
    // A night is over before its captions are what others are held to: one that went on after it had accepted would be compared
    // with itself. What is not accepted for an error is improved the next night again.
    folder.finish()?;
    for (system, captions) in accepted {
        accept_captions(workspace, &system, &captions)?;
    }
    retain(&workspace.state, &workspace.site, suite.retention.nights);
    Ok(record)
}

/// Ends what a run that died has left at work.
fn take_over(lock: &mut Lock, dead: Holder, progress: &dyn Progress) -> Result<(), NightlyError> {
    let Holder { pid, started, worker, .. } = dead;
    progress.say(&format!("the run of process {pid} since {started} died; its lock is taken over"));
    let Some(worker) = worker else { return Ok(()) };
    if !worker.end() {
        let pid = worker.pid;
        return Err(NightlyError::Nothing(format!(
            "process {pid} of that run is still at work and cannot be ended: end it, and run again"
        )));
    }
    Ok(lock.set_worker(None)?)
}

/// The suite's conditions, each with whether a system that failed is why it is undecided: then the failure is told.
fn check_gates(
    workspace: &Workspace,
    scores: &[NightScore],
    differences: &[Difference],
) -> Vec<(record::Gate, bool)> {
    let names: Vec<String> =
        workspace.suite.systems.iter().map(|system| system.name.clone()).collect();
    let score_of = |name: &str| {
        let found = scores.iter().find(|one| one.system.name == name)?;
        match &found.record.results {
            Results::Score(scores) => Some(&**scores),
            _ => None,
        }
    };
    let found: Vec<Option<&ScoreResults>> = names.iter().map(|name| score_of(name)).collect();
    let none = ScoreResults::default();
    let numbers: Vec<(&str, &ScoreResults)> = (names.iter().zip(&found))
        .map(|(name, scores)| (name.as_str(), scores.unwrap_or(&none)))
        .collect();
    let check = |condition: &String| {
        let parsed = Gate::parse(condition, &names);
        let is_explained = parsed.as_ref().is_ok_and(|gate| gate.lacks_systems_only(&found));
        let checked = parsed.and_then(|gate| gate.check(&numbers, differences));
        let gate = checked.unwrap_or_else(|error| record::Gate {
            condition: condition.clone(),
            passed: None,
            explanation: error.to_string(),
        });
        (gate, is_explained)
    };
    workspace.suite.gates.conditions.iter().map(check).collect()
}

fn record_of(
    workspace: &Workspace,
    host: Host,
    results: NightlyResults,
    began: Instant,
) -> Result<Record, NightlyError> {
    let (suite, file) = (&workspace.suite, &workspace.file);
    let sha256 = file_sha256(file)?;
    let gates = Digest::new("gates of a suite", 1).field("gates", json(&suite.gates)).finish();
    let origin = Origin {
        host,
        encoder: None,
        checkpoint: None,
        inputs: vec![Input {
            role: "suite".into(),
            name: suite.name.clone(),
            path: file.display().to_string(),
            sha256: sha256.clone(),
            rows: (suite.systems.len() + suite.benchmarks.len()) as u64,
        }],
        settings: BTreeMap::from([
            ("encoder".to_owned(), suite.encoder.clone().into()),
            ("gates".to_owned(), gates[..16].into()),
        ]),
        comparability: provenance::comparability(None, sha256),
        findings: Vec::new(),
        timings: BTreeMap::from([("total".to_owned(), began.elapsed().as_secs_f64())]),
    };
    Ok(provenance::record(origin, Results::Nightly(Box::new(results))))
}
