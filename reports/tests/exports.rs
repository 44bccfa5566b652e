//! Exports against their golden files, and what they refuse.

#[path = "../../record/tests/examples/mod.rs"]
mod examples;
mod golden;

use fgd_reports::export::{Dataset, ExportError, adapter_card, bmf, eval_results, model_card};
use serde_json::Value;

use golden::hold;

fn dataset() -> Dataset {
    Dataset {
        id: "org/captions".into(),
        name: Some("Captions: \"hard\" # part".into()),
        split: Some("test".into()),
        revision: Some("5503434ddd753f426f4b38109466949a1217c2bb".into()),
        ..Dataset::default()
    }
}

#[test]
fn model_cards_match_their_golden_files() {
    let score = model_card(&examples::score(), &dataset()).unwrap();
    hold("score.model-card.yaml", &score);
    let compare = model_card(&examples::compare(), &dataset()).unwrap();
    hold("compare.model-card.yaml", &compare);
    let foreign = model_card(&examples::score_missing(), &dataset()).unwrap();
    assert!(!foreign.contains("fgd_paired"), "a missing number is left out");
}

#[test]
fn a_model_card_says_when_a_number_is_not_fgd() {
    let mut record = examples::score();
    record.encoder.as_mut().unwrap().is_gte_small = false;
    let card = model_card(&record, &dataset()).unwrap();
    assert!(card.contains("fgd_paired (NOT FGD: encoder thenlper/gte-small)"));
    assert!(card.contains("name: \"BLEU-4\""));
}

#[test]
fn eval_results_match_their_golden_file() {
    let text = eval_results(&examples::score(), &dataset()).unwrap();
    hold("score.eval-results.yaml", &text);
}

#[test]
fn what_the_hub_would_rank_wrongly_is_refused() {
    let refusal = |record| eval_results(&record, &dataset()).unwrap_err();
    assert!(matches!(refusal(examples::score_missing()), ExportError::NotFgd { .. }));
    assert!(matches!(refusal(examples::score_identical()), ExportError::NotFgd { .. }));
    assert!(matches!(refusal(examples::compare()), ExportError::Kind { .. }));
    let mut record = examples::score_missing();
    record.encoder.as_mut().unwrap().is_gte_small = true;
    assert!(matches!(refusal(record), ExportError::Missing { .. }));
    assert!(model_card(&examples::leaderboard(), &dataset()).is_err());
}

#[test]
fn bmf_matches_its_golden_files_and_its_published_schema() {
    // The schema as Bencher's reference gives it.
    let schema = serde_json::json!({
        "type": "object",
        "patternProperties": { ".+": {
            "type": "object",
            "patternProperties": { ".+": {
                "type": "object",
                "properties": {
                    "value": { "type": "number" },
                    "lower_value": { "type": "number" },
                    "upper_value": { "type": "number" }
                },
                "required": ["value"]
            } }
        } }
    });
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("bmf.json", schema).unwrap();
    let schema = compiler.compile("bmf.json", &mut schemas).unwrap();
    for (name, record) in examples::all() {
        let Ok(text) = bmf(&record) else {
            assert!(["agreement", "curate", "nightly", "train"].contains(&record.results.kind()));
            continue;
        };
        hold(&format!("{name}.bmf.json"), &text);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert!(schemas.validate(&document, schema).is_ok(), "{name}");
    }
}

#[test]
fn a_trained_adapter_has_a_whole_card() {
    let record = examples::train();
    let fgd_record::Results::Train(results) = &record.results else { panic!("another kind") };
    let card = adapter_card(&record, results, Some("org/images"));
    let front = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    for line in
        ["base_model: \"Salesforce/blip2-flan-t5-xl\"", "library_name: peft", "- \"org/images\""]
    {
        assert!(front.lines().any(|found| found == line), "{line}: {front}");
    }
    for part in [
        "fgd_paired 0.1661 (95% 0.1620 to 0.1702)",
        "(step 500)",
        "21367 captions of 4411 images",
        "\"r\": 128",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert_eq!(card.lines().filter(|line| line.starts_with("# ")).count(), 1);
    let mut other = record.clone();
    other.encoder.as_mut().unwrap().is_gte_small = false;
    let card = adapter_card(&other, results, None);
    assert!(card.contains("fgd_paired (NOT FGD: encoder thenlper/gte-small) 0.1661"), "{card}");
    assert!(card.contains("**Warning.** NOT FGD"), "{card}");
}
