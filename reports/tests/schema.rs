//! The committed JSON Schema and the code describe the same documents.

mod examples;

use serde_json::{Value, json};

fn schema() -> jsonschema::Validator {
    let text = include_str!("../schema/record-v1.schema.json");
    let schema: Value = serde_json::from_str(text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("the schema itself is valid");
    jsonschema::validator_for(&schema).unwrap()
}

fn document(name: &str) -> Value {
    let (_, record) = (examples::all().into_iter())
        .find(|(known, _)| *known == name)
        .unwrap();
    serde_json::from_str(&record.to_json()).unwrap()
}

#[test]
fn every_example_holds() {
    let schema = schema();
    for (name, record) in examples::all() {
        let document = serde_json::from_str(&record.to_json()).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn the_schema_is_strict() {
    let schema = schema();
    let refuses = |name: &str, pointer: &str, key: &str, value: Value| {
        let mut document = document(name);
        let object = document.pointer_mut(pointer).unwrap();
        object.as_object_mut().unwrap().insert(key.into(), value);
        assert!(!schema.is_valid(&document), "{name}{pointer}/{key} passes");
    };
    refuses("score", "", "surprise", json!(1));
    refuses("score", "", "schema_version", json!(2));
    refuses("score", "", "kind", json!("compare"));
    refuses("score", "/results", "surprise", json!(1));
    refuses("score", "/results/fgd_paired", "value", json!(null));
    refuses("score", "/results/fgd_paired", "se", json!(-1));
    refuses("score", "/results/metrics/cider_d", "value", json!("NaN"));
    refuses("score", "/results/slices/0/parts/0/results", "n", json!(-3));
    refuses("score", "/results/worst/0", "row", json!(0));
    refuses("score", "/host", "hostname", json!("secret"));
    refuses("score", "/inputs/0", "sha256", json!("short"));
    refuses("compare", "/results/differences/0", "p_value", json!(1.5));
    refuses("compare", "/results/systems/1/latency", "p50", json!(1));
    refuses(
        "compare",
        "/results/contrasts/0",
        "thumbnail_jpeg",
        json!("\"><script>"),
    );
    refuses("leaderboard", "/results/standings/0", "rank", json!(0));
    refuses(
        "leaderboard",
        "/results/rejected/0/findings/0",
        "severity",
        json!("fatal"),
    );
    refuses("bench-single", "/results", "surprise", json!(1));
    refuses("bench-single", "/results", "scenario", json!("multi"));
    refuses("bench-single", "/results/headlines/0", "value", json!(null));
    refuses(
        "bench-single",
        "/results/latency",
        "design_effect",
        json!(0.5),
    );
    refuses(
        "bench-server",
        "/results/server/points/0",
        "outcome",
        json!("fine"),
    );
    refuses(
        "bench-server",
        "/results/validity/reasons/0",
        "severity",
        json!("high"),
    );
    refuses("bench-sweep", "/results/sweep/0", "threads", json!(-1));
    refuses(
        "bench-captioner",
        "/results/stages/0",
        "bound_by",
        json!("network"),
    );
}

#[test]
fn no_required_field_may_be_left_out() {
    let schema = schema();
    for (name, record) in examples::all() {
        let whole: Value = serde_json::from_str(&record.to_json()).unwrap();
        for key in whole.as_object().unwrap().keys() {
            let mut document = whole.clone();
            document.as_object_mut().unwrap().remove(key);
            assert!(!schema.is_valid(&document), "{name} without {key} passes");
        }
    }
}
