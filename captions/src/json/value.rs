//! What the values of a record say: its id, and its captions in all the ways that they are written.

use serde_json::{Map, Value};

use super::field::Field;
use super::record::Records;
use crate::finding::{Finding, FindingKind, shown};

impl Records<'_> {
    pub(super) fn id(&mut self, value: &Value) -> String {
        match value {
            Value::String(id) => {
                self.rows.id_is_text();
                id.clone()
            }
            Value::Number(number) => number.to_string(),
            Value::Null => String::new(),
            Value::Array(list) if list.len() == 1 => self.id(&list[0]),
            // An image of Hugging Face's `datasets` is an object with a path.
            Value::Object(image) => {
                let keys: Vec<&String> = image.keys().collect();
                match self.picker.id(&keys).map(|at| &image[keys[at]]) {
                    Some(Value::String(id)) => id.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    _ => self.no_id(value),
                }
            }
            other => self.no_id(other),
        }
    }

    fn no_id(&mut self, value: &Value) -> String {
        let message = format!("the image id is {}, not text or a number", kind(value));
        self.find(Finding::error(FindingKind::WrongType, message));
        String::new()
    }

    /// The captions of a record, at least one: an empty text with a finding where there is none.
    pub(super) fn texts(
        &mut self,
        id: &str,
        record: &Map<String, Value>,
        fields: &[Field],
    ) -> Vec<String> {
        let values: Vec<&Value> = fields.iter().flat_map(|field| field.values(record)).collect();
        match values.as_slice() {
            [] => {
                if self.picker.wants_captions() {
                    let message = "the record has no caption";
                    self.find(Finding::error(FindingKind::MissingField, message).of(id));
                }
                vec![String::new()]
            }
            [value] => self.listed(id, value),
            several => {
                // Of several columns the last ones are often empty.
                let filled: Vec<&&Value> =
                    several.iter().filter(|value| !is_blank(value)).collect();
                match filled.is_empty() {
                    true => self.listed(id, several[0]),
                    false => filled.iter().flat_map(|value| self.listed(id, value)).collect(),
                }
            }
        }
    }

    pub(super) fn listed(&mut self, id: &str, value: &Value) -> Vec<String> {
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
            // A list of one inside a list, as lmms-eval writes them.
            Value::Array(list) if list.len() == 1 => return self.caption(id, &list[0]),
            Value::Array(list) if list.iter().all(Value::is_string) => Finding::error(
                FindingKind::WordList,
                "the caption is a list of words; join them with spaces",
            ),
            other => {
                if let Some(text) = self.inner_caption(other) {
                    return text;
                }
                let message = format!("the caption is {}, not text", kind(other));
                Finding::error(FindingKind::WrongType, message)
            }
        };
        self.find(finding.of(id));
        if value.is_number() { value.to_string() } else { String::new() }
    }

    /// The caption of an object that stands where a caption should, such as `{"caption": "…"}`.
    fn inner_caption(&self, value: &Value) -> Option<String> {
        let object = value.as_object()?;
        let keys: Vec<&String> = object.keys().collect();
        let at = *self.picker.captions(&keys, None).first()?;
        object[keys[at]].as_str().map(str::to_owned)
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
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
