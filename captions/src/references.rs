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

impl References {
    /// The images as they are scored, in the order of their ids, as numbers where all are: the order of rows decides nothing, not
    /// even how a sum is rounded.
    pub fn in_order_of_ids(self) -> Self {
        let number = |id: &str| id.parse::<u64>().ok();
        let are_numbers = self.ids.iter().all(|id| number(id).is_some());
        let by_number = |id: &str| number(id).filter(|_| are_numbers);
        let mut images: Vec<_> = self.ids.into_iter().zip(self.captions).collect();
        images.sort_by(|(a, _), (b, _)| by_number(a).cmp(&by_number(b)).then_with(|| a.cmp(b)));
        let (ids, captions) = images.into_iter().unzip();
        Self { ids, captions }
    }
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
