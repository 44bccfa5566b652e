//! Caption files that are JSON: one document, or several one after the other.
//!
//! What the outermost value is decides where the records are: a list of them, a document that is [`known`] by its keys, an object
//! from image id to captions, or one that goes column by column ([`pandas`]). [`scan`] finds where each record begins and ends, so
//! that only the captions stay in memory and a mistake in one record loses that one.

mod field;
mod known;
pub(super) mod lines;
mod pandas;
mod path;
mod record;
mod repair;
mod scan;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Format;
use super::builder::Builder;
use super::column::{Picker, listed};
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};
use super::image_id;
use known::Known;
use path::{Path, Step};
pub(super) use record::Records;
use record::kind;
use repair::Parsed;
use scan::{Broken, Item, Items, place};

const HALF_CHARACTER: &str = "half of a character (a cut emoji, such as \\ud83d alone) stands in the record; write the caption again, without it";

/// Objects around the one that holds the captions, at most.
const DEEPEST: u8 = 3;

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let text = decoded(content, skip, rows);
    let records = Records::new(rows, picker);
    let mut document =
        Document { text: &text, records, broken: None, coco: false, file_names: HashMap::new() };
    document.all()?;
    let Document { mut records, coco, broken, .. } = document;
    if let Some(broken) = broken {
        let (line, column) = place(&text, broken.at);
        let message = format!("the JSON is broken at line {line} column {column}: {}", broken.what);
        if records.is_empty() {
            return Err(ReadProblem::Json(message));
        }
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
    text: &'a str,
    records: Records<'a>,
    /// The first place from which on something could not be read.
    broken: Option<Broken>,
    coco: bool,
    /// The names of images by their id, where the document lists images apart from captions.
    file_names: HashMap<String, String>,
}

impl<'a> Document<'a> {
    fn all(&mut self) -> Result<(), ReadProblem> {
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

    fn each(&mut self, items: Items<'a>, does: &mut dyn FnMut(&mut Self, Item<'a>)) {
        for item in items {
            match item {
                Ok(item) => does(self, item),
                Err(broken) => {
                    self.broken.get_or_insert(broken);
                }
            }
        }
    }

    fn list(&mut self, list: Item<'a>) {
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
    fn element(&mut self, outer: Option<&str>, item: Item<'a>) {
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
    fn object(&mut self, object: Item<'a>, depth: u8) -> Result<(), ReadProblem> {
        let mut entries: Vec<Item<'a>> = Vec::new();
        self.each(inside(object), &mut |_, entry| entries.push(entry));
        let keys: Vec<String> = entries.iter().map(Item::name).collect();
        if let Some(steps) = self.asked(&keys) {
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
    fn asked(&mut self, keys: &[String]) -> Option<Vec<Step>> {
        let options = self.records.picker.options;
        let caption = Path::parse(options.caption_column.as_deref()?);
        if !caption.is_nested() || !keys.iter().any(|key| key == caption.root()) {
            return None;
        }
        let id = options.id_column.as_deref().map(Path::parse);
        let shared = id.as_ref().map_or(1, |id| caption.shared(id));
        let (steps, caption) = caption.split(shared);
        self.records.ask(id.map(|id| id.split(shared).1), caption);
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

    /// An object that no table knows: a record, a list of records beside other things, or captions by image id.
    fn unknown(
        &mut self,
        object: Item<'a>,
        depth: u8,
        keys: &[String],
        entries: &[Item<'a>],
    ) -> Result<(), ReadProblem> {
        let picker = self.records.picker;
        let id = picker.id(keys);
        let captions = picker.captions(keys, id);
        let is_plain = |at: usize| !entries[at].opens_with(b'[') && !entries[at].opens_with(b'{');
        if (id.is_some_and(is_plain) || (id.is_none() && !picker.needs_ids()))
            && captions.first().is_some_and(|&at| first(entries[at].value, &[]).is_none_or(is_text))
        {
            self.element(None, object);
            return Ok(());
        }
        let of_objects = |entry: &Item<'a>| {
            entry.opens_with(b'[') && first(entry.value, &[]).is_some_and(|v| v.starts_with('{'))
        };
        let lists: Vec<Item<'a>> = entries.iter().copied().filter(of_objects).collect();
        let with_captions: Vec<Item<'a>> =
            lists.iter().copied().filter(|list| self.has_captions(list)).collect();
        let by_role = match with_captions.len() {
            2..=4 => self.by_role(&with_captions),
            _ => None,
        };
        match with_captions.as_slice() {
            _ if by_role.is_some() => by_role.into_iter().for_each(|list| self.list(list)),
            [list] if !image_id::is_plain(&list.name()) => self.list(*list),
            _ if !lists.is_empty()
                && (with_captions.len() == entries.len()
                    || keys.iter().all(|key| image_id::is_plain(key))) =>
            {
                entries.iter().for_each(|entry| self.of_image(*entry, of_objects(entry)));
            }
            [one, two, ..] => {
                let (one, two) = (one.name(), two.name());
                return Err(ReadProblem::Json(format!(
                    "captions stand under `{one}` and `{two}`; choose with --fields image={one}.image_id,caption={one}.caption"
                )));
            }
            _ => match (lists.as_slice(), self.inner(entries)) {
                ([list, ..], _) => self.list(*list),
                ([], Some(inner)) if depth < DEEPEST => self.object(inner, depth + 1)?,
                // Columns of captions alone: their names are no ids.
                ([], _)
                    if !captions.is_empty() && !keys.iter().any(|key| image_id::is_plain(key)) =>
                {
                    return Err(picker.missing("id", keys));
                }
                ([], _) => {
                    for entry in entries {
                        self.element(Some(&entry.name()), *entry);
                    }
                }
            },
        }
        Ok(())
    }

    /// The captions of the image that is the entry's key: a text, a list of them, or records.
    fn of_image(&mut self, entry: Item<'a>, has_records: bool) {
        let id = entry.name();
        match has_records {
            true => {
                self.each(inside(entry), &mut |document, item| document.element(Some(&id), item))
            }
            false => self.element(Some(&id), entry),
        }
    }

    fn has_captions(&self, list: &Item<'a>) -> bool {
        let record = first(list.value, &[]).and_then(object_of);
        record.is_some_and(|record| self.records.has_captions(&record))
    }

    /// Of several lists the one whose name says that it is wanted: `predictions` of a submission, `references` of references.
    fn by_role(&mut self, lists: &[Item<'a>]) -> Option<Item<'a>> {
        let names: Vec<String> = lists.iter().map(Item::name).collect();
        let has_number = |name: &String| name.contains(|c: char| c.is_ascii_digit());
        if names.iter().any(has_number) {
            return None;
        }
        let chosen = *self.records.picker.captions(&names, None).first()?;
        let others: Vec<&String> = names.iter().filter(|name| **name != names[chosen]).collect();
        let message = format!(
            "captions are taken from `{}`; beside it are {}: --fields image={2}.image_id,caption={2}.caption chooses",
            shown(&names[chosen]),
            listed(&others),
            shown(others.first()?)
        );
        self.records.find_in_file(Finding::note(FindingKind::ColumnChoice, message));
        Some(lists[chosen])
    }

    /// The only object among an object's values, where it is what the others are said about: `{"model": "…", "results": {…}}`.
    fn inner(&self, entries: &[Item<'a>]) -> Option<Item<'a>> {
        let mut objects = entries.iter().filter(|entry| entry.opens_with(b'{'));
        let (inner, None) = (objects.next()?, objects.next()) else { return None };
        let plain = entries.iter().all(|entry| !entry.opens_with(b'['));
        let record = object_of(inner.value)?;
        (plain && !image_id::is_plain(&inner.name()) && !self.records.has_captions(&record))
            .then_some(*inner)
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

fn inside(item: Item<'_>) -> Items<'_> {
    Items::inside(item.value, item.at)
}

fn object_of(text: &str) -> Option<Map<String, Value>> {
    match repair::parse(text).ok()?.value {
        Value::Object(record) => Some(record),
        _ => None,
    }
}

fn is_text(value: &str) -> bool {
    value.starts_with('"')
}

/// The first value that the steps lead to, through the first element of every list; lists in lists are not gone into.
fn first<'a>(value: &'a str, steps: &[Step]) -> Option<&'a str> {
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
