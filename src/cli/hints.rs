//! What was meant, where a command was nearly right: flags that other programs have, and references of other images.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use crate::jobs::JobError;

/// Flags that people try, the flag of ours that must be there for it, and what to write.
const MEANT: [(&[&str], &str, &str); 7] = [
    (
        &[
            "--refs",
            "--ref",
            "--reference",
            "--gt",
            "--gts",
            "--ground-truth",
            "--targets",
            "--truth",
        ],
        "references",
        "--references FILE",
    ),
    (&["--json"], "format", "--format json, or -o FILE.json"),
    (&["--csv"], "format", "--format csv, or -o FILE.csv"),
    (&["--md", "--markdown"], "format", "--format md, or -o FILE.md"),
    (&["--html", "--site"], "report", "--report FILE.html, or --report DIR"),
    (&["--out", "--out-file", "--outfile", "--output-file"], "output", "-o FILE"),
    (&["--model"], "encoder", "--encoder DIR, or a hub id"),
];

/// An answer to an unknown flag that says the right one.
pub fn of_unknown_flag(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let (_, ours, write) = MEANT.iter().find(|(tried, _, _)| tried.contains(&flag.as_str()))?;
    let mut command = Cli::command();
    for word in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        match command.find_subcommand(word).cloned() {
            Some(found) => command = found,
            None => break,
        }
    }
    let has = command.get_arguments().any(|argument| argument.get_long() == Some(ours));
    has.then(|| format!("there is no {flag}: write {write}"))
}

/// The command that compares the two sets as wholes, where not one image of a submission is known to the references.
pub fn of_other_images(error: &anyhow::Error, arguments: &[OsString]) -> Option<String> {
    let Some(JobError::Invalid { findings, .. }) = error.downcast_ref() else {
        return None;
    };
    let nothing = fgd_captions::FindingKind::NoCommonId.name();
    let is_apart = findings.iter().any(|(_, found)| found.iter().any(|one| one.kind == nothing));
    let words: Vec<String> = arguments.iter().skip(1).map(quoted).collect();
    let can = words.iter().any(|word| matches!(word.as_str(), "score" | "leaderboard"));
    (is_apart && can).then(|| {
        format!(
            "references of other images? The two sets can be compared as wholes: fgd {} --unpaired",
            words.join(" ")
        )
    })
}

/// An argument as a shell takes it.
fn quoted(argument: &OsString) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
