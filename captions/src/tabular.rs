//! Rows of fields under a header, as delimited text and worksheets have them.

use std::collections::{HashMap, HashSet};

use super::builder::Builder;
use super::column::{Layout, Picker};
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};
use super::image_id;
use super::names::is_id_name;
use super::tables;

/// Takes rows of fields, of which the first may be a header, and puts them into the [`Builder`].
pub(super) struct Tabular<'a> {
    picker: &'a Picker<'a>,
    pub rows: &'a mut Builder,
    header: Option<Header>,
    /// The number of the row taken last, from 1 on; the header is none.
    pub row: u64,
}

struct Header {
    layout: Layout,
    fields: usize,
    /// Field number and column number of the other columns.
    others: Vec<(usize, usize)>,
}

impl<'a> Tabular<'a> {
    pub fn new(picker: &'a Picker<'a>, rows: &'a mut Builder) -> Self {
        Self { picker, rows, header: None, row: 0 }
    }

    /// How many fields the header has, or the first row where there is none; `None` before it came.
    pub fn width(&self) -> Option<usize> {
        self.header.as_ref().map(|header| header.fields)
    }

    /// Takes the next row, which stands on this line; whether it was the header.
    ///
    /// # Errors
    /// A first row that neither names the columns nor is data beyond doubt.
    pub fn take<S: AsRef<str>>(&mut self, fields: &[S], line: u64) -> Result<bool, ReadProblem> {
        let is_header = self.header.is_none() && self.begin(fields)?;
        if !is_header {
            self.row += 1;
            self.rows.last_row = self.row;
            self.data(fields, line);
        }
        Ok(is_header)
    }

    /// The id that stands in these fields, or the empty text.
    pub fn id<'f, S: AsRef<str>>(&self, fields: &'f [S]) -> &'f str {
        let at = self.header.as_ref().and_then(|header| header.layout.id);
        at.and_then(|at| fields.get(at)).map_or("", |id| id.as_ref().trim())
    }

    /// Takes the first row as the header, or finds out that it is data.
    fn begin<S: AsRef<str>>(&mut self, fields: &[S]) -> Result<bool, ReadProblem> {
        let names = named_apart(fields);
        let (layout, named) = match self.picker.pick(&names) {
            Ok(layout) => (layout, true),
            Err(problem) => match self.without_header(fields) {
                Some(layout) => (layout, false),
                None => return Err(problem),
            },
        };
        let mut others = Vec::new();
        if named {
            let name = |at: usize| names[at].trim();
            let captions: Vec<_> = layout.captions.iter().map(|&at| name(at)).collect();
            self.rows.name_columns(layout.id.map(name), &captions);
            others = self.other_columns(fields, &names, &layout);
            let rivals = self.picker.rivals(fields, &layout);
            rivals.into_iter().for_each(|finding| self.rows.find(finding));
            if let Some(table) = tables::known(fields) {
                self.rows.document(table.name);
            }
        } else {
            let columns = if layout.id.is_some() { "image id and caption" } else { "captions" };
            let message = format!(
                "the first line looks like data, so the columns are taken as {columns}; add a header"
            );
            self.rows.find(Finding::note(FindingKind::NoHeader, message));
        }
        self.header = Some(Header { layout, fields: fields.len(), others });
        Ok(named)
    }

    fn other_columns<S: AsRef<str>>(
        &mut self,
        fields: &[S],
        names: &[String],
        layout: &Layout,
    ) -> Vec<(usize, usize)> {
        let mut others = Vec::new();
        for (at, (field, name)) in fields.iter().map(AsRef::as_ref).zip(names).enumerate() {
            if name.trim().is_empty() {
                // Such as the index that pandas writes.
                continue;
            }
            if field != name {
                let message = format!(
                    "more than one column is called `{}`: the first keeps its name, that in place {} is `{}`",
                    shown(field),
                    at + 1,
                    shown(name)
                );
                self.rows.find(Finding::note(FindingKind::ColumnNames, message));
            }
            if Some(at) != layout.id && !layout.captions.contains(&at) {
                others.extend(self.rows.column(name.trim()).map(|column| (at, column)));
            }
        }
        others
    }

    /// The layout of a file without a header, if its first line leaves no doubt: an id, then a caption of several words.
    fn without_header<S: AsRef<str>>(&self, fields: &[S]) -> Option<Layout> {
        if !self.picker.by_convention() {
            return None;
        }
        let starts_with_id = fields.first().is_some_and(|id| image_id::is_plain(id.as_ref()));
        match fields {
            [_] if starts_with_id && !self.picker.wants_captions() => {
                Some(Layout { id: Some(0), captions: Vec::new() })
            }
            // A list of ids is none of captions.
            [name] if is_id_name(name.as_ref()) => None,
            [_] if !self.picker.needs_ids() => Some(Layout { id: None, captions: vec![0] }),
            [_, caption] if starts_with_id && caption.as_ref().trim().contains(' ') => {
                Some(Layout { id: Some(0), captions: vec![1] })
            }
            _ => None,
        }
    }

    fn data<S: AsRef<str>>(&mut self, fields: &[S], line: u64) {
        let Some(header) = &self.header else { return };
        let field = |at: usize| fields.get(at).map_or("", |field| field.as_ref());
        let id = header.layout.id.map_or("", field);
        let captions = header.layout.captions.iter().map(|&at| field(at));
        let mut filled: Vec<&str> = match header.layout.captions.len() {
            0 | 1 => captions.collect(),
            // Of several columns the last ones are often empty.
            _ => captions.filter(|text| !text.trim().is_empty()).collect(),
        };
        if filled.is_empty() {
            filled.push("");
        }
        for text in filled {
            self.rows.push(self.row, Some(line), id, text.to_owned());
            for &(at, column) in &header.others {
                if let Some(value) = fields.get(at) {
                    self.rows.cell(column, value.as_ref());
                }
            }
        }
    }
}

/// The names of a header, those that stood there before with a number, as pandas has them: `image_id`, `image_id.1`.
pub(super) fn named_apart<S: AsRef<str>>(fields: &[S]) -> Vec<String> {
    let taken: HashSet<&str> = fields.iter().map(AsRef::as_ref).collect();
    let mut next: HashMap<&str, usize> = HashMap::with_capacity(taken.len());
    let mut apart = Vec::with_capacity(fields.len());
    for name in fields.iter().map(AsRef::as_ref) {
        let number = next.entry(name).or_default();
        let numbered = |number: usize| match number {
            0 => name.to_owned(),
            number => format!("{name}.{number}"),
        };
        while *number > 0 && taken.contains(&*numbered(*number)) {
            *number += 1;
        }
        apart.push(numbered(*number));
        *number += 1;
    }
    apart
}
