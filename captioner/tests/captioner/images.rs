//! Decoding and resizing against Pillow: equal pixels for every lossless format and for fifteen sizes, and clean errors
//! for what is broken or too large.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fgd_captioner::preprocess::{MAX_PIXELS, RgbImage, decode, resize_bicubic};
use proptest::prelude::*;
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

#[test]
fn pixels_of_every_format_equal_pillows() {
    let cases: BTreeMap<String, Decoded> =
        serde_json::from_slice(&std::fs::read(fixtures().join("images.json")).unwrap()).unwrap();
    for (name, theirs) in &cases {
        let ours = decode(&std::fs::read(fixtures().join("images").join(name)).unwrap())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{name}");
        match &theirs.rgb {
            None => assert_eq!(sha256(&ours.data), theirs.sha256, "{name}"),
            // JPEG decoders round differently; two levels is what the standard's accuracy test allows and a bit.
            Some(rgb) => {
                let worst = ours.data.iter().zip(rgb).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(worst <= Some(3), "{name}: off by {worst:?}");
            }
        }
    }
    let formats =
        ["animated.gif", "grey16.png", "rgba16.png", "rotated.jpg", "cmyk.jpg", "lossless.webp"];
    assert!(formats.iter().all(|name| cases.contains_key(*name)));
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
        let cut = decode(&bytes[..bytes.len() / 2]);
        // A JPEG may end early and still show something, as in Pillow with LOAD_TRUNCATED_IMAGES.
        assert!(cut.is_err() || name.ends_with("jpg"), "{name} cut in half was accepted");
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
