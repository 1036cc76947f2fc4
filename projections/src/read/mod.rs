//! What every query shares: who asks, what they may see, and pages.
//!
//! Guarantees: default deny, for a viewer without role or scope gets no rows; scope becomes part of
//! the SQL, so that no list, count or search can show more than another; a contact or a name leaves
//! this crate as a [`Shown`], never as a bare string.
//!
//! Deliberately absent: authentication, and audit of reads; the edge does both.

mod cursor;
mod error;
mod moment;
mod page;
mod phone;
mod shown;
#[cfg(test)]
mod tests;
mod viewer;

pub use cursor::{Cursor, InvalidCursor};
pub use error::QueryError;
pub use moment::Moment;
pub use page::{Edge, MAX_PAGE, Page, Paging};
pub(crate) use page::{Listing, Predicate, fetch_page};
pub(crate) use phone::phone_hashes;
pub use shown::{Shown, mask_contact, mask_name};
pub(crate) use viewer::Arm;
pub use viewer::{Holding, Sight, Viewer};
