//! One JSON record: an image id, its caption or captions, and whatever else it has.

use serde_json::{Map, Value};

use super::field::Field;
use super::known::{self, Known};
use super::path::Path;
use crate::builder::Builder;
use crate::column::{Layout, Picker};
use crate::error::{ReadProblem, Sought};
use crate::finding::{Finding, FindingKind};
use crate::image_id;

/// Turns JSON records into rows, whichever document they stand in.
pub(crate) struct Records<'a> {
    pub(super) rows: &'a mut Builder,
    pub picker: &'a Picker<'a>,
    known: Option<&'static Known>,
    row: u64,
    /// Where the last id and the last captions stood: mostly those of the next record too.
    id: Option<Field>,
    captions: Vec<Field>,
    /// Whether captions stood under the keys of an object.
    keyed: bool,
    /// Whether records stood under an id.
    outer_ids: bool,
    /// The keys of the first record, for the message if no record has what is wanted.
    first_keys: Option<Vec<String>>,
    /// The names of all columns, where records have only those that are read.
    names: Option<Vec<String>>,
    /// Whether paths of the options led to the records.
    led: bool,
    /// Whether a record had an id, and whether one had captions.
    found: [bool; 2],
    left_out: Vec<(&'static str, usize)>,
}

impl<'a> Records<'a> {
    pub fn new(rows: &'a mut Builder, picker: &'a Picker<'a>) -> Self {
        Self {
            rows,
            picker,
            known: None,
            row: 0,
            id: None,
            captions: Vec::new(),
            keyed: false,
            outer_ids: false,
            first_keys: None,
            names: None,
            led: false,
            found: [false; 2],
            left_out: Vec::new(),
        }
    }

    /// Reads what follows as the records of a known document.
    pub(super) fn are_of(&mut self, known: &'static Known) {
        self.known = Some(known);
        self.rows.document(known.name);
    }

    /// Finds out whether records of which this is the first are those of a known document.
    pub fn know(&mut self, first: &Map<String, Value>) {
        if let Some(known) = known::of_record(first) {
            self.are_of(known);
        }
    }

    /// Notes that the document goes column by column.
    pub fn columns(&mut self) {
        self.rows.document("pandas document, column by column");
    }

    /// Reads what follows by these paths, as far as they lead somewhere.
    pub(super) fn ask(&mut self, id: Option<Path>, caption: Option<Path>) {
        self.id = id.map(Field::Path);
        self.captions = caption.map(Field::Path).into_iter().collect();
        self.led = true;
    }

    /// Names all columns, for the message if none of them has what is wanted.
    pub fn are_among(&mut self, names: Vec<String>) {
        self.names = Some(names);
    }

    /// Whether captions are wanted and none is a text, and what stands in their place is more than a null.
    pub(super) fn has_no_text(&self) -> bool {
        let is_other = |finding: &Finding| finding.kind == FindingKind::WrongType;
        self.picker.wants_captions()
            && self.rows.captions.iter().all(|caption| caption.text.is_empty())
            && self.rows.findings.iter().any(is_other)
    }

    /// Whether captions can be found in such a record.
    pub fn has_captions(&self, record: &Map<String, Value>) -> bool {
        known::of_record(record).is_some() || !self.caption_fields(record, None).is_empty()
    }

    /// Starts a row and returns its number.
    pub fn next_row(&mut self) -> u64 {
        self.row += 1;
        self.rows.last_row = self.row;
        self.row
    }

    /// A finding about the row at hand.
    pub fn find(&mut self, finding: Finding) {
        self.rows.find(finding.at(self.row));
    }

    /// A finding about the whole file.
    pub fn find_in_file(&mut self, finding: Finding) {
        self.rows.find(finding);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a record; `outer_id` is the id where the record is the value of an object.
    pub fn record(
        &mut self,
        line: Option<u64>,
        outer_id: Option<&str>,
        record: &Map<String, Value>,
    ) {
        self.next_row();
        if self.is_left_out(record) {
            return;
        }
        let id_field = self.id_field(record, outer_id.is_some());
        self.outer_ids |= outer_id.is_some();
        let caption_fields = self.caption_fields(record, id_field.as_ref());
        self.found[0] |= id_field.is_some();
        self.found[1] |= !caption_fields.is_empty();
        if self.first_keys.is_none() {
            self.first(record, id_field.as_ref(), &caption_fields);
        }
        let id = match &id_field {
            Some(field) => match field.values(record).first() {
                Some(value) => self.id(value),
                None => String::new(),
            },
            None => outer_id.unwrap_or_default().to_owned(),
        };
        let texts = self.texts(&id, record, &caption_fields);
        let others: Vec<(usize, String)> = record
            .iter()
            .filter(|(_, value)| !value.is_null())
            // What holds the captions, or a way to them, is no column beside them.
            .filter(|(key, _)| caption_fields.iter().all(|field| field.root() != *key))
            .filter(|(key, _)| id_field.as_ref().is_none_or(|field| field.name() != **key))
            .filter_map(|(key, value)| Some((self.rows.column(key)?, cell(value))))
            .collect();
        for text in texts {
            self.rows.push(self.row, line, &id, text);
            for (column, value) in &others {
                self.rows.cell(*column, value);
            }
        }
        self.id = id_field.or(self.id.take());
        if !caption_fields.is_empty() {
            self.captions = caption_fields;
        }
    }

    /// Adds the captions of an image whose id is the key of an object.
    pub fn keyed(&mut self, id: &str, value: &Value) {
        self.next_row();
        self.keyed = true;
        for text in self.listed(id, value) {
            self.rows.push(self.row, None, id, text);
        }
    }

    /// Names the columns that were used, or says that there were none.
    pub fn finish(self) -> Result<(), ReadProblem> {
        for (what, count) in &self.left_out {
            let message = format!("{what} captions left out: {count}");
            self.rows.find(Finding::note(FindingKind::LeftOut, message));
        }
        if self.led {
            let [id, captions] = self.found;
            let missing = [
                (Sought::Ids, self.picker.needs_ids() && !id),
                (Sought::Captions, self.picker.wants_captions() && !captions),
            ];
            let mut missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
            if let Some(problem) = missing.find_map(|(sought, _)| self.picker.nothing_at(sought)) {
                return Err(problem);
            }
        }
        let captions: Vec<String> = self.captions.iter().map(Field::name).collect();
        let id = self.id.as_ref().map(Field::name);
        self.rows.name_columns(id.as_deref(), &captions);
        let no_captions = self.picker.wants_captions() && captions.is_empty() && !self.keyed;
        let nothing = id.is_none() && captions.is_empty() && !self.keyed;
        let no_ids = self.picker.needs_ids() && id.is_none() && !self.keyed && !self.outer_ids;
        match self.names.filter(|_| self.first_keys.is_some()).or(self.first_keys) {
            Some(keys) if no_ids => Err(self.picker.missing(Sought::Ids, &keys)),
            Some(keys) if no_captions && id.is_some() => {
                Err(self.picker.missing(Sought::Captions, &keys))
            }
            Some(keys) if no_captions || nothing => self.picker.pick(&keys).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// What the first record says about the file.
    fn first(&mut self, record: &Map<String, Value>, id: Option<&Field>, captions: &[Field]) {
        let keys: Vec<String> = record.keys().cloned().collect();
        let at = |field: &Field| keys.iter().position(|key| field.name() == *key);
        if self.known.is_none() {
            let layout =
                Layout { id: id.and_then(at), captions: captions.iter().filter_map(at).collect() };
            let rivals = self.picker.rivals(&keys, &layout);
            rivals.into_iter().for_each(|finding| self.rows.find(finding));
        }
        self.first_keys = Some(keys);
    }

    fn is_left_out(&mut self, record: &Map<String, Value>) -> bool {
        let reasons = self.known.map_or(&[][..], |known| known.left_out);
        let found = reasons.iter().find(|(key, _)| record.get(*key).is_some_and(is_true));
        if let Some((_, what)) = found {
            match self.left_out.iter_mut().find(|(known, _)| known == what) {
                Some((_, count)) => *count += 1,
                None => self.left_out.push((what, 1)),
            }
        }
        found.is_some()
    }

    fn id_field(&self, record: &Map<String, Value>, has_outer_id: bool) -> Option<Field> {
        if let Some(field) = self.id.as_ref().filter(|field| field.is_in(record)) {
            return Some(field.clone());
        }
        let keys: Vec<&String> = record.keys().collect();
        let by_name = || self.picker.id(&keys).map(|at| Field::Key(keys[at].clone()));
        match (&self.picker.options.id_column, self.known) {
            (Some(asked), _) => by_name().or_else(|| Field::find(asked, record)),
            (None, Some(known)) if !known.id.is_empty() => {
                known.id.iter().find_map(|text| Field::find(text, record)).or_else(by_name)
            }
            // Beside the key that a record stands under, a bare `id` is a number of its own.
            _ => by_name().filter(|field| !(has_outer_id && field.root() == "id")),
        }
    }

    fn caption_fields(&self, record: &Map<String, Value>, id: Option<&Field>) -> Vec<Field> {
        if !self.captions.is_empty() && self.captions.iter().all(|field| field.is_in(record)) {
            return self.captions.clone();
        }
        let keys: Vec<&String> =
            record.keys().filter(|key| id.is_none_or(|id| id.name() != **key)).collect();
        let by_name = || -> Vec<Field> {
            let at = self.picker.captions(&keys, None);
            at.into_iter().map(|at| Field::Key(keys[at].clone())).collect()
        };
        let or_path = |found: Vec<Field>, paths: &[&str]| match found.is_empty() {
            true => paths.iter().find_map(|text| Field::find(text, record)).into_iter().collect(),
            false => found,
        };
        match (&self.picker.options.caption_column, self.known) {
            (Some(asked), _) => or_path(by_name(), &[asked]),
            (None, Some(known)) => {
                let paths = known.captions(self.picker.options.role);
                let found = or_path(Vec::new(), paths);
                if found.is_empty() && paths.is_empty() { by_name() } else { found }
            }
            (None, None) => by_name(),
        }
    }

    /// A list of id and caption, or a caption alone where ids are not needed. Whether it was one.
    pub fn bare(&mut self, value: &Value) -> bool {
        match value {
            Value::Array(pair) if self.picker.by_convention() => match pair.as_slice() {
                [id, Value::String(text)] if is_plain_id(id) => {
                    self.next_row();
                    self.keyed = true;
                    let id = self.id(id);
                    self.rows.push(self.row, None, &id, text.clone());
                    true
                }
                _ => false,
            },
            Value::String(text) if !self.picker.needs_ids() => {
                self.next_row();
                self.keyed = true;
                self.rows.push(self.row, None, "", text.clone());
                true
            }
            _ => false,
        }
    }
}

fn is_plain_id(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(image_id::is_plain)
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_u64().is_some_and(|number| number != 0))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
