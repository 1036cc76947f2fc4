//! Taking clues in, and who works them.

use async_graphql::{Context, InputObject, Object, OneofObject};
use commands::use_cases::clue::{
    AssignClue, CaptureClue, CapturedCustomer, ClaimClue, PoolClue, ReleaseClue, Route, TransferClue,
};
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::personal::Personal;
use domain::values::LineKey;

use super::field::{FieldInput, values};
use super::input::{NeedInput, SourceInput};
use crate::graphql::customer::{ContactInput, contacts};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Money, Text};
use crate::graphql::services::session;
use crate::{mutation_input, mutation_payload};

/// A person as a source describes one.
#[derive(Clone, Debug, InputObject)]
pub struct PersonInput {
    /// What the person is called.
    pub name: Option<String>,
    /// Where the person can be reached. Somebody with one of these contacts is that customer.
    pub contacts: Vec<ContactInput>,
}

/// Whose clue it is; exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub enum ClueCustomerInput {
    /// A customer who is known.
    CustomerId(Id<CustomerId>),
    /// Anybody else. Nobody is ever found by name.
    Person(PersonInput),
}

/// What becomes of a clue at once; exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub enum RouteInput {
    /// It goes to the pool. Say true.
    Pool(bool),
    /// It goes to an operator.
    AssignTo(Id<OperatorId>),
    /// Its deal was done before it came in.
    Won(WonInput),
}

/// A deal.
#[derive(Clone, Debug, InputObject)]
pub struct WonInput {
    /// For how much.
    pub amount: Option<Money>,
}

mutation_input! {
    /// A clue to take in.
    CaptureClueInput {
        /// The business line that works it.
        line: Text<LineKey>,
        /// Where it came from. With a source key it is taken in once for ever.
        source: SourceInput,
        /// Whose clue it is.
        customer: ClueCustomerInput,
        /// The customer's need, when stated.
        need: Option<NeedInput>,
        /// Values of custom fields.
        fields: Option<Vec<FieldInput>>,
        /// What becomes of it at once; when absent it waits to be pooled or assigned.
        route: Option<RouteInput>,
    }
    /// A clue.
    ClueInput {
        /// Which.
        clue_id: Id<ClueId>,
    }
    /// A clue to give back to the pool.
    ReleaseClueInput {
        /// Which.
        clue_id: Id<ClueId>,
        /// Why, in the owner's words.
        note: Option<String>,
    }
    /// A clue and who is to have it.
    ClueOwnerInput {
        /// Which.
        clue_id: Id<ClueId>,
        /// To whom.
        operator_id: Id<OperatorId>,
    }
}

mutation_payload! {
    /// What became of a change of a clue.
    CluePayload {
        /// Which clue.
        clue_id: Id[ClueId] = "clue_id",
    }
    /// What became of a new clue.
    CaptureCluePayload {
        /// Which clue.
        clue_id: Id[ClueId] = "clue_id",
        /// Whose.
        customer_id: Id[CustomerId] = "customer_id",
    }
}

/// Mutations of who works a clue.
#[derive(Default)]
pub struct ClueMutation;

#[Object]
impl ClueMutation {
    /// Takes a clue in, with its customer.
    async fn capture_clue(
        &self,
        ctx: &Context<'_>,
        input: CaptureClueInput,
    ) -> async_graphql::Result<CaptureCluePayload> {
        let customer = match input.customer {
            ClueCustomerInput::CustomerId(id) => CapturedCustomer::Known(id.0),
            ClueCustomerInput::Person(person) => CapturedCustomer::Described {
                name: person.name.as_deref().and_then(Personal::text),
                contacts: contacts(person.contacts),
            },
        };
        let given =
            |value: Option<_>| value.ok_or_else(|| ApiError::bad_input("a new clue's fields have values"));
        let capture = CaptureClue {
            line: input.line.0,
            source: input.source.into(),
            customer,
            need: input.need.map(TryInto::try_into).transpose()?,
            fields: values(input.fields.unwrap_or_default(), given)?,
            route: input.route.map_or(Ok(Route::Wait), route)?,
        };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &capture).await?.try_into()?)
    }

    /// Takes a clue from the pool. Of many who try, one gets it; the others are told who has it, and
    /// that they tried is recorded.
    async fn claim_clue(&self, ctx: &Context<'_>, input: ClueInput) -> async_graphql::Result<CluePayload> {
        let claim = ClaimClue { clue_id: input.clue_id.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &claim).await?.try_into()?)
    }

    /// Gives a clue back to the pool.
    async fn release_clue(
        &self,
        ctx: &Context<'_>,
        input: ReleaseClueInput,
    ) -> async_graphql::Result<CluePayload> {
        let note = input.note.as_deref().and_then(Personal::text);
        let release = ReleaseClue { clue_id: input.clue_id.0, note };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &release).await?.try_into()?)
    }

    /// Gives a clue that nobody works to an operator.
    async fn assign_clue(
        &self,
        ctx: &Context<'_>,
        input: ClueOwnerInput,
    ) -> async_graphql::Result<CluePayload> {
        let assign = AssignClue { clue_id: input.clue_id.0, operator_id: input.operator_id.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &assign).await?.try_into()?)
    }

    /// Gives an owned clue to another operator.
    async fn transfer_clue(
        &self,
        ctx: &Context<'_>,
        input: ClueOwnerInput,
    ) -> async_graphql::Result<CluePayload> {
        let transfer = TransferClue { clue_id: input.clue_id.0, operator_id: input.operator_id.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &transfer).await?.try_into()?)
    }

    /// Puts a captured clue in the pool.
    async fn pool_clue(&self, ctx: &Context<'_>, input: ClueInput) -> async_graphql::Result<CluePayload> {
        let pool = PoolClue { clue_id: input.clue_id.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &pool).await?.try_into()?)
    }
}

fn route(input: RouteInput) -> Result<Route, ApiError> {
    match input {
        RouteInput::Pool(true) => Ok(Route::Pool),
        RouteInput::Pool(false) => Err(ApiError::bad_input("a route of pool is true, or absent")),
        RouteInput::AssignTo(operator) => Ok(Route::Assign(operator.0)),
        RouteInput::Won(won) => Ok(Route::Won { amount: won.amount.map(|money| money.0) }),
    }
}
