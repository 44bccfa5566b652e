//! The captioner against transformers on a tiny checkpoint with the real tensor names: pixels to the bit, every stage,
//! teacher-forced logits, and the ids of greedy and beam search for base, adapter and merged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd_captioner::{Captioner, EarlyStopping, GenerationConfig, LoadOptions};

const PROMPT: &str = "Provide a detailed caption for this photo.";

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny-blip2")
}

/// The three ways to the same kind of model, with the name of their reference dump.
const MODELS: [(&str, &str); 3] =
    [("base", "ref_base"), ("adapter", "ref_lora"), ("merged", "ref_merged")];

fn load(model: &str) -> Captioner {
    let adapter = tiny().join("adapter");
    let (checkpoint, adapter) = match model {
        "adapter" => (tiny().join("base"), Some(adapter.as_path())),
        other => (tiny().join(other), None),
    };
    Captioner::load(&checkpoint, adapter, LoadOptions::default(), &|_| {}).unwrap()
}

fn dump(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(tiny().join(format!("{name}.safetensors")), &Device::Cpu)
        .unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn ids_of(t: &Tensor) -> Vec<Vec<u32>> {
    t.to_dtype(DType::U32).unwrap().to_vec2().unwrap()
}

#[test]
fn pixels_equal_the_python_processor_to_the_bit() {
    let captioner = load("base");
    let bytes = std::fs::read(tiny().join("img.png")).unwrap();
    let ours = captioner.preprocessor().pixels(&bytes).unwrap();
    let theirs: Vec<f32> =
        dump("ref_base")["pixel_values"].get(0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&ours), bits(&theirs));
}

#[test]
fn every_stage_and_the_teacher_forced_logits_agree() {
    for (model, reference) in MODELS {
        let (captioner, reference) = (load(model), dump(reference));
        let check = |name: &str, ours: &Tensor, tolerance: f32| {
            let difference = largest_difference(ours, &reference[name]);
            assert!(difference <= tolerance, "{model} {name}: differs by {difference}");
        };
        let tokens = captioner.image_tokens(&reference["pixel_values"]).unwrap();
        check("vision_last_hidden", &tokens, 1e-4);
        let queries = captioner.queries(&tokens).unwrap();
        check("qformer_last_hidden", &queries, 1e-4);
        let projected = captioner.project(&queries).unwrap();
        check("language_projection", &projected, 1e-4);

        let prompt = captioner.tokenizer().encode(PROMPT).unwrap();
        assert_eq!(prompt, ids_of(&reference["input_ids"])[0][4..]);
        let (embedded, mask) = captioner.embed(&projected, &[prompt.clone(), prompt]).unwrap();
        assert!(mask.is_none());
        let t5 = captioner.language_model();
        let encoded = t5.encoder.forward(&embedded, None).unwrap();
        check("encoder_last_hidden", &encoded, 1e-4);

        let forced = ids_of(&reference["decoder_input_ids"]);
        let steps = forced[0].len();
        assert_eq!(steps, 40);
        let mut cache = t5.start(&embedded, None, 1, steps).unwrap();
        let logits: Vec<Tensor> = (0..steps)
            .map(|i| {
                t5.step(&[forced[0][i], forced[1][i]], &mut cache).unwrap().unsqueeze(1).unwrap()
            })
            .collect();
        // The adapter, random and strong, magnifies rounding: transformers' own logits with and without merging it are 3.5e-4
        // apart. The base alone is held five times as close.
        let tolerance = if model == "base" { 2e-4 } else { 2e-3 };
        let logits = Tensor::cat(&logits, 1).unwrap();
        check("logits_teacher_forced", &logits, tolerance);
    }
}

#[derive(serde::Deserialize)]
struct Case {
    model: String,
    settings: serde_json::Map<String, serde_json::Value>,
    prompts: Vec<String>,
    ids: Vec<Vec<u32>>,
    scores: Option<Vec<f64>>,
    text: Vec<String>,
}

impl Case {
    fn config(&self) -> GenerationConfig {
        let mut config = GenerationConfig::default();
        for (key, value) in &self.settings {
            let number = value.as_f64();
            match key.as_str() {
                "num_beams" => config.num_beams = number.unwrap() as usize,
                "max_new_tokens" => config.max_new_tokens = number.unwrap() as usize,
                "no_repeat_ngram_size" => config.no_repeat_ngram_size = number.unwrap() as usize,
                "length_penalty" => config.length_penalty = number.unwrap(),
                "repetition_penalty" => config.repetition_penalty = number.unwrap(),
                "early_stopping" if value == true => config.early_stopping = EarlyStopping::Always,
                "early_stopping" if value == "never" => {
                    config.early_stopping = EarlyStopping::Never
                }
                other => panic!("{other}: {value}"),
            }
        }
        config
    }
}

/// Past the first end token transformers pads, with 0 or 1 depending on the search.
fn up_to_eos(ids: &[u32]) -> Vec<u32> {
    let end = ids.iter().position(|id| *id == 1).map_or(ids.len(), |at| at + 1);
    ids[..end].to_vec()
}

#[test]
fn generated_ids_equal_transformers_for_every_setting_and_batch() {
    let cases: Vec<Case> =
        serde_json::from_slice(&std::fs::read(tiny().join("generate.json")).unwrap()).unwrap();
    let models: HashMap<&str, Captioner> =
        MODELS.iter().map(|(model, _)| (*model, load(model))).collect();
    let pixels = dump("pixels")["pixel_values"].clone();
    let mut seen = 0;
    for case in cases {
        let captioner = &models[case.model.as_str()];
        let queries = captioner.queries(&captioner.image_tokens(&pixels).unwrap()).unwrap();
        let prompts: Vec<Vec<u32>> =
            case.prompts.iter().map(|p| captioner.tokenizer().encode(p).unwrap()).collect();
        let config = case.config();
        let label = format!("{} {:?} {:?}", case.model, case.settings, case.prompts);
        let batch = captioner.caption(&queries, &prompts, &[0; 4], &config).unwrap();
        for (i, caption) in batch.iter().enumerate() {
            assert_eq!(caption.sequence.ids, up_to_eos(&case.ids[i][1..]), "{label} image {i}");
            assert_eq!(caption.text, case.text[i].trim(), "{label} image {i}");
            if let (Some(ours), Some(theirs)) = (caption.sequence.score, &case.scores) {
                let tolerance = 1e-4 * (1.0 + theirs[i].abs());
                assert!(
                    (ours - theirs[i]).abs() < tolerance,
                    "{label} image {i}: score {ours}, not {}",
                    theirs[i]
                );
            }
            let one = queries.narrow(0, i, 1).unwrap();
            let alone = captioner.caption(&one, &prompts[i..=i], &[0], &config).unwrap();
            assert_eq!(alone[0].sequence.ids, caption.sequence.ids, "{label} image {i} alone");
            seen += 1;
        }
    }
    assert!(seen >= 3 * 11 * 2 * 4, "only {seen} captions were compared");
}

#[test]
fn the_reference_dumps_own_ids_agree() {
    for (model, reference) in MODELS {
        let (captioner, reference) = (load(model), dump(reference));
        let queries = captioner
            .queries(&captioner.image_tokens(&reference["pixel_values"]).unwrap())
            .unwrap();
        let prompt = captioner.tokenizer().encode(PROMPT).unwrap();
        let prompts = [prompt.clone(), prompt];
        let beams = |num_beams, early_stopping| GenerationConfig {
            num_beams,
            early_stopping,
            ..Default::default()
        };
        let searches = [
            ("greedy_ids", GenerationConfig::default()),
            ("beam3_ids", beams(3, EarlyStopping::Heuristic)),
            ("beam5_early_ids", beams(5, EarlyStopping::Always)),
        ];
        for (name, config) in searches {
            let ours = captioner.caption(&queries, &prompts, &[0, 0], &config).unwrap();
            for (caption, theirs) in ours.iter().zip(ids_of(&reference[name])) {
                assert_eq!(caption.sequence.ids, up_to_eos(&theirs[1..]), "{model} {name}");
            }
        }
    }
}
