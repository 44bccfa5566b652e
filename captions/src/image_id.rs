//! What two image ids may differ in and still name the same image.

use unicode_normalization::UnicodeNormalization;

use super::finding::FindingKind;

const EXTENSIONS: [&str; 13] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "svg",
];

/// The part of an id that names the image: without folder, image extension, the `.0` of an integer written as a float, and
/// leading zeros. `images/000007.jpg`, `7.0` and `7` are all `7`.
pub(super) fn key(id: &str) -> &str {
    without_zeros(without_fraction(without_extension(id)))
}

/// The same for ids that went through more hands: without what is not seen, in one Unicode form and case, out of its URL, and
/// without what COCO writes before its numbers.
pub fn wide_key(id: &str) -> String {
    let seen = seen(id);
    let name = without_extension(&seen).to_lowercase();
    let bare = without_prefix(&name);
    without_zeros(without_fraction(bare)).to_owned()
}

/// In what way two ids with the same key differ, as a kind and in words.
pub(super) fn difference(a: &str, b: &str) -> (FindingKind, &'static str) {
    let same = |part: fn(&str) -> &str| part(a) == part(b);
    if same(without_extension) {
        return (FindingKind::IdExtension, "a file extension or folder");
    }
    if same(|id| without_fraction(without_extension(id))) {
        return (FindingKind::IdFloat, "the `.0` of a number written as a float");
    }
    if same(|id| without_zeros(without_extension(id))) {
        return (FindingKind::IdZeroPadding, "leading zeros");
    }
    if same(key) {
        let what = "leading zeros and the `.0` of a number written as a float";
        return (FindingKind::IdFloat, what);
    }
    let is_address = [a, b].iter().any(|id| id.contains("://"));
    let (a, b) = (seen(a), seen(b));
    if key(&a) == key(&b) && is_address {
        return (FindingKind::IdExtension, "the URL around it");
    }
    if key(&a) == key(&b) {
        return (FindingKind::IdUnicode, "characters that look the same or are not seen");
    }
    let (a, b) = (key(&a).to_lowercase(), key(&b).to_lowercase());
    if a == b {
        return (FindingKind::IdCase, "upper and lower case");
    }
    (FindingKind::IdPrefix, "what stands before its number, such as `COCO_val2014_`")
}

/// The id in Unicode's compatible composed form (NFKC: full-width digits are digits), without invisible characters, and out of the URL that it is in.
fn seen(id: &str) -> String {
    if id.bytes().all(|byte| matches!(byte, b' '..=b'~' if byte != b':')) {
        return id.trim().to_owned();
    }
    let id: String = id.nfkc().filter(|c| !is_invisible(*c)).collect();
    match id.split_once("://") {
        Some((_, address)) => {
            let path = address.split(['?', '#']).next().unwrap_or_default();
            percent_decoded(path).nfkc().collect()
        }
        None => id.trim().to_owned(),
    }
}

/// Whether a character leaves no mark on the page: zero width, byte order marks, direction marks, soft hyphens, controls.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The number of `coco_val2014_000000000102`.
fn without_prefix(name: &str) -> &str {
    let number = name.strip_prefix("coco_").and_then(|rest| {
        let (split, number) = rest.rsplit_once('_')?;
        ["train", "val", "test"].iter().any(|known| split.starts_with(known)).then_some(number)
    });
    number.filter(|number| is_digits(number)).unwrap_or(name)
}

/// Whether a text can only be an image id: a number, or a file name with an image extension.
pub(super) fn is_plain(text: &str) -> bool {
    let text = text.trim();
    // Flickr8k counts captions behind the name.
    let text = match text.rsplit_once('#') {
        Some((name, number)) if is_digits(number) => name,
        _ => text,
    };
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
    match id.split_once('.') {
        Some((integer, zeros))
            if is_digits(integer) && is_digits(zeros) && zeros.bytes().all(|b| b == b'0') =>
        {
            integer
        }
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
    fn wide_keys_drop_what_hands_add_and_nobody_sees() {
        for (given, wanted, kind) in [
            ("7.jpg", "7", FindingKind::IdExtension),
            ("x/7", "7", FindingKind::IdExtension),
            ("7.0", "7", FindingKind::IdFloat),
            ("102.00", "102", FindingKind::IdFloat),
            ("007.jpg", "7", FindingKind::IdZeroPadding),
            ("8719.0", "008719", FindingKind::IdFloat),
            ("\u{200b}301", "301", FindingKind::IdUnicode),
            ("301\u{200e}\u{feff}", "301", FindingKind::IdUnicode),
            ("Cafe\u{301}_1.jpg", "Caf\u{e9}_1.jpg", FindingKind::IdUnicode),
            ("IMG_301.JPG", "img_301.jpg", FindingKind::IdCase),
            ("COCO_val2014_000000000102.jpg", "102", FindingKind::IdPrefix),
            ("http://x.org/a/COCO_train2014_000000000102.jpg?size=2", "102", FindingKind::IdPrefix),
            ("https://x.org/my%20dog.jpg", "my dog.jpg", FindingKind::IdExtension),
            ("\u{ff13}01", "301", FindingKind::IdUnicode),
        ] {
            assert_eq!(wide_key(given), wide_key(wanted), "{given}");
            assert_eq!(difference(given, wanted).0, kind, "{given}");
        }
        for (a, b) in [("img_301", "301"), ("1.5", "1"), ("a1", "a01"), ("301", "302")] {
            assert_ne!(wide_key(a), wide_key(b));
        }
    }

    #[test]
    fn plain_ids_are_not_column_names() {
        assert!(
            is_plain("100000") && is_plain(" 7.jpg ") && is_plain("a/b.png") && is_plain("a.jpg#0")
        );
        assert!(!is_plain("image_id") && !is_plain("a dog.jpg") && !is_plain(""));
    }
}
