//! The work of a night: score, compare, rank, benchmark; whatever fails is judged as missing.

use crate::nightly::execute::{Ending, Executor};
use crate::nightly::files::{self, Failure};
use crate::nightly::hashes::Hashes;
use crate::nightly::history::{Outcome, hash};
use crate::nightly::judged::{Before, Judged};
use crate::nightly::plan::{Origin, Planner};
use crate::nightly::suite::{Benchmark, System};
use crate::nightly::{Job, NightlyError, place, quality, speed};
use fgd_record::{NightlyVerdict, Record};
use std::path::{Path, PathBuf};

/// A system that has been scored tonight.
pub(super) struct Scored<'a> {
    pub system: &'a System,
    pub inputs: i64,
    pub captions: PathBuf,
    pub sha256: String,
    pub record: Record,
}

/// What a night has at hand while it runs.
pub(super) struct AtWork<'a> {
    pub job: &'a Job,
    pub planner: Planner<'a>,
    pub hashes: Hashes,
    pub executor: Executor<'a>,
    pub before: Before<'a>,
    pub judged: Vec<Judged>,
    pub leaderboards: Vec<Record>,
    pub benches: Vec<Record>,
}

impl<'a> AtWork<'a> {
    /// Scores every system; what fails is judged as missing.
    pub fn score_systems(&mut self) -> Result<Vec<Scored<'a>>, NightlyError> {
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
            inputs: hash([origin.key.as_str()]),
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
    pub fn compare_changed(
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
    pub fn rank(&mut self, scored: &[Scored]) -> Result<(), NightlyError> {
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
    pub fn run_benchmarks(&mut self) -> Result<(), NightlyError> {
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
