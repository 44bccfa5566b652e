//! The published schema of the record, which everything that is written must hold to.

use serde_json::Value;

/// Panics with every place where the record departs from the schema.
pub fn assert_holds(record: &Value) {
    let text = include_str!("../../record/schema/record-v1.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = serde_json::from_str(text).unwrap();
    compiler.add_resource("record.json", schema).unwrap();
    let schema = compiler.compile("record.json", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(record, schema) {
        panic!("{error:#}");
    }
}
