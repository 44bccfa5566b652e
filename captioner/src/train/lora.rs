//! The factors that are trained, A and B of every module, and their gradients.

use std::collections::BTreeMap;
use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::weights::{Adapter, Targets, TensorFiles};

/// What an adapter is to be: the names and defaults of PEFT's `LoraConfig`, the values of the published fine-tuned
/// checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Columns of B and rows of A.
    pub r: usize,
    /// The product counts alpha/r times.
    pub alpha: f64,
    /// Share of a module's inputs that is dropped on the way to A, from 0 to below 1.
    pub dropout: f64,
    /// The layers that get factors.
    pub targets: Targets,
    /// The product counts alpha/√r times (<https://arxiv.org/abs/2312.03732>).
    pub rslora: bool,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { r: 128, alpha: 128.0, dropout: 0.05, targets: Targets::default(), rslora: false }
    }
}

impl LoraConfig {
    /// What B·A is multiplied with.
    pub fn scale(&self) -> f64 {
        let rank = self.r as f64;
        self.alpha / if self.rslora { rank.sqrt() } else { rank }
    }

    /// # Errors
    /// Settings without a meaning.
    pub fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::Setting(reason));
        if self.r == 0 || self.r > 1 << 14 {
            return refuse(format!("rank {}: give 1 to 16384", self.r));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse(format!("dropout {}: give 0 to below 1", self.dropout));
        }
        if !self.alpha.is_finite() || self.alpha <= 0.0 {
            return refuse(format!("alpha {}: give a number above 0", self.alpha));
        }
        self.targets.rule().map(drop)
    }
}

/// A layer that is trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name in the checkpoint, without `.weight`.
    pub name: String,
    /// Columns of A.
    pub inputs: usize,
    /// Rows of B.
    pub outputs: usize,
}

/// The factors of all modules: A [r, inputs] and B [outputs, r] of the first, then of the second, and so on.
pub struct Lora {
    modules: Vec<Module>,
    rank: usize,
    scale: f32,
    values: Vec<Vec<f32>>,
}

impl Lora {
    /// PEFT's first values: A uniform within ±1/√inputs, B zero.
    pub fn new(modules: Vec<Module>, config: &LoraConfig, seed: u64) -> Self {
        let values = modules
            .iter()
            .enumerate()
            .flat_map(|(place, module)| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(place as u64);
                let bound = (module.inputs as f32).sqrt().recip();
                let a = (0..config.r * module.inputs).map(|_| random.random_range(-bound..=bound));
                [a.collect(), vec![0.0; module.outputs * config.r]]
            })
            .collect();
        Self { modules, rank: config.r, scale: config.scale() as f32, values }
    }

    /// Takes the values of an adapter's directory.
    ///
    /// # Errors
    /// An adapter of other modules, another rank or another scale.
    pub fn adopt(&mut self, dir: &Path) -> Result<()> {
        // Names as PEFT gives them for the whole model, which is what is trained here.
        let adapter = Adapter::read(dir, &TensorFiles::none())?;
        let refuse = |reason: String| Error::checkpoint(dir, reason);
        let known: Vec<&str> = adapter.modules().collect();
        let wanted: BTreeMap<&str, usize> =
            self.modules.iter().enumerate().map(|(at, m)| (m.name.as_str(), at)).collect();
        if let Some(extra) = known.iter().find(|name| !wanted.contains_key(*name)) {
            return Err(refuse(format!("{extra} is not among the targets of this training")));
        }
        for (name, at) in wanted {
            let change = adapter.get(name).ok_or_else(|| refuse(format!("has no {name}")))?;
            let factors = change.factors()?;
            let (a, b, scale) =
                factors.ok_or_else(|| {
                    refuse(format!("{name}: is a weight of its own, as PEFT saves an output layer, and only factors are trained on"))
                })?;
            let place = [2 * at, 2 * at + 1];
            if a.len() != self.values[place[0]].len() || b.len() != self.values[place[1]].len() {
                let rank = a.len() * self.rank / self.values[place[0]].len().max(1);
                return Err(refuse(format!(
                    "{name}: has rank {rank}, not {}; give the rank of the adapter with --rank (one whose layers have several, by rank_pattern, \
                     is no beginning)",
                    self.rank
                )));
            }
            if (scale - f64::from(self.scale)).abs() > 1e-6 * scale.abs() {
                let own = self.scale;
                return Err(refuse(format!(
                    "{name}: counts {scale} times (alpha / rank), here it is {own}; give the adapter's --alpha (one whose layers have several, \
                     by alpha_pattern, is no beginning)"
                )));
            }
            self.values[place[0]] = a;
            self.values[place[1]] = b;
        }
        Ok(())
    }

    /// The modules, in order.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Columns of B and rows of A.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// What B·A is multiplied with.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// A and B of a module.
    pub fn factors(&self, module: usize) -> [&[f32]; 2] {
        [&self.values[2 * module], &self.values[2 * module + 1]]
    }

    /// All factors.
    pub fn values(&self) -> &[Vec<f32>] {
        &self.values
    }

    /// All factors, to be changed.
    pub fn values_mut(&mut self) -> &mut [Vec<f32>] {
        &mut self.values
    }

    /// Numbers in all factors.
    pub fn parameters(&self) -> usize {
        self.values.iter().map(Vec::len).sum()
    }

    /// The name that PEFT gives each factor in a file, and its shape.
    pub fn tensors(&self) -> impl Iterator<Item = (String, [usize; 2])> {
        self.modules.iter().flat_map(|module| {
            let name = |factor| format!("base_model.model.{}.{factor}.weight", module.name);
            [
                (name("lora_A"), [self.rank, module.inputs]),
                (name("lora_B"), [module.outputs, self.rank]),
            ]
        })
    }

    /// Zeros of the same shapes.
    pub fn zeros(&self) -> Vec<Vec<f32>> {
        self.values.iter().map(|values| vec![0.0; values.len()]).collect()
    }
}

/// The gradient of every factor.
pub struct Gradients(pub Vec<Vec<f32>>);

impl Gradients {
    /// Those of A and B of a module.
    pub fn of(&mut self, module: usize) -> [&mut [f32]; 2] {
        let (a, b) = self.0.split_at_mut(2 * module + 1);
        [&mut a[2 * module], &mut b[0]]
    }

    /// All become 0.
    pub fn clear(&mut self) {
        self.0.par_iter_mut().for_each(|values| values.fill(0.0));
    }

    /// √Σg² over all of them, in f64 and in one order.
    pub fn norm(&self) -> f64 {
        let squares = |values: &Vec<f32>| -> f64 {
            values.iter().map(|g| f64::from(*g) * f64::from(*g)).sum()
        };
        let sums: Vec<f64> = self.0.par_iter().map(squares).collect();
        sums.iter().sum::<f64>().sqrt()
    }
}
