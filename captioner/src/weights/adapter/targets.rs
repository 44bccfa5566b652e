//! Which layers are trained: `target_modules` as PEFT reads it (`peft/tuners/tuners_utils.py`, `check_target_module_exists`).

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A list of last name components, or one regular expression for whole names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Targets {
    /// Names that equal an entry or end in one behind a dot.
    Names(Vec<String>),
    /// A regular expression that matches whole names.
    Pattern(String),
}

impl Default for Targets {
    /// Those of the published fine-tuned checkpoint.
    fn default() -> Self {
        Self::Names(["q", "k", "v"].map(str::to_owned).into())
    }
}

impl Targets {
    /// From a flag: names with commas between them, or, where there is anything else in it, a regular expression.
    pub fn parse(text: &str) -> Self {
        if text.trim() == ALL_LINEAR {
            return Self::Names(LINEAR.map(str::to_owned).into());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let is_list = names.iter().all(|name| !name.is_empty() && name.chars().all(plain));
        let is_pattern = names.len() == 1 && names[0].contains(".*");
        match is_list && !is_pattern {
            true => Self::Names(names),
            false => Self::Pattern(text.trim().to_owned()),
        }
    }

    /// The rule, compiled.
    ///
    /// # Errors
    /// A regular expression that is none.
    pub fn rule(&self) -> Result<impl Fn(&str) -> bool + use<>> {
        let pattern = match self {
            Self::Names(_) => None,
            Self::Pattern(text) => Some(Regex::new(&format!("^(?:{text})$"))),
        };
        let pattern = pattern.transpose().map_err(|error| {
            Error::Setting(format!("targets {self}: no regular expression: {error}"))
        })?;
        let names = match self {
            Self::Names(names) => names.clone(),
            Self::Pattern(_) => Vec::new(),
        };
        Ok(move |module: &str| match &pattern {
            Some(pattern) => pattern.is_match(module).unwrap_or(false),
            None => names.iter().any(|name| {
                module
                    .strip_suffix(name.as_str())
                    .is_some_and(|head| head.is_empty() || head.ends_with('.'))
            }),
        })
    }
}

/// PEFT's word for every linear layer but the output layer. Of those only the language model's are trained here.
pub(super) const ALL_LINEAR: &str = "all-linear";

/// What T5 calls its linear layers, the feed-forward ones gated or not.
const LINEAR: [&str; 8] = ["q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"];

impl std::fmt::Display for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Names(names) => f.write_str(&names.join(",")),
            Self::Pattern(pattern) => f.write_str(pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q: &str = "language_model.encoder.block.0.layer.0.SelfAttention.q";

    #[test]
    fn names_match_whole_last_components() {
        let rule = Targets::parse("q, SelfAttention.v").rule().unwrap();
        assert!(rule(Q) && rule("a.SelfAttention.v") && rule("q"));
        assert!(!rule("vision_model.encoder.layers.0.self_attn.qkv"));
        assert!(!rule("qformer.encoder.layer.0.attention.attention.query") && !rule("a.v"));
    }

    #[test]
    fn patterns_match_whole_names_and_may_look_around() {
        let rule = Targets::parse(r".*language_model.*\.(q|v)").rule().unwrap();
        assert!(rule(Q) && !rule(&format!("{Q}.x")) && !rule("qformer.q"));
        let rule = Targets::parse(r"(?!.*decoder).*SelfAttention\.[qkv]").rule().unwrap();
        assert!(rule(Q) && !rule("language_model.decoder.block.0.layer.0.SelfAttention.q"));
        let all = Targets::parse("all-linear").rule().unwrap();
        assert!(
            all(Q)
                && !all("language_model.lm_head")
                && !all("vision_model.encoder.layers.0.mlp.fc1")
        );
        let error = Targets::parse("(").rule().err().unwrap().to_string();
        assert!(error.contains("targets (") && !error.contains('\n'), "{error}");
    }
}
