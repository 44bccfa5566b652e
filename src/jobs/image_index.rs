//! Which image of a list an id means.

use std::collections::HashMap;

use fgd_captions::image_key;

/// Images by id. Ids match like those of captions: as they stand, else without folder, extension and leading zeros, where that leaves
/// no doubt.
#[derive(Debug, Default)]
pub struct ImageIndex {
    by_id: HashMap<String, usize>,
    /// `None` where different ids come together.
    by_key: HashMap<String, Option<usize>>,
}

impl ImageIndex {
    /// Of the ids of a list; of an id that stands there twice the first place counts.
    pub fn new<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut index = Self::default();
        for (at, id) in ids.enumerate() {
            if index.by_id.contains_key(id) {
                continue;
            }
            index.by_id.insert(id.to_owned(), at);
            let place = index.by_key.entry(image_key(id).to_owned());
            place.and_modify(|known| *known = None).or_insert(Some(at));
        }
        index
    }

    /// The place of an image in the list; `None` where there is none, and where several could be meant.
    pub fn find(&self, id: &str) -> Option<usize> {
        let exact = self.by_id.get(id).copied();
        exact.or_else(|| self.by_key.get(image_key(id)).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_mean_two_images_means_none() {
        let index = ImageIndex::new(["a/1.jpg", "b/1.jpg", "b/02.jpg", "b/02.jpg"].into_iter());
        assert_eq!((index.find("b/1.jpg"), index.find("c/2.png")), (Some(1), Some(2)));
        assert_eq!((index.find("1"), index.find("b/1"), index.find("3")), (None, None, None));
    }
}
