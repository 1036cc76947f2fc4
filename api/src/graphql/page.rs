//! Pages of a list: Relay's arguments, with a limit that is stated.

use serde::de::DeserializeOwned;

use super::cursor::{Cursors, ListVersion};
use super::error::ApiError;

/// Rows of a page when nobody says how many.
pub const DEFAULT_PAGE: usize = 20;

/// Which rows of a list are wanted, in the list's order whatever the direction of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<P> {
    /// Rows at most.
    pub size: usize,
    /// Forward from the beginning, or backward from the end.
    pub direction: Direction,
    /// Only rows behind this place.
    pub after: Option<P>,
    /// Only rows before this place.
    pub before: Option<P>,
}

/// Which way a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `first`.
    Forward,
    /// `last`.
    Backward,
}

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
    pub fn page<P: DeserializeOwned>(
        self,
        limit: usize,
        cursors: &Cursors,
        list: ListVersion<'_>,
    ) -> Result<Page<P>, ApiError> {
        let (size, direction) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_input("a page has first or last, not both"));
            }
            (None, Some(size)) => (Some(size), Direction::Backward),
            (size, None) => (size, Direction::Forward),
        };
        let size = match size {
            None => DEFAULT_PAGE.min(limit),
            Some(size) => usize::try_from(size)
                .ok()
                .filter(|size| (1..=limit).contains(size))
                .ok_or_else(|| ApiError::page_size(limit))?,
        };
        let open = |cursor: Option<String>| {
            cursor.map(|cursor| cursors.open(list, &cursor)).transpose().map_err(ApiError::from)
        };
        Ok(Page { size, direction, after: open(self.after)?, before: open(self.before)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    const LIST: ListVersion<'_> = ListVersion { list: "clues", version: 1, order: "id" };

    fn page(arguments: PageArguments) -> Result<Page<u32>, ApiError> {
        arguments.page(50, &Cursors::new(&Keys::generate().unwrap()), LIST)
    }

    #[test]
    fn without_arguments_it_is_the_first_page_of_the_usual_size() {
        let expected = Page { size: 20, direction: Direction::Forward, after: None, before: None };
        assert_eq!(page(PageArguments::default()).unwrap(), expected);
    }

    #[test]
    fn sizes_out_of_range_are_refused_and_the_limit_is_stated() {
        for size in [-1, 0, 51, i32::MAX] {
            let error = page(PageArguments { first: Some(size), ..PageArguments::default() }).unwrap_err();
            assert_eq!(error.code(), "page_size_limit");
            assert!(async_graphql::Error::from(error).message.contains("50"));
        }
        assert_eq!(page(PageArguments { last: Some(50), ..PageArguments::default() }).unwrap().size, 50);
    }

    #[test]
    fn both_directions_or_a_foreign_cursor_are_refused() {
        let both = PageArguments { first: Some(1), last: Some(1), ..PageArguments::default() };
        assert_eq!(page(both).unwrap_err().code(), "bad_input");
        let foreign = PageArguments { after: Some("abc".into()), ..PageArguments::default() };
        assert_eq!(page(foreign).unwrap_err().code(), "cursor_invalid");
    }
}
