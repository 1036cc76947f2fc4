//! Personal values as a caller may see them.

use projections::Shown;

use super::enums::Visibility;
use crate::plain_object;

plain_object! {
    /// A personal value, as far as the caller may see it.
    PersonalText as "PersonalText" {
        /// The text, in full or masked; null when none of it may be seen.
        text "text": Option<String>,
        /// How much of it that is.
        visibility "visibility": Visibility,
    }
}

impl From<Shown> for PersonalText {
    fn from(shown: Shown) -> Self {
        let (text, visibility) = match shown {
            Shown::Visible(text) => (Some(text), Visibility::Clear),
            Shown::Masked(text) => (Some(text), Visibility::Masked),
            Shown::Redacted => (None, Visibility::Redacted),
        };
        Self { text, visibility }
    }
}
