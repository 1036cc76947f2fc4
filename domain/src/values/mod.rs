//! Value objects: each is valid by construction, and its JSON form is its contract.

mod contact;
mod instant;
mod key;
mod label;
mod money;
mod phone;
mod text;
mod zone;

pub use contact::{Contact, ContactKind, InvalidContact};
pub use instant::{Instant, InvalidInstant};
pub use key::{Code, FieldKey, InvalidKey, LineKey, OptionKey, SourceKey, StageKey};
pub use label::{InvalidLabel, Label};
pub use money::{Currency, InvalidMoney, Mileage, Money};
pub use phone::{Country, InvalidPhone, Phone};
pub(crate) use text::parse as parse_text;
pub use zone::{InvalidZone, LocalDate, TimeZone};
