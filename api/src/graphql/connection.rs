//! Relay connections over a page of the read side: edges, nodes, signed cursors, page info.
//!
//! Written out instead of derived, so that a page is one future and not one for each field.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::{Deprecation, MetaField, MetaType, MetaTypeId, Registry};
use async_graphql::{ContainerType, ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use futures::future::join_all;
use projections::{Cursor, Page};

use super::cursor::{Cursors, ListVersion};
use super::history::AsOf;
use super::plain::{self, PlainObject, PlainValue as _, merge};

/// A row type that lists can be made of.
pub trait Node: PlainObject + ContainerType + 'static {
    /// The name of its connection.
    const CONNECTION: &'static str;
    /// The name of its edge.
    const EDGE: &'static str;
    /// Whether its list can be of a moment in the past.
    const DATED: bool = false;
}

/// A page of nodes with what their cursors need.
pub struct Connection<N> {
    edges: Vec<(Cursor, N)>,
    has_next: bool,
    has_previous: bool,
    cursors: Cursors,
    list: ListVersion,
    as_of: Option<AsOf>,
}

impl<N: Node> Connection<N> {
    /// The connection of a page.
    pub fn new(page: Page<N>, cursors: &Cursors, list: ListVersion) -> Self {
        let edges = page.edges.into_iter().map(|edge| (edge.cursor, edge.node)).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        Self { edges, has_next, has_previous, cursors: cursors.clone(), list, as_of: None }
    }

    /// The same page, of a moment in the past.
    pub fn of(mut self, as_of: Option<AsOf>) -> Self {
        self.as_of = as_of;
        self
    }

    fn cursor(&self, cursor: Option<&Cursor>) -> Value {
        cursor.map_or(Value::Null, |cursor| Value::String(self.cursors.seal(self.list, cursor)))
    }

    async fn edges(&self, set: &Positioned<SelectionSet>, ctx: &ContextSelectionSet<'_>) -> Value {
        let edges = self.edges.iter().enumerate().map(|(index, (cursor, node))| async move {
            let ctx = ctx.with_selection_set(set);
            let ctx = ctx.with_index(index);
            let mut edge = IndexMap::with_capacity(2);
            for field in fields(&ctx, N::EDGE) {
                let value = match field.node.name.node.as_str() {
                    "cursor" => self.cursor(Some(cursor)),
                    "node" => {
                        let path = ctx.with_field(field);
                        let inner = path.with_selection_set(&field.node.selection_set);
                        plain::resolve(node, &inner).await.unwrap_or_default()
                    }
                    _ => Value::String(N::EDGE.to_owned()),
                };
                merge(&mut edge, field.node.response_key().node.clone(), value);
            }
            Value::Object(edge)
        });
        Value::List(join_all(edges).await)
    }

    fn page_info(&self, set: &Positioned<SelectionSet>, ctx: &ContextSelectionSet<'_>) -> Value {
        let mut info = IndexMap::new();
        for field in fields(&ctx.with_selection_set(set), "PageInfo") {
            let value = match field.node.name.node.as_str() {
                "hasNextPage" => Value::Boolean(self.has_next),
                "hasPreviousPage" => Value::Boolean(self.has_previous),
                "startCursor" => self.cursor(self.edges.first().map(|(cursor, _)| cursor)),
                "endCursor" => self.cursor(self.edges.last().map(|(cursor, _)| cursor)),
                _ => Value::String("PageInfo".to_owned()),
            };
            info.insert(field.node.response_key().node.clone(), value);
        }
        Value::Object(info)
    }
}

/// The fields that a selection has for a type, fragments included.
fn fields<'a>(ctx: &ContextSelectionSet<'a>, type_name: &str) -> Vec<&'a Positioned<Field>> {
    let mut found = Vec::with_capacity(ctx.item.node.items.len());
    push_fields(ctx, type_name, &mut found);
    found
}

fn push_fields<'a>(ctx: &ContextSelectionSet<'a>, type_name: &str, found: &mut Vec<&'a Positioned<Field>>) {
    for selection in &ctx.item.node.items {
        match &selection.node {
            Selection::Field(field) => found.push(field),
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref();
                if on.is_none_or(|on| on.node.on.node == type_name) {
                    push_fields(&ctx.with_selection_set(&inline.node.selection_set), type_name, found);
                }
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = ctx.query_env.fragments.get(&spread.node.fragment_name.node)
                    && fragment.node.type_condition.node.on.node == type_name
                {
                    push_fields(&ctx.with_selection_set(&fragment.node.selection_set), type_name, found);
                }
            }
        }
    }
}

impl<N: Node> OutputType for Connection<N> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(N::CONNECTION)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |registry| {
            let edges = format!("[{}]!", EdgeInfo::<N>::create_type_info(registry));
            let page_info = async_graphql::connection::PageInfo::create_type_info(registry);
            let mut fields = vec![
                field("edges", "The rows with their cursors.", edges),
                field("pageInfo", "Where the page stands in the list.", page_info),
            ];
            if N::DATED {
                let as_of = AsOf::create_type_info(registry).trim_end_matches('!').to_owned();
                fields.push(field("asOf", "The moment that the list is of; null for the present.", as_of));
            }
            object::<Self>(N::CONNECTION, "A page of a list.", fields)
        })
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        let mut connection = IndexMap::new();
        for field in fields(ctx, N::CONNECTION) {
            let set = &field.node.selection_set;
            let value = match field.node.name.node.as_str() {
                "edges" => {
                    let path = ctx.with_field(field);
                    self.edges(set, &path.with_selection_set(set)).await
                }
                "pageInfo" => self.page_info(set, ctx),
                "asOf" => self.as_of.plain_value(&field.node, ctx).unwrap_or_default(),
                _ => Value::String(N::CONNECTION.to_owned()),
            };
            merge(&mut connection, field.node.response_key().node.clone(), value);
        }
        Ok(Value::Object(connection))
    }
}

/// Only the type information of an edge: connections answer for their edges.
struct EdgeInfo<N>(std::marker::PhantomData<fn() -> N>);

impl<N: Node> OutputType for EdgeInfo<N> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(N::EDGE)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |registry| {
            let node = <N as OutputType>::create_type_info(registry);
            let cursor = <String as OutputType>::create_type_info(registry);
            let fields = vec![
                field("node", "The row.", node),
                field("cursor", "Its place in the list; opaque, good for this order only.", cursor),
            ];
            object::<Self>(N::EDGE, "A row of a list, with its place.", fields)
        })
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}

fn field(name: &str, description: &str, ty: String) -> MetaField {
    MetaField {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        args: IndexMap::new(),
        ty,
        deprecation: Deprecation::NoDeprecated,
        cache_control: async_graphql::CacheControl::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

fn object<T: ?Sized>(name: &str, description: &str, fields: Vec<MetaField>) -> MetaType {
    MetaType::Object {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        cache_control: async_graphql::CacheControl::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        keys: None,
        visible: None,
        is_subscription: false,
        rust_typename: Some(std::any::type_name::<T>()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}
