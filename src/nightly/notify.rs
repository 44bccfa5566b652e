//! Telling people: a command that gets the verdict on its standard input, or a webhook that it is posted to.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fgd_record::{NightlyResults, NightlyVerdict, Record, Results};
use serde_json::{Value, json};

use super::process;
use super::suite::{Notification, Occasion, Suite};
use crate::jobs::Progress;
use crate::settings;

/// Tells everybody who wants to know; `before` is what the night before came to. Nobody to be reached is a reason to say so,
/// not to fail.
pub fn tell(suite: &Suite, before: Option<&Record>, record: &Record, progress: &dyn Progress) {
    let Results::Nightly(results) = &record.results else {
        return;
    };
    let before = before.and_then(|record| match &record.results {
        Results::Nightly(results) => Some(&**results),
        _ => None,
    });
    let changes = changes(before, results);
    let is_wanted = |on: Occasion| match on {
        Occasion::Trouble => !troubles(results).is_empty(),
        Occasion::Change => !changes.is_empty(),
        Occasion::Always => true,
    };
    let message = message(record, results, &changes);
    for notification in suite.notify.iter().filter(|notification| is_wanted(notification.on)) {
        if let Err(error) = send(notification, &message) {
            progress.say(&format!("nobody told: {error}"));
        }
    }
}

/// What is wrong with a night: figures that regressed, conditions that were crossed, what failed.
fn troubles(results: &NightlyResults) -> BTreeSet<String> {
    let regressed = titles(results, &[NightlyVerdict::Regressed]);
    let crossed = results.gates.iter().filter(|gate| gate.passed == Some(false));
    let failed = results.failures.iter().filter(|failure| !failure.allowed);
    regressed
        .into_iter()
        .chain(crossed.map(|gate| format!("crossed: {}", gate.condition)))
        .chain(failed.map(|failure| format!("failed: {}", failure.subject)))
        .collect()
}

/// What is otherwise than in the night before: trouble that is new or over, and figures that are now better, moved or new.
fn changes(before: Option<&NightlyResults>, results: &NightlyResults) -> Vec<String> {
    use NightlyVerdict::{Improved, Moved, NewSeries};
    let news = |results: &NightlyResults| titles(results, &[Improved, Moved, NewSeries]);
    let (then, then_news) = before.map(|night| (troubles(night), news(night))).unwrap_or_default();
    let (now, now_news) = (troubles(results), news(results));
    let begun = now.difference(&then).cloned();
    let over = then.difference(&now).map(|trouble| format!("no longer {trouble}"));
    begun.chain(over).chain(now_news.difference(&then_news).cloned()).collect()
}

fn titles(results: &NightlyResults, verdicts: &[NightlyVerdict]) -> BTreeSet<String> {
    let found = results.findings.iter().filter(|finding| verdicts.contains(&finding.verdict));
    found.map(|f| format!("{}: {} {}", f.verdict.name(), f.system, f.metric)).collect()
}

/// The verdict in short: everything that is not as it was.
fn message(record: &Record, results: &NightlyResults, changes: &[String]) -> Value {
    let as_ever = [NightlyVerdict::Unchanged, NightlyVerdict::InsufficientHistory];
    let news: Vec<_> =
        results.findings.iter().filter(|finding| !as_ever.contains(&finding.verdict)).collect();
    let crossed: Vec<_> = results.gates.iter().filter(|gate| gate.passed != Some(true)).collect();
    json!({
        "suite": results.suite,
        "night": results.night,
        "verdict": results.verdict,
        "headline": results.headline(),
        "changes": changes,
        "failures": results.failures,
        "findings": news,
        "gates": crossed,
        "figures": results.findings.len(),
        "version": record.tool.version,
        "commit": record.tool.commit,
        "host": record.host.cpu,
    })
}

fn send(notification: &Notification, message: &Value) -> Result<(), String> {
    let patience = notification.timeout.0;
    match &notification.webhook {
        Some(name) => post(name, notification.token.as_deref(), message, patience),
        None => pipe(&notification.command, message, patience),
    }
}

/// Runs a command with the message on its standard input. One that does not end in time is ended, with what it started.
fn pipe(command: &[String], message: &Value, patience: Duration) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let told = |error: std::io::Error| format!("{program}: {error}");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(told)?;
    if let Some(mut input) = child.stdin.take() {
        let text = format!("{message}\n");
        // Beside it, for one that does not read. It has been told all the same.
        std::thread::spawn(move || input.write_all(text.as_bytes()));
    }
    match process::wait(&mut child, Instant::now().checked_add(patience)).map_err(told)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program}: {status}")),
        None => Err(format!(
            "{program}: not done after {} s, and ended; raise timeout",
            patience.as_secs_f64()
        )),
    }
}

fn post(
    name: &str,
    token: Option<&str>,
    message: &Value,
    patience: Duration,
) -> Result<(), String> {
    let secret = |name: &str| {
        settings::secret(name).ok_or_else(|| format!("the environment variable {name} is not set"))
    };
    let address = secret(name)?;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(patience)).build().into();
    let mut request = agent.post(&address).header("Content-Type", "application/json");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {}", secret(token)?));
    }
    // The address may be a secret itself, so messages name the variable.
    let sent = request.send(message.to_string());
    sent.map(|_| ()).map_err(|error| match error {
        ureq::Error::StatusCode(code) => format!("the address in {name} answers {code}"),
        _ => format!("the address in {name} cannot be reached"),
    })
}
