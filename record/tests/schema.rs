//! The committed JSON Schema and the code describe the same documents.

mod examples;
#[path = "../../tests/schema/mod.rs"]
mod schema;

use serde_json::{Value, json};

use schema::Schema;

fn document(name: &str) -> Value {
    let (_, record) = (examples::all().into_iter()).find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(&record.to_json()).unwrap()
}

#[test]
fn every_example_holds() {
    let schema = Schema::published();
    for (name, record) in examples::all() {
        let document = serde_json::from_str(&record.to_json()).unwrap();
        if let Err(error) = schema.check(&document) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_damage() {
    let (_, record) = examples::all().remove(0);
    let text = format!("\u{feff}{}", record.to_json());
    assert_eq!(fgd_record::Record::from_json(&text).unwrap(), record);
}

#[test]
fn the_schema_is_strict() {
    let schema = Schema::published();
    let refuses = |name: &str, pointer: &str, key: &str, value: Value| {
        let mut document = document(name);
        let object = document.pointer_mut(pointer).unwrap();
        object.as_object_mut().unwrap().insert(key.into(), value);
        assert!(schema.check(&document).is_err(), "{name}{pointer}/{key} passes");
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
    refuses("score", "/captions", "surprise", json!(1));
    refuses("score", "/captions/systems/0/numbers/0", "values", json!(["NaN"]));
    refuses("compare", "/captions/thumbnails", "x", json!("\"><script>"));
    refuses("score", "/host", "hostname", json!("secret"));
    refuses("score", "/inputs/0", "sha256", json!("short"));
    refuses("compare", "/results/differences/0", "p_value", json!(1.5));
    refuses("compare", "/results/systems/1/captioning", "p50", json!(1));
    refuses("caption", "/results/caption_ms", "p50", json!(-1));
    refuses("caption", "/results/failures/0", "image_id", json!(1));
    refuses("compare", "/results/contrasts/0", "thumbnail_jpeg", json!("\"><script>"));
    refuses("leaderboard", "/results/standings/0", "rank", json!(0));
    refuses("leaderboard", "/results/rejected/0/findings/0", "severity", json!("fatal"));
    refuses("select", "/results", "by", json!("luck"));
    refuses("select", "/results/sources/0", "weight", json!(1.5));
    refuses("select", "/results/quality", "surprise", json!(1));
    refuses("bench-single", "/results", "surprise", json!(1));
    refuses("bench-single", "/results", "scenario", json!("multi"));
    refuses("bench-single", "/results/headlines/0", "value", json!(null));
    refuses("bench-single", "/results/latency", "design_effect", json!(0.5));
    refuses("bench-server", "/results/server/points/0", "outcome", json!("fine"));
    refuses("bench-server", "/results/validity/reasons/0", "severity", json!("high"));
    refuses("bench-sweep", "/results/sweep/0", "threads", json!(-1));
    refuses("train", "/results/curve/0", "step", json!(0));
    refuses("train", "/results/validation/0", "fgd", json!(0.1));
    refuses("bench-captioner", "/results/stages/0", "bound_by", json!("network"));
}

#[test]
fn no_required_field_may_be_left_out() {
    let schema = Schema::published();
    for (name, record) in examples::all() {
        let whole: Value = serde_json::from_str(&record.to_json()).unwrap();
        for key in whole.as_object().unwrap().keys().filter(|key| *key != "captions") {
            let mut document = whole.clone();
            document.as_object_mut().unwrap().remove(key);
            assert!(schema.check(&document).is_err(), "{name} without {key} passes");
        }
    }
}
