//! Where a value stands inside a nested record: `image.file_name`, `sentences[].raw`, `conversations[from=gpt].value`.
//!
//! A path is keys with dots between them. Lists on the way are gone through, whether `[]` says so or not, and `[key=value]` keeps
//! the objects whose key has this value. The paths of known documents and those of `--fields` are the same.

use std::fmt;

use serde_json::{Map, Value};

/// The way from a record to its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub key: String,
    only: Option<(String, String)>,
}

impl Path {
    /// Reads a path. Every text is one, if only a single key.
    pub fn parse(text: &str) -> Self {
        let steps = text.split('.').map(|step| {
            let (key, rest) = step.split_once('[').unwrap_or((step, ""));
            let only = rest.strip_suffix(']').and_then(|only| only.split_once('='));
            Step {
                key: key.to_owned(),
                only: only.map(|(key, value)| (key.to_owned(), value.to_owned())),
            }
        });
        Self { text: text.to_owned(), steps: steps.collect() }
    }

    /// The first key.
    pub fn root(&self) -> &str {
        &self.steps[0].key
    }

    /// How many of the first steps two paths share, the last of each left out: where the records stand that both lead into.
    pub fn shared(&self, other: &Self) -> usize {
        let steps = self.steps.iter().zip(&other.steps).take_while(|(a, b)| a == b).count();
        steps.min(self.steps.len() - 1).min(other.steps.len() - 1)
    }

    /// Whether it leads into a record.
    pub fn is_nested(&self) -> bool {
        self.steps.len() > 1
    }

    /// How many of the first steps lead to such a place, the last one left out.
    pub fn steps_to(&self, is_there: impl Fn(&[Step]) -> bool) -> Option<usize> {
        (1..self.steps.len()).find(|&count| is_there(&self.steps[..count]))
    }

    /// The first `count` steps and the rest, which keeps the name of the whole.
    pub fn split(mut self, count: usize) -> (Vec<Step>, Self) {
        let rest = self.steps.split_off(count);
        (self.steps, Self { text: self.text, steps: rest })
    }

    /// All the steps.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// All values that the path leads to from a record, lists taken apart.
    pub fn values<'v>(&self, record: &'v Map<String, Value>) -> Vec<&'v Value> {
        let mut found = Vec::new();
        go(&self.steps, record, &mut found);
        found
    }
}

impl Step {
    /// Whether the step has a condition.
    pub fn chooses(&self) -> bool {
        self.only.is_some()
    }

    /// Whether the step keeps this value.
    pub fn keeps(&self, value: &Value) -> bool {
        self.only.as_ref().is_none_or(|(key, wanted)| match value.get(key) {
            Some(Value::String(text)) => text == wanted,
            Some(other) => {
                let text = other.to_string();
                text == *wanted
            }
            None => false,
        })
    }
}

fn go<'v>(steps: &[Step], record: &'v Map<String, Value>, found: &mut Vec<&'v Value>) {
    let [step, rest @ ..] = steps else { return };
    match record.get(&step.key) {
        Some(Value::Array(list)) => list
            .iter()
            .filter(|value| step.keeps(value))
            .for_each(|value| arrive(rest, value, found)),
        Some(value) if step.keeps(value) => arrive(rest, value, found),
        _ => {}
    }
}

fn arrive<'v>(rest: &[Step], value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| arrive(rest, value, found)),
        value if rest.is_empty() => found.push(value),
        Value::Object(record) => go(rest, record, found),
        _ => {}
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_go_through_lists_and_conditions() {
        let record = json!({
            "image": {"file": "a.jpg", "id": 7},
            "talk": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "a bus"}, {"from": "gpt", "value": ["b", "c"]}],
        });
        for (path, values) in [
            ("image.file", json!(["a.jpg"])),
            ("image.id", json!([7])),
            ("talk[from=gpt].value", json!(["a bus", "b", "c"])),
            ("talk[].value", json!(["?", "a bus", "b", "c"])),
            ("talk.value", json!(["?", "a bus", "b", "c"])),
            ("image.nothing", json!([])),
            ("", json!([])),
        ] {
            let found: Vec<Value> = Path::parse(path)
                .values(record.as_object().unwrap())
                .into_iter()
                .cloned()
                .collect();
            assert_eq!(Value::from(found), values, "{path}");
        }
    }

    #[test]
    fn the_records_of_two_paths_are_where_both_lead() {
        for (id, caption, shared) in [
            ("images.filename", "images[].sentences[].raw", 1),
            ("id", "caption", 0),
            ("data.items.id", "data.items.text", 2),
            ("data.id", "data.id.text", 1),
        ] {
            // `images` and `images[]` are one step: brackets without a condition say nothing.
            assert_eq!(Path::parse(id).shared(&Path::parse(caption)), shared, "{id} {caption}");
        }
    }
}
