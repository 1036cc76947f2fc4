//! Cursors: the sort key of a row and its id.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The place of a row in one order. The edge signs and encodes its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The order that it is a place in.
    pub order: Cow<'static, str>,
    /// The sort keys.
    pub keys: Vec<i64>,
    /// The row's id, which breaks ties.
    pub id: String,
}

/// Text that is no cursor, or one of another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.order)?;
        for key in &self.keys {
            write!(f, "{key},")?;
        }
        write!(f, ":{}", self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let (Some(order), Some(keys), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidCursor);
        };
        let keys = keys.split_terminator(',').map(str::parse).collect::<Result<_, _>>();
        let keys = keys.map_err(|_| InvalidCursor)?;
        Ok(Self { order: Cow::Owned(order.to_owned()), keys, id: id.to_owned() })
    }
}
