//! What can go wrong between a directory of files and a matrix of embeddings.

use std::path::PathBuf;

/// An encoder that cannot be read, built or run. Every message is one line and says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file could not be opened or read.
    #[error("{}: {source}; is this a complete sentence-encoder directory?", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file was read and its content makes no sense.
    #[error("{}: {reason}; download or export the encoder again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The file is sound and asks for something that this encoder does not compute.
    #[error("{}: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is asked for, and what is accepted.
        reason: String,
    },
    /// Tensors are missing or have the wrong shape; all of them are listed.
    #[error("{}: {} of the encoder's tensors cannot be used: {}", path.display(), problems.len(), problems.join("; "))]
    Weights {
        /// The weight file (the first one where they are several).
        path: PathBuf,
        /// One sentence per tensor.
        problems: Vec<String>,
    },
    /// The tokenizer refused a caption.
    #[error("the tokenizer failed on {caption:?}: {reason}")]
    Tokenize {
        /// The beginning of the caption.
        caption: String,
        /// What the tokenizer said.
        reason: String,
    },
    /// An option has a value that cannot work with this encoder on this machine.
    #[error("{option} = {value}: {reason}")]
    Option {
        /// The option as the user knows it.
        option: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be used, and what to use instead.
        reason: String,
    },
    /// The tensor library failed while encoding.
    #[error("the candle engine failed on {device}: {reason}; `--engine packed` runs without it")]
    Candle {
        /// The device.
        device: String,
        /// What candle said.
        reason: String,
    },
}
