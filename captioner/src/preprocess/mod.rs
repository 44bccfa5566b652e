//! Image file → normalised pixels, to the bit what transformers' `BlipImageProcessorPil` makes of it with Pillow.
//!
//! decode → RGB → resize to a square (bicubic, no crop) → scale and normalise. `prefetch` runs this on other threads while
//! the model computes.

mod decode;
mod normalize;
mod prefetch;
mod resize;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::json::read_json;

pub use decode::{MAX_PIXELS, RgbImage, decode};
pub use normalize::normalize;
pub use prefetch::{DecodedImage, Prefetch};
pub use resize::resize_bicubic;

/// What a checkpoint's image processor does; defaults are BLIP's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preprocessor {
    /// Side of the square.
    pub size: usize,
    /// Per-channel mean after scaling to 0..1.
    pub mean: [f32; 3],
    /// Per-channel standard deviation.
    pub std: [f32; 3],
    /// Factor that brings a byte to 0..1.
    pub rescale_factor: f64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ImageProcessorFile {
    size: Option<Size>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    rescale_factor: Option<f64>,
    resample: Option<u32>,
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Square(usize),
    Sides { height: usize, width: usize },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProcessorFile {
    image_processor: Option<ImageProcessorFile>,
}

impl Preprocessor {
    /// From `processor_config.json` (transformers 5) or `preprocessor_config.json`, whichever is there; `image_size` is the
    /// vision tower's and must agree.
    ///
    /// # Errors
    /// A file that cannot be read or asks for another processing than BLIP's.
    pub fn read(dir: &Path, image_size: usize) -> Result<Self> {
        let (new, old) = (dir.join("processor_config.json"), dir.join("preprocessor_config.json"));
        let mut path = new.clone();
        let mut file =
            if new.exists() { read_json::<ProcessorFile>(&new)?.image_processor } else { None };
        if file.is_none() && old.exists() {
            path = old;
            file = Some(read_json(&path)?);
        }
        let file = file.unwrap_or_default();
        let refuse = |reason: String| Err(Error::checkpoint(&path, reason));
        if [file.do_resize, file.do_rescale, file.do_normalize].contains(&Some(false)) {
            return refuse(
                "do_resize, do_rescale and do_normalize must be true for a BLIP-2 checkpoint"
                    .into(),
            );
        }
        if let Some(resample) = file.resample.filter(|r| *r != 3) {
            return refuse(format!(
                "resample {resample} is not supported; BLIP-2 uses 3 (bicubic)"
            ));
        }
        let (height, width) = match file.size {
            None => (image_size, image_size),
            Some(Size::Square(side)) => (side, side),
            Some(Size::Sides { height, width }) => (height, width),
        };
        if (height, width) != (image_size, image_size) {
            return refuse(format!(
                "size {height}×{width} is not the vision tower's {image_size}×{image_size}"
            ));
        }
        Ok(Self {
            size: image_size,
            // CLIP's, <https://github.com/openai/CLIP>.
            mean: file.image_mean.unwrap_or([0.481_454_66, 0.457_827_5, 0.408_210_73]),
            std: file.image_std.unwrap_or([0.268_629_55, 0.261_302_6, 0.275_777_1]),
            rescale_factor: file.rescale_factor.unwrap_or(1.0 / 255.0),
        })
    }

    /// Decoded bytes of an image file → pixels [3, size, size], row-major.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn pixels(&self, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
        let image = decode(bytes)?;
        let square = resize_bicubic(&image, self.size, self.size);
        Ok(normalize(&square, self.rescale_factor, self.mean, self.std))
    }
}
