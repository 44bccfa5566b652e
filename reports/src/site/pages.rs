//! Pages: documents and pictures poured into the templates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fgd_record::Record;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};

use super::files::Files;
use super::section::section;
use super::{SiteError, index};
use crate::document::Document;

/// The sheet of all pages.
pub const SHEET: &str =
    concat!(include_str!("../../assets/site.css"), include_str!("../../assets/captions.css"));

/// The scripts of all pages, which work without each other; pages can be read without any.
pub const SCRIPT: &str = concat!(
    include_str!("../../assets/elements.js"),
    include_str!("../../assets/tables.js"),
    include_str!("../../assets/filters.js"),
    include_str!("../../assets/charts.js"),
    include_str!("../../assets/captions/model.js"),
    include_str!("../../assets/captions/words.js"),
    include_str!("../../assets/captions/dialog.js"),
    include_str!("../../assets/captions/view.js"),
);

/// The templates, which are part of the program.
pub struct Templates(Environment<'static>);

const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("blocks.html", include_str!("../../templates/blocks.html")),
    ("document.html", include_str!("../../templates/document.html")),
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
        let page = context! { section => section(&document, "c"), scripts => "'self' file:" };
        self.render("document.html", page)
    }

    /// The page that leads to all others.
    pub fn index(&self, records: &[Record], files: &[Files]) -> Result<String, SiteError> {
        let index = index::of(records, files);
        self.render("index.html", context! { scripts => "'self' file:", ..index })
    }

    /// A page that needs no other file. The browser runs no script in it but this one.
    pub fn alone(&self, records: &[Record]) -> Result<String, SiteError> {
        let script = format!("\n{SCRIPT}");
        let hash = STANDARD.encode(Sha256::digest(&script));
        let alone = context! {
            sheet => Value::from_safe_string(SHEET.to_owned()),
            script => Value::from_safe_string(script),
        };
        let scripts = Value::from_safe_string(format!("'sha256-{hash}'"));
        let page = context! { alone, scripts, ..index::single(records) };
        self.render("index.html", page)
    }

    fn render(&self, page: &str, context: Value) -> Result<String, SiteError> {
        let template = self.0.get_template(page);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|source| SiteError::Template { page: page.to_string(), source })
    }
}
