//! What a suite names outside of itself: programs of this machine, and what only its history still knows. It is looked for before a
//! night begins, and not wherever the suite is read: a name that stands for nothing would be missed when it is needed.

use std::path::Path;

use super::check::unknown;
use super::place::{At, Problem};
use super::read::text_of;
use super::{Suite, SuiteError};
use crate::jobs::scoring::metrics::Choice;
use crate::nightly::history::Series;
use crate::settings;

/// What steps of a night are called, before the name of what they are about.
const STEPS: [&str; 7] =
    ["train", "caption", "score", "compare", "condition", "leaderboard", "bench"];

/// Looks for everything that the suite in the file `path` names; `known` are the series of its history.
///
/// # Errors
/// A name that stands for nothing.
pub fn check_named(suite: &Suite, path: &Path, known: &[Series]) -> Result<(), SuiteError> {
    match missing_program(suite).or_else(|| wrong_exception(suite, known)) {
        None => Ok(()),
        Some(problem) => Err(problem.of(&text_of(path)?, path).into()),
    }
}

fn missing_program(suite: &Suite) -> Option<Problem> {
    suite.notify.iter().enumerate().find_map(|(index, one)| {
        let program = one.command.first().filter(|program| !settings::has_program(program))?;
        let at = At::item("notify", index).then("command").nth(0);
        Some(Problem::new(at, format!("[[notify]] command: there is no program `{program}`")))
    })
}

/// A name in `allow_failed` that neither the suite nor its history knows.
fn wrong_exception(suite: &Suite, known: &[Series]) -> Option<Problem> {
    let systems = suite.systems.iter().map(|system| system.name.as_str());
    let benchmarks = suite.benchmarks.iter().map(|benchmark| benchmark.name.as_str());
    let people: Vec<&str> = systems.chain(benchmarks).collect();
    let data = suite.data.iter().map(|data| data.name.as_str());
    let subjects: Vec<&str> = (people.iter().copied())
        .chain(known.iter().map(|series| series.system.as_str()))
        .chain(data)
        .chain(suite.gates.conditions.iter().map(String::as_str))
        .collect();
    let is_subject = |name: &str| subjects.contains(&name);
    let is_step = |name: &str| {
        let (step, subject) = name.split_once(' ').unwrap_or_default();
        STEPS.contains(&step) && is_subject(subject.strip_suffix(" again").unwrap_or(subject))
    };
    let computed = Choice::of(&suite.metrics, suite.seed).unwrap_or_default().names();
    let is_figure = |name: &str| {
        let figure_of = |subject: &str| name.strip_prefix(subject)?.strip_prefix(' ');
        // What a benchmark measures depends on its load, and is known once it has run.
        suite.benchmarks.iter().any(|one| figure_of(&one.name).is_some())
            || suite
                .systems
                .iter()
                .filter_map(|one| figure_of(&one.name))
                .any(|f| computed.contains(&f))
            || known.iter().any(|series| figure_of(&series.system) == Some(&series.metric))
    };
    let is_known = |name: &String| is_subject(name) || is_step(name) || is_figure(name);
    let index = suite.gates.allow_failed.iter().position(|name| !is_known(name))?;
    let at = At::key("gates").then("allow_failed").nth(index);
    let problem = unknown("name", &suite.gates.allow_failed[index], &people);
    Some(Problem::new(at, format!("[gates] allow_failed: {problem}")))
}
