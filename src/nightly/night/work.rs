//! The work of a night: train, score, compare, rank, benchmark; whatever fails is judged as missing.

use std::path::{Path, PathBuf};

use fgd_record::{Difference, NightlyVerdict, Record, Results};
use fgd_store::digest::HashMemo;

use crate::jobs::compare::gate::Gate;
use crate::jobs::scoring::system::System as Opened;
use crate::jobs::{saved, train};
use crate::nightly::assessment::Assessment;
use crate::nightly::execute::{Executor, Missing, StepResult};
use crate::nightly::history::{Outcome, hash};
use crate::nightly::place::NightFolder;
use crate::nightly::plan::{Captions, Planner};
use crate::nightly::suite::{Benchmark, System};
use crate::nightly::timeline::Timeline;
use crate::nightly::{NightlyError, Workspace, place, quality, speed};

/// The score of a system in a night.
pub(super) struct NightScore<'a> {
    pub system: &'a System,
    /// Digest over what goes into captions and score.
    pub inputs: String,
    pub captions: PathBuf,
    pub sha256: String,
    pub record: Record,
}

impl NightScore<'_> {
    /// What the history knows its inputs by.
    fn inputs_hash(&self) -> i64 {
        hash([self.inputs.as_str()])
    }

    fn captions<'a>(&'a self, name: &'a str) -> Captions<'a> {
        Captions { name, path: &self.captions, sha256: &self.sha256, inputs: &self.inputs }
    }
}

/// What a night has at hand while it runs, and what came out so far.
pub(super) struct NightRun<'a> {
    pub workspace: &'a Workspace,
    pub planner: Planner<'a>,
    pub hashes: HashMemo,
    pub executor: Executor<'a>,
    pub timeline: Timeline<'a>,
    pub assessments: Vec<Assessment>,
    pub leaderboards: Vec<Record>,
    pub benches: Vec<Record>,
    /// Systems whose accepted captions are of other images than tonight's references.
    pub outgrown: Vec<String>,
}

impl<'a> NightRun<'a> {
    /// Scores every system; what fails is judged as missing.
    pub fn score_systems(&mut self) -> Result<Vec<NightScore<'a>>, NightlyError> {
        let mut scores = Vec::new();
        let suite = &self.workspace.suite;
        for system in &suite.systems {
            let names = (suite.name.as_str(), system.name.as_str());
            let assessments = match self.score(system)? {
                Ok(score) => {
                    let (record, inputs) = (&score.record, score.inputs_hash());
                    let before = self.record_before(&score);
                    let (timeline, gates) = (&self.timeline, &suite.gates);
                    let found =
                        quality::judge(timeline, record, names, inputs, before.as_ref(), gates);
                    scores.push(score);
                    found
                }
                Err(missing) => {
                    let (outcome, why) = missing.told();
                    quality::missing(&self.timeline, names, outcome, &why, &suite.gates)
                }
            };
            self.assessments.extend(assessments);
        }
        Ok(scores)
    }

    /// The record of a system's score in the last finished night that still has it.
    fn record_before(&self, score: &NightScore) -> Option<Record> {
        let nights = NightFolder::all(&self.workspace.state);
        let before = nights.iter().rev().filter(|night| night.is_finished());
        let files = before.map(|night| night.file(&format!("score {}", score.system.name), "json"));
        files.into_iter().find_map(|file| saved::read(&file).ok())
    }

    fn score(&mut self, system: &'a System) -> Result<StepResult<NightScore<'a>>, NightlyError> {
        let data = self.workspace.suite.data_of(system);
        let inputs = self
            .planner
            .check_data(data, &mut self.hashes)
            .and_then(|()| self.planner.inputs(system, &mut self.hashes));
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(why) => {
                let step = format!("score {}", system.name);
                self.executor.note_failed(&step, &why);
                return Ok(Err(Missing::Failed(why)));
            }
        };
        let made = match &system.submission {
            Some(submission) => self.planner.path(submission),
            None => {
                if let Some((step, train)) = self.planner.train(system, &inputs) {
                    let run = self.executor.kept(&step, &train.output.join(train::RECORD))?;
                    if let Err(missing) = run {
                        return Ok(Err(missing));
                    }
                }
                let (step, captions) = self.planner.caption(system, &inputs);
                match self.executor.kept(&step, &captions)? {
                    Ok(file) => file,
                    Err(missing) => return Ok(Err(missing)),
                }
            }
        };
        // The night keeps what it scored: a submission may be another one tomorrow.
        let captions = self.executor.night.captions(&system.name, &made);
        place::copy(&made, &captions)?;
        self.executor.copies.push([captions.clone(), made]);
        let sha256 = match self.hashes.sha256(&captions) {
            Ok(sha256) => sha256,
            Err(error) => return Ok(Err(Missing::Failed(error.to_string()))),
        };
        let file =
            Captions { name: &system.name, path: &captions, sha256: &sha256, inputs: &inputs };
        let step = self.planner.score(system, file);
        Ok(self.executor.record(&step)?.map(|record| NightScore {
            system,
            inputs,
            captions,
            sha256,
            record,
        }))
    }

    /// Compares what has changed with its accepted captions.
    pub fn compare_changed(
        &mut self,
        scores: &[NightScore],
    ) -> Result<Vec<(String, Record)>, NightlyError> {
        let mut comparisons = Vec::new();
        for score in scores {
            let (suite, name) = (&self.workspace.suite, &score.system.name);
            let is_changed = quality::is_changed(
                &self.timeline,
                &score.record,
                &suite.name,
                name,
                score.inputs_hash(),
                &suite.gates,
            );
            let accepted = place::find_accepted(&self.workspace.state, name);
            let Some(accepted) = accepted.filter(|_| is_changed) else {
                continue;
            };
            let Ok(sha256) = self.hashes.sha256(&accepted) else {
                continue;
            };
            if self.is_outgrown(score.system, &accepted) {
                self.begin_anew(name);
                continue;
            }
            let tonight = score.captions("tonight");
            let accepted =
                Captions { name: "accepted", path: &accepted, sha256: &sha256, ..tonight };
            let step = self.planner.compare(score.system, accepted, tonight);
            let why = match self.executor.record(&step)? {
                Ok(record) => {
                    comparisons.push((name.clone(), record));
                    continue;
                }
                Err(missing) => missing.told().1,
            };
            let of_system = (self.assessments.iter_mut())
                .filter(|one| one.finding.system == *name && one.finding.gated);
            for assessment in of_system {
                let reason = format!("cannot be compared with its accepted captions: {why}");
                assessment.say(NightlyVerdict::Invalid, reason);
            }
        }
        Ok(comparisons)
    }

    /// Whether the references ask for images that the accepted captions lack: then no test can hold one to the other.
    fn is_outgrown(&self, system: &System, accepted: &Path) -> bool {
        let data = self.workspace.suite.data_of(system);
        let Ok((Opened::Captions(accepted), Opened::Captions(references))) =
            self.planner.opened(accepted, data)
        else {
            return false;
        };
        !fgd_captions::is_valid(&fgd_captions::align(&accepted, &references).findings)
    }

    /// A system whose references are of other images begins a series that nothing of before can be held against.
    fn begin_anew(&mut self, system: &str) {
        self.outgrown.push(system.to_owned());
        let why = "; the images are not those of the accepted captions, so tonight's are accepted";
        let of_system = self.assessments.iter_mut().filter(|one| one.finding.system == system);
        for one in of_system.filter(|one| one.finding.verdict == NightlyVerdict::NewSeries) {
            let reason = format!("{}{why}", one.finding.reason);
            one.say(NightlyVerdict::NewSeries, reason);
        }
    }

    /// The differences in set distances that the suite's conditions ask for: values alone decide nothing there.
    pub fn test_conditions(
        &mut self,
        scores: &[NightScore],
    ) -> Result<Vec<Difference>, NightlyError> {
        let suite = &self.workspace.suite;
        let names: Vec<String> = suite.systems.iter().map(|system| system.name.clone()).collect();
        let mut differences = Vec::new();
        for condition in &suite.gates.conditions {
            let systems = Gate::parse(condition, &names).map(|gate| gate.tested_systems());
            let scored = |at: &usize| scores.iter().find(|one| one.system.name == names[*at]);
            let scored: Vec<&NightScore> = systems.iter().flatten().filter_map(scored).collect();
            let [first, _, ..] = scored.as_slice() else { continue };
            let data = suite.data_of(first.system);
            let of_data = scored.iter().filter(|one| suite.data_of(one.system).name == data.name);
            let captions: Vec<Captions> =
                of_data.map(|one| one.captions(&one.system.name)).collect();
            let step = self.planner.condition(condition, data, &captions);
            if captions.len() > 1
                && let Ok(record) = self.executor.record(&step)?
                && let Results::Compare(results) = record.results
            {
                differences.extend(results.differences);
            }
        }
        Ok(differences)
    }

    /// Ranks the systems of each data set that has several.
    pub fn rank(&mut self, scores: &[NightScore]) -> Result<(), NightlyError> {
        let suite = &self.workspace.suite;
        for data in &suite.data {
            let of_data =
                scores.iter().filter(|score| suite.data_of(score.system).name == data.name);
            let captions: Vec<Captions> =
                of_data.map(|score| score.captions(&score.system.name)).collect();
            if captions.len() > 1 {
                let step = self.planner.leaderboard(data, &captions);
                if let Ok(record) = self.executor.record(&step)? {
                    self.leaderboards.push(record);
                }
            }
        }
        Ok(())
    }

    /// Runs every benchmark, and those that look slow once more.
    pub fn run_benchmarks(&mut self) -> Result<(), NightlyError> {
        let suite = &self.workspace.suite;
        for benchmark in &suite.benchmarks {
            let missing = |timeline: &Timeline, outcome, why: &str| {
                speed::missing(timeline, suite, benchmark, outcome, why)
            };
            let result = self.executor.record(&self.planner.bench(benchmark, false))?;
            let assessments = match result {
                Ok(record) => {
                    let assessments = match invalid(&record) {
                        None => self.judge_benchmark(benchmark, &record)?,
                        Some(why) => missing(&self.timeline, Outcome::NotValid, &why),
                    };
                    self.benches.push(record);
                    assessments
                }
                Err(why) => {
                    let (outcome, why) = why.told();
                    missing(&self.timeline, outcome, &why)
                }
            };
            self.assessments.extend(assessments);
        }
        Ok(())
    }

    fn judge_benchmark(
        &mut self,
        benchmark: &Benchmark,
        record: &Record,
    ) -> Result<Vec<Assessment>, NightlyError> {
        let suite = &self.workspace.suite;
        let mut again = None;
        if speed::is_suspicious_run(&self.timeline, suite, benchmark, record) {
            let step = self.planner.bench(benchmark, true);
            if let Ok(record) = self.executor.record(&step)? {
                again = Some(record).filter(|record| invalid(record).is_none());
            }
        }
        let timeline = &self.timeline;
        Ok(speed::judge_run(timeline, suite, benchmark, record, again.as_ref()))
    }
}

/// Why a benchmark does not count and what would change that, by its own record.
fn invalid(record: &Record) -> Option<String> {
    let Results::Bench(results) = &record.results else {
        return None;
    };
    let reasons: Vec<String> = (results.validity.reasons.iter())
        .map(|remark| format!("{}: {}", remark.reason, remark.change))
        .collect();
    (!results.validity.valid).then(|| format!("the run does not count: {}", reasons.join("; ")))
}
