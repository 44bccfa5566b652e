//! Reading a suite file: what is wrong with it is said with line, column and the nearest thing that would be right.

use super::{DataSet, Notification, Suite};
use crate::eval::gate::Gate;
use crate::eval::metrics::Group;
use clap::ValueEnum;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Why a suite file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It cannot be read.
    #[error("{}: {source}; `fgd nightly init` writes one", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or a key or value is not one that suites have.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Its parts do not fit each other.
    #[error("{}: {message}", path.display())]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// Reads a suite file.
pub fn read(path: &Path) -> Result<Suite, SuiteError> {
    let text = std::fs::read_to_string(path).map_err(|source| SuiteError::Io {
        path: path.into(),
        source,
    })?;
    parse(&text, path)
}

/// Reads a suite from its text; `path` is for messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Suite, SuiteError> {
    let suite: Suite = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        SuiteError::Place {
            path: path.into(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            message: with_nearest(error.message()),
        }
    })?;
    match wrong_with(&suite) {
        None => Ok(suite),
        Some(message) => Err(SuiteError::Meaning {
            path: path.into(),
            message,
        }),
    }
}

/// serde lists what it expected in backticks; the nearest of these is said first.
fn with_nearest(message: &str) -> String {
    let message = message.trim().replace('\n', " ");
    let known = message
        .strip_prefix("unknown field")
        .or_else(|| message.strip_prefix("unknown variant"));
    let Some((found, expected)) = known.and_then(|rest| rest.split_once(", ")) else {
        return message;
    };
    let found = found.trim().trim_matches('`');
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let what = if message.starts_with("unknown field") {
        "key"
    } else {
        "value"
    };
    match nearest(found, words.iter().copied()) {
        Some(word) => format!("unknown {what} `{found}`: did you mean `{word}`?"),
        None => format!("unknown {what} `{found}`: there are {}", words.join(", ")),
    }
}

/// The word that is most like another one; `None` where none is like it.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn wrong_with(suite: &Suite) -> Option<String> {
    let named = [
        (
            "data set",
            suite
                .data
                .iter()
                .map(|d| d.name.as_str())
                .collect::<Vec<_>>(),
        ),
        (
            "system",
            suite.systems.iter().map(|s| s.name.as_str()).collect(),
        ),
        (
            "benchmark",
            suite.benchmarks.iter().map(|b| b.name.as_str()).collect(),
        ),
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
    (suite
        .systems
        .iter()
        .find_map(|system| wrong_system(suite, system)))
    .or_else(|| suite.metrics.iter().find_map(|metric| wrong_metric(metric)))
    .or_else(|| wrong_gates(suite))
    .or_else(|| suite.notify.iter().find_map(wrong_notification))
    .or_else(|| {
        let both = suite.history.file.is_some() && suite.history.postgres.is_some();
        both.then(|| "[history] has a file and a server: give one of them".into())
    })
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

fn wrong_system(suite: &Suite, system: &super::System) -> Option<String> {
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
        (Some(_), None) if system.adapter.is_some() || !system.arguments.is_empty() => {
            say("`adapter` and `arguments` are for checkpoints".into())
        }
        (None, Some(_)) if data.is_some_and(|data| data.images.is_none()) => {
            say("its data set has no `images` to caption".into())
        }
        _ => None,
    }
}

fn wrong_metric(metric: &str) -> Option<String> {
    if Group::from_str(metric, true).is_ok() {
        return None;
    }
    let known: Vec<String> = (Group::value_variants().iter())
        .filter_map(|group| Some(group.to_possible_value()?.get_name().to_owned()))
        .collect();
    let hint = match nearest(metric, known.iter().map(String::as_str)) {
        Some(like) => format!("did you mean `{like}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Some(format!("metrics: `{metric}` is none: {hint}"))
}

fn wrong_gates(suite: &Suite) -> Option<String> {
    let gates = &suite.gates;
    let systems: Vec<String> = suite
        .systems
        .iter()
        .map(|system| system.name.clone())
        .collect();
    for condition in &gates.conditions {
        if let Err(error) = Gate::parse(condition, &systems) {
            return Some(format!("[gates] conditions: {error}"));
        }
    }
    let rule = gates.speed.rule();
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !(gates.alpha > 0.0 && gates.alpha < 1.0) {
        Some(format!(
            "[gates] alpha = {}: lies between 0 and 1",
            gates.alpha
        ))
    } else if !(gates.tolerance.is_finite() && gates.tolerance >= 0.0) {
        Some("[gates] tolerance: is not negative".into())
    } else if rule.min_runs < 3 || rule.window < rule.min_runs {
        Some("[gates.speed]: min_runs is at least 3 and window at least min_runs".into())
    } else if ![
        rule.deviations,
        rule.floor,
        rule.severe,
        rule.change_statistic,
    ]
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

#[cfg(test)]
mod tests {
    use super::super::EXAMPLE;
    use super::*;

    fn error(text: &str) -> String {
        parse(text, Path::new("suite.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_example_is_a_suite_and_shows_every_key() {
        let suite = parse(EXAMPLE, Path::new("example.toml")).unwrap();
        assert_eq!(
            suite.gates.speed.rule(),
            fgd_metrics::series::Rule::default()
        );
        // Every key that the shapes know stands in the example, commented out or not.
        let probe = |table: &str| {
            let text = format!("{EXAMPLE}\n{table}\nzzzzzz = 1\n");
            match toml::from_str::<Suite>(&text) {
                Err(error) => error.message().to_owned(),
                Ok(_) => panic!("an unknown key passes in {table}"),
            }
        };
        let top = match toml::from_str::<Suite>("zzzzzz = 1") {
            Err(error) => error.message().to_owned(),
            Ok(_) => panic!("an unknown key passes"),
        };
        let tables = [
            "[[data]]",
            "[[system]]",
            "[[benchmark]]",
            "[[notify]]",
            "[retention]",
        ];
        let mut messages: Vec<String> = vec![top];
        for table in &tables[..4] {
            messages.push(probe(table));
        }
        for table in ["gates", "gates.speed", "history", "retention"] {
            let text = format!("name = \"x\"\n[{table}]\nzzzzzz = 1\n");
            messages.push(
                toml::from_str::<Suite>(&text)
                    .unwrap_err()
                    .message()
                    .to_owned(),
            );
        }
        for message in messages {
            let keys: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
            assert!(!keys.is_empty(), "{message}");
            for key in keys {
                let written = [
                    format!("{key} = "),
                    format!("[{key}]"),
                    format!("[gates.{key}]"),
                ];
                assert!(
                    written.iter().any(|form| EXAMPLE.contains(form.as_str())),
                    "`{key}` does not stand in the example"
                );
            }
        }
    }

    #[test]
    fn unknown_keys_have_a_place_and_a_neighbour() {
        assert_eq!(
            error("name = \"x\"\n\n[gates]\nalpah = 0.1\n"),
            "suite.toml:4:1: unknown key `alpah`: did you mean `alpha`?"
        );
        assert_eq!(
            error("name = \"x\"\n[[benchmark]]\nname = \"b\"\ntarget = \"encodr\"\n"),
            "suite.toml:4:10: unknown value `encodr`: did you mean `encoder`?"
        );
        assert!(error("name = \"x\"\nqqq = 1").contains(":2:1: unknown key `qqq`: there are name"));
        assert!(error("name = ").starts_with("suite.toml:1:"));
        assert!(error("name = \"x\"\nbudget = \"6 days\"").contains("no length of time"));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let with = |text: &str| {
            error(&format!(
                "name = \"x\"\n[[data]]\nname = \"d\"\nreferences = \"r.csv\"\n[[system]]\nname = \"s\"\n{text}"
            ))
        };
        assert!(with("").contains("give a `submission` or a `checkpoint`"));
        assert!(with("checkpoint = \"c\"").contains("no `images`"));
        assert!(with("submission = \"a\"\ndata = \"e\"").contains("no data set `e`"));
        assert!(with("submission = \"a\"\n[[system]]\nname = \"s\"").contains("two systems"));
        assert!(
            with("submission = \"a\"\n[[benchmark]]\nname = \"s\"\ntarget = \"score\"\nscenario = \"single\"")
                .contains("both called `s`")
        );
        assert!(
            with("submission = \"a\"\n[gates]\nconditions = [\"t.fgd_paired<1\"]")
                .contains("no system")
        );
        assert!(
            with("submission = \"a\"\n[[notify]]\nwebhook = \"https://example.org\"")
                .contains("NAME")
        );
        assert!(error("name = \"../x\"").contains("letters, digits"));
        assert!(error("name = \"x\"\nmetrics = [\"cidr\"]").contains("nothing to do"));
        assert!(with("submission = \"a\"\n[gates.speed]\nmin_runs = 1").contains("min_runs"));
    }

    #[test]
    fn metrics_are_those_of_score() {
        assert_eq!(wrong_metric("cider"), None);
        assert!(
            wrong_metric("cidr")
                .unwrap()
                .contains("did you mean `cider`?")
        );
    }
}
