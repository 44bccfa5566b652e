//! The reference captions of each image.

use std::collections::HashMap;

use super::CaptionFile;

/// Reference captions by image: ids that are repeated in a file, and lists of captions in JSON, are several references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// The image ids, each once, in the order of the file.
    pub ids: Vec<String>,
    /// For each image the indices of its captions in [`CaptionFile::captions`], in the order of the file.
    pub captions: Vec<Vec<usize>>,
}

/// Groups the captions of a reference file by image id. Rows without an id are left out.
pub fn group(file: &CaptionFile) -> References {
    let mut references = References::default();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    for (index, caption) in
        file.captions.iter().enumerate().filter(|(_, caption)| !caption.id.is_empty())
    {
        let position = *positions.entry(&caption.id).or_insert_with(|| {
            references.ids.push(caption.id.clone());
            references.captions.push(Vec::new());
            references.ids.len() - 1
        });
        references.captions[position].push(index);
    }
    references
}
