//! The published schema of the record, which everything that is written must hold to.

use serde_json::Value;

/// Panics with every place where the record departs from the schema.
pub fn assert_holds(record: &Value) {
    let schema = include_str!("../../reports/schema/record-v1.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(record)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
