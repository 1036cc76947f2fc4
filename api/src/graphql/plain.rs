//! Objects whose fields are at hand: answered without a future for each field.
//!
//! async-graphql makes one boxed future a field, which for a page of twenty rows costs more than the
//! query behind it. Here a selection is walked once and plain fields go straight into the answer;
//! only fields that must wait (loaders) take the usual way.
//!
//! Guarantees: the same answer as the usual way, for the same type information and the same
//! resolvers stand behind both; a field that is not known here takes the usual way.
//! Deliberately absent: custom directives on fields, which the schema does not have.

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection};
use async_graphql::{ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use futures::future::join_all;

/// An object with fields at hand. Made by [`plain_object!`](crate::plain_object).
pub trait PlainObject: OutputType {
    /// The value of a field; `None` when it must be resolved the usual way.
    fn plain(&self, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value>;
}

/// A value at hand.
pub trait PlainValue {
    /// The value as the selection wants it; `None` when it must be resolved the usual way.
    fn plain_value(&self, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value>;
}

impl<T: PlainValue> PlainValue for Option<T> {
    fn plain_value(&self, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        self.as_ref().map_or(Some(Value::Null), |value| value.plain_value(field, ctx))
    }
}

impl<T: PlainValue> PlainValue for Vec<T> {
    fn plain_value(&self, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        self.iter().map(|value| value.plain_value(field, ctx)).collect::<Option<_>>().map(Value::List)
    }
}

impl<T: PlainValue> PlainValue for std::sync::Arc<T> {
    fn plain_value(&self, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        (**self).plain_value(field, ctx)
    }
}

/// Scalars are values as they are.
macro_rules! plain_scalars {
    ($($ty:ty),+ $(,)?) => {$(
        impl PlainValue for $ty {
            fn plain_value(&self, _: &Field, _: &ContextSelectionSet<'_>) -> Option<Value> {
                Some(async_graphql::ScalarType::to_value(self))
            }
        }
    )+};
}

plain_scalars! {
    String, bool, i32,
    super::scalars::Position, super::scalars::Long, super::scalars::Money, super::scalars::Instant,
    super::scalars::Uuid, super::scalars::Decimal, super::scalars::Date,
}

impl<T: std::fmt::Display> PlainValue for super::scalars::Id<T> {
    fn plain_value(&self, _: &Field, _: &ContextSelectionSet<'_>) -> Option<Value> {
        Some(Value::String(self.0.to_string()))
    }
}

impl<T: std::fmt::Display> PlainValue for super::scalars::Text<T> {
    fn plain_value(&self, _: &Field, _: &ContextSelectionSet<'_>) -> Option<Value> {
        Some(Value::String(self.0.to_string()))
    }
}

/// An object inside another: at hand when all of its selected fields are.
pub fn nested<T: PlainObject>(object: &T, field: &Field, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
    let ctx = ctx.with_selection_set(&field.selection_set);
    let mut answer = IndexMap::with_capacity(ctx.item.node.items.len());
    let mut later = Vec::new();
    collect(object, &ctx, &mut answer, &mut later);
    later.is_empty().then_some(Value::Object(answer))
}

/// The answer to a selection: what is at hand at once, the rest when it has come.
///
/// # Errors
/// Never: failures of fields are added to the answer's errors, as async-graphql does.
pub async fn resolve<T: PlainObject + ContainerType>(
    object: &T,
    ctx: &ContextSelectionSet<'_>,
) -> ServerResult<Value> {
    let mut answer = IndexMap::with_capacity(ctx.item.node.items.len());
    let mut later = Vec::new();
    collect(object, ctx, &mut answer, &mut later);
    let waits = later.into_iter().map(|field| async move {
        let result = object.resolve_field(&ctx.with_field(field)).await;
        (field.node.response_key().node.clone(), result)
    });
    for (name, result) in join_all(waits).await {
        match result {
            Ok(value) => merge(&mut answer, name, value.unwrap_or_default()),
            Err(error) => ctx.add_error(error),
        }
    }
    Ok(Value::Object(answer))
}

/// Puts what is at hand into the answer, and the other fields aside.
fn collect<'a, T: PlainObject>(
    object: &T,
    ctx: &ContextSelectionSet<'a>,
    answer: &mut IndexMap<Name, Value>,
    later: &mut Vec<&'a Positioned<Field>>,
) {
    for selection in &ctx.item.node.items {
        match &selection.node {
            Selection::Field(field) => {
                let name = field.node.response_key().node.clone();
                if field.node.name.node == "__typename" {
                    answer.insert(name, Value::String(T::type_name().into_owned()));
                } else if let Some(value) = object.plain(&field.node, ctx) {
                    merge(answer, name, value);
                } else {
                    // Holds the place, so that fields come in the order in which they were asked for.
                    answer.entry(name).or_insert(Value::Null);
                    later.push(field);
                }
            }
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref();
                if on.is_none_or(|on| *on.node.on.node == *T::type_name()) {
                    collect(object, &ctx.with_selection_set(&inline.node.selection_set), answer, later);
                }
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = ctx.query_env.fragments.get(&spread.node.fragment_name.node)
                    && *fragment.node.type_condition.node.on.node == *T::type_name()
                {
                    collect(object, &ctx.with_selection_set(&fragment.node.selection_set), answer, later);
                }
            }
        }
    }
}

/// A field that was selected twice, with different parts of an object, is both parts together.
pub fn merge(into: &mut IndexMap<Name, Value>, name: Name, value: Value) {
    let known = match into.entry(name) {
        Entry::Vacant(place) => {
            place.insert(value);
            return;
        }
        Entry::Occupied(known) => known.into_mut(),
    };
    match (known, value) {
        (Value::List(known), Value::List(more)) => {
            for (known, more) in known.iter_mut().zip(more) {
                merge_objects(known, more);
            }
        }
        (known @ Value::Object(_), more @ Value::Object(_)) => merge_objects(known, more),
        (known, value) => *known = value,
    }
}

/// Both parts of an object; what is none stays as it is.
fn merge_objects(known: &mut Value, more: Value) {
    if let (Value::Object(known), Value::Object(more)) = (known, more) {
        for (name, value) in more {
            merge(known, name, value);
        }
    }
}

/// Declares a GraphQL object whose fields are at hand. Each field has its name in GraphQL beside its
/// name in Rust; a schema test compares them. `complex` objects have further fields, resolved the
/// usual way, in a `#[ComplexObject]`; those of them that are cheap to make are named under `lazy`
/// with the method that makes them.
#[macro_export]
macro_rules! plain_object {
    (
        $(#[$meta:meta])*
        $name:ident as $graphql:literal $(($complex:ident))? {
            $($(#[$fmeta:meta])* $field:ident $key:literal: $ty:ty),+ $(,)?
        }
        $(hidden { $($hidden:ident: $hty:ty),+ $(,)? })?
        $(lazy { $($lazy:literal => $method:ident),+ $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        #[graphql(name = $graphql $(, $complex)?)]
        pub struct $name {
            $($(#[$fmeta])* #[graphql(name = $key)] pub $field: $ty,)+
            $($(
                #[graphql(skip)]
                #[allow(missing_docs)]
                pub $hidden: $hty,
            )+)?
        }

        impl $crate::graphql::plain::PlainObject for $name {
            fn plain(
                &self,
                field: &async_graphql::parser::types::Field,
                ctx: &async_graphql::ContextSelectionSet<'_>,
            ) -> Option<async_graphql::Value> {
                match field.name.node.as_str() {
                    $($key => $crate::graphql::plain::PlainValue::plain_value(&self.$field, field, ctx),)+
                    $($($lazy => $crate::graphql::plain::PlainValue::plain_value(&self.$method(), field, ctx),)+)?
                    _ => None,
                }
            }
        }

        impl $crate::graphql::plain::PlainValue for $name {
            fn plain_value(
                &self,
                field: &async_graphql::parser::types::Field,
                ctx: &async_graphql::ContextSelectionSet<'_>,
            ) -> Option<async_graphql::Value> {
                $crate::graphql::plain::nested(self, field, ctx)
            }
        }
    };
}
