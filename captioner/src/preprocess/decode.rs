//! Image files to RGB bytes, as `PIL.Image.open(path).convert("RGB")` gives them.
//!
//! Like Pillow's `open`, and unlike many viewers, the EXIF orientation is not applied: the model saw training images that
//! way. Transparency is dropped, not blended. Of an animation the first frame counts. Pixels of PNG, GIF and lossless WebP
//! equal Pillow's; JPEG decoders differ from one another by a level or two.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, ImageFormat};

/// Largest number of pixels that is decoded: Pillow's limit for raising `DecompressionBombError`,
/// 2 · (1 GiB / 4 / 3).
pub const MAX_PIXELS: u64 = 2 * 89_478_485;

/// 8-bit RGB, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// width · height · 3 bytes.
    pub data: Vec<u8>,
}

/// Decodes JPEG, PNG, WebP or GIF, told apart by their first bytes. The error is one line for the user.
///
/// # Errors
/// Bytes that are no image of these formats, a broken image, one beyond [`MAX_PIXELS`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    let format = image::guess_format(bytes).map_err(|_| {
        let what = if bytes.is_empty() { "the file is empty" } else { "not an image" };
        format!("{what}; supported are JPEG, PNG, WebP and GIF")
    })?;
    let cursor = Cursor::new(bytes);
    match format {
        ImageFormat::Jpeg => finish(JpegDecoder::new(cursor).map_err(explain)?),
        ImageFormat::Png => finish(PngDecoder::new(cursor).map_err(explain)?),
        ImageFormat::WebP => finish(WebPDecoder::new(cursor).map_err(explain)?),
        ImageFormat::Gif => finish(GifDecoder::new(cursor).map_err(explain)?),
        other => {
            Err(format!("{other:?} images are not supported; convert to JPEG, PNG, WebP or GIF"))
        }
    }
}

fn finish(decoder: impl ImageDecoder) -> Result<RgbImage, String> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(format!(
            "{width}×{height} pixels exceed the limit of {MAX_PIXELS} (a decompression bomb?)"
        ));
    }
    if pixels == 0 {
        return Err(format!("{width}×{height} pixels"));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok(RgbImage { width: width as usize, height: height as usize, data: rgb_bytes(image) })
}

/// 16-bit colour keeps its high byte, as Pillow's RGB;16B; 16-bit grey is clipped at 255, as Pillow's I;16.
fn rgb_bytes(image: DynamicImage) -> Vec<u8> {
    let grey = |g: u8| [g, g, g];
    let high = |v: u16| (v >> 8) as u8;
    match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageRgba8(rgba) => {
            rgba.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect()
        }
        DynamicImage::ImageLuma8(luma) => luma.pixels().flat_map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLumaA8(luma) => luma.pixels().flat_map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLuma16(luma) => {
            luma.pixels().flat_map(|p| grey(p.0[0].min(255) as u8)).collect()
        }
        DynamicImage::ImageLumaA16(luma) => {
            luma.pixels().flat_map(|p| grey(high(p.0[0]))).collect()
        }
        DynamicImage::ImageRgb16(rgb) => rgb.pixels().flat_map(|p| p.0.map(high)).collect(),
        DynamicImage::ImageRgba16(rgba) => {
            rgba.pixels().flat_map(|p| [high(p.0[0]), high(p.0[1]), high(p.0[2])]).collect()
        }
        other => other.into_rgb8().into_raw(),
    }
}

fn explain(error: image::ImageError) -> String {
    format!("broken image: {error}").replace('\n', " ")
}
