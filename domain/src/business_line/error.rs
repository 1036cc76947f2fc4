//! Why a command to a business line is refused.

use super::stage_graph::StageGraphError;
use crate::aggregate::{Refusal, refusals};
use crate::values::{FieldKey, OptionKey, StageKey};

refusals! {
    /// Refusals of a business line.
    BusinessLineError {
        /// No such line was defined.
        NotDefined = "line_not_found", "there is no such business line";
        /// Country, time zone and currency give old events their meaning.
        Immutable { what: &'static str } = "line_immutable", "the {what} of a business line never changes";
        /// The stage graph is not whole.
        StageGraph { reason: StageGraphError } = "stage_graph_invalid", "{reason}";
        /// Old values would lose their meaning.
        FieldKindChanged { field: FieldKey } = "field_kind_changed", "field {field} keeps its kind for ever; define another field";
        /// A choice field without a choice, or a list of options on another kind of field.
        FieldOptions { field: FieldKey } = "field_options", "field {field}: a choice field has options, no other kind has";
        /// Two options with one key.
        FieldOptionTwice { field: FieldKey, option: OptionKey } = "field_option_twice", "field {field} has option {option} twice";
        /// An option that clues may hold was left out.
        FieldOptionRemoved { field: FieldKey, option: OptionKey } = "field_option_removed", "field {field} loses option {option}, which clues may hold; retire the option instead";
        /// Bounds on a field that takes no numbers, or that leave no number.
        FieldBounds { field: FieldKey } = "field_bounds", "field {field}: only a number has bounds, and the smallest is not above the largest";
        /// The field is required at a stage that the graph lacks.
        FieldStageUnknown { field: FieldKey, stage: StageKey } = "field_stage_unknown", "field {field} is required at stage {stage}, which the stage graph lacks";
        /// No such field.
        FieldUnknown { field: FieldKey } = "field_unknown", "there is no field {field}";
        /// A number of the policy is out of its range.
        PolicyOutOfRange { what: &'static str } = "policy_out_of_range", "{what}";
        /// A list of the policy names one thing twice.
        PolicyTwice { what: &'static str, key: String } = "policy_twice", "the policy names {what} {key} twice";
    }
}

impl Refusal for BusinessLineError {
    fn code(&self) -> &'static str {
        self.code()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::FieldKindChanged { field }
            | Self::FieldOptions { field }
            | Self::FieldOptionTwice { field, .. }
            | Self::FieldOptionRemoved { field, .. }
            | Self::FieldBounds { field }
            | Self::FieldStageUnknown { field, .. }
            | Self::FieldUnknown { field } => Some(format!("fields.{field}")),
            Self::StageGraph { .. } => Some("stages".to_owned()),
            _ => None,
        }
    }
}
