//! The images that captions belong to, where they are at hand: found by id, and small enough to be shown.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fgd_captioner::preprocess;
use fgd_captioner::run::{ImageFile, list_images};
use fgd_captions::ImageIndex;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

use super::JobError;

/// Longest side in pixels and quality, of 100, of a thumbnail's JPEG: sharp at the width of a report's column on a dense screen.
const SMALL: (u32, u8) = (224, 75);
/// The same of a picture to look at.
const LARGE: (u32, u8) = (768, 82);

/// Images by id.
#[derive(Debug)]
pub struct Images {
    files: Vec<ImageFile>,
    index: ImageIndex,
}

/// Images that are asked for and not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{missing} of {wanted} images of the references are not among the images, or several could be meant; the first is {first:?}"
)]
pub struct MissingImages {
    /// How many are missing.
    pub missing: usize,
    /// How many are asked for.
    pub wanted: usize,
    /// Id of the first that is missing.
    pub first: String,
}

impl Images {
    /// Lists the images of a directory or a list, if there is one.
    ///
    /// # Errors
    /// A directory or list that cannot be read.
    pub fn open(source: Option<&Path>, root: Option<&Path>) -> Result<Option<Self>, JobError> {
        source.map(|source| Ok(Self::new(list_images(source, root)?.images))).transpose()
    }

    /// Indexes a list of images.
    pub fn new(files: Vec<ImageFile>) -> Self {
        Self { index: ImageIndex::new(files.iter().map(|file| file.id.as_str())), files }
    }

    /// The file of an image.
    pub fn find(&self, id: &str) -> Option<&Path> {
        Some(&self.files[self.index.find(id)?].path)
    }

    /// The images of these ids, in their order and by these names.
    ///
    /// # Errors
    /// Ids without an image.
    pub fn select(&self, ids: &[String]) -> Result<Vec<ImageFile>, MissingImages> {
        let index = ImageIndex::of_file(
            ids.iter().map(String::as_str),
            self.files.iter().map(|file| file.id.as_str()),
        );
        let image = |id: &String| {
            let path = self.files[index.find(id)?].path.clone();
            Some(ImageFile { id: id.clone(), path })
        };
        let found: Vec<ImageFile> = ids.iter().filter_map(image).collect();
        match ids.iter().find(|id| index.find(id).is_none()) {
            None => Ok(found),
            Some(first) => Err(MissingImages {
                missing: ids.len() - found.len(),
                wanted: ids.len(),
                first: first.clone(),
            }),
        }
    }

    /// Base64 of a small JPEG of an image; `None` where there is none or it can not be read.
    pub fn thumbnail(&self, id: &str) -> Option<String> {
        Some(STANDARD.encode(self.jpeg(id, SMALL)?))
    }

    /// Larger JPEGs of these images, in their order.
    pub fn large(&self, ids: &[&str]) -> Vec<Option<Vec<u8>>> {
        ids.par_iter().map(|id| self.jpeg(id, LARGE)).collect()
    }

    fn jpeg(&self, id: &str, (side, quality): (u32, u8)) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.find(id)?).ok()?;
        let decoded = preprocess::decode(&bytes).ok()?;
        let (width, height) = (decoded.width as u32, decoded.height as u32);
        let whole = image::RgbImage::from_raw(width, height, decoded.data)?;
        let mut small = image::DynamicImage::from(whole);
        if width.max(height) > side {
            small = small.thumbnail(side, side);
        }
        let mut jpeg = Vec::new();
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality)).ok()?;
        Some(jpeg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(dir: &Path) -> Images {
        let file = |id: &str, name: &str| ImageFile { id: id.into(), path: dir.join(name) };
        Images::new(vec![file("000007", "000007.png"), file("8", "8.png")])
    }

    #[test]
    fn ids_match_as_those_of_captions_do() {
        let images = images(Path::new("photos"));
        for id in ["000007", "7", "photos/7.jpg", "7.0"] {
            assert_eq!(images.find(id), Some(Path::new("photos/000007.png")), "{id}");
        }
        let wanted = ["8.png", "9", "10"].map(str::to_owned);
        let missing = images.select(&wanted).unwrap_err();
        assert_eq!((missing.missing, missing.first.as_str()), (2, "9"));
        assert_eq!(images.select(&wanted[..1]).unwrap()[0].id, "8.png");
    }

    #[test]
    fn a_thumbnail_is_a_small_jpeg_of_the_same_shape() {
        let dir = tempfile::tempdir().unwrap();
        let whole = image::RgbImage::from_pixel(600, 300, image::Rgb([200, 30, 30]));
        whole.save(dir.path().join("8.png")).unwrap();
        let images = images(dir.path());
        let jpeg = STANDARD.decode(images.thumbnail("8").unwrap()).unwrap();
        let small = preprocess::decode(&jpeg).unwrap();
        assert_eq!((small.width, small.height), (224, 112));
        assert!(small.data[0] > 180 && small.data[1] < 60, "still red");
        let [large, none] = images.large(&["8", "7"]).try_into().unwrap();
        let large = preprocess::decode(&large.unwrap()).unwrap();
        assert_eq!((large.width, large.height, none), (600, 300, None));
        assert_eq!(images.thumbnail("7"), None);
        std::fs::write(dir.path().join("000007.png"), b"no image").unwrap();
        assert_eq!(images.thumbnail("7"), None);
    }
}
