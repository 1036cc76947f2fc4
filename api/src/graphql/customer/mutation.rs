//! Changes of customers.

use async_graphql::{Context, InputObject, Object};
use commands::use_cases::customer::{
    ChangeCustomer, ContactInput as CommandContact, CustomerChange, EraseCustomer, RegisterCustomer,
};
use domain::customer::StarTier;
use domain::ids::{ClueId, ContactPointId, CustomerId};
use domain::personal::Personal;
use domain::values::{Code, LineKey};

use crate::graphql::clue::SourceInput;
use crate::graphql::enums::{ContactKind, StarBasis};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Instant, Text};
use crate::graphql::services::session;
use crate::{mutation_input, mutation_payload};

/// A contact as somebody wrote it.
#[derive(Clone, Debug, InputObject)]
pub struct ContactInput {
    /// What kind it is.
    pub kind: ContactKind,
    /// As written; phone numbers without a prefix are of the line's country.
    pub value: String,
}

mutation_input! {
    /// A new customer.
    RegisterCustomerInput {
        /// The business line that met the customer.
        line: Text<LineKey>,
        /// Where the customer came from.
        source: SourceInput,
        /// What the customer is called.
        name: Option<String>,
        /// Where the customer can be reached.
        contacts: Vec<ContactInput>,
    }
    /// A new name of a customer.
    RenameCustomerInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes; agents and team leads need one of theirs.
        clue_id: Option<Id<ClueId>>,
        /// The new name.
        name: String,
    }
    /// A new contact point.
    AddContactPointInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// The line whose country reads phone numbers without a prefix.
        line: Text<LineKey>,
        /// The contact.
        contact: ContactInput,
    }
    /// A contact point.
    ContactPointInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// Which.
        contact_point_id: Id<ContactPointId>,
    }
    /// Two records of one person, or of two.
    LinkCustomersInput {
        /// One record.
        customer_id: Id<CustomerId>,
        /// The other.
        other_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
    }
    /// Stars of a customer.
    GrantStarInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// In which line.
        line: Text<LineKey>,
        /// One to five.
        tier: i32,
        /// What that rests on; a person's judgement when absent.
        basis: Option<StarBasis>,
        /// Until when.
        expires_at: Option<Instant>,
    }
    /// Stars that end.
    StarInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// In which line.
        line: Text<LineKey>,
    }
    /// A use of the data.
    ConsentInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// To what.
        purpose: Text<Code>,
    }
    /// Whether a customer wants calls.
    SetDoNotCallInput {
        /// Whose.
        customer_id: Id<CustomerId>,
        /// The clue in the course of which it changes.
        clue_id: Option<Id<ClueId>>,
        /// Whether calls are unwanted.
        do_not_call: bool,
    }
    /// A person to erase.
    EraseCustomerInput {
        /// Whom.
        customer_id: Id<CustomerId>,
        /// On what ground, for example `request-of-the-person`.
        ground: Text<Code>,
    }
}

mutation_payload! {
    /// What became of a change of a customer.
    CustomerPayload {
        /// Which customer.
        customer_id: Id[CustomerId] = "customer_id",
    }
    /// What became of a new contact point.
    ContactPointPayload {
        /// Whose.
        customer_id: Id[CustomerId] = "customer_id",
        /// Which.
        contact_point_id: Id[ContactPointId] = "contact_point_id",
    }
}

/// Mutations of customers.
#[derive(Default)]
pub struct CustomerMutation;

/// Runs one change of a customer; `input` has the parts that all inputs share.
macro_rules! change {
    ($ctx:ident, $input:ident, $change:expr) => {{
        let change = ChangeCustomer {
            customer_id: $input.customer_id.0,
            clue_id: $input.clue_id.map(|clue| clue.0),
            change: $change,
        };
        let outcome = session($ctx)?.run($input.command_id, $input.expected_revision, &change).await?;
        Ok(outcome.try_into()?)
    }};
}

#[Object]
impl CustomerMutation {
    /// Makes a customer known.
    async fn register_customer(
        &self,
        ctx: &Context<'_>,
        input: RegisterCustomerInput,
    ) -> async_graphql::Result<CustomerPayload> {
        let register = RegisterCustomer {
            line: input.line.0,
            source: input.source.into(),
            name: input.name.as_deref().and_then(Personal::text),
            contacts: contacts(input.contacts),
        };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &register).await?.try_into()?)
    }

    /// Calls a customer otherwise.
    async fn rename_customer(
        &self,
        ctx: &Context<'_>,
        input: RenameCustomerInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::Rename(Personal::Clear(input.name)))
    }

    /// Records where a customer can be reached.
    async fn add_contact_point(
        &self,
        ctx: &Context<'_>,
        input: AddContactPointInput,
    ) -> async_graphql::Result<ContactPointPayload> {
        let contact = input.contact.into();
        change!(ctx, input, CustomerChange::AddContactPoint { line: input.line.0, contact })
    }

    /// Records that a contact point is the customer's.
    async fn verify_contact_point(
        &self,
        ctx: &Context<'_>,
        input: ContactPointInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::VerifyContactPoint(input.contact_point_id.0))
    }

    /// Records that the customer cannot be reached there; another customer may have it then.
    async fn remove_contact_point(
        &self,
        ctx: &Context<'_>,
        input: ContactPointInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::RemoveContactPoint(input.contact_point_id.0))
    }

    /// Records that two records are of the same person. Each keeps its own history.
    async fn link_customers(
        &self,
        ctx: &Context<'_>,
        input: LinkCustomersInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::Link(input.other_id.0))
    }

    /// Records that two records are not of the same person.
    async fn unlink_customers(
        &self,
        ctx: &Context<'_>,
        input: LinkCustomersInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::Unlink(input.other_id.0))
    }

    /// Holds a customer likely to buy.
    async fn grant_star(
        &self,
        ctx: &Context<'_>,
        input: GrantStarInput,
    ) -> async_graphql::Result<CustomerPayload> {
        let tier = u8::try_from(input.tier).ok().and_then(|tier| StarTier::try_from(tier).ok());
        let tier = tier.ok_or_else(|| ApiError::bad_input("a customer has 1 to 5 stars"))?;
        let (line, basis) = (input.line.0, input.basis.unwrap_or(StarBasis::Person).into());
        let expires_at = input.expires_at.map(|instant| instant.0);
        change!(ctx, input, CustomerChange::GrantStar { line, tier, basis, expires_at })
    }

    /// Records that a customer's stars lasted no longer than they were granted for.
    async fn expire_star(
        &self,
        ctx: &Context<'_>,
        input: StarInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::ExpireStar(input.line.0))
    }

    /// Takes a customer's stars back.
    async fn revoke_star(
        &self,
        ctx: &Context<'_>,
        input: StarInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::RevokeStar(input.line.0))
    }

    /// Records that a customer agrees to a use of the data.
    async fn give_consent(
        &self,
        ctx: &Context<'_>,
        input: ConsentInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::GiveConsent(input.purpose.0))
    }

    /// Records that a customer agrees no more.
    async fn withdraw_consent(
        &self,
        ctx: &Context<'_>,
        input: ConsentInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::WithdrawConsent(input.purpose.0))
    }

    /// Records whether a customer wants calls.
    async fn set_do_not_call(
        &self,
        ctx: &Context<'_>,
        input: SetDoNotCallInput,
    ) -> async_graphql::Result<CustomerPayload> {
        change!(ctx, input, CustomerChange::SetDoNotCall(input.do_not_call))
    }

    /// Destroys a person's data key: nobody can read again who it was. History and proofs stay.
    async fn erase_customer(
        &self,
        ctx: &Context<'_>,
        input: EraseCustomerInput,
    ) -> async_graphql::Result<CustomerPayload> {
        let erase = EraseCustomer { customer_id: input.customer_id.0, ground: input.ground.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &erase).await?.try_into()?)
    }
}

impl From<ContactInput> for CommandContact {
    fn from(input: ContactInput) -> Self {
        Self { kind: input.kind.into(), text: Personal::Clear(input.value) }
    }
}

/// Contacts as the write side takes them.
pub(in crate::graphql) fn contacts(inputs: Vec<ContactInput>) -> Vec<CommandContact> {
    inputs.into_iter().map(Into::into).collect()
}
