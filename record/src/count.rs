//! Counts that a file may not tell: moments of another program do not say how many captions they were made of. Nothing is scored that
//! is none, so 0 stands for such a count and is null in JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    (*count > 0).then_some(*count).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.unwrap_or_default())
}
