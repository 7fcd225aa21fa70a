//! JSON schemas of the documentation.

use std::fs;

use boon::{Compiler, Schemas};
use serde_json::Value;
use support::repository;

/// A schema of the repository.
pub fn read(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(repository().join(path)).unwrap()).unwrap()
}

/// Asserts that a schema of the repository describes `value`.
pub fn assert_valid(path: &str, value: &Value) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", read(path)).unwrap();
    let schema = compiler.compile("schema.json", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(value, schema) {
        panic!("{path} does not describe {value:#}: {error:#}");
    }
}
