//! The results of `fgd caption`: what a captioner's run over a list of images gave, and how fast it was.

use serde::{Deserialize, Serialize};

use super::Measure;

/// A captioner's run over a list of images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionResults {
    /// Images in the list.
    pub images: u64,
    /// Images that have a caption now.
    pub captions: u64,
    /// SHA-256 of the file of captions as it was written; older records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions_sha256: Option<String>,
    /// Images that an earlier run of the same settings had done.
    pub resumed: u64,
    /// Tokens of all captions.
    pub tokens: u64,
    /// Images without a caption, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<CaptionFailure>,
    /// Images in one step of the captioner.
    pub batch: u64,
    /// Images of this run whose vision features came from a cache; they cost less than the others.
    pub cached_features: u64,
    /// Seconds that loading the checkpoint took.
    pub load_seconds: f64,
    /// Seconds that captioning took in this run.
    pub seconds: f64,
    /// Where these seconds went.
    pub stages: CaptionStages,
    /// Images per second of this run, loading excluded.
    pub images_per_second: Measure,
    /// Tokens per second of this run, loading excluded.
    pub tokens_per_second: Measure,
    /// Milliseconds per caption; `None` where there is no caption.
    pub caption_ms: Option<CaptionMilliseconds>,
    /// Most memory that the process held, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// An image without a caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionFailure {
    /// The image.
    pub image_id: String,
    /// Why it has none.
    pub reason: String,
}

/// Seconds of a run by stage. Images are decoded ahead, so the stages may sum to less than the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionStages {
    /// Waiting for images to be decoded and resized.
    pub preprocess: f64,
    /// Vision tower and Q-Former.
    pub vision: f64,
    /// Language model.
    pub language: f64,
}

/// How long a caption took: its own image's vision part and an equal share of its batch's language part.
///
/// Captions of an earlier run count with the times that run measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionMilliseconds {
    /// Captions timed.
    pub captions: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile; `None` with fewer than 100 captions.
    pub p99: Option<f64>,
    /// The slowest.
    pub max: f64,
}
