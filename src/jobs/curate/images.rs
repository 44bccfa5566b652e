//! Which ids mean the same image: those of one file's content where features tell, else those that match like ids of captions do.

use std::path::Path;

use fgd_captioner::train::features::{KeptImage, read_list};
use fgd_captions::{CaptionFile, ImageIndex, ImageNames};
use fgd_record::words::counted;
use fgd_record::{Finding, Severity};

use super::rules::Row;
use crate::jobs::JobError;
use crate::jobs::scoring::system::stem;

/// Images by their ids.
pub struct Images {
    kept: Option<(ImageIndex, Vec<KeptImage>)>,
    names: ImageNames,
}

impl Images {
    /// Of a folder of features, if there is one.
    pub fn open(features: Option<&Path>) -> Result<Self, JobError> {
        let list = features.map(read_list).transpose()?;
        let index = |list: &Vec<KeptImage>| ImageIndex::new(list.iter().map(|kept| &*kept.id));
        Ok(Self { kept: list.map(|list| (index(&list), list)), names: ImageNames::default() })
    }

    /// Looks at the ids of a file.
    pub fn see(&mut self, file: &CaptionFile) {
        self.names.see(file.captions.iter().map(|caption| &*caption.id));
    }

    /// A note where captions stay whose images have no features: a training refuses them.
    pub fn without_features(&self, kept: &[Row]) -> Option<Finding> {
        let (index, _) = self.kept.as_ref()?;
        let mut without = kept.iter().filter(|row| index.find(&row.id).is_none());
        let first = without.next()?;
        let count = counted(1 + without.count() as u64, "caption");
        Some(Finding {
            severity: Severity::Note,
            kind: "without-features".into(),
            input: stem(&first.file),
            row: Some(first.row),
            id: Some(first.id.clone()),
            message: format!(
                "{count} that stay are of images without features, which `fgd train` refuses; compute them, or leave these out; this is \
                 the first"
            ),
            more: 0,
        })
    }

    /// A name that all ids of an image share, in the files that were seen.
    pub fn of(&self, id: &str) -> String {
        let known = self.kept.as_ref();
        let known = known.and_then(|(index, list)| Some(list[index.find(id)?].sha256.clone()));
        known.unwrap_or_else(|| self.names.name(id))
    }
}
