//! `cluestream schema`: prints the contracts of the program.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The GraphQL schema
    Graphql,
    /// Every event type with its version, and the JSON Schema of each aggregate's events
    Events,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match arguments.what {
        What::Graphql => write!(out, "{}", crate::graphql::sdl())?,
        What::Events => writeln!(out, "{:#}", events())?,
    }
    Ok(())
}

fn events() -> Value {
    let types: Vec<Value> = domain::contracts::event_types()
        .map(|known| json!({ "type": known.name, "version": known.version }))
        .collect();
    let schemas: Map<String, Value> = domain::contracts::event_schemas()
        .into_iter()
        .map(|(aggregate, schema)| (aggregate.to_owned(), schema.into()))
        .collect();
    json!({ "types": types, "schemas": schemas })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_type_is_of_an_aggregate_with_a_schema() {
        let events = events();
        for known in events["types"].as_array().unwrap() {
            let (aggregate, _) = known["type"].as_str().unwrap().split_once('.').unwrap();
            assert!(events["schemas"][aggregate].is_object(), "{aggregate}");
        }
    }
}
