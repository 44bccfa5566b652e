//! What two image ids may differ in and still name the same image.

use super::finding::FindingKind;

const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"];

/// The part of an id that names the image: without folder, image extension, the `.0` of an integer written as a float, and
/// leading zeros. `images/000007.jpg`, `7.0` and `7` are all `7`.
pub fn key(id: &str) -> &str {
    without_zeros(without_fraction(without_extension(id)))
}

/// In what way two ids with the same key differ.
pub(super) fn difference(a: &str, b: &str) -> FindingKind {
    let (a, b) = (without_extension(a), without_extension(b));
    if a == b {
        FindingKind::IdExtension
    } else if without_fraction(a) == without_fraction(b) {
        FindingKind::IdFloat
    } else {
        FindingKind::IdZeroPadding
    }
}

/// Whether a text can only be an image id: a number, or a file name with an image extension.
pub(super) fn is_plain(text: &str) -> bool {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits || (!text.contains(' ') && without_extension(text) != text)
}

fn without_extension(id: &str) -> &str {
    let name = id.rsplit(['/', '\\']).next().unwrap_or(id);
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) =>
        {
            stem
        }
        _ if name.is_empty() => id,
        _ => name,
    }
}

fn without_fraction(id: &str) -> &str {
    match id.strip_suffix(".0") {
        Some(integer) if is_digits(integer) => integer,
        _ => id,
    }
}

fn without_zeros(id: &str) -> &str {
    if !is_digits(id) {
        return id;
    }
    let significant = id.trim_start_matches('0');
    if significant.is_empty() { &id[id.len() - 1..] } else { significant }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_drop_what_does_not_name_the_image() {
        for id in ["7", "007", "7.jpg", "a/b/007.JPEG", "c:\\x\\7.png", "7.0"] {
            assert_eq!(key(id), "7", "{id}");
        }
        for (id, kept) in [
            ("000", "0"),
            ("0a", "0a"),
            ("a.b", "a.b"),
            (".jpg", ".jpg"),
            ("1.5", "1.5"),
            ("a/", "a/"),
            ("", ""),
        ] {
            assert_eq!(key(id), kept, "{id}");
        }
    }

    #[test]
    fn differences_have_names() {
        assert_eq!(difference("7.jpg", "7"), FindingKind::IdExtension);
        assert_eq!(difference("x/7", "7"), FindingKind::IdExtension);
        assert_eq!(difference("7.0", "7"), FindingKind::IdFloat);
        assert_eq!(difference("007.jpg", "7"), FindingKind::IdZeroPadding);
    }

    #[test]
    fn plain_ids_are_not_column_names() {
        assert!(is_plain("100000") && is_plain(" 7.jpg ") && is_plain("a/b.png"));
        assert!(!is_plain("image_id") && !is_plain("a dog.jpg") && !is_plain(""));
    }
}
