//! Telling people: a command that gets the verdict on its standard input, or a webhook that it is posted to.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fgd_record::{NightlyResults, NightlyVerdict, Record, Results};
use serde_json::{Value, json};

use super::process;
use super::suite::{Notification, Occasion, Suite};
use crate::jobs::Progress;
use crate::settings;

/// How long a webhook or a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells everybody who wants to know. Nobody to be reached is a reason to say so, not to fail.
pub fn tell(suite: &Suite, record: &Record, progress: &dyn Progress) {
    let Results::Nightly(results) = &record.results else {
        return;
    };
    let message = message(record, results);
    for notification in suite.notify.iter().filter(|n| is_wanted(n.on, results)) {
        if let Err(error) = send(notification, &message) {
            progress.say(&format!("nobody told: {error}"));
        }
    }
}

fn is_wanted(on: Occasion, results: &NightlyResults) -> bool {
    use NightlyVerdict::{Improved, Invalid, Regressed};
    let has = |verdict| {
        results.verdict == verdict || results.findings.iter().any(|f| f.verdict == verdict)
    };
    match on {
        Occasion::Trouble => has(Regressed) || has(Invalid),
        Occasion::Change => has(Regressed) || has(Invalid) || has(Improved),
        Occasion::Always => true,
    }
}

/// The verdict in short: everything that is not as it was.
fn message(record: &Record, results: &NightlyResults) -> Value {
    let as_ever = [NightlyVerdict::Unchanged, NightlyVerdict::InsufficientHistory];
    let news: Vec<_> =
        results.findings.iter().filter(|finding| !as_ever.contains(&finding.verdict)).collect();
    let crossed: Vec<_> = results.gates.iter().filter(|gate| gate.passed != Some(true)).collect();
    json!({
        "suite": results.suite,
        "night": results.night,
        "verdict": results.verdict,
        "findings": news,
        "gates": crossed,
        "figures": results.findings.len(),
        "version": record.tool.version,
        "commit": record.tool.commit,
        "host": record.host.cpu,
    })
}

fn send(notification: &Notification, message: &Value) -> Result<(), String> {
    match &notification.webhook {
        Some(name) => post(name, notification.token.as_deref(), message),
        None => pipe(&notification.command, message),
    }
}

fn pipe(command: &[String], message: &Value) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let told = |error: std::io::Error| format!("{program}: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(told)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input has been told all the same; it must not keep the night waiting either.
        let line = format!("{message}\n");
        std::thread::spawn(move || input.write_all(line.as_bytes()));
    }
    match process::wait(&mut child, Some(Instant::now() + PATIENCE)).map_err(told)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program}: {status}")),
        None => Err(format!("{program}: ended, as it took more than {} s", PATIENCE.as_secs())),
    }
}

fn post(name: &str, token: Option<&str>, message: &Value) -> Result<(), String> {
    let secret = |name: &str| {
        settings::secret(name).ok_or_else(|| format!("the environment variable {name} is not set"))
    };
    let address = secret(name)?;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
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
