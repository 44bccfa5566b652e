//! What images leave behind when only sums may: a score from any number of machines, to the bit in any order.
//!
//! An image is one row: the embedding of its caption, and the sum of those of its references. The [exact sums](crate::moments::ExactSums)
//! of such rows hold both covariances and the cross-covariance; where images have several references, sums over these stand beside
//! them. They are kept for each of [`GROUPS`] groups of images, by a hash of the image's id: leaving a group out is a subtraction, which is
//! what the bias of the set distance and its standard error are measured by. Images with other numbers of references are summed
//! apart, so that every weight is a constant. Sums of the images' distances, squared distances and cosines are integers too.
//!
//! Memory: (2d + 1)(2d + 2)/2 integers of 16 bytes for each group, 4.7 MB at d = 384; a quarter more for each number of references
//! other than one.

mod class;
mod field;
mod image;
mod sliced;

use std::collections::BTreeMap;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::inference::{ImageMoments, PairInference, infer_pairs};
use crate::moments::{Pair, units};
use crate::paired::{COSINES, Pairs};
use class::Class;

pub use field::{Distances, FieldSums};
pub use sliced::SlicedSums;

/// Groups that images are dealt into.
pub const GROUPS: usize = 20;
/// Most references of an image.
pub const MOST_REFERENCES: usize = 64;
/// Distances are summed in units of this, so that they and their squares stay within 1.
const SCALE: f64 = 8.0;
const MAGIC: &[u8; 8] = b"fgdpair2";
const BYTES: usize = size_of::<i128>();

/// The place of an image among others by its id: FNV-1a of the bytes, then the finaliser of MurmurHash3. Its remainder by
/// [`GROUPS`] is the image's group.
pub fn place(id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Sums of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairSums {
    d: usize,
    /// By group and number of references, those that have images.
    classes: BTreeMap<(u32, u32), Class>,
    /// Σ D/8, Σ (D/8)² and Σ cosine of the images' distances D, in units of 2⁻⁸⁵.
    scalars: [i128; 3],
}

/// The numbers of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct PairScore {
    /// Images.
    pub n: u64,
    /// Their references.
    pub references: u64,
    /// Mean over the images of the mean of ‖g − p‖² over their references.
    pub paired: f64,
    /// The same with its uncertainty; the interval is not cut at 0 yet.
    pub estimate: Estimate,
    /// Mean cosine of the pairs, with its uncertainty: of unit vectors it is 1 less half of the distance.
    pub mean_cosine: Estimate,
    /// The set distance.
    pub set: PairInference,
}

impl PairSums {
    /// Sums of no images in `d` dimensions.
    pub fn new(d: usize) -> Self {
        Self { d, classes: BTreeMap::new(), scalars: [0; 3] }
    }

    /// Dimension of the embeddings.
    pub fn dim(&self) -> usize {
        self.d
    }

    /// Number of images.
    pub fn n(&self) -> u64 {
        self.classes.values().map(Class::n).sum()
    }

    /// Bytes that the sums take.
    pub fn heap(&self) -> usize {
        self.classes.values().map(Class::heap).sum()
    }

    /// Adds images with these ids, at most [`MOST_REFERENCES`] references each.
    ///
    /// # Errors
    /// Shapes that do not go together; embeddings that are longer than 1, not finite or all zero, with their id. Nothing is added
    /// then.
    pub fn push<I: AsRef<str>>(&mut self, ids: &[I], pairs: &Pairs) -> Result<(), MetricError> {
        if pairs.candidates.ncols() != self.d {
            let right = pairs.candidates.ncols();
            return Err(MetricError::DimensionMismatch { left: self.d, right });
        }
        let images = image::images(ids, pairs)?;
        let mut members: BTreeMap<(u32, u32), Vec<&image::Image>> = BTreeMap::new();
        let mut scalars = [0; 3];
        for (image, id) in images.iter().zip(ids) {
            let scaled = image.distance / SCALE;
            let found = [scaled, scaled * scaled, image.cosine];
            scalars.iter_mut().zip(found).for_each(|(sum, value)| *sum += units(value));
            let group = (place(id.as_ref()) % GROUPS as u64) as u32;
            members.entry((group, image.references.len() as u32)).or_default().push(image);
        }
        for (key, images) in members {
            self.class(key).push(pairs, &images)?;
        }
        self.scalars.iter_mut().zip(scalars).for_each(|(sum, more)| *sum += more);
        Ok(())
    }

    fn class(&mut self, key: (u32, u32)) -> &mut Class {
        self.classes.entry(key).or_insert_with(|| Class::new(self.d, key.1))
    }

    /// Adds other images. Associative and commutative, to the bit.
    ///
    /// # Errors
    /// Dimensions that differ, or more rows than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        self.merge_by(other, |group| group)
    }

    /// Adds other images to one group, so that many parts of a sample can be held at once; what they are apart then has no interval.
    ///
    /// # Errors
    /// As [`PairSums::merge`].
    pub fn merge_undivided(&mut self, other: &Self) -> Result<(), MetricError> {
        self.merge_by(other, |_| 0)
    }

    fn merge_by(&mut self, other: &Self, group: impl Fn(u32) -> u32) -> Result<(), MetricError> {
        if other.d != self.d {
            return Err(MetricError::DimensionMismatch { left: self.d, right: other.d });
        }
        for (&(of, references), sums) in &other.classes {
            self.class((group(of), references)).merge(sums)?;
        }
        self.scalars.iter_mut().zip(other.scalars).for_each(|(sum, more)| *sum += more);
        Ok(())
    }

    /// The numbers.
    ///
    /// # Errors
    /// Fewer than two images, or a decomposition that fails.
    pub fn score(&self) -> Result<PairScore, MetricError> {
        let mut total: BTreeMap<u32, Class> = BTreeMap::new();
        let mut groups: BTreeMap<u32, Vec<ImageMoments>> = BTreeMap::new();
        for (&(group, references), class) in &self.classes {
            groups.entry(group).or_default().push(class.moments());
            let whole = total.entry(references).or_insert_with(|| Class::new(self.d, references));
            whole.merge(class)?;
        }
        let total: Vec<ImageMoments> = total.values().map(Class::moments).collect();
        let mut set = infer_pairs(&total, &groups.into_values().collect::<Vec<_>>())?;
        let n = self.n();
        let count = n as f64;
        let [sum, squares, cosines] = self.scalars.map(Pair::of);
        let paired = SCALE * sum.upper / count;
        let variance = SCALE * SCALE * squares.less_quotient(&sum, &sum, count) / (count - 1.0);
        let se = (variance.max(0.0) / count).sqrt();
        // Of a set beside itself only rounding would be left.
        if self.scalars[1] == 0 {
            set.distance = set.distance.of_equal_sets();
            set.inference = set.inference.map(|found| found.of_equal_sets());
        }
        Ok(PairScore {
            n,
            references: total.iter().map(|class| class.references as u64 * class.joint.n()).sum(),
            paired,
            estimate: Estimate::student(paired, se, n as usize - 1),
            mean_cosine: Estimate::student(cosines.upper / count, se / 2.0, n as usize - 1)
                .within(COSINES),
            set,
        })
    }

    /// The sums as bytes, little-endian, which [`PairSums::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.d as u32).to_le_bytes());
        bytes.extend((self.classes.len() as u32).to_le_bytes());
        self.scalars.iter().for_each(|sum| bytes.extend(sum.to_le_bytes()));
        for ((group, references), class) in &self.classes {
            bytes.extend(group.to_le_bytes());
            bytes.extend(references.to_le_bytes());
            class.integers().for_each(|sum| bytes.extend(sum.to_le_bytes()));
        }
        bytes
    }

    /// The sums that [`PairSums::to_bytes`] wrote.
    ///
    /// # Errors
    /// Other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetricError> {
        Self::read(bytes).ok_or_else(|| MetricError::NotExact("these are no sums of pairs".into()))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let d = u32::from_le_bytes(*take(&mut rest)?) as usize;
        let count = u32::from_le_bytes(*take(&mut rest)?);
        let mut sums = Self::new(d);
        for scalar in &mut sums.scalars {
            *scalar = i128::from_le_bytes(*take(&mut rest)?);
        }
        for _ in 0..count {
            let [group, references] = [take(&mut rest)?, take(&mut rest)?];
            let key = (u32::from_le_bytes(*group), u32::from_le_bytes(*references));
            let is_one = (0..GROUPS).contains(&(key.0 as usize))
                && (1..=MOST_REFERENCES).contains(&(key.1 as usize));
            if !is_one || sums.classes.contains_key(&key) {
                return None;
            }
            let class = Class::read(d, key.1, |integers| {
                let (own, after) = rest.split_at_checked(integers.checked_mul(BYTES)?)?;
                rest = after;
                let (own, _) = own.as_chunks::<BYTES>();
                Some(own.iter().map(|&bytes| i128::from_le_bytes(bytes)).collect())
            })?;
            sums.classes.insert(key, class);
        }
        rest.is_empty().then_some(sums)
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests;
