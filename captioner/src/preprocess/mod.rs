//! Image file → normalised pixels, to the bit what transformers' `BlipImageProcessorPil` makes of it with Pillow.
//!
//! decode → RGB → resize (bicubic) → crop where the checkpoint says so → scale and normalise. `prefetch` runs this on other threads while
//! the model computes.

mod decode;
mod file;
mod format;
mod jpeg;
mod normalize;
mod prefetch;
mod resize;
mod rgb;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::json::read_json;

pub use decode::{MAX_PIXELS, RgbImage, decode};
pub use file::FileState;
pub(crate) use file::{head, look};
pub(crate) use format::{is_image, is_image_name};
pub use normalize::normalize;
pub use prefetch::{DecodedImage, Prefetch};
pub use resize::resize_bicubic;

/// What a checkpoint's image processor does; defaults are BLIP's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preprocessor {
    /// Side of the square that the vision tower sees.
    pub size: usize,
    /// What an image is resized to before its middle is cropped to the square; without cropping the square itself.
    pub resize: Resize,
    /// Per-channel mean after scaling to 0..1.
    pub mean: [f32; 3],
    /// Per-channel standard deviation.
    pub std: [f32; 3],
    /// Factor that brings a byte to 0..1.
    pub rescale_factor: f64,
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Resize {
    /// Height and width, whatever they were.
    To(usize, usize),
    /// The shorter side; the longer one keeps the ratio.
    Shortest(usize),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ImageProcessorFile {
    size: Option<Size>,
    crop_size: Option<Size>,
    pad_size: Option<Size>,
    do_center_crop: bool,
    do_pad: bool,
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
    Shortest { shortest_edge: usize },
    Other {},
}

impl Size {
    fn sides(&self) -> Option<(usize, usize)> {
        match self {
            Self::Square(side) => Some((*side, *side)),
            Self::Sides { height, width } => Some((*height, *width)),
            Self::Shortest { .. } | Self::Other {} => None,
        }
    }
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
        let square = (image_size, image_size);
        let crop = match (file.do_center_crop, &file.crop_size) {
            (false, _) => None,
            (true, None) => return refuse("do_center_crop without a crop_size".into()),
            (true, Some(size)) => Some(size.sides()),
        };
        let resize = match &file.size {
            None => Resize::To(image_size, image_size),
            Some(Size::Shortest { shortest_edge }) => Resize::Shortest(*shortest_edge),
            Some(size) => match size.sides() {
                Some((height, width)) => Resize::To(height, width),
                None => {
                    return refuse("size has neither height and width nor shortest_edge".into());
                }
            },
        };
        let is_square = match (resize, crop) {
            (Resize::To(height, width), None) => (height, width) == square,
            (Resize::Shortest(_), None) => false,
            // A crop beyond the image would be filled with black.
            (Resize::To(height, width), Some(crop)) => {
                crop == Some(square) && height.min(width) >= image_size
            }
            (Resize::Shortest(side), Some(crop)) => crop == Some(square) && side >= image_size,
        };
        if !is_square {
            return refuse(format!(
                "size, do_center_crop and crop_size do not lead to the vision tower's {image_size}×{image_size} pixels"
            ));
        }
        let is_padded = |size: &Size| size.sides() != Some(square);
        if file.do_pad && file.pad_size.as_ref().is_some_and(is_padded) {
            return refuse(format!(
                "do_pad to another pad_size than the vision tower's {image_size}×{image_size} is not supported"
            ));
        }
        if file.image_std.is_some_and(|std| std.contains(&0.0)) {
            return refuse("image_std holds 0".into());
        }
        Ok(Self {
            size: image_size,
            resize,
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
        self.square(decode(bytes)?)
    }

    fn square(&self, image: RgbImage) -> std::result::Result<Vec<f32>, String> {
        let (height, width) = match self.resize {
            Resize::To(height, width) => (height, width),
            // transformers' `get_resize_output_image_size`.
            Resize::Shortest(side) if image.height <= image.width => {
                (side, side * image.width / image.height)
            }
            Resize::Shortest(side) => (side * image.height / image.width, side),
        };
        if (width * height) as u64 > MAX_PIXELS {
            return Err(format!("too long to be resized to {width}×{height} pixels"));
        }
        let square = resize_bicubic(&image, width, height).middle(self.size);
        Ok(normalize(&square, self.rescale_factor, self.mean, self.std))
    }
}
