//! Whether the parts of a suite fit each other, and whether its words are ones that jobs know. Each check answers in a
//! sentence what is wrong, and where.

use std::collections::HashSet;
use std::path::Path;

use fgd_encoder::EngineKind;
use fgd_metrics::table::group_of;

use super::place::{At, Problem};
use super::{Benchmark, DataSet, Notification, Suite, System};
use crate::jobs::bench::Request;
use crate::jobs::caption::Captioning;
use crate::jobs::compare::gate::{FGD_SET_CORRECTED, Gate};
use crate::jobs::options::Encoding;
use crate::jobs::scoring::metrics::{Choice, known};
use crate::toml_file::nearest;

/// A word that is none of those that are known.
pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(like) => format!("unknown {what} `{word}`: did you mean `{like}`?"),
        None => format!("unknown {what} `{word}`: there are {}", known.join(", ")),
    }
}

/// What is wrong with a suite, if anything is.
pub(super) fn wrong_with(suite: &Suite) -> Option<Problem> {
    wrong_names(suite)
        .or_else(|| {
            let is_empty = suite.systems.is_empty() && suite.benchmarks.is_empty();
            let say = || "nothing to do: it has neither a [[system]] nor a [[benchmark]]";
            is_empty.then(|| Problem::new(At::top(), say()))
        })
        .or_else(|| wrong_encoder(suite))
        .or_else(|| {
            let mut systems = suite.systems.iter().enumerate();
            systems.find_map(|(i, system)| wrong_system(suite, system, At::item("system", i)))
        })
        .or_else(|| {
            let mut benchmarks = suite.benchmarks.iter().enumerate();
            benchmarks.find_map(|(i, one)| wrong_benchmark(one, At::item("benchmark", i)))
        })
        .or_else(|| wrong_gates(suite))
        .or_else(|| {
            let mut all = suite.notify.iter().enumerate();
            all.find_map(|(i, one)| wrong_notification(one, At::item("notify", i)))
        })
        .or_else(|| {
            (suite.threads == Some(0))
                .then(|| Problem::new(At::key("threads"), "threads = 0: give at least one"))
        })
        .or_else(|| {
            let say = "[retention] nights = 0: tonight's records would go at once";
            (suite.retention.nights == 0)
                .then(|| Problem::new(At::key("retention").then("nights"), say))
        })
}

fn wrong_names(suite: &Suite) -> Option<Problem> {
    let named = [
        ("data", "data set", suite.data.iter().map(|d| d.name.as_str()).collect::<Vec<_>>()),
        ("system", "system", suite.systems.iter().map(|s| s.name.as_str()).collect()),
        ("benchmark", "benchmark", suite.benchmarks.iter().map(|b| b.name.as_str()).collect()),
    ];
    if let Some(problem) = wrong_name(&suite.name) {
        return Some(Problem::new(At::key("name"), format!("suite `{}`: {problem}", suite.name)));
    }
    for (table, what, names) in &named {
        let mut taken = HashSet::new();
        for (index, name) in names.iter().enumerate() {
            let at = At::item(table, index).then("name");
            if let Some(problem) = wrong_name(name) {
                return Some(Problem::new(at, format!("{what} `{name}`: {problem}")));
            }
            if !taken.insert(name) {
                return Some(Problem::new(at, format!("two {what}s are called `{name}`")));
            }
        }
    }
    let shared = |name: &&str| suite.systems.iter().any(|system| system.name == *name);
    let index = named[2].2.iter().position(shared)?;
    let message = format!("a system and a benchmark are both called `{}`", named[2].2[index]);
    Some(Problem::new(At::item("benchmark", index).then("name"), message))
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

fn wrong_encoder(suite: &Suite) -> Option<Problem> {
    if let Some(problem) = wrong_device(&suite.device) {
        return Some(Problem::new(At::key("device"), problem));
    }
    if suite.device != "cpu" && suite.engine != EngineKind::Candle {
        let problem = format!(
            "device = `{}`: the {} engine runs on the CPU; a GPU needs engine = \"candle\"",
            suite.device, suite.engine
        );
        return Some(Problem::new(At::key("device"), problem));
    }
    let is_short = suite.max_length.is_some_and(|tokens| tokens < 3);
    let say = "max_length: a caption needs at least 3 tokens, two of which mark its ends";
    is_short.then(|| Problem::new(At::key("max_length"), say))
}

/// A device that no build knows. Whether this machine has it is seen when it is used.
fn wrong_device(device: &str) -> Option<String> {
    let ordinal = device.strip_prefix("cuda:").map(str::parse::<usize>);
    (device != "cpu" && !matches!(ordinal, Some(Ok(_))))
        .then(|| unknown("value", device, &["cpu", "cuda:0"]))
}

fn wrong_system(suite: &Suite, system: &System, at: At) -> Option<Problem> {
    let say = |key: &'static str, problem: String| {
        let at = if key.is_empty() { at.clone() } else { at.clone().then(key) };
        Some(Problem::new(at, format!("system `{}`: {problem}", system.name)))
    };
    let data: Option<&DataSet> = match &system.data {
        Some(name) => match suite.data.iter().find(|data| data.name == *name) {
            Some(data) => Some(data),
            None => {
                let like = nearest(name, suite.data.iter().map(|data| data.name.as_str()));
                let hint = like.map_or(String::new(), |like| format!(": did you mean `{like}`?"));
                return say("data", format!("there is no data set `{name}`{hint}"));
            }
        },
        None if suite.data.len() == 1 => suite.data.first(),
        None if suite.data.is_empty() => {
            return say("", "there is no [[data]] to score it on".into());
        }
        None => return say("", "there are several data sets: name one with `data`".into()),
    };
    if let Some(problem) = wrong_device(&system.device) {
        return say("device", problem);
    }
    if let Err(error) = system.captioning.generation.check() {
        return say("captioning", error.to_string());
    }
    match (&system.submission, &system.checkpoint) {
        (None, None) => say("", "give a `submission` or a `checkpoint`".into()),
        (Some(_), Some(_)) => {
            say("checkpoint", "is a `submission` or a `checkpoint`, not both".into())
        }
        (Some(_), None) if system.train.is_some() => {
            say("train", "`train` is for checkpoints".into())
        }
        (Some(_), None)
            if system.adapter.is_some() || system.captioning != Captioning::default() =>
        {
            let key = if system.adapter.is_some() { "adapter" } else { "captioning" };
            say(key, "`adapter` and `captioning` are for checkpoints".into())
        }
        (None, Some(_)) if data.is_some_and(|data| data.images.is_none()) => {
            say("checkpoint", "its data set has no `images` to caption".into())
        }
        (None, Some(_)) => wrong_training(system).map(|problem| {
            let problem = format!("system `{}`: {problem}", system.name);
            Problem::new(at.then("train"), problem)
        }),
        (Some(_), None) => None,
    }
}

fn wrong_training(system: &System) -> Option<&'static str> {
    let train = system.train.as_ref()?;
    let is_empty = |path: &Path| path.as_os_str().is_empty();
    if system.adapter.is_some() {
        Some("trains its adapter: give the one to begin at as `adapter` of `train`")
    } else if !train.checkpoint.is_empty() || !is_empty(&train.output) {
        Some(
            "`train` has the system's checkpoint, and its run lies in the state folder: leave them out",
        )
    } else if is_empty(&train.features) || is_empty(&train.captions) {
        Some("`train` needs `features` (of fgd features) and `captions`")
    } else {
        None
    }
}

fn wrong_benchmark(benchmark: &Benchmark, at: At) -> Option<Problem> {
    let say = |at: At, problem: String| {
        Problem::new(at, format!("benchmark `{}`: {problem}", benchmark.name))
    };
    let targets =
        [benchmark.encoder.is_some(), benchmark.captioner.is_some(), benchmark.score.is_some()];
    if targets.iter().filter(|is_given| **is_given).count() != 1 {
        let problem =
            "give it one of [benchmark.encoder], [benchmark.captioner] and [benchmark.score]";
        return Some(say(at, problem.into()));
    }
    let request = benchmark.request();
    let target = match &request {
        Request::Encoder(_) => "encoder",
        Request::Captioner(_) => "captioner",
        Request::Score(_) => "score",
    };
    let at = at.then(target);
    if let Err(problem) = request.check() {
        return Some(say(at, problem));
    }
    let device = |encoding: &Encoding| wrong_device(&encoding.device);
    let found = match &request {
        Request::Encoder(request) => {
            device(&request.encoding).map(|problem| (at.then("encoding").then("device"), problem))
        }
        Request::Captioner(request) => {
            wrong_device(&request.device).map(|problem| (at.then("device"), problem))
        }
        Request::Score(request) => {
            let (at, score) = (at.then("score"), &request.score);
            let unknown_metric =
                score.measuring.metrics.iter().position(|name| !known().contains(&name.as_str()));
            match unknown_metric {
                Some(index) => Some((
                    at.then("measuring").then("metrics").nth(index),
                    unknown("value", &score.measuring.metrics[index], &known()),
                )),
                None => device(&score.encoding)
                    .map(|problem| (at.then("encoding").then("device"), problem)),
            }
        }
    };
    found.map(|(at, problem)| say(at, problem))
}

fn wrong_gates(suite: &Suite) -> Option<Problem> {
    let gates = &suite.gates;
    let at = |key: &'static str| At::key("gates").then(key);
    let speed = |message: &str| Some(Problem::new(at("speed"), message));
    // Names that nobody can compute were refused where they stand.
    let choice = Choice::of(&suite.metrics, suite.seed).unwrap_or_default();
    let mut computed = choice.names();
    let not_computed = |metric: &str, computed: &[&str]| match group_of(metric) {
        Some(group) => format!("`{metric}` is not computed: add `{}` to `metrics`", group.name),
        None => unknown("metric", metric, computed),
    };
    if let Some(index) = gates.metrics.iter().position(|name| !computed.contains(&name.as_str())) {
        let problem = not_computed(&gates.metrics[index], &computed);
        return Some(Problem::new(at("metrics").nth(index), format!("[gates] metrics: {problem}")));
    }
    computed.push(FGD_SET_CORRECTED);
    let systems: Vec<String> = suite.systems.iter().map(|system| system.name.clone()).collect();
    for (index, condition) in gates.conditions.iter().enumerate() {
        let problem = match Gate::parse(condition, &systems) {
            Err(error) => error.to_string(),
            Ok(gate) if computed.contains(&gate.metric()) => continue,
            Ok(gate) => format!("{condition}: {}", not_computed(gate.metric(), &computed)),
        };
        let problem = format!("[gates] conditions: {problem}");
        return Some(Problem::new(at("conditions").nth(index), problem));
    }
    let rule = gates.speed.rule();
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !(gates.alpha > 0.0 && gates.alpha < 1.0) {
        let message = format!("[gates] alpha = {}: lies between 0 and 1", gates.alpha);
        Some(Problem::new(at("alpha"), message))
    } else if !(gates.tolerance.is_finite() && gates.tolerance >= 0.0) {
        let message = format!("[gates] tolerance = {}: is not negative", gates.tolerance);
        Some(Problem::new(at("tolerance"), message))
    } else if rule.min_runs < 3 || rule.window < rule.min_runs {
        speed("[gates.speed]: min_runs is at least 3 and window at least min_runs")
    } else if ![rule.deviations, rule.floor, rule.severe, rule.change_statistic]
        .into_iter()
        .all(positive)
    {
        speed("[gates.speed]: deviations, floor, severe and change_statistic are positive")
    } else {
        None
    }
}

fn wrong_notification(notification: &Notification, at: At) -> Option<Problem> {
    let say = |at: At, message: &str| Some(Problem::new(at, message));
    match (notification.command.is_empty(), &notification.webhook) {
        (true, None) => say(at, "[[notify]]: give a `command` or a `webhook`"),
        (false, Some(_)) => {
            say(at.then("webhook"), "[[notify]]: is a `command` or a `webhook`, not both")
        }
        (false, None) if notification.token.is_some() => {
            say(at.then("token"), "[[notify]]: `token` is for a `webhook`")
        }
        (true, Some(name)) if name.contains("://") => say(
            at.then("webhook"),
            "[[notify]] webhook: is the NAME of an environment variable with the address, so that no secret stands here",
        ),
        _ => None,
    }
}
