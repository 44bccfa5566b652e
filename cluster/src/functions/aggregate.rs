//! `fgd_moments(id, candidate, references)`: exact sums of images, as the bytes of [`PairSums`]. `fgd_distances(id, candidate, references)`:
//! the paired distance of every image, as those of [`Distances`], by which systems that are embedded in different queries are compared.
//! Both are aggregates whose state is what they return, so partial states merge to the same bits in any order, from any partition,
//! after any retry.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_binary_array;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use fgd_metrics::pair_sums::{Distances, PairSums};
use fgd_metrics::paired::Pairs;

use super::pairs::Batch;
use super::refused;

/// An aggregate of images.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    kept: Kept,
    signature: Signature,
}

/// What is kept of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    Moments,
    Distances,
}

impl Aggregate {
    pub fn new(kept: Kept) -> Self {
        Self { kept, signature: Signature::any(3, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        match self.kept {
            Kept::Moments => "fgd_moments",
            Kept::Distances => "fgd_distances",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[state]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(match self.kept {
            Kept::Moments => Box::<Collected<Option<PairSums>>>::default(),
            Kept::Distances => Box::<Collected<Distances>>::default(),
        })
    }
}

/// What is known of the images so far.
trait State: Debug + Default + Send + Sync + 'static {
    fn push(&mut self, ids: &[String], pairs: &Pairs) -> Result<()>;
    /// Adds what [`State::bytes`] gave for other images.
    fn merge(&mut self, bytes: &[u8]) -> Result<()>;
    /// `None` before the first image, where it is not known yet how large a state is.
    fn bytes(&self) -> Option<Vec<u8>>;
    fn heap(&self) -> usize;
}

impl State for Option<PairSums> {
    fn push(&mut self, ids: &[String], pairs: &Pairs) -> Result<()> {
        let sums = self.get_or_insert_with(|| PairSums::new(pairs.candidates.ncols()));
        sums.push(ids, pairs).map_err(refused)
    }

    fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let other = PairSums::from_bytes(bytes).map_err(refused)?;
        match self {
            Some(sums) => sums.merge(&other).map_err(refused)?,
            none => *none = Some(other),
        }
        Ok(())
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        self.as_ref().map(PairSums::to_bytes)
    }

    fn heap(&self) -> usize {
        self.as_ref().map_or(0, PairSums::heap)
    }
}

impl State for Distances {
    fn push(&mut self, ids: &[String], pairs: &Pairs) -> Result<()> {
        Distances::push(self, ids, pairs).map_err(refused)
    }

    fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let other = Distances::from_bytes(bytes);
        Distances::merge(self, &other.ok_or_else(|| refused("these are no distances"))?);
        Ok(())
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        Some(self.to_bytes())
    }

    fn heap(&self) -> usize {
        Distances::heap(self)
    }
}

#[derive(Debug, Default)]
struct Collected<S>(S);

impl<S: State> Accumulator for Collected<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(batch) = Batch::read(values)? else { return Ok(()) };
        self.0.push(&batch.ids, &batch.pairs())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else { return Err(refused("a state is one column")) };
        as_binary_array(states)?.iter().flatten().try_for_each(|state| self.0.merge(state))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(self.0.bytes()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.heap()
    }
}
