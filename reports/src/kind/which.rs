//! Which kind a record is of.

use fgd_record::{Record, Results};

use super::Kind;
use crate::document::Document;

/// The kind of a record.
pub fn of(record: &Record) -> &dyn Kind {
    match &record.results {
        Results::Score(results) => &**results,
        Results::Compare(results) => &**results,
        Results::Leaderboard(results) => &**results,
        Results::Agreement(results) => &**results,
        Results::Caption(results) => &**results,
        Results::Select(results) => &**results,
        Results::Bench(results) => &**results,
        Results::Nightly(results) => &**results,
        Results::Train(results) => &**results,
        Results::Curate(results) => &**results,
    }
}

/// What a record says.
pub fn document(record: &Record) -> Document {
    of(record).document(record)
}
