//! `CHECKPOINT@mbr16` and `CHECKPOINT@num_beams=5,length_penalty=2`: the same checkpoint, decoded otherwise.

use fgd_captioner::Sampling;
use serde_json::{Map, Value, json};

use crate::jobs::JobError;
use crate::jobs::caption::Captioning;
use crate::toml_file::in_words;

/// How a system's captions are decoded, where that differs from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant(String);

impl Variant {
    /// The text before the last `@` and the variant behind it; `None` where that is a revision or a name.
    pub fn split(text: &str) -> Option<(&str, Self)> {
        let (before, after) = text.rsplit_once('@')?;
        let is_variant = draws(after).is_some() || after.contains('=');
        (is_variant && !before.is_empty()).then(|| (before, Self(after.to_owned())))
    }

    /// The settings with what the variant changes in them.
    ///
    /// # Errors
    /// A setting that does not exist, or a value without a meaning.
    pub fn apply(&self, to: &Captioning, seed: u64) -> Result<Captioning, JobError> {
        let mut changed = to.clone();
        let generation = &mut changed.generation;
        if let Some(count) = draws(&self.0) {
            generation.num_return_sequences = count;
        } else {
            let settings = serde_json::to_value(&*generation)?;
            let merged = self.merged(settings, seed)?;
            *generation = serde_json::from_value(merged).map_err(|error| {
                JobError::usage(format!("@{}: {}", self.0, in_words(&error.to_string())))
            })?;
        }
        if generation.num_return_sequences > 1 && generation.num_beams == 1 {
            generation.sampling.get_or_insert_with(|| Sampling::for_choice(seed));
        }
        changed.generation.check().map_err(JobError::usage)?;
        Ok(changed)
    }

    /// Settings of the drawing stand one level deeper than the others.
    fn merged(&self, mut settings: Value, seed: u64) -> Result<Value, JobError> {
        let drawing = serde_json::to_value(Sampling::default())?;
        for setting in self.0.split(',') {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(JobError::usage(format!("@{}: {setting:?} is no KEY=VALUE", self.0)));
            };
            if key == "sampling" {
                return Err(JobError::usage(format!(
                    "@{}: sampling is no setting of its own; give temperature, top_k or top_p",
                    self.0
                )));
            }
            let key = if key == "samples" { "num_return_sequences" } else { key };
            // What is no JSON is a word.
            let value: Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            if drawing.get(key).is_some() {
                if settings["sampling"].is_null() {
                    settings["sampling"] = json!(Sampling { seed, ..Sampling::default() });
                }
                settings["sampling"][key] = value;
            } else {
                let map: &mut Map<String, Value> = match &mut settings {
                    Value::Object(map) => map,
                    _ => return Err(JobError::usage("the settings of decoding are no object")),
                };
                map.insert(key.to_owned(), value);
            }
        }
        Ok(settings)
    }
}

/// N of `mbrN`.
fn draws(text: &str) -> Option<usize> {
    text.strip_prefix("mbr")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Result<Captioning, String> {
        let (_, variant) = Variant::split(text).unwrap();
        variant.apply(&Captioning::default(), 7).map_err(|error| error.to_string())
    }

    #[test]
    fn revisions_are_no_variants() {
        assert_eq!(Variant::split("org/name@main"), None);
        assert_eq!(Variant::split("base"), None);
        assert_eq!(Variant::split("@mbr4"), None);
        let (before, _) = Variant::split("org/name@main@mbr16").unwrap();
        assert_eq!(before, "org/name@main");
    }

    #[test]
    fn a_variant_changes_what_it_names_and_nothing_else() {
        let drawn = applied("base@mbr16").unwrap().generation;
        assert_eq!(drawn.num_return_sequences, 16);
        assert_eq!(drawn.sampling, Some(Sampling::for_choice(7)));
        let beams = applied("base@num_beams=5,length_penalty=-0.5,early_stopping=never").unwrap();
        assert_eq!((beams.generation.num_beams, beams.generation.length_penalty), (5, -0.5));
        let warm = applied("base@temperature=0.5,top_k=null,samples=4").unwrap().generation;
        let sampling = warm.sampling.unwrap();
        assert_eq!((sampling.temperature, sampling.top_k, sampling.seed), (0.5, None, 7));
        assert_eq!(warm.num_return_sequences, 4);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "base@num_beam=5",
            "base@num_beams=five",
            "base@num_beams=0",
            "base@x=1,y",
            "base@mbr0",
            "base@sampling=3,temperature=0.5",
        ] {
            assert!(applied(text).is_err(), "{text}");
        }
    }
}
