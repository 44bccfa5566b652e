//! Where a record comes from: program, machine, models and files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The program that wrote the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Always `fgd`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Git commit it was built from, where it was built in a checkout.
    pub commit: Option<String>,
    /// Whether that checkout had uncommitted changes.
    pub dirty: Option<bool>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Model name of the processor.
    pub cpu: String,
    /// Logical cores.
    pub cores: usize,
    /// Threads the job used.
    pub threads: usize,
    /// Physical memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Widest SIMD level in use: `amx`, `avx512`, `avx2`, `neon` or `portable`.
    pub simd: String,
    /// Operating system and architecture.
    pub os: String,
    /// Model name of the GPU, where one was used.
    pub gpu: Option<String>,
    /// Frequency governor, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Limit of the control group on the processor, in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_cpus: Option<f64>,
    /// Limit of the control group on memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_memory_bytes: Option<u64>,
    /// Load average over one minute when the job started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_at_start: Option<f64>,
}

/// The encoder that made the embeddings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderInfo {
    /// Hub id, or the name of the local directory.
    pub id: String,
    /// Commit of the hub repository, where it is known.
    pub revision: Option<String>,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Fingerprint of the tokenizer, by its vocabulary and what it makes of some texts; `None` in a record from before it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Fingerprint of its layers, heads, activation and epsilon, which the same weights may have others of; `None` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Number type of the weights on disk.
    pub dtype: String,
    /// Engine that ran it.
    pub engine: String,
    /// Most tokens of a caption that count.
    pub max_length: usize,
    /// `mean` or `cls`.
    pub pooling: String,
    /// Whether embeddings have unit length.
    pub normalize: bool,
    /// Dimensions of an embedding.
    pub dim: usize,
    /// Whether this is the encoder that the name FGD stands for.
    pub is_gte_small: bool,
    /// How far its embeddings are from those in f32, where the engine rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
}

/// Distances ‖Δ‖ of embeddings from those of the same captions in f32.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Captions that were encoded both ways, evenly spread over those that were embedded first: later files and systems have none
    /// among them.
    pub captions: u64,
    /// Their mean distance.
    pub mean: f64,
    /// Their largest distance.
    pub max: f64,
}

/// The checkpoint that made the captions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// Hub id, or the name of the local directory.
    pub id: String,
    /// Commit of the hub repository, where it is known.
    pub revision: Option<String>,
    /// SHA-256 over the weight files.
    pub sha256: String,
    /// Adapter laid over the weights, with the SHA-256 of its file.
    pub adapter: Option<(String, String)>,
    /// Number type of the computation.
    pub dtype: String,
    /// Where it ran: `cpu` or `cuda:0`.
    pub device: String,
}

impl CheckpointInfo {
    /// What reports call it: its id, with the adapter's.
    pub fn name(&self) -> String {
        match &self.adapter {
            Some((adapter, _)) => format!("{}+{adapter}", self.id),
            None => self.id.clone(),
        }
    }
}

/// A file that went in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it was used as: `submission`, `references`, `record`, `images`.
    pub role: String,
    /// What reports call it.
    pub name: String,
    /// Path as it was given.
    pub path: String,
    /// SHA-256 of its bytes; of images, of their ids and paths.
    pub sha256: String,
    /// Rows: captions, embeddings, images, or the count of saved moments; 0 (null in JSON) where there are none or the file does not
    /// tell.
    #[serde(with = "super::count")]
    pub rows: u64,
}

/// What must be equal before two records may be ranked together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparability {
    /// Hash over the other fields, in a caption record also over its settings; equal keys, comparable numbers.
    pub key: String,
    /// SHA-256 of the encoder's weights; `None` where embeddings were given.
    pub encoder_sha256: Option<String>,
    /// Fingerprint of the encoder's tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Fingerprint of the encoder's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Class of engines that agree to 1e-6: `f32` or, for instance, `int12`; of a captioner, the type of its weights.
    pub precision: String,
    /// Pooling and normalisation.
    pub pooling: Option<String>,
    /// Most tokens of a caption that count.
    pub max_length: Option<usize>,
    /// Hash over ids and texts of the references (or the bytes of their embeddings); `None` in a job without
    /// references.
    pub references_sha256: Option<String>,
    /// Version of the metrics' definitions.
    pub metric_version: u32,
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The submission can not be scored.
    Error,
    /// Worth knowing; the score stands.
    Note,
}

/// Something the linter found in a caption file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// Stable name of the kind of finding, such as `duplicate-id`.
    pub kind: String,
    /// Name of the input.
    pub input: String,
    /// Data row, counted from 1.
    pub row: Option<u64>,
    /// Image id.
    pub id: Option<String>,
    /// The finding in a sentence.
    pub message: String,
    /// Further ones of this kind in this input that the record leaves out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Finding {
    /// The first `most` findings of each kind; the last of these counts the rest.
    pub fn first_of_each_kind(findings: Vec<Self>, most: usize) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for finding in findings {
            let times = seen.entry(finding.kind.clone()).or_default();
            *times += 1;
            let same = |known: &&mut Self| known.kind == finding.kind;
            match kept.iter_mut().rev().find(same).filter(|_| *times > most) {
                Some(last) => last.more += 1 + finding.more,
                None => kept.push(finding),
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_that_are_left_out_are_counted() {
        let finding = |kind: &str, row| Finding {
            severity: Severity::Note,
            kind: kind.into(),
            input: "a".into(),
            row: Some(row),
            id: None,
            message: String::new(),
            more: 0,
        };
        let all = (1..=9).flat_map(|row| [finding("bom", row), finding("cut-off", row)]).collect();
        let kept = Finding::first_of_each_kind(all, 2);
        let found: Vec<_> = kept.iter().map(|f| (f.kind.as_str(), f.row, f.more)).collect();
        let (bom, cut_off) = ("bom", "cut-off");
        let expected =
            [(bom, Some(1), 0), (cut_off, Some(1), 0), (bom, Some(2), 7), (cut_off, Some(2), 7)];
        assert_eq!(found, expected);
    }
}
