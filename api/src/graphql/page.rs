//! Pages of a list: Relay's arguments, with a limit that is stated.

use projections::Paging;

use super::cursor::{Cursors, ListVersion};
use super::error::ApiError;

/// Rows of a page when nobody says how many.
pub const DEFAULT_PAGE: usize = 20;

/// Relay's arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    /// Rows from the beginning.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// Rows from the end.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// The page that is meant.
    ///
    /// # Errors
    /// When the size is out of range (the error states the limit), both directions are asked for, or
    /// a cursor is of another list.
    pub fn paging(self, limit: usize, cursors: &Cursors, list: ListVersion) -> Result<Paging, ApiError> {
        let open = |cursor: Option<String>| {
            cursor.map(|cursor| cursors.open(list, &cursor)).transpose().map_err(ApiError::from)
        };
        let (first, last) = (size(self.first, limit)?, size(self.last, limit)?);
        let (after, before) = (open(self.after)?, open(self.before)?);
        match (first, last) {
            (Some(_), Some(_)) => Err(ApiError::bad_input("a page has first or last, not both")),
            (None, Some(last)) if after.is_none() => Ok(Paging::Backward { last, before }),
            (first, None) if before.is_none() => {
                Ok(Paging::Forward { first: first.unwrap_or(DEFAULT_PAGE.min(limit)), after })
            }
            _ => Err(ApiError::bad_input("first goes with after, and last with before")),
        }
    }
}

fn size(size: Option<i32>, limit: usize) -> Result<Option<usize>, ApiError> {
    let Some(size) = size else { return Ok(None) };
    let size = usize::try_from(size).ok().filter(|size| (1..=limit).contains(size));
    size.map(Some).ok_or_else(|| ApiError::page_size(limit))
}

/// How often the fields of a connection can be answered, for the limit of complexity.
#[must_use]
pub fn rows(first: Option<i32>, last: Option<i32>) -> usize {
    first.or(last).map_or(DEFAULT_PAGE, |rows| usize::try_from(rows).unwrap_or(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    const LIST: ListVersion = ListVersion { list: "clues", version: 1 };

    fn paging(arguments: PageArguments) -> Result<Paging, ApiError> {
        arguments.paging(50, &Cursors::new(&Keys::generate().unwrap()), LIST)
    }

    #[test]
    fn without_arguments_it_is_the_first_page_of_the_usual_size() {
        assert_eq!(paging(PageArguments::default()).unwrap(), Paging::first(20));
    }

    #[test]
    fn sizes_out_of_range_are_refused_and_the_limit_is_stated() {
        for size in [-1, 0, 51, i32::MAX] {
            let error = paging(PageArguments { first: Some(size), ..PageArguments::default() }).unwrap_err();
            assert_eq!(error.code(), "page_size_limit");
            assert!(async_graphql::Error::from(error).message.contains("50"));
        }
        let last = paging(PageArguments { last: Some(50), ..PageArguments::default() }).unwrap();
        assert_eq!(last, Paging::Backward { last: 50, before: None });
    }

    #[test]
    fn mixed_directions_or_a_foreign_cursor_are_refused() {
        let both = PageArguments { first: Some(1), last: Some(1), ..PageArguments::default() };
        assert_eq!(paging(both).unwrap_err().code(), "bad_input");
        let foreign = PageArguments { after: Some("abc".into()), ..PageArguments::default() };
        assert_eq!(paging(foreign).unwrap_err().code(), "cursor_invalid");
    }
}
