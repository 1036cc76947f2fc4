//! With which variables a document was found valid.
//!
//! Validation looks at variables only as far as their form goes: which are given, of which kind each
//! value is, and which value of an enum it names. So the form of the variables, beside the document
//! and the name of the operation, decides what validation says, and a form that was valid once need
//! not be validated again. Parsing values remains: it happens whenever a resolver takes them.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use async_graphql::{Value, Variables};

/// Forms that are remembered of one document; a client that brings more has them validated.
const REMEMBERED: usize = 256;

/// The forms of variables with which a document was valid.
#[derive(Debug, Default)]
pub(in crate::http) struct Validated {
    forms: Mutex<HashSet<u64>>,
    /// Random, so that nobody can make two forms that look alike.
    hasher: RandomState,
}

/// The form of some variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Form(u64);

impl Validated {
    /// The form of an operation's variables.
    pub fn form(&self, operation: Option<&str>, variables: &Variables) -> Form {
        let mut hasher = self.hasher.build_hasher();
        operation.hash(&mut hasher);
        variables.len().hash(&mut hasher);
        for (name, value) in variables.iter() {
            name.hash(&mut hasher);
            hash_form(value, &mut hasher);
        }
        Form(hasher.finish())
    }

    /// Whether the document was valid with variables of this form.
    pub fn has(&self, form: Form) -> bool {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner).contains(&form.0)
    }

    /// Remembers that the document is valid with variables of this form.
    pub fn remember(&self, form: Form) {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if forms.len() < REMEMBERED {
            forms.insert(form.0);
        }
    }
}

fn hash_form(value: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null | Value::Boolean(_) | Value::Binary(_) => {}
        Value::Number(number) => (number.is_i64(), number.is_u64()).hash(hasher),
        Value::String(text) => Some(text.as_str()).filter(|text| may_name(text)).hash(hasher),
        Value::Enum(name) => name.hash(hasher),
        Value::List(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash_form(item, hasher));
        }
        Value::Object(members) => {
            members.len().hash(hasher);
            for (name, member) in members {
                name.hash(hasher);
                hash_form(member, hasher);
            }
        }
    }
}

/// Whether a text may be the value of an enum. JSON has no other way to write one.
fn may_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_');
    first && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn same(first: serde_json::Value, second: serde_json::Value) -> bool {
        let validated = Validated::default();
        validated.form(None, &Variables::from_json(first))
            == validated.form(None, &Variables::from_json(second))
    }

    #[test]
    fn values_of_one_kind_have_one_form() {
        for (first, second) in [
            (json!({ "id": "a-1" }), json!({ "id": "b-2" })),
            (json!({ "at": 1 }), json!({ "at": 7 })),
            (json!({ "yes": true }), json!({ "yes": false })),
            (json!({ "phone": "13800138000" }), json!({ "phone": "" })),
            (json!({ "in": { "texts": ["some text"] } }), json!({ "in": { "texts": ["other text"] } })),
        ] {
            assert!(same(first.clone(), second.clone()), "{first} {second}");
        }
    }

    #[test]
    fn whatever_validation_can_tell_apart_has_another_form() {
        for (first, second) in [
            (json!({}), json!({ "id": "a" })),
            (json!({ "id": "a" }), json!({ "ID": "a" })),
            (json!({ "id": "a" }), json!({ "id": null })),
            (json!({ "id": "a" }), json!({ "id": 1 })),
            (json!({ "at": 1 }), json!({ "at": 1.5 })),
            (json!({ "at": 1 }), json!({ "at": u64::MAX })),
            (json!({ "sort": "UPDATED" }), json!({ "sort": "NO_SUCH" })),
            (json!({ "sort": "UPDATED" }), json!({ "sort": "updated" })),
            (json!({ "in": [1] }), json!({ "in": [1, 2] })),
            (json!({ "in": [[1], 2] }), json!({ "in": [[1, 2]] })),
            (json!({ "in": { "a": 1 } }), json!({ "in": { "b": 1 } })),
            (json!({ "in": { "a": { "b": 1 } } }), json!({ "in": { "a": {}, "b": 1 } })),
        ] {
            assert!(!same(first.clone(), second.clone()), "{first} {second}");
        }
    }

    #[test]
    fn another_operation_is_another_form_and_memory_is_bounded() {
        let validated = Validated::default();
        let none = Variables::default();
        assert_ne!(validated.form(Some("A"), &none), validated.form(Some("B"), &none));
        assert_ne!(validated.form(Some("A"), &none), validated.form(None, &none));
        let forms: Vec<Form> =
            (0..2 * REMEMBERED).map(|n| validated.form(Some(&n.to_string()), &none)).collect();
        for form in &forms {
            validated.remember(*form);
        }
        assert_eq!(forms.iter().filter(|form| validated.has(**form)).count(), REMEMBERED);
    }
}
