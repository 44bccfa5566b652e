//! Captions of the same images out of several files, of which one per image is to be chosen.

use super::image_index::ImageIndex;
use super::references::group;
use super::{CaptionFile, Finding};

/// Candidates image by image, in the order in which the files name the images first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The image ids, as the first file that has them spells them.
    pub ids: Vec<String>,
    /// For each image its captions as (file, index of the caption in it), file by file.
    pub captions: Vec<Vec<(usize, usize)>>,
}

/// Gathers the captions of several files by image id. A file may lack images and may have several captions of one; empty captions
/// count only for an image that has no other. Ids match as in [`align`](super::align()).
pub fn candidates(files: &[&CaptionFile]) -> Candidates {
    let mut all = Candidates::default();
    for (number, file) in files.iter().enumerate() {
        let grouped = group(file);
        let [given, known] = [&grouped.ids, &all.ids].map(|ids| ids.iter().map(String::as_str));
        let names = ImageIndex::of_file(given, known);
        let known: Vec<Option<usize>> = grouped.ids.iter().map(|id| names.find(id)).collect();
        for ((id, captions), known) in grouped.ids.iter().zip(&grouped.captions).zip(known) {
            let image = known.unwrap_or_else(|| {
                all.ids.push(id.clone());
                all.captions.push(Vec::new());
                all.ids.len() - 1
            });
            all.captions[image].extend(captions.iter().map(|index| (number, *index)));
        }
    }
    let is_empty =
        |(file, index): &(usize, usize)| files[*file].captions[*index].text.trim().is_empty();
    for captions in &mut all.captions {
        if !captions.iter().all(is_empty) {
            captions.retain(|caption| !is_empty(caption));
        }
    }
    all
}

/// What is wrong with a file of candidates by itself, empty captions aside, which are not chosen.
pub fn candidate_findings(file: &CaptionFile) -> Vec<Finding> {
    let mut findings = file.findings.clone();
    findings.extend(super::lint(file));
    findings.retain(|finding| finding.kind != super::FindingKind::EmptyCaption);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, read};

    #[test]
    fn files_are_gathered_by_id_whatever_they_lack() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            read(&path, &ReadOptions::default()).unwrap()
        };
        let a = file("a.csv", "image_id,caption\n7,a bus\n8,a dog\n");
        let b = file("b.csv", "image_id,caption\n9.jpg,a cat\n7.jpg,a red bus\n");
        let c = file(
            "c.jsonl",
            "{\"image_id\": \"7\", \"caption\": \"\"}\n{\"image_id\": \"7\", \"caption\": \"x y\"}\n{\"image_id\": \"10\", \"caption\": \"\"}\n",
        );
        let found = candidates(&[&a, &b, &c]);
        assert_eq!(found.ids, ["7", "8", "9.jpg", "10"]);
        assert_eq!(found.captions[0], [(0, 0), (1, 1), (2, 1)]);
        assert_eq!(found.captions[3], [(2, 2)]);
        assert!(crate::is_valid(&candidate_findings(&c)));
    }
}
