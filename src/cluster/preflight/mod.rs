//! Reads what `apisix-prestop check` looks at. What is refused is a fact of its own, and ends nothing.

mod api_reader;
mod dry_runs;
mod gather;
mod nodes;
mod release;
mod rights;
mod served;

pub(crate) use gather::{NoAnswer, PreflightScope, gather};
