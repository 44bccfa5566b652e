//! Pages: documents and pictures poured into the templates.

use super::SiteError;
use super::names::Names;
use crate::charts;
use crate::document::number::{MISSING, counted};
use crate::document::{Block, Document, Figure, visible};
use fgd_record::{BenchResults, NightlyResults, Record, Results, ScoreResults};
use minijinja::{Environment, Value, context};
use std::collections::BTreeMap;

/// The templates.
pub struct Pages {
    templates: Environment<'static>,
}

/// Puts a page into its file.
type Save<'a> = dyn Fn(&str, &str) -> Result<(), SiteError> + 'a;

const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("blocks.html", include_str!("../../templates/blocks.html")),
    (
        "document.html",
        include_str!("../../templates/document.html"),
    ),
    ("index.html", include_str!("../../templates/index.html")),
];

impl Pages {
    /// Reads the templates, which are part of the program. Names ending in `.html` are escaped.
    pub fn new() -> Self {
        let mut templates = Environment::new();
        templates.set_trim_blocks(true);
        templates.set_lstrip_blocks(true);
        for (name, text) in TEMPLATES {
            templates
                .add_template(name, text)
                .expect("the templates are part of the program, and a test draws each of them");
        }
        Pages { templates }
    }

    /// Writes the pages of a record: its systems', and its own where it has one.
    pub fn each(
        &self,
        at: usize,
        record: &Record,
        names: &Names,
        save: &Save<'_>,
    ) -> Result<(), SiteError> {
        let links = names.systems(at);
        if let Some(file) = names.record(at) {
            save(file, &self.document(&Document::of(record), links)?)?;
        }
        let system = |name: &str, scores: &ScoreResults| {
            let document = match &record.results {
                Results::Score(_) => Document::of(record),
                _ => Document::of_system(record, name, scores),
            };
            match links.get(name) {
                Some(file) => save(file, &self.document(&document, links)?),
                None => Ok(()),
            }
        };
        match &record.results {
            Results::Score(scores) => system(&record.system_name(), scores),
            Results::Compare(results) => results
                .systems
                .iter()
                .try_for_each(|s| system(&s.name, &s.scores)),
            Results::Leaderboard(results) => results
                .standings
                .iter()
                .try_for_each(|s| system(&s.name, &s.scores)),
            Results::Caption(_) | Results::Bench(_) => Ok(()),
            Results::Nightly(results) => links.iter().try_for_each(|(name, file)| {
                let document = Document::of_history(results, name);
                save(file, &self.document(&document, links)?)
            }),
        }
    }

    /// The page of one document.
    fn document(
        &self,
        document: &Document,
        links: &BTreeMap<String, String>,
    ) -> Result<String, SiteError> {
        self.render(
            "document.html",
            context! { section => section(document, links, "c") },
        )
    }

    /// The page that leads to all others.
    pub fn index(&self, records: &[Record], names: &Names) -> Result<String, SiteError> {
        let mut sections = Vec::new();
        let mut lists: Vec<(&str, Vec<Value>)> = Vec::new();
        let mut list = |heading, at: usize, record: &Record, subject: String| {
            let entry = context! {
                title => Document::of(record).title,
                href => names.record(at),
                subject,
            };
            match lists.iter_mut().find(|(known, _)| *known == heading) {
                Some((_, entries)) => entries.push(entry),
                None => lists.push((heading, vec![entry])),
            }
        };
        let mut benchmarks = Vec::new();
        let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
        for (at, record) in records.iter().enumerate() {
            match &record.results {
                Results::Nightly(results) => {
                    let id = format!("c{at}");
                    let links = with_records(names.systems(at), results);
                    sections.push(section(&Document::of(record), &links, &id));
                }
                Results::Leaderboard(_) => {
                    let id = format!("c{at}");
                    sections.push(section(&Document::of(record), names.systems(at), &id));
                }
                Results::Compare(results) => {
                    let systems = counted(results.systems.len() as u64, "system");
                    let subject = format!("{systems} on {}", counted(results.n, "image"));
                    list("Comparisons", at, record, subject);
                }
                Results::Caption(results) => {
                    let subject = counted(results.captions, "caption");
                    list("Caption runs", at, record, subject);
                }
                Results::Bench(results) => {
                    benchmarks.push(benchmark_row(record, results, names.record(at)));
                }
                Results::Score(_) => {
                    let row = score_row(record, names.systems(at));
                    let key = record.comparability.key.as_str();
                    match groups.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, rows)) => rows.push(row),
                        None => groups.push((key, vec![row])),
                    }
                }
            }
        }
        let groups: Vec<Value> = groups
            .into_iter()
            .map(|(key, rows)| {
                let title = format!("Systems with comparability key {}", visible(key));
                context! { title, rows }
            })
            .collect();
        let lists: Vec<Value> = lists
            .into_iter()
            .map(|(title, entries)| context! { title, entries })
            .collect();
        self.render(
            "index.html",
            context! { sections, lists, benchmarks, groups },
        )
    }

    fn render(&self, page: &str, context: Value) -> Result<String, SiteError> {
        self.templates
            .get_template(page)
            .and_then(|template| template.render(context))
            .map_err(|source| SiteError::Template {
                page: page.to_string(),
                source,
            })
    }
}

/// The pages of a night's systems, and the records of its steps by their names.
fn with_records(
    systems: &BTreeMap<String, String>,
    results: &NightlyResults,
) -> BTreeMap<String, String> {
    let records = results.steps.iter().filter_map(|step| {
        let record = step.record.clone()?;
        Some((step.name.clone(), record))
    });
    records.chain(systems.clone()).collect()
}

/// A row of the index's table of benchmarks: the first headline, and whether it counts.
fn benchmark_row(record: &Record, results: &BenchResults, href: Option<&str>) -> Value {
    let document = Document::of(record);
    let table = document.blocks.iter().find_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    let cell = |at: usize| {
        let row = table.and_then(|table| table.rows.first());
        row.and_then(|row| row.get(at))
            .map_or(MISSING, |cell| cell.text.as_str())
    };
    context! {
        href,
        name => document.title.trim_start_matches("Benchmark: "),
        figure => cell(0),
        value => cell(1),
        interval => cell(2),
        unit => cell(3),
        host => visible(&record.host.cpu),
        valid => results.validity.valid,
    }
}

/// A row of the index's table of scores: the first table of the document in one line.
fn score_row(record: &Record, links: &BTreeMap<String, String>) -> Value {
    let document = Document::of(record);
    let name = record.system_name();
    let find = |metric: &str| {
        document.blocks.iter().find_map(|block| match block {
            Block::Table(table) => table
                .rows
                .iter()
                .find(|row| row.first().is_some_and(|cell| cell.text == metric)),
            _ => None,
        })
    };
    let cell = |metric: &str| match find(metric).map(Vec::as_slice) {
        Some([_, value, interval, ..]) => {
            context! { text => format!("{} {}", value.text, interval.text), sort => value.sort }
        }
        _ => context! { text => MISSING },
    };
    context! {
        href => links.get(&name),
        name => visible(&name),
        encoder => record.encoder.as_ref().map(|e| visible(&e.id)),
        is_fgd => record.encoder.as_ref().is_some_and(|e| e.is_gte_small),
        paired => cell("fgd_paired"),
        set => cell("fgd_set"),
        cosine => cell("mean_cosine"),
    }
}

/// A document as the templates take it. `id` makes the names of its pictures unique in the page.
fn section(document: &Document, links: &BTreeMap<String, String>, id: &str) -> Value {
    let blocks = |blocks: &[Block], place: &str| -> Vec<Value> {
        let place = format!("{id}{place}");
        let view = |(at, block)| view(block, &format!("{place}-{at}"));
        blocks.iter().enumerate().map(view).collect()
    };
    context! {
        title => document.title,
        blocks => blocks(&document.blocks, ""),
        appendix => blocks(&document.appendix, "a"),
        links,
    }
}

/// A block with its pictures drawn.
fn view(block: &Block, id: &str) -> Value {
    match block {
        Block::Figures { figures } => {
            let draw = |(at, figure): (usize, &Figure)| {
                let svg = charts::draw(figure, &format!("{id}-{at}"))?;
                Some(context! {
                    svg => Value::from_safe_string(svg),
                    title => figure.title,
                    caption => figure.caption,
                    numbers => figure.numbers,
                })
            };
            let figures: Vec<Value> = figures.iter().enumerate().filter_map(draw).collect();
            context! { block => "figures", figures }
        }
        Block::Entries { title, entries } => {
            let entries: Vec<Value> = entries
                .iter()
                .map(|entry| {
                    let picture = entry.thumbnail_jpeg.as_ref().filter(|t| is_base64(t));
                    context! {
                        title => entry.title,
                        detail => entry.detail,
                        fields => entry.fields,
                        picture,
                    }
                })
                .collect();
            context! { block => "entries", title, entries }
        }
        _ => Value::from_serialize(block),
    }
}

/// Whether a text can stand in a `data:` address.
fn is_base64(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
