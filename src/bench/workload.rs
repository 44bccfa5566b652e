//! Items made up from a seed, for runs without files: the same ones everywhere, so that machines can be compared.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words that captions of photographs are made of; all are single tokens of BERT's vocabulary.
const THINGS: [&str; 40] = [
    "man", "woman", "dog", "street", "sign", "table", "car", "tree", "house", "window", "child",
    "horse", "beach", "bus", "train", "bird", "boat", "kitchen", "plate", "bottle", "book",
    "phone", "bed", "chair", "field", "river", "mountain", "bridge", "wall", "door", "shirt",
    "hat", "ball", "grass", "sky", "road", "building", "flower", "cat", "cup",
];
const QUALITIES: [&str; 24] = [
    "red", "blue", "green", "white", "black", "yellow", "small", "large", "old", "young", "wooden",
    "bright", "dark", "wet", "empty", "busy", "tall", "round", "open", "brown", "grey", "white",
    "clean", "long",
];
const RELATIONS: [&str; 16] = [
    "next to",
    "in front of",
    "behind",
    "on",
    "under",
    "near",
    "with",
    "beside",
    "above",
    "between",
    "and",
    "holding",
    "looking at",
    "standing by",
    "full of",
    "covered with",
];

/// `count` captions of everyday length: about 25 tokens in the mean, nearly all below 35.
pub fn captions(count: usize, seed: u64) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| caption(&mut random)).collect()
}

fn caption(random: &mut ChaCha8Rng) -> String {
    let phrases = random.random_range(4..=7);
    let mut text = String::new();
    for phrase in 0..phrases {
        if phrase > 0 {
            text.push(' ');
            text.push_str(pick(&RELATIONS, random));
            text.push(' ');
        }
        text.push_str("a ");
        text.push_str(pick(&QUALITIES, random));
        text.push(' ');
        text.push_str(pick(&THINGS, random));
    }
    text.push('.');
    text
}

fn pick<'a>(words: &[&'a str], random: &mut ChaCha8Rng) -> &'a str {
    words.choose(random).copied().unwrap_or_default()
}

/// `count` JPEG files of 640 × 480: smooth patches with some noise, about as hard to decode as a photograph.
///
/// # Errors
/// The encoder of the crate `image` refused.
pub fn images(count: usize, seed: u64) -> Result<Vec<Vec<u8>>, ImageError> {
    (0..count as u64).map(|i| jpeg(seed.wrapping_add(i))).collect()
}

fn jpeg(seed: u64) -> Result<Vec<u8>, ImageError> {
    const WIDTH: usize = 640;
    const HEIGHT: usize = 480;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let waves: Vec<[f32; 4]> =
        (0..6).map(|_| std::array::from_fn(|_| random.random_range(0.002..0.05))).collect();
    let mut pixels = Vec::with_capacity(3 * WIDTH * HEIGHT);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            for channel in 0..3 {
                let level: f32 = waves
                    .iter()
                    .map(|wave| (wave[channel] * x as f32 + wave[3] * y as f32).sin())
                    .sum();
                let noise = random.random_range(-6.0..6.0);
                pixels.push((128.0 + 20.0 * level + noise).clamp(0.0, 255.0) as u8);
            }
        }
    }
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 85);
    encoder.write_image(&pixels, WIDTH as u32, HEIGHT as u32, ExtendedColorType::Rgb8)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_items() {
        assert_eq!(captions(50, 1), captions(50, 1));
        assert_ne!(captions(50, 1), captions(50, 2));
        assert_eq!(images(1, 5).unwrap(), images(1, 5).unwrap());
    }

    #[test]
    fn captions_differ_and_have_everyday_length() {
        let captions = captions(4096, 0);
        let distinct: std::collections::HashSet<&String> = captions.iter().collect();
        assert!(distinct.len() > 4090, "{}", distinct.len());
        let words = captions.iter().map(|c| c.split(' ').count()).sum::<usize>() as f64 / 4096.0;
        assert!((19.0..24.0).contains(&words), "{words}");
    }

    #[test]
    fn images_decode() {
        let image = fgd_captioner::preprocess::decode(&images(1, 0).unwrap()[0]).unwrap();
        assert_eq!((image.width, image.height), (640, 480));
    }
}
