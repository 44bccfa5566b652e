//! JSON that goes column by column, as pandas writes it: `{"columns": […], "data": [[…], …]}` (`orient="split"`),
//! `{"image_id": {"0": …}, "caption": {"0": …}}` (`orient="columns"`, the default) and `{"image_id": […], "caption": […]}`.

use serde_json::{Map, Value};

use super::repair;
use super::scan::{Item, Items};
use crate::column::Picker;
use crate::error::ReadProblem;

/// The records of an object with these keys; `None` where it does not go column by column.
pub(super) fn records(
    picker: &Picker<'_>,
    keys: &[String],
    entries: &[Item<'_>],
) -> Result<Option<Vec<Map<String, Value>>>, ReadProblem> {
    let entry = |name: &str| keys.iter().position(|key| key == name).map(|at| entries[at]);
    if let (Some(columns), Some(data)) = (entry("columns"), entry("data"))
        && let Some(names) = names(columns)
    {
        let mut records = by_rows(&names, data);
        let index = entry("index").map(cells).filter(|index| {
            picker.id(&names).is_none() && index.len() == records.len() && !counts_rows(index)
        });
        for (record, id) in records.iter_mut().zip(index.into_iter().flatten()) {
            record.insert("index".into(), id);
        }
        return Ok(Some(records));
    }
    let id = picker.id(keys);
    let captions = picker.captions(keys, id);
    let is_column = |at: usize| {
        let entry = entries[at];
        let first = Items::inside(entry.value, entry.at).next();
        // A list of objects is one of records, whatever its key.
        (entry.opens_with(b'[') && !matches!(first, Some(Ok(first)) if first.opens_with(b'{')))
            || entry.opens_with(b'{')
    };
    let goes_by_columns = !captions.is_empty()
        && captions.iter().all(|&at| is_column(at))
        && id.map_or(!picker.needs_ids(), is_column);
    if !goes_by_columns {
        return Ok(None);
    }
    let columns: Vec<(&String, Vec<Value>)> = (keys.iter().enumerate())
        .filter(|&(at, _)| is_column(at))
        .map(|(at, key)| (key, cells(entries[at])))
        .collect();
    let height = columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    if let Some((name, cells)) = columns.iter().find(|(_, cells)| cells.len() != height) {
        return Err(ReadProblem::Json(format!(
            "the columns are not of one length: `{}` has {} values, another {height}",
            crate::finding::shown(name),
            cells.len()
        )));
    }
    let mut records = vec![Map::new(); height];
    for (name, cells) in columns {
        for (record, cell) in records.iter_mut().zip(cells) {
            record.insert(name.clone(), cell);
        }
    }
    Ok(Some(records))
}

/// Whether an index only numbers the rows.
fn counts_rows(index: &[Value]) -> bool {
    (0..).zip(index).all(|(row, value)| value.as_u64() == Some(row))
}

fn names(columns: Item<'_>) -> Option<Vec<String>> {
    match repair::parse(columns.value).ok()?.value {
        Value::Array(names) => {
            names.into_iter().map(|name| name.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    }
}

fn by_rows(names: &[String], data: Item<'_>) -> Vec<Map<String, Value>> {
    let rows = Items::inside(data.value, data.at).map_while(Result::ok);
    rows.map(|row| names.iter().cloned().zip(cells(row)).collect()).collect()
}

/// The values of a list, or of an object by row number; what is no JSON is null.
fn cells(column: Item<'_>) -> Vec<Value> {
    let values = Items::inside(column.value, column.at).map_while(Result::ok);
    values.map(|cell| repair::parse(cell.value).map_or(Value::Null, |cell| cell.value)).collect()
}
