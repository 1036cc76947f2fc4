//! Typed rows.

use std::fmt::{Debug, Display};

use super::error::SqlError;
use super::row::Row;
use super::table::TableDef;
use super::value::Value;

/// A row of one table as a Rust type.
pub trait Record: Clone + Send + Sync + 'static {
    /// Its table.
    const TABLE: &'static TableDef;
    /// The primary key.
    type Key: Ord + Clone + Send + Sync + Debug;
    /// What rows are loaded together by.
    type Group: Ord + Clone + Send + Sync + Display + Debug;
    /// A condition for rows of a group that folds go on from, when they need not see the others: rows
    /// of the past, which grow without end.
    const CURRENT: Option<&'static str> = None;

    /// The primary key.
    fn key(&self) -> Self::Key;

    /// The primary key as column values.
    fn key_values(key: &Self::Key) -> Vec<Value>;

    /// What rows are loaded together by.
    fn group(&self) -> Self::Group;

    /// As column values, in the order of the table.
    fn to_values(&self) -> Vec<Value>;

    /// From a row that begins with all columns of the table.
    ///
    /// # Errors
    /// When a column does not hold such a value.
    fn from_row(row: &Row) -> Result<Self, SqlError>;
}

/// Declares a row type, its table, its key and its group in one place.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident in $table:ident = $sql:literal,
        key ($($key:ident: $kty:ty),+), group $group:ident: $gty:ty $(, current $current:literal)? {
            $($(#[$fmeta:meta])* $field:ident: $ty:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $ty,)+
        }

        #[doc = concat!("Table `", $sql, "`.")]
        pub const $table: &$crate::sql::TableDef = &$crate::sql::TableDef {
            name: $sql,
            columns: &[$($crate::sql::Column {
                name: stringify!($field),
                kind: <$ty as $crate::sql::Cell>::KIND,
            }),+],
            key: &[$(stringify!($key)),+],
            group: stringify!($group),
        };

        impl $crate::sql::Record for $name {
            const TABLE: &'static $crate::sql::TableDef = $table;
            type Key = ($($kty,)+);
            type Group = $gty;
            $(const CURRENT: Option<&'static str> = Some($current);)?

            fn key(&self) -> Self::Key {
                ($(self.$key.clone(),)+)
            }

            fn key_values(key: &Self::Key) -> Vec<$crate::sql::Value> {
                let ($($key,)+) = key;
                vec![$($crate::sql::Cell::to_value($key)),+]
            }

            fn group(&self) -> Self::Group {
                self.$group.clone()
            }

            fn to_values(&self) -> Vec<$crate::sql::Value> {
                vec![$($crate::sql::Cell::to_value(&self.$field)),+]
            }

            fn from_row(row: &$crate::sql::Row) -> Result<Self, $crate::sql::SqlError> {
                let mut index = 0;
                $(
                    let $field = row.get::<$ty>(index)?;
                    index += 1;
                )+
                let _ = index;
                Ok(Self { $($field),+ })
            }
        }
    };
}

pub(crate) use record;
