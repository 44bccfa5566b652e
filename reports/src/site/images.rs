//! The pictures of a site as files of their own: each once, however many pages show it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fgd_record::Record;
use fgd_store::folder::Together;

use super::files::Files;
use super::{Pictures, SiteError};

/// Pictures that are asked for at a time.
const AT_ONCE: usize = 64;

/// Gives every picture of the captions a file, and tells the pages of it. What is returned are the pictures: id, small JPEG in
/// base64, file.
pub fn name<'r>(records: &'r [Record], files: &mut [Files]) -> Vec<[&'r str; 2]> {
    let mut pictures = Vec::new();
    let mut known: BTreeMap<[&str; 2], String> = BTreeMap::new();
    for (record, files) in records.iter().zip(files) {
        let thumbnails = record.captions.iter().flat_map(|table| &table.thumbnails);
        for (id, jpeg) in thumbnails.filter(|(_, jpeg)| super::section::is_base64(jpeg)) {
            let picture = [id.as_str(), jpeg.as_str()];
            let file = known.entry(picture).or_insert_with(|| {
                pictures.push(picture);
                file_name(pictures.len())
            });
            files.images.insert(id.clone(), file.clone());
        }
    }
    pictures
}

fn file_name(number: usize) -> String {
    format!("image-{number}.jpg")
}

/// Whether a picture stands in a file that [`name`] gave it.
pub fn is_file(picture: &str) -> bool {
    let number = picture.strip_prefix("image-").and_then(|rest| rest.strip_suffix(".jpg"));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Writes the pictures: large where they can be had, else as small as the record has them.
pub fn save(
    pictures: &[[&str; 2]],
    large: &Pictures<'_>,
    pages: &mut Together,
) -> Result<(), SiteError> {
    for (chunk, pictures) in pictures.chunks(AT_ONCE).enumerate() {
        let ids: Vec<&str> = pictures.iter().map(|[id, _]| *id).collect();
        let mut found = large(&ids);
        found.resize(ids.len(), None);
        for (at, (large, [_, small])) in found.into_iter().zip(pictures).enumerate() {
            let jpeg = large.or_else(|| STANDARD.decode(small).ok()).unwrap_or_default();
            pages.write(&file_name(chunk * AT_ONCE + at + 1), &jpeg)?;
        }
    }
    Ok(())
}
