//! Training step by step against transformers and PEFT (`fixtures/make_train_golden.py`); on a GPU as the parity tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd_captioner::train::{
    Batch, Example, Learning, Lora, LoraConfig, LossMean, Micro, OptimizerConfig, Targets, Trainer,
};
use fgd_captioner::{Captioner, Precision};
use serde_json::Value;

use crate::parity::options;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

pub fn load(dir: &Path, precision: Precision) -> Captioner {
    Captioner::load(dir, None, options(precision), &|_| {}).unwrap()
}

pub fn base() -> Captioner {
    load(&fixtures().join("tiny-blip2/base"), Precision::F32)
}

/// A folder that the script wrote.
pub struct Golden {
    pub dir: PathBuf,
    pub json: Value,
}

fn numbers<T: TryFrom<u64, Error: std::fmt::Debug>>(list: &Value) -> Vec<T> {
    let number = |value: &Value| T::try_from(value.as_u64().unwrap()).unwrap();
    list.as_array().unwrap().iter().map(number).collect()
}

impl Golden {
    pub fn open(dir: PathBuf) -> Self {
        let text = std::fs::read_to_string(dir.join("golden.json")).unwrap();
        Self { json: serde_json::from_str(&text).unwrap(), dir }
    }

    pub fn own() -> Self {
        Self::open(fixtures().join("train"))
    }

    pub fn tensors(&self, name: &str) -> HashMap<String, Tensor> {
        candle_core::safetensors::load(self.dir.join(name), &Device::Cpu).unwrap()
    }

    pub fn labels(&self) -> Vec<Vec<u32>> {
        self.json["label_ids"].as_array().unwrap().iter().map(numbers).collect()
    }

    pub fn lora(&self) -> LoraConfig {
        let lora = &self.json["lora"];
        let names = lora["target_modules"].as_array().unwrap().iter();
        LoraConfig {
            r: lora["r"].as_u64().unwrap() as usize,
            alpha: lora["lora_alpha"].as_f64().unwrap(),
            dropout: 0.0,
            targets: Targets::Names(names.map(|n| n.as_str().unwrap().to_owned()).collect()),
            rslora: false,
        }
    }

    /// The rows of these examples; `name` sets them apart for dropout.
    pub fn batch(&self, captioner: &Captioner, rows: &[usize], name: u64) -> Batch {
        let projected = &self.tensors("data.safetensors")["projected"];
        let prompt: Vec<u32> = numbers(&self.json["prompt_ids"]);
        let image_of = |row: usize| match self.json.get("images") {
            Some(images) => images[row].as_u64().unwrap() as usize,
            None => row,
        };
        let mut images: Vec<usize> = rows.iter().map(|row| image_of(*row)).collect();
        images.sort_unstable();
        images.dedup();
        let embedded: Vec<Vec<f32>> = images
            .iter()
            .map(|image| {
                let one = projected.narrow(0, *image, 1).unwrap();
                let device = &captioner.options().device;
                let one = match (captioner.options().precision, device.is_cpu()) {
                    (Precision::Bf16, false) => one.to_dtype(DType::BF16).unwrap(),
                    _ => one,
                };
                let one = one.to_device(device).unwrap();
                let (embedded, _) = captioner.embed(&one, std::slice::from_ref(&prompt)).unwrap();
                let embedded = embedded.to_dtype(DType::F32).unwrap();
                embedded.flatten_all().unwrap().to_vec1().unwrap()
            })
            .collect();
        let labels = self.labels();
        let examples: Vec<Example> = rows
            .iter()
            .map(|row| Example {
                image: images.binary_search(&image_of(*row)).unwrap(),
                labels: &labels[*row],
                name: name + *row as u64,
            })
            .collect();
        Batch::new(&embedded, captioner.config().text_config.d_model, &examples, 0)
    }

    pub fn steps(&self, captioner: &Captioner) -> Vec<Vec<Micro>> {
        let micro = |rows: &Value, step: usize| Micro {
            batch: self.batch(captioner, &numbers::<usize>(rows), 1000 * step as u64),
            images: Vec::new(),
        };
        let order = self.json["order"].as_array().unwrap().iter().enumerate();
        order
            .map(|(s, step)| step.as_array().unwrap().iter().map(|rows| micro(rows, s)).collect())
            .collect()
    }

    pub fn learning(&self, rule: &str) -> Learning {
        let number = |value: &Value| value.as_f64().unwrap();
        Learning {
            lora: self.lora(),
            optimizer: OptimizerConfig {
                learning_rate: number(&self.json["learning_rate"]),
                weight_decay: number(&self.json["runs"][rule]["weight_decay"]),
                max_grad_norm: number(&self.json["clip"]),
                warmup_steps: number(&self.json["warmup_steps"]),
                ..OptimizerConfig::default()
            },
            loss_mean: if rule == "micro" { LossMean::Micro } else { LossMean::Tokens },
            ..Learning::default()
        }
    }
}

pub fn farthest(ours: &[f32], theirs: &Tensor) -> f64 {
    let theirs = theirs.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    let theirs: Vec<f64> = theirs.to_vec1().unwrap();
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

pub fn farthest_of_all(
    lora: &Lora,
    values: &[Vec<f32>],
    theirs: &HashMap<String, Tensor>,
    prefix: &str,
) -> f64 {
    let all = lora.tensors().zip(values);
    all.map(|((name, _), ours)| farthest(ours, &theirs[&format!("{prefix}{name}")]))
        .fold(0.0, f64::max)
}

fn follows_the_golden_run(golden: &Golden) {
    let captioner = base();
    let steps = golden.steps(&captioner);
    for rule in ["tokens", "micro"] {
        let run = &golden.json["runs"][rule];
        let apart = &run["f64"]["largest_difference"];
        // What f32 strays from f64 by in torch, ten times.
        let bound = |of: &Value| 10.0 * of.as_f64().unwrap();
        let mut trainer = Trainer::new(&captioner, golden.learning(rule), steps.len()).unwrap();
        trainer.lora_mut().adopt(&golden.dir.join("initial")).unwrap();
        let gradients = golden.tensors(&format!("{rule}/grads.safetensors"));
        let of_gradients = apart["gradient"].as_object().unwrap();
        let widest = of_gradients.values().map(bound).fold(0.0, f64::max);
        let mut farthest_row = [0f64; 3];
        for (step, want) in steps.iter().zip(run["rows"].as_array().unwrap()) {
            let got = trainer.step(step).unwrap();
            let want = |key: &str| want[key].as_f64().unwrap();
            assert!((got.rate - want("lr")).abs() < 1e-15);
            assert_eq!(got.tokens as f64, want("tokens"));
            let differences = [got.loss - want("loss"), got.grad_norm - want("grad_norm")];
            assert!(differences[0].abs() < bound(&apart["loss"]), "{rule} {got:?}");
            assert!(differences[1].abs() < bound(&apart["grad_norm"]), "{rule} {got:?}");
            for (most, new) in farthest_row.iter_mut().zip(differences) {
                *most = most.max(new.abs());
            }
            let prefix = format!("step{}.", got.step);
            if gradients.keys().any(|name| name.starts_with(&prefix)) {
                let own = of_gradients.get(prefix.trim_end_matches('.')).map_or(widest, bound);
                let lora = trainer.lora();
                let far = farthest_of_all(lora, &trainer.gradients().0, &gradients, &prefix);
                assert!(far < own, "{rule}, step {}: gradients differ by {far}", got.step);
                farthest_row[2] = farthest_row[2].max(far);
            }
        }
        let last = golden.tensors(&format!("{rule}/adapter_model.safetensors"));
        let far = farthest_of_all(trainer.lora(), trainer.lora().values(), &last, "");
        println!("{rule}: loss, norm, gradient off by {farthest_row:?}, adapter by {far}");
        assert!(far < bound(&apart["final_adapter"]), "{rule}: the adapter differs by {far}");
    }
}

#[test]
fn steps_are_those_of_transformers_and_peft() {
    follows_the_golden_run(&Golden::own());
}

/// A larger run of the same form, where there is one.
#[test]
#[ignore = "FGD_TRAIN_GOLDEN: the folder of a golden run"]
fn steps_are_those_of_another_golden_run() {
    let dir = std::env::var_os("FGD_TRAIN_GOLDEN").expect("FGD_TRAIN_GOLDEN");
    follows_the_golden_run(&Golden::open(dir.into()));
}
