//! Whether the parts of a suite fit each other. Each check answers in a sentence what is wrong.

use std::collections::HashSet;

use super::{Benchmark, DataSet, Notification, Suite, System};
use crate::jobs::caption::Captioning;
use crate::jobs::compare::gate::Gate;

/// The word that is most like another one; `None` where none is like it.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// What is wrong with a suite, if anything is.
pub(super) fn wrong_with(suite: &Suite) -> Option<String> {
    let named = [
        ("data set", suite.data.iter().map(|d| d.name.as_str()).collect::<Vec<_>>()),
        ("system", suite.systems.iter().map(|s| s.name.as_str()).collect()),
        ("benchmark", suite.benchmarks.iter().map(|b| b.name.as_str()).collect()),
        ("suite", vec![suite.name.as_str()]),
    ];
    for (what, names) in &named {
        let mut taken = HashSet::new();
        for name in names {
            if let Some(problem) = wrong_name(name) {
                return Some(format!("{what} `{name}`: {problem}"));
            }
            if !taken.insert(name) {
                return Some(format!("two {what}s are called `{name}`"));
            }
        }
    }
    let shared = |name: &&str| suite.systems.iter().any(|system| system.name == *name);
    if let Some(name) = named[2].1.iter().find(|name| shared(name)) {
        return Some(format!("a system and a benchmark are both called `{name}`"));
    }
    if suite.systems.is_empty() && suite.benchmarks.is_empty() {
        return Some("nothing to do: it has neither a [[system]] nor a [[benchmark]]".into());
    }
    (suite.systems.iter().find_map(|system| wrong_system(suite, system)))
        .or_else(|| suite.benchmarks.iter().find_map(wrong_benchmark))
        .or_else(|| wrong_gates(suite))
        .or_else(|| suite.notify.iter().find_map(wrong_notification))
        .or_else(|| (suite.threads == Some(0)).then(|| "threads = 0: give at least one".into()))
        .or_else(|| {
            (suite.retention.nights == 0)
                .then(|| "[retention] nights = 0: tonight's records would go at once".into())
        })
}

/// Names become file names and stand in front of an equals sign.
fn wrong_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@' | ' ');
    if name.is_empty() || name.starts_with('.') || name.trim() != name {
        Some("a name is not empty and begins and ends with a letter or a digit")
    } else if !name.chars().all(plain) {
        Some("a name has letters, digits, blanks and - _ . + @ only")
    } else {
        None
    }
}

fn wrong_system(suite: &Suite, system: &System) -> Option<String> {
    let say = |problem: String| Some(format!("system `{}`: {problem}", system.name));
    let data: Option<&DataSet> = match &system.data {
        Some(name) => match suite.data.iter().find(|data| data.name == *name) {
            Some(data) => Some(data),
            None => {
                let like = nearest(name, suite.data.iter().map(|data| data.name.as_str()));
                let hint = like.map_or(String::new(), |like| format!(": did you mean `{like}`?"));
                return say(format!("there is no data set `{name}`{hint}"));
            }
        },
        None if suite.data.len() == 1 => suite.data.first(),
        None if suite.data.is_empty() => return say("there is no [[data]] to score it on".into()),
        None => return say("there are several data sets: name one with `data`".into()),
    };
    match (&system.submission, &system.checkpoint) {
        (None, None) => say("give a `submission` or a `checkpoint`".into()),
        (Some(_), Some(_)) => say("is a `submission` or a `checkpoint`, not both".into()),
        (Some(_), None)
            if system.adapter.is_some() || system.captioning != Captioning::default() =>
        {
            say("`adapter` and `captioning` are for checkpoints".into())
        }
        (None, Some(_)) if data.is_some_and(|data| data.images.is_none()) => {
            say("its data set has no `images` to caption".into())
        }
        _ => None,
    }
}

fn wrong_benchmark(benchmark: &Benchmark) -> Option<String> {
    let targets =
        [benchmark.encoder.is_some(), benchmark.captioner.is_some(), benchmark.score.is_some()];
    let problem = match targets.iter().filter(|is_given| **is_given).count() {
        1 => benchmark.request().check().err()?,
        _ => {
            "give it one of [benchmark.encoder], [benchmark.captioner] and [benchmark.score]".into()
        }
    };
    Some(format!("benchmark `{}`: {problem}", benchmark.name))
}

fn wrong_gates(suite: &Suite) -> Option<String> {
    let gates = &suite.gates;
    let systems: Vec<String> = suite.systems.iter().map(|system| system.name.clone()).collect();
    for condition in &gates.conditions {
        if let Err(error) = Gate::parse(condition, &systems) {
            return Some(format!("[gates] conditions: {error}"));
        }
    }
    let rule = gates.speed.rule();
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !(gates.alpha > 0.0 && gates.alpha < 1.0) {
        Some(format!("[gates] alpha = {}: lies between 0 and 1", gates.alpha))
    } else if !(gates.tolerance.is_finite() && gates.tolerance >= 0.0) {
        Some("[gates] tolerance: is not negative".into())
    } else if rule.min_runs < 3 || rule.window < rule.min_runs {
        Some("[gates.speed]: min_runs is at least 3 and window at least min_runs".into())
    } else if ![rule.deviations, rule.floor, rule.severe, rule.change_statistic]
        .into_iter()
        .all(positive)
    {
        Some("[gates.speed]: deviations, floor, severe and change_statistic are positive".into())
    } else {
        None
    }
}

fn wrong_notification(notification: &Notification) -> Option<String> {
    match (notification.command.is_empty(), &notification.webhook) {
        (true, None) => Some("[[notify]]: give a `command` or a `webhook`".into()),
        (false, Some(_)) => Some("[[notify]]: is a `command` or a `webhook`, not both".into()),
        (false, None) if notification.token.is_some() => {
            Some("[[notify]]: `token` is for a `webhook`".into())
        }
        (true, Some(name)) if name.contains("://") => Some(
            "[[notify]] webhook: is the NAME of an environment variable with the address, so that no secret stands here"
                .into(),
        ),
        _ => None,
    }
}
