//! Image files to RGB bytes, as transformers' image processors make them of what Pillow opens.
//!
//! Like Pillow's `open`, and unlike many viewers, the EXIF orientation is not applied: the model saw training images that
//! way. Transparency is composited onto white. Of an animation or of several pages the first counts. Pixels of lossless
//! formats equal Pillow's; JPEG decoders differ from one another by a level or two (docs/captioning.md has figures).

use std::io::Cursor;

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder,
    webp::WebPDecoder,
};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat};

use super::format::{HEAD, format};
use super::jpeg::is_whole;
use super::rgb::rgb_bytes;

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

impl RgbImage {
    /// The square of this side in its middle; the image is at least as large.
    pub(super) fn middle(self, side: usize) -> Self {
        if (self.width, self.height) == (side, side) {
            return self;
        }
        let (top, left) = ((self.height - side) / 2, (self.width - side) / 2);
        let rows = self.data.chunks(3 * self.width).skip(top).take(side);
        let data = rows.flat_map(|row| &row[3 * left..3 * (left + side)]).copied().collect();
        Self { width: side, height: side, data }
    }
}

/// Decodes JPEG, PNG, WebP, GIF, BMP or TIFF, told apart by their first bytes. The error is one line for the user.
///
/// # Errors
/// Bytes that are no image of these formats, a broken or truncated image, one beyond [`MAX_PIXELS`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    finish(open(bytes)?)
}

/// What is known of an image before its pixels are decoded, within the limits.
pub(super) fn open(bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, String> {
    let cursor = Cursor::new(bytes);
    let decoder: Box<dyn ImageDecoder> = match format(&bytes[..bytes.len().min(HEAD)])? {
        ImageFormat::Jpeg if !is_whole(bytes) => {
            return Err("broken image: the JPEG is truncated; fetch it again".into());
        }
        ImageFormat::Jpeg => Box::new(JpegDecoder::new(cursor).map_err(explain)?),
        ImageFormat::WebP => Box::new(WebPDecoder::new(cursor).map_err(explain)?),
        ImageFormat::Gif => Box::new(GifDecoder::new(cursor).map_err(explain)?),
        ImageFormat::Bmp => Box::new(BmpDecoder::new(cursor).map_err(explain)?),
        ImageFormat::Tiff => Box::new(TiffDecoder::new(cursor).map_err(explain)?),
        _ => Box::new(PngDecoder::new(cursor).map_err(explain)?),
    };
    let (width, height) = decoder.dimensions();
    let pixels = pixels(&*decoder);
    if pixels == 0 {
        return Err(format!("{width}×{height} pixels"));
    }
    // In 16 bits half as many fit into the same memory.
    if pixels > MAX_PIXELS || decoder.total_bytes() > 4 * MAX_PIXELS {
        return Err(format!(
            "{width}×{height} pixels exceed the limit of {MAX_PIXELS} (a decompression bomb?)"
        ));
    }
    Ok(decoder)
}

/// Pixels that decoding will give.
pub(super) fn pixels(decoder: &dyn ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    u64::from(width) * u64::from(height)
}

/// Decodes the pixels.
pub(super) fn finish(decoder: Box<dyn ImageDecoder + '_>) -> Result<RgbImage, String> {
    let (width, height) = decoder.dimensions();
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok(RgbImage { width: width as usize, height: height as usize, data: rgb_bytes(image) })
}

fn explain(error: ImageError) -> String {
    let reason = match error {
        ImageError::Unsupported(kind) => format!("{kind}; convert it to PNG"),
        broken => format!("broken image: {broken}"),
    };
    reason.replace('\n', " ")
}
