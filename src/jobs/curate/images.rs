//! Which ids mean the same image: those of one file's content where features tell, else those that match like ids of captions do.

use std::path::Path;

use fgd_captions::image_key;

use crate::jobs::JobError;
use crate::jobs::train::learnable::Kept;

/// Images by their ids.
pub struct Images(Option<Kept>);

impl Images {
    /// Of a folder of features, if there is one.
    pub fn open(features: Option<&Path>) -> Result<Self, JobError> {
        Ok(Self(features.map(Kept::open).transpose()?))
    }

    /// A name that all ids of an image share.
    pub fn of<'a>(&'a self, id: &'a str) -> &'a str {
        let known = self.0.as_ref().and_then(|kept| Some(kept.sha256(kept.find(id)?)));
        known.unwrap_or_else(|| image_key(id))
    }
}
