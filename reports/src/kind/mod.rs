//! The kinds of records: one file for each, and one line in [`of`](which::of).
//!
//! A kind says all that reports know about its records: the document, the numbers for a data frame, its systems, its
//! pages and its place in a site. Formats, site and exports work on that and never ask for the kind. The tables and
//! pictures that several kinds share are files of their own here.

mod agreement;
mod bench;
mod caption;
mod captions;
mod columns;
mod compare;
mod curate;
mod differences;
mod figures;
mod gates;
mod leaderboard;
mod nightly;
mod numbers;
mod provenance;
mod score;
mod select;
mod set;
mod spread;
mod system;
mod train;
mod verdict;
mod which;

pub use which::{document, of};

use fgd_record::{CaptionResults, CheckpointInfo, Headline, Record, ScoreResults};

use crate::document::{Document, Table, Tidy};

/// What reports know about one kind of record.
pub trait Kind {
    /// What the record says.
    fn document(&self, record: &Record) -> Document;

    /// Its numbers, one per row.
    fn numbers(&self, record: &Record) -> Tidy;

    /// Where it stands in a site.
    fn listing(&self, _record: &Record) -> Listing {
        Listing::default()
    }

    /// What it measured, under the names that other programs follow.
    fn subjects(&self, _record: &Record) -> Vec<Subject<'_>> {
        Vec::new()
    }

    /// What has a page of its own beside the record, and the word that the names of these pages begin with.
    fn pages(&self, record: &Record) -> (&'static str, Vec<String>) {
        let systems = self.subjects(record).into_iter();
        let scored = systems.filter(|system| system.scores.is_some());
        ("system", scored.map(|system| system.name).collect())
    }

    /// What such a page says; `None` where nothing of this name was scored.
    fn page(&self, record: &Record, name: &str) -> Option<Document> {
        let mut systems = self.subjects(record).into_iter();
        let scores = systems.find(|system| system.name == name)?.scores?;
        Some(system::page(record, name, scores))
    }
}

/// Something that was measured, and what is known of it.
#[derive(Default)]
pub struct Subject<'a> {
    /// What reports call it.
    pub name: String,
    /// The checkpoint that made its captions, where the job ran one beside others.
    pub checkpoint: Option<&'a CheckpointInfo>,
    /// Its quality.
    pub scores: Option<&'a ScoreResults>,
    /// The speed of its captioner.
    pub captioning: Option<&'a CaptionResults>,
    /// The figures of its benchmark.
    pub headlines: &'a [Headline],
}

/// Where a record stands in a site.
#[derive(Default)]
pub struct Listing {
    /// What the page of the record itself is called; `None` where it has none.
    pub page: Option<String>,
    /// How the index shows it.
    pub entry: IndexEntry,
}

/// How the index of a site shows a record.
#[derive(Default)]
pub enum IndexEntry {
    /// Whole.
    #[default]
    Whole,
    /// As one of the runs, which lead to their pages.
    Run,
    /// As the row of a table below a heading; rows of tables of the same title stand in one.
    Row {
        /// The heading.
        heading: &'static str,
        /// The table, with one row.
        table: Table,
    },
}
