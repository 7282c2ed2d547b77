//! Tests of the whole generator.

mod protocol;
mod real;
mod rules;
mod small;

use std::path::PathBuf;

use crate::model::Model;
use crate::overrides::Overrides;
use crate::plan::Plan;
use crate::problem::Problems;
use crate::resolve::resolve;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The plan of a model given as JSON, after `change` had its way with empty overrides.
fn plan_of(json: &str, change: impl FnOnce(&mut Overrides)) -> Result<Plan, Problems> {
    let model = Model::parse(json, "models/small.json")?;
    let mut overrides = Overrides { folder: "overrides".to_owned(), ..Overrides::default() };
    change(&mut overrides);
    resolve(&model, &overrides)
}
