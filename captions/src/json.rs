//! Caption files that are one JSON document.
//!
//! Three shapes are understood: a list of records (what COCO's result files are), an object with a list of records under a key
//! (COCO annotations, under `annotations`), and an object from image id to a caption, a list of captions or a record. The document
//! is read record by record, so that only the captions stay in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use super::record::{Records, kind};

/// What COCO annotation files hold beside the annotations.
const COCO_KEYS: [&str; 5] = ["info", "images", "licenses", "categories", "type"];

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let text = decoded(content, skip, rows);
    let mut document =
        Document { records: Records::new(rows, picker), picker, coco: false, column_wise: false };
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = (&mut document).deserialize(&mut json).and_then(|()| json.end());
    let Document { mut records, coco, column_wise, .. } = document;
    if column_wise {
        return Err(ReadProblem::Json(
            "the file goes column by column, as pandas' to_json writes by default (orient=\"records\" helps)".to_owned(),
        ));
    }
    if let Err(error) = read {
        if records.is_empty() {
            return Err(ReadProblem::Json(format!("the JSON is broken: {error}")));
        }
        let message = format!("the JSON is broken, and what follows was not read: {error}");
        records.find_in_file(Finding::error(FindingKind::BrokenJson, message));
    }
    records.finish()?;
    Ok(if coco { Format::Coco } else { Format::Json })
}

fn decoded<'a>(content: &'a [u8], skip: usize, rows: &mut Builder) -> Cow<'a, str> {
    if let Err(error) = std::str::from_utf8(content) {
        let at = error.valid_up_to();
        let line = 1 + content[..at].iter().filter(|&&byte| byte == b'\n').count();
        let message = format!(
            "byte 0x{:02X} at offset {} (line {line}) is the first that is not UTF-8; save the file as UTF-8",
            content[at],
            skip + at
        );
        rows.find(Finding::error(FindingKind::NotUtf8, message));
    }
    String::from_utf8_lossy(content)
}

struct Document<'a> {
    records: Records<'a>,
    picker: &'a Picker<'a>,
    coco: bool,
    column_wise: bool,
}

impl Document<'_> {
    /// Whether a key of the outermost object is the name of a column rather than an image id.
    fn is_column(&self, key: &str) -> bool {
        self.picker.id(&[key]).is_some() || self.picker.caption(&[key], 1).is_some()
    }

    /// An element of a list; `outer` is the key that the list stands under.
    fn element(&mut self, outer: Option<&str>, value: Value) {
        match (value, outer) {
            (Value::Object(record), _) => self.records.record(None, None, &record),
            (other, Some(id)) => self.records.keyed(id, &other),
            (other, None) => {
                self.records.next_row();
                let message = format!("{} stands where a record should be", kind(&other));
                self.records.find(Finding::error(FindingKind::WrongType, message));
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records or an object by image id")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            self.element(None, value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        // A file of a single record is an object too.
        let mut single: Map<String, Value> = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if COCO_KEYS.contains(&key.as_str()) {
                object.next_value::<IgnoredAny>()?;
            } else if !self.is_column(&key) {
                self.coco |= key == "annotations";
                object.next_value_seed(Entry { document: self, key: &key })?;
            } else {
                match object.next_value()? {
                    Value::Object(_) => self.column_wise = true,
                    Value::Array(list) if list.iter().any(Value::is_object) => {
                        list.into_iter().for_each(|value| self.element(None, value));
                    }
                    value => {
                        single.insert(key, value);
                    }
                }
            }
        }
        if !single.is_empty() {
            let keys: Vec<&String> = single.keys().collect();
            let ids = self.picker.id(&keys).map(|at| &single[keys[at]]);
            self.column_wise |= ids.is_some_and(Value::is_array);
            if !self.column_wise {
                self.records.record(None, None, &single);
            }
        }
        Ok(())
    }
}

/// The value of one key of the outermost object: captions of the image that the key names, or a list of records.
struct Entry<'d, 'a, 'k> {
    document: &'d mut Document<'a>,
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for Entry<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("captions or records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut captions = Vec::new();
        while let Some(value) = list.next_element::<Value>()? {
            if value.is_object() {
                self.document.element(Some(self.key), value);
            } else {
                captions.push(value);
            }
        }
        if !captions.is_empty() {
            self.document.records.keyed(self.key, &Value::Array(captions));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut record = Map::new();
        while let Some((key, value)) = object.next_entry::<String, Value>()? {
            record.insert(key, value);
        }
        self.document.records.record(None, Some(self.key), &record);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.keyed(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.keyed(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.keyed(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.keyed(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.keyed(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.keyed(Value::from(value))
    }
}

impl Entry<'_, '_, '_> {
    fn keyed<E>(self, value: Value) -> Result<(), E> {
        self.document.records.keyed(self.key, &value);
        Ok(())
    }
}
