//! Names of metrics in a suite: checked where they stand, so that a wrong one has a line.

use fgd_metrics::table::{group, groups};
use serde::{Deserialize, Deserializer, de::Error};

/// A name that `fgd score --metrics` knows.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if group(&name).is_some() {
            return Ok(Self(name));
        }
        let known: Vec<String> = groups().map(|group| format!("`{}`", group.name)).collect();
        // In the words of serde, so that the reader finds the nearest name.
        let expected = known.join(", ");
        Err(D::Error::custom(format!(
            "unknown variant `{name}`, expected one of {expected}"
        )))
    }
}

pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<Name>::deserialize(deserializer)?;
    Ok(names.into_iter().map(|name| name.0).collect())
}
