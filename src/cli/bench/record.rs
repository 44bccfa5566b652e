//! A finished benchmark as a record: written, reported, and turned into an exit code.

use crate::bench::DEFINITION_VERSION;
use crate::cli::exit::Exit;
use crate::cli::files::{ReportArgs, ResultArgs};
use crate::cli::output::{Output, Sink};
use crate::jobs::provenance;
use fgd_record::{
    BenchResults, CheckpointInfo, Comparability, EncoderInfo, Host, Input, Record, Results,
    SCHEMA_VERSION,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a record holds besides its results.
pub struct Origin {
    /// The machine, described before the run.
    pub host: Host,
    /// The encoder, where one was used.
    pub encoder: Option<EncoderInfo>,
    /// The checkpoint, where one was used.
    pub checkpoint: Option<CheckpointInfo>,
    /// The files that went in.
    pub inputs: Vec<Input>,
    /// Settings by flag name.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Hash of the items that queries were made of.
    pub items_sha256: String,
    /// Seconds by step.
    pub timings: BTreeMap<String, f64>,
}

/// Writes the record and the report; exit code 5 where the run does not count.
pub fn finish(
    results: BenchResults,
    origin: Origin,
    sink: Sink,
    result: &ResultArgs,
    report: &ReportArgs,
    output: &Output,
) -> anyhow::Result<Exit> {
    let tool = provenance::tool();
    let valid = results.validity.valid;
    let comparability = comparability(&results, &origin);
    let name = match (&origin.checkpoint, &origin.encoder) {
        (Some(checkpoint), _) => format!(
            "{}:{}|{}",
            checkpoint.id,
            &checkpoint.sha256[..8],
            checkpoint.dtype
        ),
        (None, Some(encoder)) => {
            format!("{}:{}|{}", encoder.id, &encoder.sha256[..8], encoder.engine)
        }
        (None, None) => "no model".into(),
    };
    let record = Record {
        schema_version: SCHEMA_VERSION,
        created: provenance::now(),
        signature: format!(
            "fgd:{}|bench:v{DEFINITION_VERSION}|{}|{}|{name}|threads:{}|{}|key:{}",
            tool.version,
            results.target.name(),
            results.scenario.name(),
            origin.host.threads,
            origin.host.cpu,
            comparability.key
        ),
        tool,
        host: origin.host,
        encoder: origin.encoder,
        checkpoint: origin.checkpoint,
        inputs: origin.inputs,
        settings: origin.settings,
        comparability,
        findings: Vec::new(),
        results: Results::Bench(Box::new(results)),
        timings: origin.timings,
    };
    result.write(sink, &record, output)?;
    report.write(std::slice::from_ref(&record), output)?;
    Ok(if valid { Exit::Success } else { Exit::NotValid })
}

/// Speeds are compared where target, scenario, model, items, threads and load are the same; how long was measured does
/// not matter, and the machine is looked at apart.
fn comparability(results: &BenchResults, origin: &Origin) -> Comparability {
    let encoder = origin.encoder.as_ref();
    let mut comparability = provenance::comparability(encoder, origin.items_sha256.clone());
    comparability.metric_version = DEFINITION_VERSION;
    let length = ["duration", "min-queries", "warm-up"];
    let load: Vec<_> = (origin.settings.iter())
        .filter(|(flag, _)| !length.contains(&flag.as_str()))
        .collect();
    let parts = serde_json::json!([
        results.target,
        DEFINITION_VERSION,
        encoder,
        origin.checkpoint,
        origin.items_sha256,
        origin.host.threads,
        load,
    ]);
    comparability.key = format!("{:x}", Sha256::digest(parts.to_string()))[..16].to_owned();
    comparability
}

/// Hash of items, in their order.
pub fn items_sha256<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for item in items {
        hasher.update((item.len() as u64).to_le_bytes());
        hasher.update(item);
    }
    format!("{:x}", hasher.finalize())
}
