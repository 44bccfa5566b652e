//! The flags that say how caption files are read, and where the result goes.

use crate::captions::{Format as CaptionFormat, ReadOptions};
use clap::{Args, ValueEnum};
use fgd_reports::Format;
use std::path::PathBuf;

/// How caption files are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Caption files")]
pub struct CaptionArgs {
    /// Column that holds the image ids; found by its name otherwise.
    #[arg(long, value_name = "NAME", env = "FGD_ID_COLUMN")]
    pub id_column: Option<String>,
    /// Column that holds the captions; found by its name otherwise.
    #[arg(long, value_name = "NAME", env = "FGD_CAPTION_COLUMN")]
    pub caption_column: Option<String>,
    /// Format of the caption files; found by extension and content otherwise.
    #[arg(long, value_enum, value_name = "FORMAT", env = "FGD_INPUT_FORMAT")]
    pub input_format: Option<CaptionFormat>,
    /// Largest caption file that is read, in bytes, counted after decompression.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, env = "FGD_MAX_BYTES")]
    pub max_bytes: u64,
}

impl CaptionArgs {
    /// The options for the reader.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            id_column: self.id_column.clone(),
            caption_column: self.caption_column.clone(),
            max_bytes: self.max_bytes,
            format: self.input_format,
        }
    }
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// A table for the terminal.
    Text,
    /// The record, whole.
    Json,
    /// One row per number.
    Csv,
    /// Markdown tables.
    Md,
}

impl From<ResultFormat> for Format {
    fn from(format: ResultFormat) -> Self {
        match format {
            ResultFormat::Text => Self::Text,
            ResultFormat::Json => Self::Json,
            ResultFormat::Csv => Self::Csv,
            ResultFormat::Md => Self::Md,
        }
    }
}

/// Where the result goes, and how it looks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ResultArgs {
    /// Form of the result.
    #[arg(long, value_enum, default_value_t = ResultFormat::Text, env = "FGD_FORMAT")]
    pub format: ResultFormat,
    /// Write the result to a file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    pub output: Option<PathBuf>,
}
