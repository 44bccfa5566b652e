//! In which file a system or a record stands: names that every file system takes.

use std::collections::{BTreeMap, BTreeSet};

use fgd_record::Record;

use crate::document::{Cell, Document, Table};
use crate::kind;

/// The files of a record's pages.
#[derive(Default)]
pub struct Files {
    /// The page of the record itself, where it has one.
    pub own: Option<String>,
    /// The pages of its systems, by name of the system.
    pub pages: BTreeMap<String, String>,
    /// What the record's own page is called.
    name: Option<String>,
}

impl Files {
    /// Gives every page its file, in the order of the records.
    pub fn of(records: &[Record]) -> Vec<Self> {
        let mut taken = BTreeSet::new();
        let files = records.iter().map(|record| {
            let kind = kind::of(record);
            let name = kind.listing(record).page;
            let prefix = record.results.kind();
            let own = name.as_ref().map(|name| file_name(prefix, name, &mut taken));
            let (prefix, systems) = kind.pages(record);
            let mut file = |system: String| {
                let file = file_name(prefix, &system, &mut taken);
                (system, file)
            };
            let pages = systems.into_iter().map(&mut file).collect();
            Self { own, pages, name }
        });
        files.collect()
    }

    /// Lets the cells of a document lead to the pages of their subjects.
    pub fn link(&self, document: &mut Document) {
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
