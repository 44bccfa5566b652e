//! Where ids and captions could stand in nested records: what a file that was not told `--fields` is told about them.

use serde_json::{Map, Value};

use super::path::Path;
use super::record::Records;
use super::repair;
use super::scan::Items;
use crate::column::{Picker, Wanted};
use crate::error::{ReadProblem, Sought};
use crate::finding::shown;
use crate::{ReadOptions, image_id};

/// Lists and objects in each other, and keys of an object, that are looked at: a hint is not worth more time.
const DEEPEST: u8 = 8;
const MOST_KEYS: usize = 64;

/// Words of a text that is a caption whatever its key.
const WORDS: usize = 3;

/// A document with the first element of every list alone.
pub(super) fn outline(text: &str) -> Value {
    let first = Items::of_sequence(text).map_while(Result::ok).next();
    first.map_or(Value::Null, |root| outlined(root.value, DEEPEST))
}

fn outlined(value: &str, depth: u8) -> Value {
    let Some(below) = depth.checked_sub(1) else { return Value::Null };
    let mut items = Items::inside(value, 0).map_while(Result::ok);
    match value.as_bytes().first() {
        Some(b'[') => items.next().map(|item| outlined(item.value, below)).into_iter().collect(),
        Some(b'{') => {
            let items = items.take(MOST_KEYS);
            let entries = items.map(|item| (item.name(), outlined(item.value, below)));
            entries.collect::<Map<_, _>>().into()
        }
        _ => repair::parse(value).map_or(Value::Null, |parsed| parsed.value),
    }
}

/// Ends the records. Where ids or captions are not found, or nothing that stands for a caption is text, the paths that look like them
/// are named.
pub(crate) fn finish(records: Records<'_>, outline: impl Fn() -> Value) -> Result<(), ReadProblem> {
    let (picker, is_nested) = (records.picker, records.has_no_text());
    records.finish().map_err(|problem| advised(problem, picker, &outline))?;
    match is_nested.then(|| Fields::of(&outline(), picker)).flatten() {
        Some(fields) if fields.caption.is_some() => Err(ReadProblem::NoColumn {
            sought: Sought::Captions,
            reason: "no caption is a text: lists or objects stand in their place".into(),
            advice: format!("say where the texts are, as in {}", fields.flag(picker)),
        }),
        _ => Ok(()),
    }
}

/// The problem with the paths that look like what is missing.
pub(crate) fn advised(
    problem: ReadProblem,
    picker: &Picker<'_>,
    outline: impl Fn() -> Value,
) -> ReadProblem {
    let ReadProblem::NoColumn { sought, reason, advice } = problem else { return problem };
    let advice = match Fields::of(&outline(), picker) {
        Some(fields) => format!("{advice}, or try {}", fields.flag(picker)),
        None => advice,
    };
    ReadProblem::NoColumn { sought, reason, advice }
}

/// Paths of ids and captions, one of which leads into a record.
struct Fields {
    id: Option<String>,
    caption: Option<String>,
}

/// A value that holds no others.
struct Leaf<'v> {
    path: String,
    key: &'v str,
    value: &'v Value,
    /// The path of the first list on the way, whose elements are the records.
    records: Option<String>,
}

impl Fields {
    /// Those that were asked for, as far as they lead somewhere, or else what the last keys say.
    fn of(outline: &Value, picker: &Picker<'_>) -> Option<Self> {
        let mut all = Vec::new();
        leaves(outline, "", "", None, &mut all);
        let options = ReadOptions { role: picker.options.role, ..ReadOptions::default() };
        let by_name = Picker::new(&options, Wanted::IdAndCaption);
        let texts: Vec<&Leaf<'_>> =
            all.iter().filter(|leaf| leaf.value.is_string() && leaf.records.is_some()).collect();
        let caption = asked(&texts, picker, Sought::Captions)
            .or_else(|| by_name.captions(&keys(&texts), None).first().copied())
            .or_else(|| texts.iter().position(|leaf| is_sentence(leaf.value)))
            .map(|at| texts[at]);
        let ids: Vec<&Leaf<'_>> = all
            .iter()
            .filter(|leaf| leaf.value.is_string() || leaf.value.is_number())
            .filter(|leaf| match caption {
                Some(caption) => leaf.records == caption.records && leaf.path != caption.path,
                None => leaf.records.is_some(),
            })
            .collect();
        let id = asked(&ids, picker, Sought::Ids).or_else(|| by_name.id(&keys(&ids)));
        let [id, caption] = [id.map(|at| ids[at]), caption].map(|leaf| Some(leaf?.path.clone()));
        let is_nested = [&id, &caption].into_iter().flatten().any(|path| path.contains('.'));
        is_nested.then_some(Self { id, caption })
    }

    fn flag(&self, picker: &Picker<'_>) -> String {
        let flag = if picker.is_beside() { "--reference-fields" } else { "--fields" };
        let path = |path: &Option<String>| path.as_deref().map_or("PATH".to_owned(), shown);
        format!("{flag} image={},caption={}", path(&self.id), path(&self.caption))
    }
}

fn asked(leaves: &[&Leaf<'_>], picker: &Picker<'_>, sought: Sought) -> Option<usize> {
    let asked: Vec<String> =
        Path::parse(picker.asked(sought)?).into_steps().into_iter().map(|step| step.key).collect();
    leaves.iter().position(|leaf| leaf.path == asked.join("."))
}

fn keys<'v>(leaves: &[&Leaf<'v>]) -> Vec<&'v str> {
    leaves.iter().map(|leaf| leaf.key).collect()
}

fn is_sentence(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.split_whitespace().nth(WORDS - 1).is_some())
}

fn leaves<'v>(
    value: &'v Value,
    path: &str,
    key: &'v str,
    records: Option<&str>,
    all: &mut Vec<Leaf<'v>>,
) {
    match value {
        Value::Array(list) => {
            for value in list {
                leaves(value, path, key, records.or(Some(path)), all);
            }
        }
        Value::Object(object) => {
            // Ids that stand as keys are no way to others, and what has a path's own letters in it is none.
            let is_key = |key: &str| !key.contains(['.', '[', ',']) && !image_id::is_plain(key);
            for (key, value) in object.iter().filter(|(key, _)| is_key(key)) {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{key}"), key, records, all);
            }
        }
        _ => {
            let records = records.map(str::to_owned);
            all.push(Leaf { path: path.to_owned(), key, value, records });
        }
    }
}
