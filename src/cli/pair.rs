//! A submission and its references: what `fgd score` takes, and `fgd bench score` hands on to it.

use super::files::CaptionArgs;
use super::inputs::{ReferenceColumns, input, open_submission, stem};
use crate::jobs::scoring::system::System;
use clap::Args;
use clap::builder::FalseyValueParser;
use fgd_record::Input;
use std::path::PathBuf;

/// The files of a score, and how to read them.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The submission: captions, .npy embeddings, or .npz moments.
    pub submission: PathBuf,
    /// The references: captions, .npy embeddings, or .npz moments.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    pub references: PathBuf,
    /// Compare the two sets as wholes; for references of other images.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = FalseyValueParser::new())]
    pub unpaired: bool,
    #[command(flatten)]
    pub columns: ReferenceColumns,
    #[command(flatten)]
    pub captions: CaptionArgs,
}

/// The files, read.
pub struct Pair {
    /// The submission.
    pub submission: System,
    /// The references.
    pub references: System,
    /// Both as they stand in a record, the submission first.
    pub inputs: [Input; 2],
}

impl PairArgs {
    /// Reads both files.
    pub fn open(&self) -> anyhow::Result<Pair> {
        let submission = open_submission(&self.submission, &self.captions.options())?;
        let references = self.columns.open(&self.references, &self.captions)?;
        let described = |role, path: &PathBuf, system| input(role, &stem(path), path, system);
        let inputs = [
            described("submission", &self.submission, &submission)?,
            described("references", &self.references, &references)?,
        ];
        Ok(Pair {
            submission,
            references,
            inputs,
        })
    }
}
