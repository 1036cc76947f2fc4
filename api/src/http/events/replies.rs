//! How many replies are open: of the process and of each operator. Each holds memory and a connection
//! for as long as its client likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use domain::ids::OperatorId;

use crate::http::error::HttpError;

/// The replies that are open.
#[derive(Clone, Default)]
pub(super) struct Replies(Arc<Mutex<HashMap<OperatorId, usize>>>);

/// The place of an open reply; free again when it is dropped.
pub(super) struct Place {
    replies: Replies,
    operator: OperatorId,
}

impl Replies {
    /// A place among at most `all`, of which an operator has at most `each`.
    pub fn place(&self, operator: OperatorId, all: usize, each: usize) -> Result<Place, HttpError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&operator).copied().unwrap_or_default();
        let message = if own >= each {
            format!("you have {own} replies open, which is the limit: end one, or let one end")
        } else if open.values().sum::<usize>() >= all {
            format!("{all} replies are open, which is the limit of this server: try again in a moment")
        } else {
            open.insert(operator, own + 1);
            drop(open);
            return Ok(Place { replies: self.clone(), operator });
        };
        Err(HttpError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_replies", message))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.replies.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.operator) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.operator);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::world::operator;

    #[test]
    fn so_many_places_there_are_and_no_more_until_one_is_free_again() {
        let replies = Replies::default();
        let place = |who| replies.place(operator(who), 3, 2);
        let (first, _second) = (place(1).unwrap(), place(1).unwrap());
        let refused = place(1).err().unwrap();
        assert_eq!((refused.status.as_u16(), refused.code), (429, "too_many_replies"));
        let third = place(2).unwrap();
        assert!(place(3).err().unwrap().message.contains("of this server"));
        drop(third);
        let _third = place(3).unwrap();
        drop(first);
        place(1).unwrap();
    }
}
