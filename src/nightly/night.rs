//! A night: everything the suite says, once, beside its history.

use super::execute::{Ending, Executor};
use super::files::{self, Failure};
use super::hashes::Hashes;
use super::history::{History, Night, Outcome, fingerprint};
use super::judged::{Before, Judged};
use super::lock::Lock;
use super::place::{self, NightFolder};
use super::plan::{Origin, Planner, key};
use super::suite::{Benchmark, System};
use super::{Job, NightlyError, notify, quality, site, speed, trend};
use crate::eval::gate::Gate;
use crate::eval::provenance;
use crate::host;
use fgd_reports::record::{
    self, Input, NightlyResults, NightlyVerdict, Record, Results, SCHEMA_VERSION, ScoreResults,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a night is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Begin a new night even where one is unfinished.
    pub fresh: bool,
}

/// A system that has been scored tonight.
struct Scored<'a> {
    system: &'a System,
    inputs: i64,
    captions: PathBuf,
    sha256: String,
    record: Record,
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
    retain(job);
    Ok(record)
}

/// What a night has at hand while it runs.
struct AtWork<'a> {
    job: &'a Job,
    planner: Planner<'a>,
    hashes: Hashes,
    executor: Executor<'a>,
    before: Before<'a>,
    judged: Vec<Judged>,
    leaderboards: Vec<Record>,
    benches: Vec<Record>,
}

impl<'a> AtWork<'a> {
    /// Scores every system; what fails is judged as missing.
    fn score_systems(&mut self) -> Result<Vec<Scored<'a>>, NightlyError> {
        let mut scored = Vec::new();
        for system in &self.job.suite.systems {
            match self.score(system)? {
                Ending::Done(done) | Ending::NotValid(done, _) => {
                    let names = (self.job.suite.name.as_str(), system.name.as_str());
                    let gates = &self.job.suite.gates;
                    let found =
                        quality::judge(&self.before, &done.record, names, done.inputs, gates);
                    self.judged.extend(found);
                    scored.push(done);
                }
                Ending::Failed(why) => self.miss(system, Outcome::Failed, &why),
                Ending::NotRun => {
                    self.miss(
                        system,
                        Outcome::NotRun,
                        "the time budget was over before it",
                    );
                }
            }
        }
        Ok(scored)
    }

    fn miss(&mut self, system: &System, outcome: Outcome, why: &str) {
        let names = (self.job.suite.name.as_str(), system.name.as_str());
        let gates = &self.job.suite.gates;
        self.judged
            .extend(quality::missing(&self.before, names, outcome, why, gates));
    }

    fn score(&mut self, system: &'a System) -> Result<Ending<Scored<'a>>, Failure> {
        let data = self.job.suite.data_of(system);
        let prepared = self
            .planner
            .check_data(data, &mut self.hashes)
            .and_then(|()| self.planner.origin(system, &mut self.hashes));
        let origin: Origin = match prepared {
            Ok(origin) => origin,
            Err(why) => {
                self.executor
                    .note_failed(&format!("score {}", system.name), &why);
                return Ok(Ending::Failed(why));
            }
        };
        let made = match &system.submission {
            Some(submission) => self.planner.path(submission),
            None => {
                let step = self.planner.caption(system, &origin);
                match self.executor.captions(&step)? {
                    Ending::Done(file) | Ending::NotValid(file, _) => file,
                    Ending::Failed(why) => return Ok(Ending::Failed(why)),
                    Ending::NotRun => return Ok(Ending::NotRun),
                }
            }
        };
        // The night keeps what it scored: a submission may be another one tomorrow.
        let captions = self.executor.night.captions(&system.name, &made);
        files::copy(&made, &captions)?;
        let sha256 = match self.hashes.of(&captions) {
            Ok(sha256) => sha256,
            Err(error) => return Ok(Ending::Failed(error.to_string())),
        };
        let step = self.planner.score(system, &captions, &sha256);
        let ending = self.executor.record(&step)?;
        let scored = |record| Scored {
            system,
            inputs: super::history::hash([origin.key.as_str()]),
            captions,
            sha256,
            record,
        };
        Ok(match ending {
            Ending::Done(record) => Ending::Done(scored(record)),
            Ending::NotValid(record, why) => Ending::NotValid(scored(record), why),
            Ending::Failed(why) => Ending::Failed(why),
            Ending::NotRun => Ending::NotRun,
        })
    }

    /// Compares what has changed with its accepted captions.
    fn compare_changed(
        &mut self,
        scored: &[Scored],
    ) -> Result<Vec<(String, Record)>, NightlyError> {
        let mut comparisons = Vec::new();
        for one in scored {
            let (suite, name) = (&self.job.suite, &one.system.name);
            let is_changed = quality::is_changed(
                &self.before,
                &one.record,
                &suite.name,
                name,
                one.inputs,
                &suite.gates,
            );
            let accepted = place::find_accepted(&self.job.state, name);
            let Some(accepted) = accepted.filter(|_| is_changed) else {
                continue;
            };
            let Ok(before) = self.hashes.of(&accepted) else {
                continue;
            };
            let files = [accepted.as_path(), one.captions.as_path()];
            let step = self
                .planner
                .compare(one.system, files, [&before, &one.sha256]);
            let ending = self.executor.record(&step)?;
            if let Some(record) = ending.result() {
                comparisons.push((name.clone(), record.clone()));
                continue;
            }
            let why = match ending {
                Ending::Failed(why) => why,
                _ => "the time budget was over before it".into(),
            };
            let of_system = self
                .judged
                .iter_mut()
                .filter(|judged| judged.finding.system == *name);
            for judged in of_system.filter(|judged| judged.finding.gated) {
                let reason = format!("cannot be compared with its accepted captions: {why}");
                judged.say(NightlyVerdict::Invalid, reason);
            }
        }
        Ok(comparisons)
    }

    /// Ranks the systems of each data set that has several.
    fn rank(&mut self, scored: &[Scored]) -> Result<(), NightlyError> {
        for data in &self.job.suite.data {
            let of_data: Vec<(&str, &Path, &str)> = scored
                .iter()
                .filter(|one| self.job.suite.data_of(one.system).name == data.name)
                .map(|one| {
                    (
                        one.system.name.as_str(),
                        one.captions.as_path(),
                        one.sha256.as_str(),
                    )
                })
                .collect();
            if of_data.len() > 1 {
                let step = self.planner.leaderboard(data, &of_data);
                let ending = self.executor.record(&step)?;
                self.leaderboards.extend(ending.result().cloned());
            }
        }
        Ok(())
    }

    /// Runs every benchmark, and those that look slow once more.
    fn run_benchmarks(&mut self) -> Result<(), NightlyError> {
        let suite = &self.job.suite;
        for benchmark in &suite.benchmarks {
            let ending = self
                .executor
                .record(&self.planner.bench(benchmark, false))?;
            self.benches.extend(ending.result().cloned());
            let judged = match ending {
                Ending::Done(record) => self.judge_benchmark(benchmark, &record)?,
                Ending::NotValid(_, why) => {
                    let why = format!("the run does not count: {why}");
                    speed::missing(&self.before, suite, benchmark, Outcome::NotValid, &why)
                }
                Ending::Failed(why) => {
                    speed::missing(&self.before, suite, benchmark, Outcome::Failed, &why)
                }
                Ending::NotRun => {
                    let why = "the time budget was over before it";
                    speed::missing(&self.before, suite, benchmark, Outcome::NotRun, why)
                }
            };
            self.judged.extend(judged);
        }
        Ok(())
    }

    fn judge_benchmark(
        &mut self,
        benchmark: &Benchmark,
        record: &Record,
    ) -> Result<Vec<Judged>, NightlyError> {
        let suite = &self.job.suite;
        let mut again = None;
        if speed::is_suspicious_run(&self.before, suite, benchmark, record) {
            let ending = self.executor.record(&self.planner.bench(benchmark, true))?;
            if let Ending::Done(record) = ending {
                again = Some(record);
            }
        }
        Ok(speed::judge_run(
            &self.before,
            suite,
            benchmark,
            record,
            again.as_ref(),
        ))
    }
}

/// Goes on with an unfinished night, or begins one.
fn tonight(
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
fn close_abandoned(
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

fn print_plan(job: &Job, say: &dyn Fn(&str)) {
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

/// Tonight's captions become the accepted ones where there were none, where they are better, and where nothing that
/// goes into them has changed. Those that are merely not shown to be worse do not: many small steps would go unseen.
fn keep_accepted(job: &Job, scored: &[Scored], judged: &[Judged]) -> Result<(), Failure> {
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

fn finished(
    job: &Job,
    suite_file: &Path,
    results: NightlyResults,
    began: Instant,
) -> Result<Record, Failure> {
    let failed = |source| Failure::new(suite_file, source);
    let sha256 =
        crate::hub::sha256(suite_file).map_err(|error| failed(std::io::Error::other(error)))?;
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

/// Removes the records of old nights, and captions that no kept night was made from. Never a reason to fail.
fn retain(job: &Job) {
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
