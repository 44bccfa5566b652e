//! Training against one pass of torch in f64, against central differences, and against itself: the same bits for any number of threads
//! and across a stop.

use candle_core::{DType, Device, Tensor};
use fgd_captioner::train::{
    Dropout, Gradients, Learning, Lora, LoraConfig, Model, Pass, Step, Targets, Trainer, saved,
};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions, Precision};
use serde_json::Value;

use crate::golden::{Golden, base, farthest, farthest_of_all, fixtures, load};

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
