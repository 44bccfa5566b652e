//! Which ids mean the same image: those of one file's content where features tell, else those that match like ids of captions do.

use std::collections::HashSet;
use std::path::Path;

use fgd_captioner::train::features::{KeptImage, read_list};
use fgd_captions::{CaptionFile, ImageIndex, image_key, shared_keys, wide_image_key};

use crate::jobs::JobError;

/// What ids of different files are compared by, what goes farthest first.
const KEYS: [fn(&str) -> String; 2] = [wide_image_key, |id| image_key(id).to_owned()];

/// Images by their ids.
pub struct Images {
    kept: Option<(ImageIndex, Vec<KeptImage>)>,
    /// For each of [`KEYS`] those in which ids of one file come together, which are different images.
    doubtful: [HashSet<String>; 2],
}

impl Images {
    /// Of a folder of features, if there is one.
    pub fn open(features: Option<&Path>) -> Result<Self, JobError> {
        let list = features.map(read_list).transpose()?;
        let index = |list: &Vec<KeptImage>| ImageIndex::new(list.iter().map(|kept| &*kept.id));
        Ok(Self { kept: list.map(|list| (index(&list), list)), doubtful: Default::default() })
    }

    /// Looks at the ids of a file.
    pub fn see(&mut self, file: &CaptionFile) {
        for (doubtful, key) in self.doubtful.iter_mut().zip(KEYS) {
            doubtful.extend(shared_keys(file.captions.iter().map(|caption| &*caption.id), key));
        }
    }

    /// A name that all ids of an image share, in the files that were seen.
    pub fn of(&self, id: &str) -> String {
        let known = self.kept.as_ref();
        let known = known.and_then(|(index, list)| Some(list[index.find(id)?].sha256.clone()));
        known.unwrap_or_else(|| {
            let keys = KEYS.iter().zip(&self.doubtful).map(|(key, doubtful)| (key(id), doubtful));
            let mut sure = keys.filter(|(key, doubtful)| !doubtful.contains(key));
            sure.next().map_or_else(|| id.to_owned(), |(key, _)| key)
        })
    }
}
