//! Bytes to the numbers the vision tower was trained on.

use super::decode::RgbImage;

/// (byte · factor − mean) / std per channel, channels first: [3, height, width].
///
/// Rounded where transformers rounds: the product in f64 and then to f32, the rest in f32.
pub fn normalize(image: &RgbImage, factor: f64, mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let mut out = Vec::with_capacity(image.data.len());
    for channel in 0..3 {
        let table: Vec<f32> = (0..=255u8)
            .map(|byte| {
                let unit = (f64::from(byte) * factor) as f32;
                (unit - mean[channel]) / std[channel]
            })
            .collect();
        out.extend(
            image.data.iter().skip(channel).step_by(3).map(|byte| table[usize::from(*byte)]),
        );
    }
    out
}
