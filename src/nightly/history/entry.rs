//! What stands in the history: a night, a series, and the figure of one in the other.

use fgd_metrics::series::Standing;
use fgd_record::{Host, NightlyVerdict};
use fgd_store::digest::{Digest, number};
use serde::{Deserialize, Serialize};

/// One run of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Night {
    /// The suite.
    pub suite: String,
    /// When it began: RFC 3339, UTC, so that the order of the texts is that of time.
    pub started: String,
    /// Version of the program.
    pub version: String,
    /// Git commit of the program, where it is known.
    pub commit: Option<String>,
    /// Fingerprint of the machine.
    pub host: String,
    /// Processor of the machine.
    pub cpu: String,
}

/// Whether a series holds a quality or a speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A metric of a system: the same wherever it is computed.
    Quality,
    /// A figure of a benchmark: noisy, and of one machine.
    Speed,
}

/// What must be equal for two figures to stand in one line, and how to read them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// The suite.
    pub suite: String,
    /// The system or the benchmark.
    pub system: String,
    /// The metric or the benchmark's figure.
    pub metric: String,
    /// Quality or speed.
    pub kind: Kind,
    /// Version of what the figure means: comparability key of a quality, definition version of a benchmark.
    pub definition: String,
    /// Fingerprint of the machine; empty for a quality, which no machine may move.
    pub host: String,
    /// Engine that ran.
    pub engine: String,
    /// Number type it ran in.
    pub dtype: String,
    /// Threads; 0 for a quality.
    pub threads: u32,
    /// Unit, empty where there is none.
    pub unit: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
}

/// What became of a figure in a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was measured.
    Measured,
    /// The step that measures it failed.
    Failed,
    /// The night ended before its step.
    NotRun,
    /// It was measured, and the benchmark says that it does not count.
    NotValid,
}

/// The figure of a series in a night.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The series.
    pub series: Series,
    /// What became of it.
    pub outcome: Outcome,
    /// The figure that counts.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// The first measurement, where the figure was measured again.
    pub first: Option<f64>,
    /// How it stands in the series from now on.
    pub standing: Standing,
    /// What was said of it.
    pub verdict: NightlyVerdict,
    /// Why; empty where there is nothing to say.
    pub reason: String,
    /// Hash over everything that went in; equal hashes, equal quality.
    pub inputs: i64,
    /// Its record, relative to the state folder.
    pub record: Option<String>,
}

impl Night {
    /// Its number in the history.
    pub fn id(&self) -> i64 {
        hash([self.suite.as_str(), &self.started, &self.host])
    }
}

impl Series {
    /// That of a suite, a system and a metric of which nothing more is known.
    pub fn unmeasured(kind: Kind, [suite, system, metric]: [&str; 3], host: &str) -> Self {
        Self {
            suite: suite.into(),
            system: system.into(),
            metric: metric.into(),
            kind,
            definition: String::new(),
            host: host.into(),
            engine: String::new(),
            dtype: String::new(),
            threads: 0,
            unit: String::new(),
            higher_is_better: None,
        }
    }

    /// Whether it holds the same figure of the same system or benchmark, and of a speed on the same machine.
    pub fn is_of_name(&self, other: &Self) -> bool {
        let name = |series: &Self| (series.kind, series.system.clone(), series.metric.clone());
        name(self) == name(other) && self.host == other.host
    }

    /// Its number in the history: a hash over the key, so that two machines that share a history need not agree first.
    pub fn id(&self) -> i64 {
        let kind = match self.kind {
            Kind::Quality => "quality",
            Kind::Speed => "speed",
        };
        hash([
            self.suite.as_str(),
            &self.system,
            &self.metric,
            kind,
            &self.definition,
            &self.host,
            &self.engine,
            &self.dtype,
            &self.threads.to_string(),
        ])
    }
}

/// A number that stands for some texts: the first eight bytes of their SHA-256.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> i64 {
    let mut digest = Digest::default();
    parts.into_iter().for_each(|part| digest.push(part));
    // The pattern of bits, of which half are negative numbers.
    number(&digest.finish()) as i64
}

/// What of a machine decides its speed, in twelve digits: processor, cores and their limit, memory, SIMD level, GPU.
pub fn fingerprint(host: &Host) -> String {
    let gibibytes = |bytes: Option<u64>| bytes.map(|bytes| (bytes >> 30).to_string());
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".into());
    let digest = Digest::new("machine", 1)
        .field("cpu", &host.cpu)
        .field("cores", host.cores.to_string())
        .field("core limit", or_none(host.cgroup_cpus.map(|cpus| cpus.to_string())))
        .field("GiB", or_none(gibibytes(host.memory_bytes)))
        .field("GiB limit", or_none(gibibytes(host.cgroup_memory_bytes)))
        .field("simd", &host.simd)
        .field("os", &host.os)
        .field("gpu", or_none(host.gpu.clone()));
    digest.finish()[..12].to_owned()
}
