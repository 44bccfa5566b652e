//! One JSON record: an image id, its caption or captions, and whatever else it has.

use serde_json::{Map, Value};

use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};

/// Turns JSON records into rows, whichever document they stand in.
pub(super) struct Records<'a> {
    rows: &'a mut Builder,
    picker: &'a Picker<'a>,
    row: u64,
    /// The keys that held the last id and the last caption: mostly those of the next record too.
    id_key: Option<String>,
    caption_key: Option<String>,
    /// The keys of the first record, for the message if no record has what is wanted.
    first_keys: Option<Vec<String>>,
}

impl<'a> Records<'a> {
    pub fn new(rows: &'a mut Builder, picker: &'a Picker<'a>) -> Self {
        Self { rows, picker, row: 0, id_key: None, caption_key: None, first_keys: None }
    }

    /// Starts a row and returns its number.
    pub fn next_row(&mut self) -> u64 {
        self.row += 1;
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
        let id_key = self.id_key(record);
        let caption_key = self.caption_key(record, id_key.as_deref());
        if self.first_keys.is_none() {
            self.first_keys = Some(record.keys().cloned().collect());
        }
        let id = match id_key.as_ref().map(|key| &record[key]) {
            Some(value) => self.id(value),
            None => outer_id.unwrap_or_default().to_owned(),
        };
        let texts = match caption_key.as_ref().map(|key| &record[key]) {
            Some(value) => self.captions(&id, value),
            None if self.picker.wants_captions() => {
                let message = "the record has no caption";
                self.find(Finding::error(FindingKind::MissingField, message).of(&id));
                vec![String::new()]
            }
            None => vec![String::new()],
        };
        let others = record
            .iter()
            .filter(|(key, _)| Some(*key) != id_key.as_ref() && Some(*key) != caption_key.as_ref());
        let others: Vec<(usize, String)> = others
            .filter(|(_, value)| !value.is_null())
            .filter_map(|(key, value)| Some((self.rows.column(key)?, cell(value))))
            .collect();
        for text in texts {
            self.rows.push(self.row, line, &id, text);
            for (column, value) in &others {
                self.rows.cell(*column, value);
            }
        }
        self.id_key = id_key.or(self.id_key.take());
        self.caption_key = caption_key.or(self.caption_key.take());
    }

    /// Adds the captions of an image whose id is the key of an object.
    pub fn keyed(&mut self, id: &str, value: &Value) {
        self.next_row();
        self.caption_key.get_or_insert_default();
        for text in self.captions(id, value) {
            self.rows.push(self.row, None, id, text);
        }
    }

    /// Names the columns that were used, or says that there were none.
    pub fn finish(self) -> Result<(), ReadProblem> {
        let named = |key: &Option<String>| key.clone().filter(|key| !key.is_empty());
        let (id, caption) = (named(&self.id_key), named(&self.caption_key));
        self.rows.name_columns(id.as_deref(), caption.as_deref());
        let no_captions = self.picker.wants_captions() && self.caption_key.is_none();
        match self.first_keys {
            Some(keys) if no_captions || (id.is_none() && self.caption_key.is_none()) => {
                self.picker.pick(&keys).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn id_key(&self, record: &Map<String, Value>) -> Option<String> {
        if let Some(known) = self.id_key.as_ref().filter(|key| record.contains_key(*key)) {
            return Some(known.clone());
        }
        let keys: Vec<&String> = record.keys().collect();
        self.picker.id(&keys).map(|at| keys[at].clone())
    }

    fn caption_key(&self, record: &Map<String, Value>, id_key: Option<&str>) -> Option<String> {
        if let Some(known) = self.caption_key.as_ref().filter(|key| record.contains_key(*key)) {
            return Some(known.clone());
        }
        let keys: Vec<&String> = record.keys().filter(|key| Some(key.as_str()) != id_key).collect();
        self.picker.caption(&keys, keys.len()).map(|at| keys[at].clone())
    }

    fn id(&mut self, value: &Value) -> String {
        match value {
            Value::String(id) => id.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => String::new(),
            other => {
                let message = format!("the image id is {}, not text or a number", kind(other));
                self.find(Finding::error(FindingKind::WrongType, message));
                String::new()
            }
        }
    }

    fn captions(&mut self, id: &str, value: &Value) -> Vec<String> {
        match value {
            Value::Array(list) if !list.is_empty() => {
                list.iter().map(|caption| self.caption(id, caption)).collect()
            }
            other => vec![self.caption(id, other)],
        }
    }

    fn caption(&mut self, id: &str, value: &Value) -> String {
        let finding = match value {
            Value::String(text) => return text.clone(),
            Value::Null => Finding::error(FindingKind::NullCaption, "the caption is null"),
            Value::Array(list) if list.is_empty() => {
                Finding::error(FindingKind::EmptyCaption, "the list of captions is empty")
            }
            other => {
                let message = format!("the caption is {}, not text", kind(other));
                Finding::error(FindingKind::WrongType, message)
            }
        };
        self.find(finding.of(id));
        if value.is_number() { value.to_string() } else { String::new() }
    }
}

/// What a JSON value is, in words.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the value {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
