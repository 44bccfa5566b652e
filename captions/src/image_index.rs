//! Which image of many an id means: the one rule that scores, training, curating and pictures go by.

use std::collections::{HashMap, HashSet};

use super::image_id;

/// What ids are looked up by where they are not found as they stand, the closer likeness first.
const KEYS: [fn(&str) -> String; 2] = [|id| image_id::key(id).to_owned(), image_id::wide_key];

/// Images by id: as it stands, else without folder, image extension, leading zeros and the `.0` of a float, else also without case,
/// Unicode form, invisible characters, URL and COCO's prefix, where that leaves no doubt.
#[derive(Clone, Debug, Default)]
pub struct ImageIndex {
    exact: HashMap<String, usize>,
    /// For each of [`KEYS`] the only image of a key; `None` where different ids come together.
    by_key: [HashMap<String, Option<usize>>; 2],
}

impl ImageIndex {
    /// Of the ids of a list; of an id that stands there twice the first place counts.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self::exactly(ids).or_alike()
    }

    /// To look the ids of one file up, `given`: where two of them come together, only ids as they stand are found.
    pub fn of_file<'a>(
        given: impl IntoIterator<Item = &'a str> + Clone,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let index = Self::exactly(ids);
        if given.clone().into_iter().all(|id| index.exact.contains_key(id)) {
            return index;
        }
        let mut index = index.or_alike();
        for (by_key, key) in index.by_key.iter_mut().zip(KEYS) {
            by_key.extend(shared_keys(given.clone(), key).into_iter().map(|key| (key, None)));
        }
        index
    }

    fn exactly<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut exact = HashMap::new();
        for (at, id) in ids.into_iter().enumerate() {
            exact.entry(id.to_owned()).or_insert(at);
        }
        Self { exact, ..Self::default() }
    }

    fn or_alike(mut self) -> Self {
        for (by_key, key) in self.by_key.iter_mut().zip(KEYS) {
            for (id, at) in &self.exact {
                let place = by_key.entry(key(id));
                place.and_modify(|known| *known = None).or_insert(Some(*at));
            }
        }
        self
    }

    /// The place of an image in the list; `None` where there is none, and where several could be meant.
    pub fn find(&self, id: &str) -> Option<usize> {
        let exact = self.exact.get(id).copied();
        exact.or_else(|| {
            let found = KEYS.iter().zip(&self.by_key).find_map(|(key, by)| by.get(&key(id)));
            found.copied().flatten()
        })
    }
}

/// A name for the image that an id means, where no list says which images there are: ids of several files that match have one.
#[derive(Clone, Debug, Default)]
pub struct ImageNames {
    /// For each of [`KEYS`] those in which ids of one file come together, which are different images.
    shared: [HashSet<String>; 2],
}

impl ImageNames {
    /// Looks at the ids of a file, all files before the first [`name`](Self::name).
    pub fn see<'a>(&mut self, ids: impl IntoIterator<Item = &'a str> + Clone) {
        for (shared, key) in self.shared.iter_mut().zip(KEYS) {
            shared.extend(shared_keys(ids.clone(), key));
        }
    }

    /// The name that all ids of an image share.
    pub fn name(&self, id: &str) -> String {
        let keys = KEYS.iter().zip(&self.shared).map(|(key, shared)| (key(id), shared));
        // What goes farthest brings most ids together.
        let mut sure = keys.rev().filter(|(key, shared)| !shared.contains(key));
        sure.next().map_or_else(|| id.to_owned(), |(key, _)| key)
    }
}

/// The keys that different ids of one file have in common.
fn shared_keys<'a>(ids: impl IntoIterator<Item = &'a str>, key: fn(&str) -> String) -> Vec<String> {
    let mut first: HashMap<String, &str> = HashMap::new();
    let mut shared = Vec::new();
    for id in ids {
        let key = key(id);
        match first.get(&key) {
            Some(other) if *other != id => shared.push(key),
            Some(_) => {}
            None => drop(first.insert(key, id)),
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_mean_two_images_means_none() {
        let index = ImageIndex::new(["a/1.jpg", "b/1.jpg", "b/02.jpg", "b/02.jpg"]);
        assert_eq!((index.find("b/1.jpg"), index.find("c/2.png")), (Some(1), Some(2)));
        assert_eq!((index.find("1"), index.find("b/1"), index.find("3")), (None, None, None));
        for id in ["B/02.JPG", "COCO_val2014_000000000002.jpg", "https://x.org/2.jpg?w=9", "2.0"] {
            assert_eq!(index.find(id), Some(2), "{id}");
        }
    }

    #[test]
    fn ids_of_several_files_share_the_name_of_their_image() {
        let mut names = ImageNames::default();
        names.see(["a/1.jpg", "b/1.jpg", "02.jpg", "img_3.png"]);
        names.see(["IMG_3.png", "COCO_val2014_000000000002.jpg"]);
        assert_ne!(names.name("a/1.jpg"), names.name("b/1.jpg"));
        assert_eq!(names.name("02.jpg"), names.name("COCO_val2014_000000000002.jpg"));
        assert_eq!(names.name("img_3.png"), names.name("IMG_3.png"));
        names.see(["IMG_3.png", "img_3.png"]);
        assert_eq!(names.name("x/IMG_3.png"), names.name("IMG_3.jpg"));
        assert_ne!(names.name("img_3.png"), names.name("IMG_3.png"));
    }

    #[test]
    fn two_ids_of_one_file_are_two_images() {
        let find = |given: &[&'static str], id| {
            ImageIndex::of_file(given.iter().copied(), ["007.jpg", "8"]).find(id)
        };
        assert_eq!(find(&["7", "7", "08"], "7"), Some(0));
        assert_eq!(find(&["7", "07", "08"], "7"), None);
        assert_eq!(find(&["7", "007.jpg"], "7"), None);
        assert_eq!(find(&["7", "007.jpg"], "007.jpg"), Some(0));
    }
}
