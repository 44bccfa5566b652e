//! In which file a system or a record stands: names that every file system takes.

use std::collections::{BTreeMap, BTreeSet};

use fgd_record::{Record, Results};

use crate::document::{Block, Cell, Document, Table};
use crate::kind;

/// Systems of a record whose details a single page holds.
const MOST_SYSTEMS: usize = 12;

/// Whether the page of a system says what the record's own document does.
fn is_whole(record: &Record, system: &str) -> bool {
    matches!(record.results, Results::Score(_)) && record.system_name() == system
}

/// The files of a record's pages.
#[derive(Default)]
pub struct Files {
    /// The page of the record itself, where it has one.
    pub own: Option<String>,
    /// The pages of its systems, by name of the system.
    pub pages: BTreeMap<String, String>,
    /// The pictures of the captions, by id of the image, where they are files.
    pub images: BTreeMap<String, String>,
    /// What the record's own page is called.
    name: Option<String>,
}

impl Files {
    /// Gives every page its file, in the order of the records. The index is the page of a record that is alone, and of
    /// its only system.
    pub fn of(records: &[Record]) -> Vec<Self> {
        let mut taken = BTreeSet::new();
        let is_alone = records.len() == 1;
        let files = records.iter().map(|record| {
            let kind = kind::of(record);
            let name = kind.listing(record).page;
            let prefix = record.results.kind();
            let own = name.as_ref().filter(|_| !is_alone);
            let own = own.map(|name| file_name(prefix, name, &mut taken));
            let (prefix, systems) = kind.pages(record);
            let mut file = |system: String| {
                let file = file_name(prefix, &system, &mut taken);
                (system, file)
            };
            let systems =
                systems.into_iter().filter(|system| !(is_alone && is_whole(record, system)));
            let pages = systems.map(&mut file).collect();
            Self { own, pages, name, ..Self::default() }
        });
        files.collect()
    }

    /// Places inside a single page instead: the record at `id`, and its first systems below it.
    pub fn anchors(record: &Record, id: &str) -> Self {
        let (_, systems) = kind::of(record).pages(record);
        let systems = systems.into_iter().filter(|system| !is_whole(record, system));
        let anchor = |(at, system)| (system, format!("#{id}-s{at}"));
        Self {
            own: Some(format!("#{id}")),
            pages: systems.take(MOST_SYSTEMS).enumerate().map(anchor).collect(),
            name: kind::of(record).listing(record).page,
            ..Self::default()
        }
    }

    /// Lets the cells of a document lead to the pages of their subjects, and its captions to their pictures.
    pub fn link(&self, document: &mut Document) {
        for block in &mut document.blocks {
            if let Block::Captions { table } = block {
                for (id, picture) in &mut table.thumbnails {
                    if let Some(file) = self.images.get(id) {
                        picture.clone_from(file);
                    }
                }
            }
        }
        document.tables_mut().for_each(|table| self.link_table(table));
    }

    /// The same for a single table.
    pub fn link_table(&self, table: &mut Table) {
        table.rows.iter_mut().flatten().for_each(|cell| self.link_cell(cell));
    }

    fn link_cell(&self, cell: &mut Cell) {
        let Some(subject) = &cell.subject else { return };
        let own = self.own.as_ref().filter(|_| self.name.as_ref() == Some(subject));
        if let Some(file) = self.pages.get(subject).or(own) {
            cell.href = Some(file.clone());
        }
    }
}

/// `kind-name.html` in lower-case ASCII, numbered where it is taken.
fn file_name(kind: &str, name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.trim_matches('-').chars().take(60).collect();
    let slug = if slug.is_empty() { "x".into() } else { slug };
    let mut file = format!("{kind}-{slug}.html");
    let mut number = 2;
    while !taken.insert(file.clone()) {
        file = format!("{kind}-{slug}-{number}.html");
        number += 1;
    }
    file
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::file_name;

    #[test]
    fn names_are_plain_and_never_twice() {
        let mut taken = BTreeSet::new();
        let mut name = |text| file_name("system", text, &mut taken);
        assert_eq!(name("../Etc/Passwd.csv"), "system-etc-passwd-csv.html");
        assert_eq!(name("etc passwd csv"), "system-etc-passwd-csv-2.html");
        assert_eq!(name("日本"), "system-x.html");
        assert_eq!(name("日本語"), "system-x-2.html");
    }
}
