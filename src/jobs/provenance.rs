//! Where a record comes from: program, inputs, comparability key and signature.

use std::collections::BTreeMap;

use fgd_captions::CaptionFile;
use fgd_encoder::Embedder;
use fgd_record::{
    CheckpointInfo, Comparability, Deviation, EncoderInfo, Finding, Host, Input, Record, Results,
    SCHEMA_VERSION, Tool,
};
use fgd_store::digest::{Digest, bytes_sha256, number};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::METRIC_VERSION;

/// This program.
pub fn tool() -> Tool {
    let commit = env!("FGD_BUILD_COMMIT");
    Tool {
        name: "fgd".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: (!commit.is_empty()).then(|| commit.into()),
        dirty: env!("FGD_BUILD_DIRTY").parse().ok(),
    }
}

/// The encoder as it stands in a record.
pub fn encoder_info(embedder: &Embedder) -> EncoderInfo {
    let identity = embedder.identity();
    EncoderInfo {
        id: identity.id,
        revision: identity.revision,
        sha256: identity.sha256,
        tokenizer: Some(identity.tokenizer),
        config: Some(identity.config),
        dtype: identity.dtype,
        engine: identity.engine,
        max_length: identity.max_length,
        pooling: identity.pooling,
        normalize: identity.normalize,
        dim: identity.dim,
        is_gte_small: identity.is_gte_small,
        deviation: embedder.deviation().map(|deviation| Deviation {
            captions: deviation.captions,
            mean: deviation.mean,
            max: deviation.max,
        }),
    }
}

/// The time, as records write it.
pub fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_else(|_| "unknown".into())
}

/// Hash over ids and texts of references: the order of rows and the file's format do not count.
pub fn captions_sha256<'a>(captions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines: Vec<(&str, &str)> = captions.collect();
    lines.sort_unstable();
    let mut hash = CaptionsHash::default();
    lines.into_iter().for_each(|(id, text)| hash.push(id, text));
    hash.finish()
}

/// [`captions_sha256`] of captions that come in the order of their ids and texts.
#[derive(Default)]
pub struct CaptionsHash(Digest);

impl CaptionsHash {
    /// The next one.
    pub fn push(&mut self, id: &str, text: &str) {
        self.0.push(id);
        self.0.push(text);
    }

    /// The hash of all of them, in hexadecimal.
    pub fn finish(self) -> String {
        self.0.finish()
    }
}

/// A caption file as a record has it.
pub fn captions_input(role: &str, name: String, file: &CaptionFile) -> Input {
    Input {
        role: role.into(),
        name,
        path: file.path.display().to_string(),
        sha256: file.sha256.clone(),
        rows: file.captions.len() as u64,
    }
}

/// What must be equal before two records may be ranked together.
pub fn comparability(encoder: Option<&EncoderInfo>, references_sha256: String) -> Comparability {
    let mut comparability = Comparability {
        key: String::new(),
        encoder_sha256: encoder.map(|encoder| encoder.sha256.clone()),
        tokenizer: encoder.and_then(|encoder| encoder.tokenizer.clone()),
        config: encoder.and_then(|encoder| encoder.config.clone()),
        precision: encoder.map_or_else(|| "given".into(), |encoder| precision(&encoder.engine)),
        pooling: encoder.map(|encoder| {
            let normalize = if encoder.normalize { "+normalize" } else { "" };
            format!("{}{normalize}", encoder.pooling)
        }),
        max_length: encoder.map(|encoder| encoder.max_length),
        references_sha256: Some(references_sha256),
        metric_version: METRIC_VERSION,
    };
    comparability.key = key(digest(&comparability));
    comparability
}

/// A number for an encoder with its settings, by which files of moments know it.
pub fn encoder_number(encoder: Option<&EncoderInfo>) -> u64 {
    number(&comparability(encoder, String::new()).key)
}

/// All that a key is over but what a job adds to it.
pub fn digest(comparability: &Comparability) -> Digest {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let most = comparability.max_length.map_or(String::new(), |most| most.to_string());
    Digest::new("comparability", 1)
        .field("encoder", of(&comparability.encoder_sha256))
        .field("tokenizer", of(&comparability.tokenizer))
        .field("config", of(&comparability.config))
        .field("precision", &comparability.precision)
        .field("pooling", of(&comparability.pooling))
        .field("max_length", most)
        .field("references", of(&comparability.references_sha256))
        .field("definitions", comparability.metric_version.to_string())
}

/// A digest as short as people compare it.
pub fn key(digest: Digest) -> String {
    digest.finish()[..16].to_owned()
}

/// Engines that compute in f32 agree to 1e-6 and may be compared; a quantised one stands alone.
fn precision(engine: &str) -> String {
    if engine.starts_with("int12") { "int12".into() } else { "f32".into() }
}

/// Files of one role that a signature names one by one; of more it has their number and a hash over theirs.
const NAMED: usize = 8;

fn files(inputs: &[Input]) -> Vec<String> {
    let mut roles: Vec<(&str, Vec<&str>)> = Vec::new();
    for input in inputs {
        match roles.iter_mut().find(|(role, _)| *role == input.role) {
            Some((_, hashes)) => hashes.push(&input.sha256),
            None => roles.push((&input.role, vec![&input.sha256])),
        }
    }
    let mut files = Vec::new();
    for (role, hashes) in roles {
        if hashes.len() > NAMED {
            let all = bytes_sha256(hashes.concat().as_bytes());
            files.push(format!("{role}:{}x{}", hashes.len(), &all[..8]));
        } else {
            files.extend(hashes.iter().map(|hash| format!("{role}:{}", short(hash))));
        }
    }
    files
}

/// Everything in a record but its numbers.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The machine, as it was when the job began.
    pub host: Host,
    /// The encoder, where one was used.
    pub encoder: Option<EncoderInfo>,
    /// The checkpoint, where one was used.
    pub checkpoint: Option<CheckpointInfo>,
    /// The files that went in.
    pub inputs: Vec<Input>,
    /// The settings that can change the result, by flag name.
    pub settings: BTreeMap<String, Value>,
    /// What must be equal before two records may be ranked together.
    pub comparability: Comparability,
    /// What the linter found.
    pub findings: Vec<Finding>,
    /// Seconds by step.
    pub timings: BTreeMap<String, f64>,
}

/// The record of a job that ends now.
pub fn record(origin: Origin, results: Results) -> Record {
    let tool = tool();
    for input in &origin.inputs {
        tracing::info!("{} {}: {} rows of {}", input.role, input.name, input.rows, input.path);
        tracing::debug!("{}: SHA-256 {}", input.path, input.sha256);
    }
    for (step, seconds) in &origin.timings {
        tracing::info!("{step}: {seconds:.3} s");
    }
    origin.settings.iter().for_each(|(name, value)| tracing::debug!("{name} = {value}"));
    Record {
        schema_version: SCHEMA_VERSION,
        created: now(),
        signature: signature(&tool, &origin, &results),
        tool,
        host: origin.host,
        encoder: origin.encoder,
        checkpoint: origin.checkpoint,
        inputs: origin.inputs,
        settings: origin.settings,
        comparability: origin.comparability,
        findings: origin.findings,
        results,
        captions: None,
        timings: origin.timings,
    }
}

/// One line that names everything the numbers depend on: program, job, models, machine where speed was measured, files
/// and comparability key.
fn signature(tool: &Tool, origin: &Origin, results: &Results) -> String {
    let (comparability, kind) = (&origin.comparability, results.kind());
    let mut parts =
        vec![format!("fgd:{}", tool.version), format!("{kind}:v{}", comparability.metric_version)];
    let revised = |id: &str, revision: &Option<String>| match revision {
        Some(revision) => format!("{id}@{}", short(revision)),
        None => id.to_owned(),
    };
    if let Some(encoder) = &origin.encoder {
        parts.push(format!("encoder:{}", revised(&encoder.id, &encoder.revision)));
        parts.push(format!("weights:{}", short(&encoder.sha256)));
        parts.push(format!("engine:{}", encoder.engine));
        parts.push(format!("max:{}", encoder.max_length));
        parts.extend(comparability.pooling.iter().map(|pooling| format!("pool:{pooling}")));
    }
    if let Some(checkpoint) = &origin.checkpoint {
        parts.push(format!("checkpoint:{}", revised(&checkpoint.id, &checkpoint.revision)));
        parts.push(format!("weights:{}", short(&checkpoint.sha256)));
        if let Some((id, sha256)) = &checkpoint.adapter {
            parts.push(format!("adapter:{id}:{}", short(sha256)));
        }
        parts.push(format!("{}|{}", checkpoint.dtype, checkpoint.device));
    }
    // The correction of sums is another estimate.
    if origin.settings.get("exact") == Some(&true.into()) {
        parts.push("exact".to_owned());
    }
    // Errors go by these, values do not.
    if let Some(column) = origin.settings.get("cluster").and_then(Value::as_str) {
        parts.push(format!("cluster:{column}"));
    }
    if let Some(images) = origin.settings.get("population").and_then(Value::as_u64) {
        parts.push(format!("population:{images}"));
    }
    if let Results::Bench(bench) = results {
        parts.push(format!("{}|{}", bench.target.name(), bench.scenario.name()));
        parts.push(format!("threads:{}|{}", origin.host.threads, origin.host.cpu));
    }
    parts.extend(files(&origin.inputs));
    parts.push(format!("key:{}", comparability.key));
    parts.join("|")
}

fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_hundreds_of_files_stays_a_line() {
        let input = |at: usize| Input {
            role: if at == 0 { "references" } else { "submission" }.into(),
            name: String::new(),
            path: String::new(),
            sha256: format!("{at:064x}"),
            rows: 1,
        };
        let few: Vec<Input> = (0..3).map(input).collect();
        assert_eq!(files(&few).len(), 3);
        let many: Vec<Input> = (0..501).map(input).collect();
        let files_of_many = files(&many);
        assert_eq!(files_of_many.len(), 2);
        assert!(files_of_many[1].starts_with("submission:500x"));
        assert_ne!(files(&many[..500])[1], files_of_many[1]);
    }
}
