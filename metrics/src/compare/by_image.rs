//! Which references belong to which image, from either end.

use std::ops::Range;

/// References in the order of their images.
pub(super) struct ByImage {
    /// References, those of image 0 first.
    pub(super) order: Vec<usize>,
    /// Where each image's references start in `order`, and where the last one's end.
    starts: Vec<usize>,
}

impl ByImage {
    pub(super) fn new(images: usize, image_of: &[usize]) -> Self {
        let mut starts = vec![0; images + 1];
        image_of.iter().for_each(|&image| starts[image + 1] += 1);
        (0..images).for_each(|image| starts[image + 1] += starts[image]);
        let mut order: Vec<usize> = (0..image_of.len()).collect();
        order.sort_by_key(|&reference| image_of[reference]);
        ByImage { order, starts }
    }

    /// References of image `image`.
    pub(super) fn of(&self, image: usize) -> &[usize] {
        &self.order[self.slots(image)]
    }

    /// Places in the order of the references of image `image`.
    pub(super) fn slots(&self, image: usize) -> Range<usize> {
        self.starts[image]..self.starts[image + 1]
    }

    /// Number of references of image `image`.
    pub(super) fn count(&self, image: usize) -> usize {
        self.starts[image + 1] - self.starts[image]
    }

    /// Number of all references.
    pub(super) fn total(&self) -> usize {
        self.order.len()
    }
}
