//! Objects that [`known`](super::known) does not know: where their records are is told from what they hold.

use super::document::{Document, first, inside, object_of};
use super::scan::Item;
use crate::column::listed;
use crate::error::{ReadProblem, Sought};
use crate::finding::{Finding, FindingKind, shown};
use crate::image_id;

/// Objects around the one that holds the captions, at most.
const DEEPEST: u8 = 3;

impl<'a> Document<'a> {
    /// An object that no table knows: a record, a list of records beside other things, or captions by image id.
    pub(super) fn unknown(
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
                    return Err(picker.missing(Sought::Ids, keys));
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
}

fn is_text(value: &str) -> bool {
    value.starts_with('"')
}
