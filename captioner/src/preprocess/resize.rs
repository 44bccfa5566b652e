//! Pillow's bicubic resampling, to the bit (`Imaging/Resample.c`).
//!
//! Antialiased: when shrinking, the kernel (Keys' cubic, a = −½) is stretched by the scale. Weights are fixed point with
//! 22 bits, sums are rounded half up and clipped to bytes between the two passes. Pillow 13 begins with the columns where
//! that shrinks the picture more: if the height shrinks, and by more than twice what the width does.

use rayon::prelude::*;

use super::decode::RgbImage;

const CHANNELS: usize = 3;
/// 32 bits less 8 for the pixel and 2 for the sum's headroom.
const PRECISION_BITS: u32 = 32 - 8 - 2;
/// Support of the cubic, on either side.
const SUPPORT: f64 = 2.0;

/// Resizes to exactly `width` × `height`.
pub fn resize_bicubic(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let horizontal = (image.width != width).then(|| Weights::new(image.width, width));
    let vertical = (image.height != height).then(|| Weights::new(image.height, height));
    let across = |image: &RgbImage| horizontal.as_ref().map(|w| pass_horizontal(image, w));
    let down = |image: &RgbImage| vertical.as_ref().map(|w| pass_vertical(image, w));
    let excess_height = image.height as i64 - height as i64;
    let excess_width = image.width as i64 - width as i64;
    if excess_height > 0 && excess_height > 2 * excess_width {
        let half = down(image);
        let half = half.as_ref().unwrap_or(image);
        across(half).unwrap_or_else(|| half.clone())
    } else {
        let half = across(image);
        let half = half.as_ref().unwrap_or(image);
        down(half).unwrap_or_else(|| half.clone())
    }
}

/// For every output position, where its window begins and the fixed-point weights of the window.
struct Weights {
    windows: Vec<(usize, Vec<i32>)>,
}

impl Weights {
    /// `precompute_coeffs` and `normalize_coeffs_8bpc`.
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = SUPPORT * stretch;
        let windows = (0..to)
            .map(|i| {
                let center = (i as f64 + 0.5) * scale;
                let first = ((center - support + 0.5) as i64).max(0) as usize;
                let end = ((center + support + 0.5) as i64).min(from as i64) as usize;
                let raw: Vec<f64> = (first..end)
                    .map(|x| cubic((x as f64 - center + 0.5) * (1.0 / stretch)))
                    .collect();
                let sum: f64 = raw.iter().sum();
                let fixed = raw.iter().map(|w| {
                    let w =
                        if sum != 0.0 { w / sum } else { *w } * f64::from(1u32 << PRECISION_BITS);
                    (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
                });
                (first, fixed.collect())
            })
            .collect();
        Self { windows }
    }
}

/// Keys' cubic convolution kernel (1981) with a = −½.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn pass_horizontal(image: &RgbImage, weights: &Weights) -> RgbImage {
    let width = weights.windows.len();
    let mut data = vec![0u8; width * image.height * CHANNELS];
    let rows =
        data.par_chunks_mut(width * CHANNELS).zip(image.data.par_chunks(image.width * CHANNELS));
    rows.for_each(|(out, row)| {
        for (pixel, (first, window)) in out.chunks_mut(CHANNELS).zip(&weights.windows) {
            let mut sums = [HALF; CHANNELS];
            for (source, weight) in row[first * CHANNELS..].chunks(CHANNELS).zip(window) {
                for (sum, value) in sums.iter_mut().zip(source) {
                    *sum += i32::from(*value) * weight;
                }
            }
            pixel.copy_from_slice(&sums.map(to_byte));
        }
    });
    RgbImage { width, height: image.height, data }
}

fn pass_vertical(image: &RgbImage, weights: &Weights) -> RgbImage {
    let stride = image.width * CHANNELS;
    let height = weights.windows.len();
    let mut data = vec![0u8; height * stride];
    data.par_chunks_mut(stride).zip(&weights.windows).for_each_init(
        Vec::new,
        |sums, (out, (first, window))| {
            sums.clear();
            sums.resize(stride, HALF);
            for (row, weight) in image.data[first * stride..].chunks(stride).zip(window) {
                sums.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += i32::from(*value) * weight);
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = to_byte(*sum));
        },
    );
    RgbImage { width: image.width, height, data }
}
