//! The page that leads to all others: leaderboards and nights whole, the rest as links and rows of tables.

use fgd_record::Record;
use minijinja::{Value, context};

use super::files::Files;
use super::section::section;
use crate::document::{Table, grouped};
use crate::kind::{self, IndexEntry};

/// What the template of the index takes.
pub fn of(records: &[Record], files: &[Files]) -> Value {
    let (mut sections, mut links, mut tables) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (record, files)) in records.iter().zip(files).enumerate() {
        match kind::of(record).listing(record).entry {
            IndexEntry::Whole => {
                let mut document = kind::document(record);
                files.link(&mut document);
                sections.push(section(&document, &format!("c{at}")));
            }
            IndexEntry::Link { heading, subject } => {
                let title = kind::document(record).title;
                links.push((heading, context! { title, href => files.own, subject }));
            }
            IndexEntry::Row { heading, mut table } => {
                files.link_table(&mut table);
                tables.push((heading, table));
            }
        }
    }
    let lists = grouped(links).into_iter();
    let lists = lists.map(|(title, entries)| context! { title, entries });
    let tables = grouped(tables).into_iter();
    let tables = tables.map(|(title, rows)| context! { title, tables => joined(rows) });
    context! {
        sections,
        lists => lists.collect::<Vec<_>>(),
        groups => tables.collect::<Vec<_>>(),
    }
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
