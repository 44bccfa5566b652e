//! Which page a system or a record stands on: file names that every file system takes.

use crate::document::Document;
use fgd_record::{Record, Results};
use std::collections::{BTreeMap, BTreeSet};

/// The file names of a site.
pub struct Names {
    /// By record, then by name of the system.
    systems: Vec<BTreeMap<String, String>>,
    /// By record; only records with a page of their own.
    records: Vec<Option<String>>,
}

impl Names {
    /// Gives every page its name, in the order of the records.
    pub fn of(records: &[Record]) -> Self {
        let mut taken = BTreeSet::new();
        let mut names = Names {
            systems: Vec::new(),
            records: Vec::new(),
        };
        for record in records {
            let (own, systems): (Option<String>, Vec<String>) = match &record.results {
                Results::Score(_) => (None, vec![record.system_name()]),
                Results::Compare(results) => {
                    let systems: Vec<String> =
                        results.systems.iter().map(|s| s.name.clone()).collect();
                    (Some(systems.join(" vs ")), systems)
                }
                Results::Leaderboard(results) => {
                    let systems = results.standings.iter().map(|s| s.name.clone());
                    (None, systems.collect())
                }
                Results::Caption(_) => (Some(record.system_name()), Vec::new()),
                Results::Nightly(results) => {
                    let of_trends = results.trends.iter().map(|trend| trend.system.clone());
                    let of_findings = results.findings.iter().map(|f| f.system.clone());
                    let systems: BTreeSet<String> = of_trends.chain(of_findings).collect();
                    (None, systems.into_iter().collect())
                }
                Results::Bench(_) => {
                    let title = Document::of(record).title;
                    let own = title.trim_start_matches("Benchmark: ");
                    (Some(own.to_string()), Vec::new())
                }
            };
            let kind = record.results.kind();
            (names.records).push(own.map(|own| file_name(kind, &own, &mut taken)));
            let page = match &record.results {
                Results::Nightly(_) => "history",
                _ => "system",
            };
            let pages = systems.into_iter().map(|system| {
                let file = file_name(page, &system, &mut taken);
                (system, file)
            });
            names.systems.push(pages.collect());
        }
        names
    }

    /// The pages of a record's systems, by name of the system.
    pub fn systems(&self, record: usize) -> &BTreeMap<String, String> {
        &self.systems[record]
    }

    /// The page of a record, where it has one of its own.
    pub fn record(&self, record: usize) -> Option<&str> {
        self.records[record].as_deref()
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
    use super::file_name;
    use std::collections::BTreeSet;

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
