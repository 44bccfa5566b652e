//! Names of metrics in a suite: checked where they stand, so that a wrong one has a line.

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, de::Error};

use crate::jobs::scoring::metrics::Group;

/// A name that `fgd score --metrics` knows.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if Group::from_str(&name, true).is_ok() {
            return Ok(Self(name));
        }
        let known: Vec<String> = (Group::value_variants().iter())
            .filter_map(|group| Some(format!("`{}`", group.to_possible_value()?.get_name())))
            .collect();
        // In the words of serde, so that the reader finds the nearest name.
        let expected = known.join(", ");
        Err(D::Error::custom(format!("unknown variant `{name}`, expected one of {expected}")))
    }
}

pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<Name>::deserialize(deserializer)?;
    Ok(names.into_iter().map(|name| name.0).collect())
}
