//! Decoding and resizing against Pillow: equal pixels for every lossless format and for fifteen sizes, and clean errors
//! for what is broken or too large.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fgd_captioner::preprocess::{MAX_PIXELS, Preprocessor, RgbImage, decode, resize_bicubic};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/captioner")
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The generator of `make_captioner_goldens.py`.
fn noise(width: usize, height: usize, seed: u32) -> RgbImage {
    let mut state = seed;
    let data = (0..width * height * 3)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    RgbImage { width, height, data }
}

#[derive(serde::Deserialize)]
struct Resize {
    width: usize,
    height: usize,
    seed: u32,
    side: usize,
    sha256: String,
}

#[test]
fn bicubic_equals_pillow_on_odd_sizes() {
    let cases: Vec<Resize> =
        serde_json::from_slice(&std::fs::read(fixtures().join("resize.json")).unwrap()).unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let ours = resize_bicubic(&noise(case.width, case.height, case.seed), case.side, case.side);
        assert_eq!(
            sha256(&ours.data),
            case.sha256,
            "{}×{} to {}",
            case.width,
            case.height,
            case.side
        );
    }
}

#[derive(serde::Deserialize)]
struct Decoded {
    width: usize,
    height: usize,
    sha256: String,
    rgb: Option<Vec<u8>>,
}

/// How far pixels may be from Pillow's: decoders of JPEG round differently, two levels is what the standard's accuracy test
/// allows and a bit; CMYK is brought to RGB with other roundings.
fn tolerance(name: &str) -> u8 {
    match name {
        jpeg if jpeg.ends_with(".jpg") => 3,
        "cmyk.tiff" => 1,
        _ => 0,
    }
}

#[test]
fn pixels_of_every_format_equal_those_of_transformers() {
    let cases: BTreeMap<String, Decoded> =
        serde_json::from_slice(&std::fs::read(fixtures().join("images.json")).unwrap()).unwrap();
    let mut different = Vec::new();
    for (name, theirs) in &cases {
        let ours = decode(&std::fs::read(fixtures().join("images").join(name)).unwrap());
        if name == "palette.tiff" {
            let reason = ours.unwrap_err();
            assert!(reason.contains("RGBPalette") && reason.contains("convert"), "{reason}");
            continue;
        }
        let ours = ours.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{name}");
        let is_equal = match &theirs.rgb {
            None => sha256(&ours.data) == theirs.sha256,
            Some(rgb) => ours.data.iter().zip(rgb).all(|(a, b)| a.abs_diff(*b) <= tolerance(name)),
        };
        different.extend((!is_equal).then_some(name));
    }
    assert!(different.is_empty(), "{different:?}");
    let formats = [
        "animated.gif",
        "grey16.png",
        "rgba16.png",
        "rotated.jpg",
        "cmyk.jpg",
        "lossless.webp",
        "palette_alphas.png",
        "rgba.bmp",
        "group4.tif",
    ];
    assert!(formats.iter().all(|name| cases.contains_key(*name)));
}

#[derive(serde::Deserialize)]
struct Processed {
    config: serde_json::Value,
    shape: Vec<usize>,
    sha256: String,
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    let (width, height) = (image.width as u32, image.height as u32);
    let whole = image::RgbImage::from_raw(width, height, image.data.clone()).unwrap();
    whole.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// What a checkpoint whose image processor is this one makes of images.
fn processor(config: &serde_json::Value) -> fgd_captioner::Result<Preprocessor> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("preprocessor_config.json"), config.to_string()).unwrap();
    Preprocessor::read(dir.path(), 56)
}

#[test]
fn image_processors_that_crop_or_pad_equal_transformers_to_the_bit() {
    let cases = std::fs::read(fixtures().join("processors.json")).unwrap();
    let cases: Vec<Processed> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() >= 4);
    let image = png(&noise(75, 100, 5));
    for case in cases {
        let pixels = processor(&case.config).unwrap().pixels(&image).unwrap();
        let bytes: Vec<u8> = pixels.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!((case.shape, pixels.len()), (vec![3, 56, 56], 3 * 56 * 56), "{}", case.config);
        assert_eq!(sha256(&bytes), case.sha256, "{}", case.config);
    }
}

#[test]
fn other_image_processing_is_refused_by_name() {
    let square = json!({ "height": 56, "width": 56 });
    for (config, expected) in [
        (json!({ "size": { "shortest_edge": 56 } }), "do_center_crop"),
        (json!({ "size": { "height": 60, "width": 60 } }), "do_center_crop"),
        (json!({ "size": square, "do_center_crop": true }), "without a crop_size"),
        (json!({ "size": square, "do_center_crop": true, "crop_size": 48 }), "crop_size"),
        (json!({ "size": 40, "do_center_crop": true, "crop_size": 56 }), "crop_size"),
        (json!({ "size": { "longest_edge": 56 } }), "shortest_edge"),
        (json!({ "size": square, "do_pad": true, "pad_size": 64 }), "do_pad"),
        (json!({ "do_resize": false }), "do_resize"),
        (json!({ "resample": 2 }), "resample 2"),
        (json!({ "image_std": [0.2, 0.0, 0.2] }), "image_std"),
    ] {
        let message = processor(&config).unwrap_err().to_string();
        assert!(message.contains(expected), "{config}: {message}");
        assert!(message.contains("preprocessor_config.json"), "{message}");
    }
    // Cropping to what is not asked for is nothing to do with it.
    processor(&json!({ "size": square, "do_center_crop": false, "crop_size": 7 })).unwrap();
    let long = processor(
        &json!({ "size": { "shortest_edge": 56 }, "do_center_crop": true, "crop_size": 56 }),
    );
    let line = png(&RgbImage { width: 60_000, height: 1, data: vec![7; 180_000] });
    assert!(long.unwrap().pixels(&line).unwrap_err().contains("too long"));
}

/// A PNG header that promises `side`² pixels.
fn bomb(side: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(side.to_be_bytes());
    chunk.extend(side.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&chunk);
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    png.extend(crc.sum().to_be_bytes());
    png.extend(*b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

#[test]
fn decompression_bombs_are_refused_before_decoding() {
    let error = decode(&bomb(60_000)).unwrap_err();
    assert!(error.contains(&MAX_PIXELS.to_string()), "{error}");
}

#[test]
fn broken_files_are_errors_with_a_reason() {
    assert!(decode(b"").unwrap_err().contains("empty"));
    assert!(decode(b"no image at all").unwrap_err().contains("JPEG, PNG, WebP"));
    for name in ["rgb.png", "rotated.jpg", "lossless.webp", "animated.gif"] {
        let bytes = std::fs::read(fixtures().join("images").join(name)).unwrap();
        assert!(decode(&bytes[..bytes.len() / 2]).is_err(), "{name} cut in half was accepted");
    }
    // Of a JPEG every byte up to the end of the image is missed, as in Pillow; what follows it is nothing to do with it.
    for name in ["rotated.jpg", "progressive.jpg", "restarts.jpg", "cmyk.jpg", "grey.jpg"] {
        let mut bytes = std::fs::read(fixtures().join("images").join(name)).unwrap();
        for length in 1..bytes.len() {
            let error = decode(&bytes[..length]).expect_err(name);
            assert!(length < 20 || error.contains("truncated"), "{name}, {length} bytes: {error}");
        }
        bytes.extend(b"a trailer");
        decode(&bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// One byte changed anywhere: an image or an error, never a panic.
    #[test]
    fn damaged_files_never_panic(which in 0usize..6, at in 0usize..4096, value: u8) {
        let names = ["rgb.png", "rotated.jpg", "lossless.webp", "animated.gif", "cmyk.jpg", "palette.png"];
        let mut bytes = std::fs::read(fixtures().join("images").join(names[which])).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = decode(&bytes);
    }

    /// A constant image stays constant at any size.
    #[test]
    fn resizing_keeps_constants(w in 1usize..300, h in 1usize..300, to_w in 1usize..64, to_h in 1usize..64, value: u8) {
        let image = RgbImage { width: w, height: h, data: vec![value; w * h * 3] };
        let out = resize_bicubic(&image, to_w, to_h);
        prop_assert_eq!((out.width, out.height), (to_w, to_h));
        prop_assert!(out.data.iter().all(|v| *v == value));
    }
}
