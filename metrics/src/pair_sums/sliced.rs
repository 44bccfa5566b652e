//! Sums of a sample and of its parts by some columns.

use std::collections::BTreeMap;

use super::{PairSums, take};
use crate::MetricError;

const MAGIC: &[u8; 8] = b"fgdsums1";

/// Sums of all pairs, and for each column those of every value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicedSums {
    /// All pairs, divided into groups.
    pub whole: PairSums,
    /// By column, the pairs of each value, undivided: what a part's set distance owes to its size is not measured.
    pub slices: Vec<BTreeMap<String, PairSums>>,
}

impl SlicedSums {
    /// Sums of no pairs in `d` dimensions, with as many columns.
    pub fn new(d: usize, columns: usize) -> Self {
        Self { whole: PairSums::new(d), slices: vec![BTreeMap::new(); columns] }
    }

    /// Adds pairs that have these values in the columns.
    ///
    /// # Errors
    /// Another dimension or number of columns, or more rows than can be counted.
    pub fn add(&mut self, values: &[String], sums: &PairSums) -> Result<(), MetricError> {
        self.same_columns(values.len())?;
        self.whole.merge(sums)?;
        for (slice, value) in self.slices.iter_mut().zip(values) {
            let part = slice.entry(value.clone()).or_insert_with(|| PairSums::new(sums.dim()));
            part.merge_undivided(sums)?;
        }
        Ok(())
    }

    /// Adds other pairs. Associative and commutative, to the bit.
    ///
    /// # Errors
    /// As [`SlicedSums::add`].
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        self.same_columns(other.slices.len())?;
        self.whole.merge(&other.whole)?;
        for (slice, others) in self.slices.iter_mut().zip(&other.slices) {
            for (value, sums) in others {
                let part = slice.entry(value.clone()).or_insert_with(|| PairSums::new(sums.dim()));
                part.merge_undivided(sums)?;
            }
        }
        Ok(())
    }

    fn same_columns(&self, columns: usize) -> Result<(), MetricError> {
        if self.slices.len() == columns {
            return Ok(());
        }
        let own = self.slices.len();
        Err(MetricError::NotExact(format!("sums by {own} columns, and by {columns}")))
    }

    /// The sums as bytes, which [`SlicedSums::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut put = |part: &[u8]| {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        };
        put(&self.whole.to_bytes());
        put(&(self.slices.len() as u64).to_le_bytes());
        for slice in &self.slices {
            put(&(slice.len() as u64).to_le_bytes());
            for (value, sums) in slice {
                put(value.as_bytes());
                put(&sums.to_bytes());
            }
        }
        bytes
    }

    /// The sums that [`SlicedSums::to_bytes`] wrote.
    ///
    /// # Errors
    /// Other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetricError> {
        let read = |bytes: &[u8]| -> Option<Self> {
            let mut rest = bytes.strip_prefix(MAGIC)?;
            let rest = &mut rest;
            let whole = PairSums::from_bytes(part(rest)?).ok()?;
            let mut slices = Vec::new();
            for _ in 0..count(rest)? {
                let mut slice = BTreeMap::new();
                for _ in 0..count(rest)? {
                    let value = str::from_utf8(part(rest)?).ok()?.to_owned();
                    slice.insert(value, PairSums::from_bytes(part(rest)?).ok()?);
                }
                slices.push(slice);
            }
            rest.is_empty().then_some(Self { whole, slices })
        };
        read(bytes).ok_or_else(|| MetricError::NotExact("these are no sums of pairs".into()))
    }
}

fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u64::from_le_bytes(*take(bytes)?)).ok()?;
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

fn count(bytes: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(part(bytes)?.try_into().ok()?))
}
