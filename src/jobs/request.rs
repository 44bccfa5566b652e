//! Any job as plain data: what `fgd job` reads, and what a night starts its steps with.
//!
//! `{"job": "score", "submission": "a.csv", "references": {"path": "references.csv"}}`: the field `job` says which job,
//! the other fields are those of its request. What is left out has the default of the command's flag.

use std::path::Path;

use fgd_record::Record;
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::{
    JobError, Session, agreement, bench, caption, compare, curate, exact, leaderboard, score,
    select, train,
};

/// A job and what it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Request {
    /// How good is one submission?
    Score(score::Request),
    /// What are sums worth that were made elsewhere?
    Sums(exact::sums::Request),
    /// Who is first, by sums that were made elsewhere?
    Board(exact::board::Request),
    /// Do systems differ?
    Compare(compare::Request),
    /// Who is first?
    Leaderboard(leaderboard::Request),
    /// Do metrics agree with people?
    Agreement(agreement::Request),
    /// Images to captions.
    Caption(caption::Request),
    /// One of several captions of each image.
    Select(select::Request),
    /// How fast is it?
    Bench(bench::Request),
    /// What to train on.
    Curate(curate::Request),
    /// Captions to an adapter.
    Train(Box<train::Request>),
}

impl Request {
    fn files(&self) -> &dyn Apart {
        match self {
            Self::Score(request) => request,
            Self::Sums(request) => request,
            Self::Board(request) => request,
            Self::Compare(request) => request,
            Self::Leaderboard(request) => request,
            Self::Agreement(request) => request,
            Self::Caption(request) => request,
            Self::Select(request) => request,
            Self::Bench(request) => request,
            Self::Curate(request) => request,
            Self::Train(request) => &**request,
        }
    }

    /// Does the job. Relative paths begin in the working directory.
    ///
    /// # Errors
    /// Those of the job.
    pub fn run(&self, session: &mut Session) -> Result<Record, JobError> {
        match self {
            Self::Score(request) => score::run(request, session),
            Self::Sums(request) => exact::sums::run(request, session),
            Self::Board(request) => exact::board::run(request, session),
            Self::Compare(request) => compare::run(request, session),
            Self::Leaderboard(request) => leaderboard::run(request, session),
            Self::Agreement(request) => agreement::run(request, session),
            Self::Caption(request) => caption::run(request, session),
            Self::Select(request) => select::run(request, session),
            Self::Bench(request) => bench::run(request, session),
            Self::Curate(request) => curate::run(request, session),
            Self::Train(request) => train::run(request, session),
        }
    }
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        self.files().inputs()
    }

    fn outputs(&self) -> Vec<&Path> {
        self.files().outputs()
    }
}
