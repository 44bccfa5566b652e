//! What an embedding depends on, which every executor must agree on: else the bits of a score would depend on who made them.

use std::fmt;

use anyhow::Context;
use fgd_encoder::{Embedder, EngineKind, Keep, Options};
use fgd_store::hub;

/// The encoder and how it runs, as the flags of every process have it.
#[derive(Debug, Clone, clap::Args)]
pub struct EncoderArgs {
    /// The encoder: a directory, or a hub id with an optional @revision.
    #[arg(long, value_name = "ID|DIR", default_value = hub::GTE_SMALL, env = "FGD_ENCODER")]
    pub encoder: String,
    /// Count at most N tokens of a caption.
    #[arg(long, value_name = "N", env = "FGD_MAX_LENGTH")]
    pub max_length: Option<usize>,
}

impl EncoderArgs {
    /// Finds the encoder; its weights are not read yet.
    pub fn open(&self) -> anyhow::Result<Embedder> {
        let settings = hub::Settings::from_variables(|name| std::env::var_os(name), false);
        let options = Options {
            engine: EngineKind::Packed,
            device: "cpu".into(),
            max_length: self.max_length,
        };
        Embedder::open(&self.encoder, options, Keep::Nowhere, &settings)
            .with_context(|| format!("encoder {}", self.encoder))
    }
}

/// Everything that an embedding depends on besides its caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<(String, String)>);

impl Fingerprint {
    /// That of an encoder in this program on this machine.
    pub fn of(embedder: &Embedder) -> Self {
        let identity = embedder.identity();
        let fields = [
            ("weights", identity.sha256),
            ("tokenizer", identity.tokenizer),
            ("config", identity.config),
            ("engine", identity.engine),
            ("max_length", identity.max_length.to_string()),
            ("pooling", identity.pooling),
            ("normalize", identity.normalize.to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        Self(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Reads what [`Fingerprint`] was displayed as.
    pub fn parse(text: &str) -> Self {
        let field = |field: &str| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (name.to_owned(), value.to_owned())
        };
        Self(text.split(';').map(field).collect())
    }

    /// What differs from the fingerprint that was asked for, in words; `None` where nothing does.
    pub fn differs(&self, asked: &Self) -> Option<String> {
        let differences: Vec<String> = (self.0.iter().zip(&asked.0))
            .filter(|(own, asked)| own != asked)
            .map(|((name, own), (_, asked))| format!("{name} {own} and not {asked}"))
            .collect();
        (self != asked).then(|| differences.join(", "))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&fields.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let own = Fingerprint::parse("weights=ab;engine=packed/avx2;max_length=512");
        let asked = Fingerprint::parse("weights=ab;engine=packed/avx512;max_length=512");
        assert_eq!(own.differs(&asked).unwrap(), "engine packed/avx2 and not packed/avx512");
        assert!(own.differs(&Fingerprint::parse(&own.to_string())).is_none());
        assert!(own.differs(&Fingerprint::parse("weights=ab")).is_some());
    }
}
