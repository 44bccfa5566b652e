//! Pages: documents and pictures poured into the templates.

use fgd_record::Record;
use minijinja::{Environment, Value, context};

use super::files::Files;
use super::{SiteError, index};
use crate::charts;
use crate::document::{Block, Document, Figure};

/// The templates, which are part of the program.
pub struct Templates(Environment<'static>);

const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("blocks.html", include_str!("../../templates/blocks.html")),
    (
        "document.html",
        include_str!("../../templates/document.html"),
    ),
    ("index.html", include_str!("../../templates/index.html")),
];

impl Templates {
    /// Reads the templates. Names ending in `.html` are escaped.
    pub fn new() -> Self {
        let mut templates = Environment::new();
        templates.set_trim_blocks(true);
        templates.set_lstrip_blocks(true);
        for (name, text) in TEMPLATES {
            templates
                .add_template(name, text)
                .expect("the templates are part of the program, and a test draws each of them");
        }
        Templates(templates)
    }

    /// The page of one document, whose cells lead to the files.
    pub fn page(&self, mut document: Document, files: &Files) -> Result<String, SiteError> {
        files.link(&mut document);
        self.render(
            "document.html",
            context! { section => section(&document, "c") },
        )
    }

    /// The page that leads to all others.
    pub fn index(&self, records: &[Record], files: &[Files]) -> Result<String, SiteError> {
        self.render("index.html", index::of(records, files))
    }

    fn render(&self, page: &str, context: Value) -> Result<String, SiteError> {
        let template = self.0.get_template(page);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|source| SiteError::Template {
            page: page.to_string(),
            source,
        })
    }
}

/// A document as the templates take it. `id` makes the names of its pictures unique in the page.
pub fn section(document: &Document, id: &str) -> Value {
    let blocks = |blocks: &[Block], place: &str| -> Vec<Value> {
        let place = format!("{id}{place}");
        let view = |(at, block)| view(block, &format!("{place}-{at}"));
        blocks.iter().enumerate().map(view).collect()
    };
    context! {
        title => document.title,
        blocks => blocks(&document.blocks, ""),
        appendix => blocks(&document.appendix, "a"),
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
