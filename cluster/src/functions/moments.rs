//! `fgd_moments(id, candidate, references)`: exact sums of images as an aggregate. Its state is the bytes of
//! [`PairSums`], so partial states merge to the same bits in any order, from any partition, after any retry.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_binary_array;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use fgd_metrics::pair_sums::PairSums;

use super::pairs::Batch;
use super::refused;

/// The aggregate.
#[derive(Debug)]
pub struct Moments {
    signature: Signature,
}

impl Moments {
    pub fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

/// There is one such function.
impl PartialEq for Moments {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Moments {}

impl Hash for Moments {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl AggregateUDFImpl for Moments {
    fn name(&self) -> &str {
        "fgd_moments"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[sums]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<Sums>::default())
    }
}

/// The sums so far; `None` before the first image.
#[derive(Debug, Default)]
struct Sums(Option<PairSums>);

impl Sums {
    fn bytes(&self) -> ScalarValue {
        ScalarValue::Binary(self.0.as_ref().map(PairSums::to_bytes))
    }
}

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(batch) = Batch::read(values)? else { return Ok(()) };
        let pairs = batch.pairs();
        let sums = self.0.get_or_insert_with(|| PairSums::new(pairs.candidates.ncols()));
        sums.push(&batch.ids, &pairs).map_err(refused)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else {
            return Err(refused("a state of fgd_moments is one column"));
        };
        for state in as_binary_array(states)?.iter().flatten() {
            let state = PairSums::from_bytes(state).map_err(refused)?;
            match &mut self.0 {
                Some(sums) => sums.merge(&state).map_err(refused)?,
                none => *none = Some(state),
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.bytes()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.bytes())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.as_ref().map_or(0, PairSums::heap)
    }
}
