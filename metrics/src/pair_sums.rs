//! What pairs of captions leave behind when only sums may: a score from any number of machines, to the bit in any order.
//!
//! A pair is one row of its two embeddings, so the [exact sums](crate::moments::ExactSums) of rows hold both covariances and the
//! cross-covariance. They are kept for each of [`GROUPS`] groups of images, by a hash of the image's id: leaving a group out is a
//! subtraction, which is what the bias of the set distance and its standard error are measured by. Beside them stand sums of the
//! pairs' distances, squared distances and cosines, as integers too. One caption and one reference for each image: several
//! references would need sums within images.
//!
//! Memory: (2d + 1)(2d + 2)/2 integers of 16 bytes for each group, 4.7 MB at d = 384.

mod sliced;

use std::collections::BTreeMap;

use ndarray::{ArrayView1, ArrayView2, Axis, concatenate};

use crate::MetricError;
use crate::estimate::Estimate;
use crate::inference::{PairInference, infer_pairs};
use crate::moments::{ExactSums, Moments, Pair, units};

pub use sliced::SlicedSums;

/// Groups that images are dealt into.
pub const GROUPS: usize = 20;
/// Distances are summed in units of this, so that they and their squares stay within 1.
const SCALE: f64 = 8.0;
/// Longest embedding; those of unit length have rounding to spare.
const LONGEST: f64 = 1.01;
const MAGIC: &[u8; 8] = b"fgdpair1";
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

/// Sums of pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairSums {
    d: usize,
    /// By group, those that have pairs.
    groups: BTreeMap<u32, ExactSums>,
    /// Σ ‖g − p‖²/8, Σ (‖g − p‖²/8)² and Σ cosine, in units of 2⁻⁸⁵.
    scalars: [i128; 3],
}

/// The numbers of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct PairScore {
    /// Pairs.
    pub n: u64,
    /// Mean of ‖g − p‖².
    pub paired: f64,
    /// The same with its uncertainty.
    pub estimate: Estimate,
    /// Mean cosine of the pairs, with its uncertainty: of unit vectors it is 1 less half of the distance.
    pub mean_cosine: Estimate,
    /// The set distance.
    pub set: PairInference,
}

impl PairSums {
    /// Sums of no pairs in `d` dimensions.
    pub fn new(d: usize) -> Self {
        Self { d, groups: BTreeMap::new(), scalars: [0; 3] }
    }

    /// Dimension of the embeddings.
    pub fn dim(&self) -> usize {
        self.d
    }

    /// Number of pairs.
    pub fn n(&self) -> u64 {
        self.groups.values().map(ExactSums::n).sum()
    }

    /// Bytes that the sums take.
    pub fn heap(&self) -> usize {
        self.groups.values().map(|sums| size_of_val(sums.integers())).sum()
    }

    /// Adds pairs: row i of either matrix `[n, d]` is of image `ids[i]`.
    ///
    /// # Errors
    /// Shapes that do not go together; embeddings that are longer than 1, not finite or all zero, with their id. Nothing is added
    /// then.
    pub fn push<I: AsRef<str>>(
        &mut self,
        ids: &[I],
        candidates: ArrayView2<f32>,
        references: ArrayView2<f32>,
    ) -> Result<(), MetricError> {
        for rows in [candidates, references] {
            if rows.ncols() != self.d {
                return Err(MetricError::DimensionMismatch { left: self.d, right: rows.ncols() });
            }
            if rows.nrows() != ids.len() {
                return Err(MetricError::InvalidPairs(format!(
                    "{} rows for {} ids",
                    rows.nrows(),
                    ids.len()
                )));
            }
        }
        let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut scalars = [0; 3];
        for (row, id) in ids.iter().map(AsRef::as_ref).enumerate() {
            let found = pair(candidates.row(row), references.row(row)).ok_or_else(|| {
                MetricError::NotExact(format!(
                    "image {id}: an embedding is not of unit length, where sums are exact; use an encoder that normalises"
                ))
            })?;
            scalars.iter_mut().zip(found).for_each(|(sum, value)| *sum += units(value));
            members.entry((place(id) % GROUPS as u64) as u32).or_default().push(row);
        }
        for (group, rows) in members {
            let own = [candidates, references].map(|side| side.select(Axis(0), &rows));
            let joint = concatenate(Axis(1), &own.each_ref().map(|side| side.view()));
            let joint = joint.map_err(|error| MetricError::InvalidPairs(error.to_string()))?;
            let sums = self.groups.entry(group).or_insert_with(|| ExactSums::new(2 * self.d));
            sums.push_rows(joint.view())?;
        }
        self.scalars.iter_mut().zip(scalars).for_each(|(sum, more)| *sum += more);
        Ok(())
    }

    /// Adds other pairs. Associative and commutative, to the bit.
    ///
    /// # Errors
    /// Dimensions that differ, or more rows than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        self.merge_by(other, |group| group)
    }

    /// Adds other pairs to one group, so that many parts of a sample can be held at once; what they are apart then has no interval.
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
        for (of, sums) in &other.groups {
            let own = self.groups.entry(group(*of)).or_insert_with(|| ExactSums::new(2 * self.d));
            own.merge(sums)?;
        }
        self.scalars.iter_mut().zip(other.scalars).for_each(|(sum, more)| *sum += more);
        Ok(())
    }

    /// The numbers.
    ///
    /// # Errors
    /// Fewer than two pairs, or a decomposition that fails.
    pub fn score(&self) -> Result<PairScore, MetricError> {
        let mut total = ExactSums::new(2 * self.d);
        self.groups.values().try_for_each(|group| total.merge(group))?;
        let groups: Vec<Moments> = self.groups.values().map(ExactSums::moments).collect();
        let mut set = infer_pairs(&total.moments(), &groups)?;
        let n = total.n();
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
            paired,
            estimate: Estimate::student(paired, se, n as usize - 1).cut_at_0(),
            mean_cosine: Estimate::student(cosines.upper / count, se / 2.0, n as usize - 1),
            set,
        })
    }

    /// The sums as bytes, little-endian, which [`PairSums::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.d as u32).to_le_bytes());
        bytes.extend((self.groups.len() as u32).to_le_bytes());
        self.scalars.iter().for_each(|sum| bytes.extend(sum.to_le_bytes()));
        for (group, sums) in &self.groups {
            bytes.extend(group.to_le_bytes());
            sums.integers().iter().for_each(|sum| bytes.extend(sum.to_le_bytes()));
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
        let entries = d.checked_mul(2).map(|d| (d + 1).checked_mul(d + 2))?? / 2;
        for _ in 0..count {
            let group = u32::from_le_bytes(*take(&mut rest)?);
            let (own, after) = rest.split_at_checked(entries.checked_mul(BYTES)?)?;
            rest = after;
            let (integers, _) = own.as_chunks::<BYTES>();
            let integers = integers.iter().map(|&bytes| i128::from_le_bytes(bytes)).collect();
            sums.groups.insert(group, ExactSums::from_integers(2 * d, integers).ok()?);
        }
        rest.is_empty().then_some(sums)
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

/// Distance, squared distance and cosine of a pair, the distances scaled; `None` where an embedding has no direction or is too long.
fn pair(candidate: ArrayView1<f32>, reference: ArrayView1<f32>) -> Option<[f64; 3]> {
    let [mut distance, mut product, mut p2, mut g2] = [0.0; 4];
    for (&p, &g) in candidate.iter().zip(&reference) {
        let (p, g) = (f64::from(p), f64::from(g));
        distance += (g - p) * (g - p);
        product += g * p;
        p2 += p * p;
        g2 += g * g;
    }
    let within = |length: f64| length > 0.0 && length <= LONGEST;
    let is_exact = |row: ArrayView1<f32>| row.iter().all(|x| x.abs() <= 1.0);
    let scaled = distance / SCALE;
    (within(p2) && within(g2) && is_exact(candidate) && is_exact(reference))
        .then(|| [scaled, scaled * scaled, product / (p2.sqrt() * g2.sqrt())])
}

#[cfg(test)]
mod tests;
