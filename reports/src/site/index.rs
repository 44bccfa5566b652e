//! The page that leads to all others: the runs as a table, leaderboards and nights whole, the rest by key and kind. A record
//! that is alone is the page.

use fgd_record::{Record, Results};
use minijinja::{Value, context};

use super::files::Files;
use super::section::section;
use super::table;
use crate::document::number::day;
use crate::document::width::clipped;
use crate::document::{Block, Cell, Document, Table, Tone, grouped};
use crate::kind::{self, IndexEntry};

/// Letters of a verdict in the table of runs; its page has all of them.
const BRIEF: usize = 160;

/// What the template of the index takes.
pub fn of(records: &[Record], files: &[Files]) -> Value {
    let (mut sections, mut tables, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (record, files)) in records.iter().zip(files).enumerate() {
        let mut document = kind::document(record);
        files.link(&mut document);
        let id = format!("c{at}");
        let entry = kind::of(record).listing(record).entry;
        runs.push(run(records, record, files, &document, &id));
        match entry {
            _ if records.len() == 1 => sections.push(section(&document, &id)),
            IndexEntry::Whole => sections.push(section(&document, &id)),
            IndexEntry::Run => {}
            IndexEntry::Row { heading, mut table } => {
                files.link_table(&mut table);
                tables.push((heading, table));
            }
        }
    }
    let groups = grouped(tables).into_iter().enumerate().map(|(at, (title, rows))| {
        let tables: Vec<Value> = joined(rows)
            .iter()
            .enumerate()
            .map(|(n, of)| table::view(of, &format!("g{at}-{n}")))
            .collect();
        context! { title, tables }
    });
    context! {
        sections,
        runs => (records.len() > 1).then(|| table::view(&runs_table(&runs), "runs")),
        groups => groups.collect::<Vec<_>>(),
    }
}

/// All records in one page, each with its first systems folded below it.
pub fn single(records: &[Record]) -> Value {
    let sections = records.iter().enumerate().map(|(at, record)| {
        let id = format!("r{at}");
        let files = Files::anchors(record, &id);
        let mut document = kind::document(record);
        files.link(&mut document);
        let page = |(system, anchor): (&String, &String)| {
            let mut document = kind::of(record).page(record, system)?;
            // All captions stand in the table of the record.
            document.blocks.retain(|block| !matches!(block, Block::Captions { .. }));
            document.appendix.clear();
            files.link(&mut document);
            Some(section(&document, anchor.trim_start_matches('#')))
        };
        let pages: Vec<Value> = files.pages.iter().filter_map(page).collect();
        context! { pages, ..section(&document, &id) }
    });
    context! { sections => sections.collect::<Vec<_>>(), groups => Vec::<Value>::new() }
}

/// A record as a row of the table of runs.
struct Run {
    title: String,
    href: String,
    kind: &'static str,
    created: String,
    verdict: Cell,
}

fn run(records: &[Record], record: &Record, files: &Files, document: &Document, id: &str) -> Run {
    let page = files.own.clone().or_else(|| match record.results {
        Results::Score(_) => files.pages.values().next().cloned(),
        _ => None,
    });
    let verdict = document.blocks.iter().find_map(|block| match block {
        Block::Verdict { tone, text } => Some((*tone, text.clone())),
        Block::Notice { tone: tone @ (Tone::Good | Tone::Bad), text } => {
            Some((*tone, text.clone()))
        }
        _ => None,
    });
    let (tone, text) = verdict.unwrap_or_default();
    // How to read the number stands behind it, and once is enough.
    let text = clipped(text.split("; lower").next().unwrap_or_default(), BRIEF);
    Run {
        title: document.title.clone(),
        href: page.unwrap_or_else(|| format!("#{id}")),
        kind: record.results.kind(),
        created: record.created.clone(),
        verdict: Cell { tone, trend: trend(records, record), ..Cell::new(text, None) },
    }
}

fn runs_table(runs: &[Run]) -> Table {
    Table::of("Runs", runs)
        .text("run", |run| Cell { href: Some(run.href.clone()), ..Cell::from(&run.title) })
        .text("verdict", |run| run.verdict.clone())
        .text("kind", |run| run.kind)
        .text("finished", |run| Cell::from(day(&run.created)))
        .sortable()
        .into()
}

/// The paired distances of a system's scores up to this one, where several are comparable.
fn trend(records: &[Record], record: &Record) -> Vec<Option<f64>> {
    let value = |other: &Record| match &other.results {
        Results::Score(scores) => scores.fgd_paired.value,
        _ => None,
    };
    if value(record).is_none() {
        return Vec::new();
    }
    let is_earlier = |other: &&Record| {
        other.created <= record.created
            && other.comparability.key == record.comparability.key
            && other.system_name() == record.system_name()
            && value(other).is_some()
    };
    let mut earlier: Vec<&Record> = records.iter().filter(is_earlier).collect();
    earlier.sort_by(|a, b| a.created.cmp(&b.created));
    earlier.into_iter().map(value).collect()
}

/// Tables of the same title as one.
fn joined(tables: Vec<Table>) -> Vec<Table> {
    let mut joined: Vec<Table> = Vec::new();
    for table in tables {
        match joined.iter_mut().find(|known| known.title == table.title) {
            Some(known) => known.rows.extend(table.rows),
            None => joined.push(table),
        }
    }
    joined
}
