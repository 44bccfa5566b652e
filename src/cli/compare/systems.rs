//! What stands for a system: a file of captions, embeddings or moments, or a saved record.

use super::Args;
use crate::cli::exit::{invalid, usage};
use crate::cli::findings;
use crate::cli::inputs::{Named, input, open_submission};
use crate::cli::output::Output;
use crate::jobs::scoring::system::System;
use fgd_captions::{self as captions, Finding, ReadOptions};
use fgd_record::{Comparability, EncoderInfo, Input, Record, RecordError, Results, ScoreResults};
use fgd_store::hub;

/// What a system's file turned out to be.
pub enum Given {
    /// Captions, embeddings or moments.
    File(System),
    /// A saved record, of which only the numbers are known.
    Saved(Box<Saved>),
}

/// What is taken from a saved record.
pub struct Saved {
    /// Its numbers.
    pub scores: ScoreResults,
    /// What must be equal before they are held against others.
    pub comparability: Comparability,
    /// The encoder behind them.
    pub encoder: Option<EncoderInfo>,
    input: Input,
}

impl Given {
    /// Reads what stands for a system.
    pub fn open(system: &Named, args: &Args) -> anyhow::Result<Self> {
        if let Some(saved) = open_saved(system)? {
            return Ok(Self::Saved(Box::new(saved)));
        }
        let opened = open_submission(&system.path, &args.captions.options())?;
        Ok(Self::File(opened))
    }

    /// Reads what a captioner of this run wrote.
    pub fn of_captioner(system: &Named) -> anyhow::Result<Self> {
        let mut opened = open_submission(&system.path, &ReadOptions::default())?;
        if let System::Captions(file) = &mut opened {
            captions::accept_empty(file);
        }
        Ok(Self::File(opened))
    }

    /// The file as it stands in a record.
    pub fn input(&self, system: &Named) -> anyhow::Result<Input> {
        match self {
            Self::File(file) => input("submission", &system.name, &system.path, file),
            Self::Saved(saved) => Ok(saved.input.clone()),
        }
    }
}

/// The record in a `.json` file; `None` where it holds captions instead.
fn open_saved(system: &Named) -> anyhow::Result<Option<Saved>> {
    let path = &system.path;
    let is_json = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if !is_json {
        return Ok(None);
    }
    let Ok(text) = std::fs::read_to_string(path) else {
        // Whatever is wrong with the file, the reader of captions says it better.
        return Ok(None);
    };
    let record = match Record::from_json(&text) {
        Ok(record) => record,
        Err(RecordError::Shape(_)) => return Ok(None),
        Err(error @ RecordError::Newer { .. }) => {
            return Err(usage(format!("{}: {error}", path.display())));
        }
    };
    let Results::Score(scores) = record.results else {
        return Err(usage(format!(
            "{}: is a record of `fgd {}`; give records of `fgd score`",
            path.display(),
            record.results.kind()
        )));
    };
    Ok(Some(Saved {
        input: Input {
            role: "record".into(),
            name: system.name.clone(),
            path: path.display().to_string(),
            sha256: hub::sha256(path)?,
            rows: scores.n,
        },
        scores: *scores,
        comparability: record.comparability,
        encoder: record.encoder,
    }))
}

/// Lists what is wrong with every system at once, before anything is captioned or embedded. With references that are
/// not captions, ids say nothing.
pub fn refuse_invalid<'a>(
    systems: impl Iterator<Item = (&'a Named, &'a Given)>,
    references: Option<&System>,
    output: &Output,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (named, given) in systems {
        let Given::File(System::Captions(file)) = given else {
            continue;
        };
        let mut found: Vec<Finding> = file.findings.clone();
        found.extend(captions::lint(file));
        if let Some(System::Captions(references)) = references {
            found.extend(captions::align(file, references).findings);
        }
        if !captions::is_valid(&found) {
            findings::print(&found, &named.path, true, output);
            let errors = findings::errors(&found);
            wrong.push(format!("{} ({errors})", named.path.display()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "{}: errors in the captions; mend them and compare again",
        wrong.join(", ")
    )))
}
