//! The published schema of the record, which everything that is written must hold to.

#![allow(dead_code)] // each test uses its own part

use serde_json::Value;

/// The published schema, compiled.
pub struct Schema {
    schemas: boon::Schemas,
    record: boon::SchemaIndex,
}

impl Schema {
    pub fn published() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        let schema = serde_json::from_str(fgd_record::SCHEMA).unwrap();
        compiler.add_resource("record.json", schema).unwrap();
        let compiled = compiler.compile("record.json", &mut schemas);
        let record = compiled.expect("the schema itself is valid");
        Self { schemas, record }
    }

    /// Every place where the record departs from the schema.
    pub fn check(&self, record: &Value) -> Result<(), String> {
        let checked = self.schemas.validate(record, self.record);
        checked.map_err(|error| format!("{error:#}"))
    }
}

/// Panics with every place where the record departs from the schema.
pub fn assert_holds(record: &Value) {
    if let Err(error) = Schema::published().check(record) {
        panic!("{error}");
    }
}
