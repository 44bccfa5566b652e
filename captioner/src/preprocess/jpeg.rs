//! Whether a JPEG is all there.
//!
//! The decoder paints grey where the data ends, and such a picture would be captioned without a word. Pillow refuses a file
//! that ends before its end-of-image marker, and so does this: the markers are walked as the standard lays them out (ITU-T T.81,
//! annex B), so that the marker of an embedded thumbnail is not taken for the image's own.

/// Whether the end of the image stands in `bytes`.
pub fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    // What is no marker is entropy-coded data, or padding that decoders pass over.
    while let Some(at) = rest.iter().position(|byte| *byte == 0xff) {
        rest = &rest[at + 1..];
        match rest {
            // End of image.
            [0xd9, ..] => return true,
            // A fill byte before the marker itself.
            [0xff, ..] => {}
            // A stuffed byte of data, and markers that stand alone: TEM, restarts, start of image.
            [0x00 | 0x01 | 0xd0..=0xd8, tail @ ..] => rest = tail,
            // A segment; its length counts itself.
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(1 + length.max(2)..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_image_is_its_own() {
        let head = b"\xff\xd8\xff\xe1\x00\x08thu\xff\xd9!";
        let scan = b"garbage\xff\xff\xda\x00\x03\x01data\xff\x00\xff\xd0more";
        let whole = [&head[..], scan, b"\xff\xff\xd9trailer"].concat();
        assert!(is_whole(&whole));
        // Any cut before the last marker, the thumbnail's end included.
        for length in 0..whole.len() - b"\xd9trailer".len() {
            assert!(!is_whole(&whole[..length]), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn lengths_beyond_the_file_are_no_end() {
        assert!(!is_whole(b"\xff\xd8\xff\xe0\xff\xff\xff\xd9"));
        assert!(is_whole(b"\xff\xd8\xff\xe0\x00\x00\xff\xd9"), "a length of 0 is passed over");
    }
}
