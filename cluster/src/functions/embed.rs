//! `fgd_embed(text, fingerprint)`: captions to embeddings, as bytes of `f32`, on an executor that has the encoder that was asked for.
//! `fgd_embed_all(texts, fingerprint)` does the same with cells that may hold several captions, a JSON list, whose embeddings come one
//! after the other.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use fgd_encoder::Encoder;

use super::refused;
use crate::fingerprint::Fingerprint;

/// The encoder of an executor.
pub struct Engine {
    /// With its weights.
    pub encoder: Encoder,
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// What the executor is called in errors.
    pub name: String,
}

/// The function.
pub struct Embed {
    engine: Option<Arc<Engine>>,
    /// Whether a cell may hold several captions.
    all: bool,
    signature: Signature,
}

impl Embed {
    pub fn new(engine: Option<Arc<Engine>>, all: bool) -> Self {
        Self { engine, all, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl std::fmt::Debug for Embed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// There is one such function of a name.
impl PartialEq for Embed {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Eq for Embed {}

impl Hash for Embed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Embed {
    fn name(&self) -> &str {
        if self.all { "fgd_embed_all" } else { "fgd_embed" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(engine) = &self.engine else {
            return Err(refused("fgd_embed runs on executors only"));
        };
        let [texts, asked] = &args.args[..] else {
            return Err(refused("fgd_embed takes a text and a fingerprint"));
        };
        let ColumnarValue::Scalar(ScalarValue::Utf8(Some(asked))) = asked else {
            return Err(refused("the fingerprint of fgd_embed must be a literal"));
        };
        if let Some(difference) = engine.fingerprint.differs(&Fingerprint::parse(asked)) {
            return Err(refused(format!(
                "executor {} has {difference}, which the score asks for; start it with the same program, encoder, --max-length and \
                 FGD_SIMD as the others",
                engine.name
            )));
        }
        let texts = texts.to_array(args.number_rows)?;
        let texts = cast(&texts, &DataType::Utf8)?;
        if texts.null_count() > 0 {
            return Err(refused("a caption is missing"));
        }
        let cells = as_string_array(&texts)?.iter().flatten();
        let captions = cells.map(|cell| captions(cell, self.all)).collect::<Result<Vec<_>>>()?;
        let all: Vec<&str> = captions.iter().flatten().map(|caption| &**caption).collect();
        let rows = engine.encoder.encode(&all, &|_| {}).map_err(refused)?;
        let bytes = size_of::<f32>() * rows.ncols();
        let mut out = BinaryBuilder::with_capacity(captions.len(), rows.nrows() * bytes);
        let mut rows = rows.outer_iter();
        for captions in &captions {
            let own = rows.by_ref().take(captions.len()).flatten();
            out.append_value(own.flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

/// The captions of a cell. A list has at least one.
fn captions(cell: &str, all: bool) -> Result<Vec<Cow<'_, str>>> {
    if !all || !cell.starts_with('[') {
        return Ok(vec![cell.into()]);
    }
    let texts: Vec<String> = serde_json::from_str(cell)
        .map_err(|error| refused(format!("a cell of references is no list of texts: {error}")))?;
    match texts.is_empty() {
        true => Err(refused("an image has no reference")),
        false => Ok(texts.into_iter().map(Cow::from).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_one_caption_or_a_list() {
        assert_eq!(captions("a [b]", true).unwrap(), ["a [b]"]);
        assert_eq!(captions("[\"a\", \"[b\"]", true).unwrap(), ["a", "[b"]);
        assert_eq!(captions("[b]", false).unwrap(), ["[b]"]);
        assert!(captions("[b]", true).is_err() && captions("[]", true).is_err());
    }
}
