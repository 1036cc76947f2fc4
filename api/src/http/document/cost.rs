//! What a document can cost, fragments counted as often as they are spread.

use std::collections::{HashMap, HashSet};

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

use super::DocumentError;
use crate::config::Limits;

/// Fields within fields below `__schema` and `__type`; the usual tools ask for about 15.
const INTROSPECTION_DEPTH: usize = 20;
/// Lists within lists there: the type of a field of a type of a field … has no end.
const INTROSPECTION_LISTS: usize = 2;
/// The fields of the introspection schema that lead from a type to many others.
const LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// Cost of a selection set.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Fields.
    fields: usize,
    /// Fields within fields, introspection counted as one.
    depth: usize,
    /// Introspection lists within each other.
    lists: usize,
    /// Aliases and repeated fields.
    aliases: usize,
    /// Directives.
    directives: usize,
}

impl Cost {
    /// Both, one beside the other.
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            lists: self.lists.max(other.lists),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
        }
    }
}

/// Refuses a document one of whose operations costs too much.
pub(super) fn check(document: &ExecutableDocument, limits: &Limits) -> Result<(), DocumentError> {
    let mut meter = Meter { document, fragments: HashMap::new(), open: HashSet::new() };
    for (_, operation) in document.operations.iter() {
        let mut cost = meter.selection_set(&operation.node.selection_set.node)?;
        cost.directives = cost.directives.saturating_add(operation.node.directives.len());
        let bounds = [
            (cost.depth, limits.depth, "depth_limit", "the query is nested too deep"),
            (cost.fields, limits.complexity, "complexity_limit", "the query selects too many fields"),
            (
                cost.aliases,
                limits.aliases,
                "alias_limit",
                "the query has too many aliases and repeated fields",
            ),
            (cost.directives, limits.directives, "directive_limit", "the query has too many directives"),
        ];
        for (found, limit, code, what) in bounds {
            if found > limit {
                return Err(DocumentError::limit(code, what, limit));
            }
        }
    }
    Ok(())
}

struct Meter<'a> {
    document: &'a ExecutableDocument,
    /// Fragments that were measured: each once, however often it is spread.
    fragments: HashMap<&'a Name, Cost>,
    /// Fragments that are being measured.
    open: HashSet<&'a Name>,
}

impl<'a> Meter<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Cost, DocumentError> {
        let mut total = Cost::default();
        let mut keys = HashSet::new();
        for selection in &set.items {
            let mut cost = match &selection.node {
                Selection::Field(field) => {
                    let mut cost = self.field(&field.node)?;
                    let repeated = !keys.insert(&field.node.response_key().node);
                    cost.aliases =
                        cost.aliases.saturating_add(usize::from(repeated || field.node.alias.is_some()));
                    cost
                }
                Selection::InlineFragment(inline) => self.selection_set(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            };
            cost.directives = cost.directives.saturating_add(selection.node.directives().len());
            total = total.beside(cost);
        }
        Ok(total)
    }

    fn field(&mut self, field: &'a Field) -> Result<Cost, DocumentError> {
        let inner = self.selection_set(&field.selection_set.node)?;
        let name = field.name.node.as_str();
        let cost = Cost { fields: inner.fields.saturating_add(1), ..inner };
        if name == "__schema" || name == "__type" {
            if inner.depth > INTROSPECTION_DEPTH || inner.lists > INTROSPECTION_LISTS {
                let what = "introspection follows lists of types within lists of types";
                return Err(DocumentError::limit("depth_limit", what, INTROSPECTION_LISTS));
            }
            return Ok(Cost { depth: 1, lists: 0, ..cost });
        }
        let lists = inner.lists + usize::from(LISTS.contains(&name));
        Ok(Cost { depth: inner.depth + 1, lists, ..cost })
    }

    fn fragment(&mut self, name: &'a Name) -> Result<Cost, DocumentError> {
        if let Some(cost) = self.fragments.get(name) {
            return Ok(*cost);
        }
        // Refused here, for a cost of nothing could be multiplied without end.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Err(DocumentError::new(
                "graphql_invalid",
                "the query spreads a fragment that is not there",
            ));
        };
        if !self.open.insert(name) {
            return Err(DocumentError::new("graphql_invalid", "a fragment contains itself"));
        }
        let mut cost = self.selection_set(&fragment.node.selection_set.node)?;
        cost.directives = cost.directives.saturating_add(fragment.node.directives.len());
        self.open.remove(name);
        self.fragments.insert(name, cost);
        Ok(cost)
    }
}
