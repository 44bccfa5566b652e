//! Pages: documents and pictures poured into the templates.

use fgd_record::Record;
use minijinja::{Environment, Value, context};

use super::files::Files;
use super::section::section;
use super::{SiteError, index};
use crate::document::Document;

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
        self.render("document.html", context! { section => section(&document, "c") })
    }

    /// The page that leads to all others.
    pub fn index(&self, records: &[Record], files: &[Files]) -> Result<String, SiteError> {
        self.render("index.html", index::of(records, files))
    }

    fn render(&self, page: &str, context: Value) -> Result<String, SiteError> {
        let template = self.0.get_template(page);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|source| SiteError::Template { page: page.to_string(), source })
    }
}
