//! Which files are images: by their names, and by their first bytes.
//!
//! A name says what a directory's file is meant to be, so that a format that is not read here is reported rather than passed
//! over; the bytes say what it is. Where the two differ the bytes count, as in Pillow.

use std::path::Path;

use image::ImageFormat;

/// What is read, for messages.
pub const READ: &str = "JPEG, PNG, WebP, GIF, BMP and TIFF";

/// Extensions of the formats that are read.
const READ_EXTENSIONS: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "jfi", "jif", "png", "apng", "webp", "gif", "bmp", "dib", "tif",
    "tiff", "btf",
];

/// Extensions of images that are not read: AVIF and HEIC have no decoder that is not a C library or as large as the rest of
/// this crate.
const OTHER_EXTENSIONS: [&str; 30] = [
    "avif", "avifs", "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpf", "jpx", "svg", "svgz",
    "ico", "psd", "tga", "ppm", "pgm", "pbm", "pnm", "qoi", "exr", "hdr", "dds", "pcx", "cr2",
    "cr3", "nef", "arw", "dng", "raf",
];

/// Bytes that are enough to tell a format.
pub const HEAD: usize = 64;

/// Whether a file of this name is meant to be an image, be it one that is read or not.
pub fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.map(str::to_ascii_lowercase).is_some_and(|extension| {
        READ_EXTENSIONS.contains(&&*extension) || OTHER_EXTENSIONS.contains(&&*extension)
    })
}

/// Whether these first bytes are those of an image whatever its name; `BM` alone, with which words begin, is not enough.
pub fn is_image(head: &[u8]) -> bool {
    match image::guess_format(head) {
        Ok(ImageFormat::Bmp) => head.get(6..10) == Some(&[0; 4]),
        Ok(format) => is_read(format) || format == ImageFormat::Avif,
        Err(_) => other_format(head).is_some(),
    }
}

/// The format of an image by its first bytes, if it is read here.
///
/// # Errors
/// What the bytes are instead, and what to do.
pub fn format(head: &[u8]) -> Result<ImageFormat, String> {
    match image::guess_format(head) {
        Ok(format) if is_read(format) => Ok(format),
        Ok(other) => Err(unread(&format!("{other:?}").to_uppercase())),
        Err(_) => Err(other_format(head).map_or_else(|| no_image(head), unread)),
    }
}

fn is_read(format: ImageFormat) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    matches!(format, Jpeg | Png | WebP | Gif | Bmp | Tiff)
}

fn unread(format: &str) -> String {
    format!("{format} images are not read; convert it to PNG (read are {READ})")
}

/// Image formats that are known by their bytes and have no decoder here.
fn other_format(head: &[u8]) -> Option<&'static str> {
    // ISO 14496-12: a box of type `ftyp`, then the brand.
    if head.get(4..8) == Some(b"ftyp") {
        return match head.get(8..12)? {
            b"avif" | b"avis" => Some("AVIF"),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
                Some("HEIC")
            }
            _ => None,
        };
    }
    let signatures: [(&[u8], &str); 6] = [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"8BPS", "Photoshop"),
        (b"II+\0", "BigTIFF"),
    ];
    signatures.iter().find(|(bytes, _)| head.starts_with(bytes)).map(|(_, name)| *name)
}

/// What stands where an image should be.
fn no_image(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    let what = if head.is_empty() {
        "the file is empty"
    } else if text.starts_with("version https://git-lfs") {
        "this is a pointer of Git LFS, not the image; run git lfs pull"
    } else if text.starts_with("<svg") || text.starts_with("<?xml") {
        return unread("SVG");
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "this is a web page, not an image; download it again"
    } else {
        "not an image"
    };
    format!("{what} (read are {READ})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_tell_images() {
        for name in ["a.JPG", "a.jpe", "a.jfif", "a.bmp", "a.tif", "a.avif", "a.heic", "x/a.b.svg"]
        {
            assert!(is_image_name(Path::new(name)), "{name}");
        }
        for name in ["a.txt", "jpg", ".jpg", "a.csv", "a.jpg.part"] {
            assert!(!is_image_name(Path::new(name)), "{name}");
        }
        for head in
            [&b"\xff\xd8\xff\xe0"[..], b"\0\0\0\x20ftypavif", b"\0\0\0\x18ftypheic", b"II*\0"]
        {
            assert!(is_image(head), "{head:?}");
        }
        for head in [&b"BMW and Audi are cars"[..], b"image_id,caption", b"", b"\0\0\0\x20ftypmp42"]
        {
            assert!(!is_image(head), "{head:?}");
        }
    }

    #[test]
    fn what_is_no_image_is_called_by_its_name() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "empty"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"<?xml version='1.0'?><svg>", "SVG images are not read"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF images are not read; convert it to PNG"),
            (b"\0\0\0\x18ftypheic", "HEIC images are not read"),
            (b"hello", "not an image (read are JPEG, PNG"),
        ];
        for (head, expected) in cases {
            let reason = format(head).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
