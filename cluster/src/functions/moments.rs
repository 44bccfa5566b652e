//! `fgd_moments(id, candidate, reference)`: exact sums of pairs as an aggregate. Its state is the bytes of
//! [`PairSums`], so partial states merge to the same bits in any order, from any partition, after any retry.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_binary_array, as_string_array};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use fgd_metrics::pair_sums::PairSums;
use ndarray::Array2;

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

/// The sums so far; `None` before the first pair.
#[derive(Debug, Default)]
struct Sums(Option<PairSums>);

impl Sums {
    fn bytes(&self) -> ScalarValue {
        ScalarValue::Binary(self.0.as_ref().map(PairSums::to_bytes))
    }
}

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [ids, candidates, references] = values else {
            return Err(refused("fgd_moments takes an id and two embeddings"));
        };
        if ids.is_empty() {
            return Ok(());
        }
        let ids = cast(ids, &DataType::Utf8)?;
        let ids: Vec<&str> = as_string_array(&ids)?.iter().flatten().collect();
        let candidates = rows(as_binary_array(candidates)?)?;
        let references = rows(as_binary_array(references)?)?;
        let sums = self.0.get_or_insert_with(|| PairSums::new(candidates.ncols()));
        sums.push(&ids, candidates.view(), references.view()).map_err(refused)
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

/// Embeddings `[n, d]` from their bytes.
fn rows(bytes: &BinaryArray) -> Result<Array2<f32>> {
    let wide = bytes.iter().next().flatten().map_or(0, <[u8]>::len);
    let mut values = Vec::with_capacity(bytes.value_data().len() / size_of::<f32>());
    for row in bytes {
        let row = row.filter(|row| row.len() == wide && row.len() % size_of::<f32>() == 0);
        let row = row.ok_or_else(|| refused("an embedding is missing, or of another dimension"))?;
        let (parts, _) = row.as_chunks();
        values.extend(parts.iter().map(|&part| f32::from_le_bytes(part)));
    }
    Array2::from_shape_vec((bytes.len(), wide / size_of::<f32>()), values).map_err(refused)
}
