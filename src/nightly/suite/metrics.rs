//! Names of metrics in a suite: checked where they stand, so that a wrong one has a line.

use fgd_metrics::table::{group, groups};
use serde::{Deserialize, Deserializer, de::Error};

/// A name that `fgd score --metrics` knows. A type of its own, because errors get the place of the innermost type.
#[derive(Deserialize)]
struct Name(#[serde(deserialize_with = "known")] String);

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if group(&name).is_some() {
        return Ok(name);
    }
    let known: Vec<String> = groups().map(|group| format!("`{}`", group.name)).collect();
    // In the words of serde, so that the reader finds the nearest name.
    let expected = known.join(", ");
    Err(D::Error::custom(format!("unknown variant `{name}`, expected one of {expected}")))
}

pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<Name>::deserialize(deserializer)?;
    Ok(names.into_iter().map(|name| name.0).collect())
}
