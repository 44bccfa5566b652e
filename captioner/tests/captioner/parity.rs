//! The captioner against transformers on a tiny checkpoint with the real tensor names: pixels to the bit, every stage,
//! teacher-forced logits, and the ids of greedy and beam search for base, adapter and merged. `FGD_TEST_DEVICE=cuda:0` runs them on a
//! GPU, in a build that has one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd_captioner::{
    Captioner, EarlyStopping, GenerationConfig, LoadOptions, Precision, Sampling, Sequence,
};

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
    Captioner::load(&checkpoint, adapter, options(Precision::F32), &|_| {}).unwrap()
}

pub fn options(precision: Precision) -> LoadOptions {
    let device = std::env::var("FGD_TEST_DEVICE").unwrap_or("cpu".into());
    LoadOptions { precision, device: fgd_captioner::parse_device(&device).unwrap() }
}

/// Prepared pixels where the captioner wants them.
fn placed(captioner: &Captioner, pixels: &Tensor) -> Tensor {
    let images: Vec<Vec<f32>> = pixels.flatten_from(1).unwrap().to_vec2().unwrap();
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    captioner.pixels(&images).unwrap()
}

/// The Q-Former's view of images.
fn seen(captioner: &Captioner, pixels: &Tensor) -> Tensor {
    let tokens = captioner.image_tokens(&placed(captioner, pixels)).unwrap();
    captioner.queries(&tokens).unwrap()
}

/// Logits [rows, steps, vocabulary] of ids that are fed to two prompts.
fn forced_logits(captioner: &Captioner, embedded: &Tensor, forced: &[Vec<u32>]) -> Tensor {
    let (t5, steps) = (captioner.language_model(), forced[0].len());
    let mut cache = t5.start(embedded, None, 1, steps).unwrap();
    let step = |at: usize| t5.step(&[forced[0][at], forced[1][at]], &mut cache).unwrap();
    let rows: Vec<f32> = (0..steps).map(step).flat_map(|rows| rows.concat()).collect();
    let vocabulary = rows.len() / (2 * steps);
    let logits = Tensor::from_vec(rows, (steps, 2, vocabulary), &Device::Cpu).unwrap();
    logits.transpose(0, 1).unwrap()
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
            let ours = ours.to_device(&Device::Cpu).unwrap();
            let difference = largest_difference(&ours, &reference[name]);
            assert!(difference <= tolerance, "{model} {name}: differs by {difference}");
        };
        let pixels = placed(&captioner, &reference["pixel_values"]);
        let tokens = captioner.image_tokens(&pixels).unwrap();
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
        assert_eq!(forced[0].len(), 40);
        let logits = forced_logits(&captioner, &embedded, &forced);
        // The adapter, random and strong, magnifies rounding: transformers' own logits with and without merging it are 3.5e-4
        // apart. The base alone is held five times as close.
        let tolerance = if model == "base" { 2e-4 } else { 2e-3 };
        check("logits_teacher_forced", &logits, tolerance);
    }
}

/// transformers rounds what every operation gives to bf16, we what is multiplied: so our logits must stay nearer to those of
/// f32 than its own do, and both together bound how far they are from each other.
#[test]
fn bf16_is_nearer_to_f32_than_transformers_bf16_is() {
    let (reference, theirs) = (dump("ref_base"), dump("ref_bf16"));
    let options = options(Precision::Bf16);
    let captioner = Captioner::load(&tiny().join("base"), None, options, &|_| {}).unwrap();
    let projected = captioner.project(&seen(&captioner, &reference["pixel_values"])).unwrap();
    let prompt = captioner.tokenizer().encode(PROMPT).unwrap();
    let (embedded, _) = captioner.embed(&projected, &[prompt.clone(), prompt]).unwrap();
    let forced = ids_of(&reference["decoder_input_ids"]);
    let ours = forced_logits(&captioner, &embedded, &forced);
    let exact = &reference["logits_teacher_forced"];
    let theirs = theirs["logits_teacher_forced"].to_dtype(DType::F32).unwrap();
    let apart = |a: &Tensor, b: &Tensor| -> f32 {
        (a - b).unwrap().sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt()
    };
    let (mine, other) = (apart(&ours, exact), apart(&theirs, exact));
    // On a GPU what an operation gives is rounded here too.
    let most = if captioner.options().device.is_cpu() { other } else { 1.5 * other };
    assert!(mine > 0.0 && mine < most, "{mine} from f32, transformers {other}");
    assert!(apart(&ours, &theirs) < most + other);
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
    let mut compared = 0;
    for case in cases {
        let captioner = &models[case.model.as_str()];
        let queries = seen(captioner, &pixels);
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
            compared += 1;
        }
    }
    assert!(compared >= 3 * 11 * 2 * 4, "only {compared} captions were compared");
}

#[test]
fn the_reference_dumps_own_ids_agree() {
    for (model, reference) in MODELS {
        let (captioner, reference) = (load(model), dump(reference));
        let queries = seen(&captioner, &reference["pixel_values"]);
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

/// The logarithm of the probability of these ids, fed one by one: by definition, without the search.
fn log_probability(captioner: &Captioner, queries: &Tensor, prompt: &[u32], ids: &[u32]) -> f64 {
    let projected = captioner.project(queries).unwrap();
    let (embedded, _) = captioner.embed(&projected, &[prompt.to_vec()]).unwrap();
    let t5 = captioner.language_model();
    let mut cache = t5.start(&embedded, None, 1, ids.len()).unwrap();
    let mut newest = captioner.special_tokens().decoder_start;
    let mut sum = 0.0;
    for id in ids {
        let row = t5.step(&[newest], &mut cache).unwrap().remove(0);
        let all: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        sum += f64::from(row[*id as usize]) - all.ln();
        newest = *id;
    }
    sum
}

/// Rows of an image share its keys and leave the batch at different times; neither may change a token.
#[test]
fn captions_of_one_image_are_drawn_as_if_each_were_alone() {
    let captioner = load("base");
    let pixels = dump("pixels")["pixel_values"].clone();
    let queries = seen(&captioner, &pixels);
    let prompt = captioner.tokenizer().encode(PROMPT).unwrap();
    let prompts = vec![prompt.clone(); 4];
    let drawn = |num_return_sequences, seeds: &[u64], queries: &Tensor| {
        let config = GenerationConfig {
            num_return_sequences,
            repetition_penalty: 1.2,
            sampling: Some(Sampling { temperature: 1.5, top_k: None, ..Sampling::default() }),
            ..GenerationConfig::default()
        };
        let images = queries.dim(0).unwrap();
        captioner.caption(queries, &prompts[..images], seeds, &config).unwrap()
    };
    let seeds: Vec<u64> = (0..24).collect();
    let together = drawn(6, &seeds, &queries);
    assert_eq!(together.len(), 24);
    let lengths: std::collections::HashSet<usize> =
        together.iter().map(|caption| caption.sequence.ids.len()).collect();
    assert!(lengths.len() > 3, "rows end at different times: {lengths:?}");
    for (at, caption) in together.iter().enumerate() {
        let one = queries.narrow(0, at / 6, 1).unwrap();
        let alone = drawn(1, &seeds[at..=at], &one);
        assert_eq!(alone[0].sequence.ids, caption.sequence.ids, "caption {at}");
        let expected = log_probability(&captioner, &one, &prompt, &caption.sequence.ids);
        let found = caption.sequence.log_probability;
        assert!((found - expected).abs() < 1e-3, "caption {at}: {found}, not {expected}");
    }
    // The images of a batch do not matter either.
    let one = queries.narrow(0, 2, 1).unwrap();
    for (alone, beside) in drawn(6, &seeds[12..18], &one).iter().zip(&together[12..18]) {
        assert_eq!(alone.sequence.ids, beside.sequence.ids);
    }
}

/// Products, norms and attention take every row for itself, in every precision: tokens and their probability are the same to
/// the bit in any batch.
#[test]
fn a_caption_is_the_same_to_the_bit_in_any_batch() {
    let pixels = dump("pixels")["pixel_values"].clone();
    for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
        // A GPU promises no such thing.
        let options = LoadOptions { precision, ..LoadOptions::default() };
        let captioner = Captioner::load(&tiny().join("base"), None, options, &|_| {}).unwrap();
        let prompt = captioner.tokenizer().encode(PROMPT).unwrap();
        let sequences = |images: &[usize]| -> Vec<Sequence> {
            let pixels: Vec<Tensor> =
                images.iter().map(|image| pixels.narrow(0, *image, 1).unwrap()).collect();
            let tokens = captioner.image_tokens(&Tensor::cat(&pixels, 0).unwrap()).unwrap();
            let queries = captioner.queries(&tokens).unwrap();
            let prompts = vec![prompt.clone(); images.len()];
            let seeds = vec![0; images.len()];
            let config = GenerationConfig { max_new_tokens: 12, ..GenerationConfig::default() };
            let captions = captioner.caption(&queries, &prompts, &seeds, &config).unwrap();
            captions.into_iter().map(|caption| caption.sequence).collect()
        };
        let alone: Vec<Sequence> = (0..4).flat_map(|image| sequences(&[image])).collect();
        let forty: Vec<usize> = (0..40).map(|at| (at * 7) % 4).collect();
        for batch in [&[2, 0][..], &[3, 3, 1], &forty] {
            for (image, beside) in batch.iter().zip(sequences(batch)) {
                assert_eq!(beside, alone[*image], "{precision:?}, {} images", batch.len());
            }
        }
    }
}

#[test]
fn the_best_beams_come_best_first() {
    let captioner = load("base");
    let pixels = dump("pixels")["pixel_values"].clone();
    let queries = seen(&captioner, &pixels);
    let prompts = vec![captioner.tokenizer().encode(PROMPT).unwrap(); 4];
    let beams = |num_return_sequences| GenerationConfig {
        num_beams: 4,
        num_return_sequences,
        ..GenerationConfig::default()
    };
    let best = captioner.caption(&queries, &prompts, &[0; 4], &beams(1)).unwrap();
    let several = captioner.caption(&queries, &prompts, &[0; 12], &beams(3)).unwrap();
    for (image, best) in best.iter().enumerate() {
        let own = &several[3 * image..3 * image + 3];
        assert_eq!(&own[0], best);
        let scores: Vec<f64> = own.iter().map(|caption| caption.sequence.score.unwrap()).collect();
        assert!(scores[0] >= scores[1] && scores[1] >= scores[2], "{scores:?}");
        let one = queries.narrow(0, image, 1).unwrap();
        for caption in own {
            let ids = &caption.sequence.ids;
            let expected = log_probability(&captioner, &one, &prompts[0], ids);
            assert!((caption.sequence.log_probability - expected).abs() < 1e-3);
        }
    }
}
