//! One document: the way from its outermost value to its records.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::known::{self, Known};
use super::pandas;
use super::path::{Path, Step};
use super::record::Records;
use super::repair::{self, Parsed};
use super::scan::{Broken, Item, Items, place};
use super::value::kind;
use crate::error::{ReadProblem, Sought};
use crate::finding::{Finding, FindingKind};

pub(super) const HALF_CHARACTER: &str = "half of a character (a cut emoji, such as \\ud83d alone) stands in the record; write the caption again, without it";

pub(super) struct Document<'a> {
    text: &'a str,
    pub(super) records: Records<'a>,
    /// The first place from which on something could not be read.
    pub(super) broken: Option<Broken>,
    /// Whether it is a document of COCO's.
    pub(super) coco: bool,
    /// The names of images by their id, where the document lists images apart from captions.
    file_names: HashMap<String, String>,
}

impl<'a> Document<'a> {
    pub(super) fn of(text: &'a str, records: Records<'a>) -> Self {
        Self { text, records, broken: None, coco: false, file_names: HashMap::new() }
    }

    pub(super) fn all(&mut self) -> Result<(), ReadProblem> {
        let mut roots = Vec::new();
        self.each(Items::of_sequence(self.text), &mut |_, root| roots.push(root));
        match roots.as_slice() {
            [] => return Err(ReadProblem::Json("there is no value in the file".into())),
            [list] if list.opens_with(b'[') => self.list(*list),
            [object] if object.opens_with(b'{') => self.object(*object, 0)?,
            [_] => return Err(ReadProblem::Json("the file holds a single value".into())),
            [first, ..] if first.opens_with(b'{') => {
                self.known_by(first.value);
                roots.into_iter().for_each(|root| self.element(None, root));
            }
            [first, second, ..] => {
                let broken =
                    Broken { at: second.at, what: "something follows the end of the list" };
                self.list(*first);
                self.broken.get_or_insert(broken);
            }
        }
        Ok(())
    }

    pub(super) fn each(&mut self, items: Items<'a>, does: &mut dyn FnMut(&mut Self, Item<'a>)) {
        for item in items {
            match item {
                Ok(item) => does(self, item),
                Err(broken) => {
                    self.broken.get_or_insert(broken);
                }
            }
        }
    }

    pub(super) fn list(&mut self, list: Item<'a>) {
        if let Some(first) = first(list.value, &[]) {
            self.known_by(first);
        }
        self.each(inside(list), &mut |document, item| document.element(None, item));
    }

    /// Finds out whether a list of such records is a known document.
    fn known_by(&mut self, first: &str) {
        if let Some(first) = object_of(first) {
            self.records.know(&first);
        }
    }

    /// An element of a list; `outer` is the key that the list stands under.
    pub(super) fn element(&mut self, outer: Option<&str>, item: Item<'a>) {
        let Parsed { value, half_character } = match repair::parse(item.value) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.records.next_row();
                let (line, _) = place(self.text, item.at);
                let reason = error.to_string();
                let reason = reason.split(" at line").next().unwrap_or_default();
                let message = format!("the record on line {line} is not JSON: {reason}");
                self.records.find(Finding::error(FindingKind::BrokenJson, message));
                return;
            }
        };
        match (value, outer) {
            (Value::Object(mut record), outer) => {
                self.name_image(&mut record);
                self.records.record(None, outer, &record);
            }
            (other, Some(id)) => self.records.keyed(id, &other),
            (other, None) if self.records.bare(&other) => {}
            (other, None) => {
                self.records.next_row();
                let message = format!("{} stands where a record should be", kind(&other));
                self.records.find(Finding::error(FindingKind::WrongType, message));
            }
        }
        if half_character {
            self.records.find(Finding::error(FindingKind::BrokenJson, HALF_CHARACTER));
        }
    }

    /// `depth` counts the objects around this one.
    pub(super) fn object(&mut self, object: Item<'a>, depth: u8) -> Result<(), ReadProblem> {
        let mut entries: Vec<Item<'a>> = Vec::new();
        self.each(inside(object), &mut |_, entry| entries.push(entry));
        let keys: Vec<String> = entries.iter().map(Item::name).collect();
        if let Some(steps) = self.asked(object, &keys) {
            self.walk(object, None, &steps);
        } else if let Some(known) = known::of_objects(&keys).find(|known| begins(object, known)) {
            self.records.are_of(known);
            self.coco = known.records == "annotations";
            if self.coco {
                self.file_names = file_names(&entries);
            }
            self.walk(object, None, &Path::parse(known.records).into_steps());
        } else if let Some(records) = pandas::records(self.records.picker, &keys, &entries)? {
            self.records.columns();
            records.iter().for_each(|record| self.records.record(None, None, record));
        } else {
            self.unknown(object, depth, &keys, &entries)?;
        }
        Ok(())
    }

    /// The way to the records, where the options lead into them from the outermost object on.
    fn asked(&mut self, object: Item<'a>, keys: &[String]) -> Option<Vec<Step>> {
        let path = |sought| self.records.picker.asked(sought).map(Path::parse);
        let (id, caption) = (path(Sought::Ids), path(Sought::Captions));
        let way = caption.as_ref().or(id.as_ref())?;
        if !way.is_nested() || !keys.iter().any(|key| key == way.root()) {
            return None;
        }
        let shared = match (&id, &caption) {
            (Some(id), Some(caption)) => caption.shared(id),
            // Where one is left to the conventions, the records are in the first list on the way of the other.
            _ => way
                .steps_to(|steps| is_list(object.value, steps))
                .or(caption.as_ref().map(|_| 1))?,
        };
        let steps = way.clone().split(shared).0;
        let [id, caption] = [id, caption].map(|path| Some(path?.split(shared).1));
        self.records.ask(id, caption);
        Some(steps)
    }

    /// Reads the records that the steps lead to. `step` is the one that led to this value.
    fn walk(&mut self, item: Item<'a>, step: Option<&Step>, steps: &[Step]) {
        if item.opens_with(b'[') {
            // A list in a list is no record; going no deeper bounds the time.
            return self.each(inside(item), &mut |document, item| match item.opens_with(b'[') {
                true => document.element(None, item),
                false => document.walk(item, step, steps),
            });
        }
        let chosen = |step: &Step| {
            !step.chooses()
                || repair::parse(item.value).is_ok_and(|parsed| step.keeps(&parsed.value))
        };
        match steps {
            _ if !step.is_none_or(chosen) => {}
            [] => self.element(None, item),
            [next, rest @ ..] => self.each(inside(item), &mut |document, entry| {
                if entry.name() == next.key {
                    document.walk(entry, Some(next), rest);
                }
            }),
        }
    }

    /// Adds the image's file name to an annotation, where the document has it.
    fn name_image(&self, record: &mut Map<String, Value>) {
        let id = record.get("image_id").map(Value::to_string);
        if let Some(name) = id.and_then(|id| self.file_names.get(&id))
            && !record.contains_key("file_name")
        {
            record.insert("file_name".into(), name.clone().into());
        }
    }
}

pub(super) fn inside(item: Item<'_>) -> Items<'_> {
    Items::inside(item.value, item.at)
}

pub(super) fn object_of(text: &str) -> Option<Map<String, Value>> {
    match repair::parse(text).ok()?.value {
        Value::Object(record) => Some(record),
        _ => None,
    }
}

/// The first value that the steps lead to, through the first element of every list; lists in lists are not gone into.
pub(super) fn first<'a>(value: &'a str, steps: &[Step]) -> Option<&'a str> {
    match (value.as_bytes().first()?, steps) {
        (b'[', _) => match Items::inside(value, 0).next()?.ok()?.value {
            list if list.starts_with('[') => steps.is_empty().then_some(list),
            other => first(other, steps),
        },
        (b'{', [step, rest @ ..]) => {
            let mut entries = Items::inside(value, 0).map_while(Result::ok);
            first(entries.find(|entry| entry.name() == step.key)?.value, rest)
        }
        (_, []) => Some(value),
        _ => None,
    }
}

/// Whether a list stands where the steps lead.
fn is_list(value: &str, steps: &[Step]) -> bool {
    match steps {
        [] => value.starts_with('['),
        [step, rest @ ..] => {
            let mut entries = Items::inside(value, 0).map_while(Result::ok);
            let entry = entries.find(|entry| entry.name() == step.key);
            value.starts_with('{') && entry.is_some_and(|entry| is_list(entry.value, rest))
        }
    }
}

/// Whether the first record of an object is what such a document begins with. Without records its keys say what it is.
fn begins(object: Item<'_>, known: &Known) -> bool {
    let steps = Path::parse(known.records).into_steps();
    match first(object.value, &steps) {
        Some(record) => object_of(record).is_some_and(|record| known.has_record(&record)),
        None => known.is_empty_without_records(),
    }
}

fn file_names(entries: &[Item<'_>]) -> HashMap<String, String> {
    let images = entries.iter().find(|entry| entry.name() == "images");
    let images = images.into_iter().flat_map(|images| inside(*images)).map_while(Result::ok);
    let name = |image: Item<'_>| {
        let image = object_of(image.value)?;
        Some((image.get("id")?.to_string(), image.get("file_name")?.as_str()?.to_owned()))
    };
    images.filter_map(name).collect()
}
