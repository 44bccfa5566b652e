//! Training against transformers and PEFT (`fixtures/make_train_golden.py`), against central differences, and against itself:
//! the same bits for any number of threads and across a stop.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd_captioner::train::{
    Batch, Dropout, Example, Gradients, Learning, Lora, LoraConfig, LossMean, Micro, Model,
    OptimizerConfig, Pass, Step, Targets, Trainer, saved,
};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions, Precision};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn load(dir: &Path, precision: Precision) -> Captioner {
    let options = LoadOptions { precision, ..LoadOptions::default() };
    Captioner::load(dir, None, options, &|_| {}).unwrap()
}

fn base() -> Captioner {
    load(&fixtures().join("tiny-blip2/base"), Precision::F32)
}

/// A folder that the script wrote.
struct Golden {
    dir: PathBuf,
    json: Value,
}

fn numbers<T: TryFrom<u64, Error: std::fmt::Debug>>(list: &Value) -> Vec<T> {
    let number = |value: &Value| T::try_from(value.as_u64().unwrap()).unwrap();
    list.as_array().unwrap().iter().map(number).collect()
}

impl Golden {
    fn open(dir: PathBuf) -> Self {
        let text = std::fs::read_to_string(dir.join("golden.json")).unwrap();
        Self { json: serde_json::from_str(&text).unwrap(), dir }
    }

    fn own() -> Self {
        Self::open(fixtures().join("train"))
    }

    fn tensors(&self, name: &str) -> HashMap<String, Tensor> {
        candle_core::safetensors::load(self.dir.join(name), &Device::Cpu).unwrap()
    }

    fn labels(&self) -> Vec<Vec<u32>> {
        self.json["label_ids"].as_array().unwrap().iter().map(numbers).collect()
    }

    fn lora(&self) -> LoraConfig {
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
    fn batch(&self, captioner: &Captioner, rows: &[usize], name: u64) -> Batch {
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
                let (embedded, _) = captioner.embed(&one, std::slice::from_ref(&prompt)).unwrap();
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

    fn steps(&self, captioner: &Captioner) -> Vec<Vec<Micro>> {
        let micro = |rows: &Value, step: usize| Micro {
            batch: self.batch(captioner, &numbers::<usize>(rows), 1000 * step as u64),
            images: Vec::new(),
        };
        let order = self.json["order"].as_array().unwrap().iter().enumerate();
        order
            .map(|(s, step)| step.as_array().unwrap().iter().map(|rows| micro(rows, s)).collect())
            .collect()
    }

    fn learning(&self, rule: &str) -> Learning {
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

fn farthest(ours: &[f32], theirs: &Tensor) -> f64 {
    let theirs = theirs.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    let theirs: Vec<f64> = theirs.to_vec1().unwrap();
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

fn farthest_of_all(
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

#[test]
fn gradients_are_those_of_one_pass_in_f64() {
    let (golden, captioner) = (Golden::own(), base());
    let config = golden.lora();
    let model = Model::new(&captioner, &config).unwrap();
    let mut lora = Lora::new(model.modules().to_vec(), &config, 0);
    lora.adopt(&golden.dir.join("probe")).unwrap();
    let all: Vec<usize> = (0..golden.labels().len()).collect();
    let batch = golden.batch(&captioner, &all, 0);
    let off = Dropout::off();
    let pass = Pass { lora: &lora, dropout: &off, hidden: &off };
    let mut gradients = Gradients(lora.zeros());
    let weights = vec![1.0 / batch.labels.len() as f32; batch.labels.len()];
    let passed = model.gradients(pass, &batch, &weights, &mut gradients).unwrap();
    let probe = golden.tensors("probe.safetensors");
    // Everything relative to the largest: the probe's adapter makes f32 stray more than a trained one does.
    let largest = passed.losses.iter().fold(0f32, |most, loss| most.max(*loss));
    let far = farthest(&passed.losses, &probe["token_loss"]);
    assert!(far < 2e-5 * f64::from(largest), "losses differ by {far} of {largest}");
    let far = farthest_of_all(&lora, &gradients.0, &probe, "grad.");
    let largest = gradients.0.iter().flatten().fold(0f32, |most, g| most.max(g.abs()));
    assert!(far < 2e-5 * f64::from(largest), "factors differ by {far} of {largest}");
    // Of every image the first four rows are its vectors.
    let rows = batch.encoder.iter().flat_map(|at| {
        let first = at.queries.start * 40;
        &passed.input[first..first + 160]
    });
    let rows: Vec<f32> = rows.copied().collect();
    let far = farthest(&rows, &probe["grad.projected"]);
    let largest = rows.iter().fold(0f32, |most, g| most.max(g.abs()));
    assert!(far < 2e-5 * f64::from(largest), "the input differs by {far} of {largest}");
}

/// The tiny checkpoint with something else in its configuration.
fn changed(change: impl Fn(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures().join("tiny-blip2/base")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let path = dir.path().join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
    dir
}

/// Every activation, scaled logits, and both kinds of dropout, whose masks stay while the factors move.
#[test]
fn gradients_are_those_of_central_differences() {
    let golden = Golden::own();
    for activation in ["relu", "gelu", "gelu_new"] {
        let dir = changed(|config| {
            config["text_config"]["dense_act_fn"] = activation.into();
            config["text_config"]["scale_decoder_outputs"] = (activation == "gelu").into();
        });
        let captioner = load(dir.path(), Precision::F32);
        let config = golden.lora();
        let model = Model::new(&captioner, &config).unwrap();
        let mut lora = Lora::new(model.modules().to_vec(), &config, 0);
        lora.adopt(&golden.dir.join("probe")).unwrap();
        let batch = golden.batch(&captioner, &[0, 1, 2, 3, 4], 50);
        let (dropout, hidden) = (Dropout::new(0.2, 5, 1), Dropout::new(0.1, 5, 2));
        // Some rows count more, some against the others, as drawn captions do.
        let rows = batch.labels.len();
        let weights: Vec<f32> = (0..rows).map(|row| (row % 4) as f32 - 0.5).collect();
        let weights: Vec<f32> = weights.iter().map(|weight| weight / rows as f32).collect();
        let loss = |lora: &Lora| -> f64 {
            let pass = Pass { lora, dropout: &dropout, hidden: &hidden };
            let losses = model.losses(pass, &batch).unwrap();
            losses.iter().zip(&weights).map(|(loss, w)| f64::from(*loss) * f64::from(*w)).sum()
        };
        let mut gradients = Gradients(lora.zeros());
        let pass = Pass { lora: &lora, dropout: &dropout, hidden: &hidden };
        model.gradients(pass, &batch, &weights, &mut gradients).unwrap();
        // Along the gradient of each tensor, so far that the loss moves by more than f32 rounds it.
        for tensor in 0..gradients.0.len() {
            let slope = gradients.0[tensor].iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
            if slope < 1e-3 {
                continue;
            }
            let before = lora.values()[tensor].clone();
            let h = (1e-3 / slope).min(2e-2);
            let [ahead, back] = [h, -h].map(|h| {
                let moved = before.iter().zip(&gradients.0[tensor]);
                let moved = moved.map(|(v, g)| v + (h * f64::from(*g) / slope) as f32).collect();
                lora.values_mut()[tensor] = moved;
                loss(&lora)
            });
            lora.values_mut()[tensor] = before;
            let difference = (ahead - back) / (2.0 * h);
            // ReLU has corners, which a step of this length may cross.
            let bound = if activation == "relu" { 0.05 } else { 0.01 };
            assert!(
                (difference / slope - 1.0).abs() < bound,
                "{activation}, tensor {tensor}: {difference}, not {slope}"
            );
        }
    }
}

fn with_dropout(golden: &Golden) -> Learning {
    let mut learning = golden.learning("tokens");
    learning.lora.dropout = 0.1;
    learning.t5_dropout = 0.1;
    learning.seed = 3;
    learning
}

fn bits(lora: &Lora) -> Vec<u32> {
    lora.values().iter().flatten().map(|value| value.to_bits()).collect()
}

#[test]
fn steps_have_the_same_bits_for_any_number_of_threads() {
    let (golden, captioner) = (Golden::own(), base());
    let train = |threads: usize| -> (Vec<Step>, Vec<u32>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let steps = golden.steps(&captioner);
            let mut trainer = Trainer::new(&captioner, with_dropout(&golden), steps.len()).unwrap();
            let taken = steps.iter().map(|step| trainer.step(step).unwrap()).collect();
            (taken, bits(trainer.lora()))
        })
    };
    let one = train(1);
    assert_eq!(one, train(2));
    assert_eq!(one, train(5));
}

#[test]
fn steps_have_the_same_bits_however_many_blocks_are_kept() {
    let (golden, captioner) = (Golden::own(), base());
    let steps = golden.steps(&captioner);
    let after = |bytes: usize| {
        let mut trainer = Trainer::new(&captioner, with_dropout(&golden), steps.len()).unwrap();
        trainer.keep(bytes);
        steps.iter().take(3).for_each(|step| drop(trainer.step(step).unwrap()));
        bits(trainer.lora())
    };
    let none = after(0);
    // Some of the blocks, then all of them.
    assert!(none == after(200_000) && none == after(1 << 30));
}

#[test]
fn a_run_goes_on_from_its_state_to_the_bit() {
    let (golden, captioner) = (Golden::own(), base());
    let steps = golden.steps(&captioner);
    let new = || Trainer::new(&captioner, with_dropout(&golden), steps.len()).unwrap();
    let mut whole = new();
    let all: Vec<Step> = steps.iter().map(|step| whole.step(step).unwrap()).collect();
    let dir = tempfile::tempdir().unwrap();
    for stop in 0..steps.len() {
        let mut first = new();
        steps[..stop].iter().for_each(|step| drop(first.step(step).unwrap()));
        saved::write_state(dir.path(), first.lora(), first.optimizer(), "a run").unwrap();
        let mut second = new();
        let (lora, optimizer) = second.state_mut();
        saved::read_state(dir.path(), lora, optimizer, "a run").unwrap();
        for (step, want) in steps.iter().zip(&all).skip(stop) {
            assert_eq!(second.step(step).unwrap(), *want);
        }
        assert_eq!(bits(second.lora()), bits(whole.lora()), "stopped after {stop}");
    }
    let mut other = new();
    let (lora, optimizer) = other.state_mut();
    let refused = saved::read_state(dir.path(), lora, optimizer, "another").unwrap_err();
    assert!(refused.to_string().contains("is of a run with other captions"), "{refused}");
    let path = dir.path().join("state.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(saved::read_state(dir.path(), lora, optimizer, "a run").is_err(), "{cut} bytes");
    }
}

/// The adapter is one that captioning takes: what the trainer computes and the merged model agree.
#[test]
fn an_adapter_that_was_written_captions_as_it_was_trained() {
    let (golden, captioner) = (Golden::own(), base());
    let steps = golden.steps(&captioner);
    let mut learning = golden.learning("tokens");
    learning.lora.rslora = true;
    let mut trainer = Trainer::new(&captioner, learning, steps.len()).unwrap();
    steps.iter().for_each(|step| drop(trainer.step(step).unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let config = &trainer.config().lora;
    saved::write_adapter(dir.path(), trainer.lora(), config, "tiny-blip2/base").unwrap();
    let checkpoint = fixtures().join("tiny-blip2/base");
    let merged =
        Captioner::load(&checkpoint, Some(dir.path()), LoadOptions::default(), &|_| {}).unwrap();
    let none = LoraConfig { r: 1, targets: Targets::parse("q"), ..LoraConfig::default() };
    let model = Model::new(&merged, &none).unwrap();
    let zero = Lora::new(model.modules().to_vec(), &none, 0);
    let off = Dropout::off();
    let pass = Pass { lora: &zero, dropout: &off, hidden: &off };
    let batch = golden.batch(&captioner, &[0, 1, 2, 3, 4], 0);
    let ours = trainer.losses(&batch).unwrap();
    let theirs = model.losses(pass, &batch).unwrap();
    let theirs = Tensor::new(theirs, &Device::Cpu).unwrap();
    assert!(farthest(&ours, &theirs) < 1e-4);
    let queries = Tensor::zeros((1, 4, 32), DType::F32, &Device::Cpu).unwrap();
    merged.caption(&queries, &[vec![1]], &[0], &GenerationConfig::default()).unwrap();
    let mut again = Trainer::new(&captioner, trainer.config().clone(), 1).unwrap();
    again.lora_mut().adopt(dir.path()).unwrap();
    assert_eq!(bits(again.lora()), bits(trainer.lora()));
}

#[test]
fn frozen_weights_may_be_bf16_and_the_factors_learn_all_the_same() {
    let golden = Golden::own();
    let captioner = load(&fixtures().join("tiny-blip2/base"), Precision::Bf16);
    let steps = golden.steps(&captioner);
    let mut trainer = Trainer::new(&captioner, golden.learning("tokens"), steps.len()).unwrap();
    let before = bits(trainer.lora());
    let losses: Vec<f64> = steps.iter().map(|step| trainer.step(step).unwrap().loss).collect();
    let rows = golden.json["runs"]["tokens"]["rows"].as_array().unwrap();
    // Rounding moves the first loss a little, and every later step a little more.
    assert!((losses[0] - rows[0]["loss"].as_f64().unwrap()).abs() < 0.05, "{losses:?}");
    assert!(losses[5] < losses[0] - 0.5, "{losses:?}");
    assert_ne!(bits(trainer.lora()), before);
}

#[test]
fn what_can_not_be_trained_is_refused_by_name() {
    let captioner = base();
    let refused = |targets: &str| {
        let config = LoraConfig { targets: Targets::parse(targets), ..LoraConfig::default() };
        Model::new(&captioner, &config).err().unwrap().to_string()
    };
    assert!(refused("query").contains("qformer"), "{}", refused("query"));
    assert!(refused("qkv,q").contains("vision_model"), "{}", refused("qkv,q"));
    assert!(refused(".*").contains("only the linear layers of the language model"));
    assert!(refused("nothing").contains("no layer"), "{}", refused("nothing"));
    let config = LoraConfig { r: 0, ..LoraConfig::default() };
    assert!(Model::new(&captioner, &config).is_err());
}

#[test]
fn a_loss_that_is_not_finite_stops_and_changes_nothing() {
    let (golden, captioner) = (Golden::own(), base());
    let mut learning = golden.learning("tokens");
    learning.optimizer.warmup_steps = 0.0;
    let mut trainer = Trainer::new(&captioner, learning, 6).unwrap();
    let mut micro = golden.steps(&captioner).remove(0).remove(0);
    micro.batch.embedded[3] = f32::NAN;
    micro.images = vec!["bus.jpg".into()];
    let before = bits(trainer.lora());
    let error = trainer.step(&[micro]).unwrap_err().to_string();
    assert!(error.contains("step 1: the loss is not finite") && error.contains("bus.jpg"));
    assert_eq!(bits(trainer.lora()), before);
    assert_eq!(trainer.step_count(), 0);
}
