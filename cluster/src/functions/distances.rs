//! `fgd_distances(id, candidate, references)`: the paired distance of every image, as the bytes of [`Distances`]. Systems that are embedded
//! in different queries are compared by them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_binary_array;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use fgd_metrics::pair_sums::Distances;

use super::pairs::Batch;
use super::refused;

/// The aggregate.
#[derive(Debug)]
pub struct ImageDistances {
    signature: Signature,
}

impl ImageDistances {
    pub fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

/// There is one such function.
impl PartialEq for ImageDistances {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ImageDistances {}

impl Hash for ImageDistances {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl AggregateUDFImpl for ImageDistances {
    fn name(&self) -> &str {
        "fgd_distances"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[distances]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<Collected>::default())
    }
}

/// The distances so far.
#[derive(Debug, Default)]
struct Collected(Distances);

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(batch) = Batch::read(values)? else { return Ok(()) };
        self.0.push(&batch.ids, &batch.pairs()).map_err(refused)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else {
            return Err(refused("a state of fgd_distances is one column"));
        };
        for state in as_binary_array(states)?.iter().flatten() {
            let state = Distances::from_bytes(state);
            self.0.merge(&state.ok_or_else(|| refused("these are no distances"))?);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(self.0.to_bytes())))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.heap()
    }
}
