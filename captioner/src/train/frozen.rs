//! A frozen weight and its two products, there and back: on the CPU by the kernels, on a GPU by candle.
//!
//! This is all of training that knows where the weights are. Rows go in and come out in host memory; norms, attention and the
//! factors, a few percent of the arithmetic, are computed there.

use candle_core::{DType, Tensor};

use crate::error::Result;
use crate::layers::Linear;
use crate::weights::{After, Arithmetic, Matrix, product, product_back};

/// W [outputs, inputs], which no training changes.
pub struct Frozen {
    weight: Matrix,
    arithmetic: Arithmetic,
    sizes: [usize; 2],
}

impl Frozen {
    /// That of a loaded layer, where it is.
    pub fn of(linear: &Linear) -> Result<Self> {
        let (weight, arithmetic) = linear.weight();
        Ok(Self { weight: weight.clone(), arithmetic, sizes: weight.sizes()? })
    }

    /// Its rows.
    pub fn outputs(&self) -> usize {
        self.sizes[0]
    }

    /// Its columns.
    pub fn inputs(&self) -> usize {
        self.sizes[1]
    }

    /// x [rows, inputs] · Wᵀ → [rows, outputs].
    pub fn forward(&self, x: &[f32]) -> Result<Vec<f32>> {
        match &self.weight {
            Matrix::Host(weight) => Ok(product(x, weight, self.arithmetic, After::default())),
            Matrix::Device(weight) => by_candle(x, &weight.t()?),
        }
    }

    /// dy [rows, outputs] · W → [rows, inputs]: what a gradient behind [`Self::forward`] is worth before it.
    pub fn back(&self, dy: &[f32]) -> Result<Vec<f32>> {
        match &self.weight {
            Matrix::Host(weight) => Ok(product_back(dy, weight, self.arithmetic)),
            Matrix::Device(weight) => by_candle(dy, weight),
        }
    }

    /// The same weight for candle's products on a device.
    #[cfg(test)]
    pub fn on(self, device: &candle_core::Device) -> Result<Self> {
        let weight = match self.weight {
            Matrix::Host(weight) => {
                let mut wide = vec![0.0; self.sizes[0] * self.sizes[1]];
                for (row, wide) in wide.chunks_mut(self.sizes[1]).enumerate() {
                    weight.widen(row, 0, wide);
                }
                Tensor::from_vec(wide, &self.sizes, device)?
            }
            Matrix::Device(weight) => weight.to_device(device)?,
        };
        Ok(Self { weight: Matrix::Device(weight), ..self })
    }
}

/// Rows of the matrix's height times the matrix, in its type.
fn by_candle(rows: &[f32], matrix: &Tensor) -> Result<Vec<f32>> {
    let height = matrix.dim(0)?;
    let rows = Tensor::from_slice(rows, (rows.len() / height, height), matrix.device())?;
    let result = rows.to_dtype(matrix.dtype())?.matmul(matrix)?;
    Ok(result.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use crate::train::{Batch, Dropout, Example, Gradients, Lora, LoraConfig, Model, Pass};
    use crate::{Captioner, LoadOptions};

    /// Losses, the gradient of the encoder's inputs, and those of all factors, of one batch of a model.
    fn computed(model: &Model, captioner: &Captioner, config: &LoraConfig) -> Vec<Vec<f32>> {
        let mut lora = Lora::new(model.modules().to_vec(), config, 3);
        // B is zero at first, and A would have no gradient.
        for values in lora.values_mut() {
            let count = values.len();
            let wave = (0..count).map(|at| (at as f32 * 0.7).sin() / 8.0);
            values.iter_mut().zip(wave).for_each(|(value, wave)| *value += wave);
        }
        let width = captioner.config().text_config.d_model;
        let image = |seed: usize| -> Vec<f32> {
            (0..9 * width).map(|at| ((at * 7 + seed) as f32 * 0.37).sin()).collect()
        };
        let example = |image, labels, name| Example { image, labels, name };
        let examples = [
            example(0, &[5, 9, 31, 1][..], 1),
            example(0, &[7, 1][..], 2),
            example(1, &[40, 8, 12, 60, 3, 1][..], 3),
        ];
        let batch = Batch::new(&[image(1), image(2)], width, &examples, 0);
        let (off, mut gradients) = (Dropout::off(), Gradients(lora.zeros()));
        let pass = Pass { lora: &lora, dropout: &off, hidden: &off };
        let weights = vec![1.0 / 12.0; 12];
        let passed = model.gradients(pass, &batch, &weights, &mut gradients).unwrap();
        let mut all = gradients.0;
        all.extend([passed.losses, passed.input, model.losses(pass, &batch).unwrap()]);
        all
    }

    /// candle's products on its CPU device stand in for those on a GPU.
    #[test]
    fn candles_products_train_as_the_kernels_do() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny-blip2/base");
        let captioner = Captioner::load(&base, None, LoadOptions::default(), &|_| {}).unwrap();
        let config = LoraConfig { r: 4, dropout: 0.0, ..LoraConfig::default() };
        let ours = Model::new(&captioner, &config).unwrap();
        let theirs = Model::of(&captioner, &config, &|frozen| frozen.on(&Device::Cpu)).unwrap();
        let [ours, theirs] = [ours, theirs].map(|model| computed(&model, &captioner, &config));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let largest = ours.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!(largest > 1e-6, "there is something to compare");
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() <= 2e-5 * largest.max(1e-2), "{a}, not {b} (of {largest})");
            }
        }
    }
}
