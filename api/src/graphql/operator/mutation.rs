//! Changes of operators and teams.

use async_graphql::{Context, InputObject, Object};
use commands::use_cases::operator::{ChangeOperator, OperatorChange, RegisterOperator};
use commands::use_cases::team::{ChangeTeam, RegisterTeam, TeamChange};
use domain::ids::{OperatorId, TeamId};
use domain::operator::Scope;
use domain::personal::Personal;
use domain::values::{Label, LineKey};

use crate::graphql::enums::Role;
use crate::graphql::scalars::{Id, Text};
use crate::graphql::services::session;
use crate::{mutation_input, mutation_payload};

/// Where an operator's roles hold. Nothing named, nothing seen.
#[derive(Clone, Debug, InputObject)]
pub struct ScopeInput {
    /// Business lines.
    pub lines: Vec<Text<LineKey>>,
    /// Teams that the operator works in.
    pub teams: Vec<Id<TeamId>>,
}

mutation_input! {
    /// A new operator.
    RegisterOperatorInput {
        /// What the operator is called.
        name: String,
        /// Roles from the start.
        roles: Vec<Role>,
        /// Where the roles hold.
        scope: ScopeInput,
    }
    /// A new name of an operator.
    RenameOperatorInput {
        /// Whose.
        operator_id: Id<OperatorId>,
        /// The new name.
        name: String,
    }
    /// A role of an operator.
    OperatorRoleInput {
        /// Whose.
        operator_id: Id<OperatorId>,
        /// Which.
        role: Role,
    }
    /// Where an operator's roles are to hold.
    ChangeOperatorScopeInput {
        /// Whose.
        operator_id: Id<OperatorId>,
        /// Where.
        scope: ScopeInput,
    }
    /// An operator.
    OperatorInput {
        /// Which.
        operator_id: Id<OperatorId>,
    }
    /// A new team.
    RegisterTeamInput {
        /// The business line that it works in.
        line: Text<LineKey>,
        /// What people call it.
        name: Text<Label>,
    }
    /// A new name of a team.
    RenameTeamInput {
        /// Which.
        team_id: Id<TeamId>,
        /// The new name.
        name: Text<Label>,
    }
    /// A team.
    TeamInput {
        /// Which.
        team_id: Id<TeamId>,
    }
}

mutation_payload! {
    /// What became of a change of an operator.
    OperatorPayload {
        /// Which operator.
        operator_id: Id[OperatorId] = "operator_id",
    }
    /// What became of a change of a team.
    TeamPayload {
        /// Which team.
        team_id: Id[TeamId] = "team_id",
    }
}

/// Mutations of operators and teams.
#[derive(Default)]
pub struct OperatorMutation;

#[Object]
impl OperatorMutation {
    /// Makes an operator known.
    async fn register_operator(
        &self,
        ctx: &Context<'_>,
        input: RegisterOperatorInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let register = RegisterOperator {
            name: Personal::Clear(input.name),
            roles: input.roles.into_iter().map(Into::into).collect(),
            scope: input.scope.into(),
        };
        let outcome = session(ctx)?.run(input.command_id, input.expected_revision, &register).await?;
        Ok(outcome.try_into()?)
    }

    /// Calls an operator otherwise.
    async fn rename_operator(
        &self,
        ctx: &Context<'_>,
        input: RenameOperatorInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = OperatorChange::Rename(Personal::Clear(input.name));
        let change = ChangeOperator { operator_id: input.operator_id.0, change };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Lets an operator do more. Nobody grants a role to oneself.
    async fn grant_role(
        &self,
        ctx: &Context<'_>,
        input: OperatorRoleInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = OperatorChange::GrantRole(input.role.into());
        let change = ChangeOperator { operator_id: input.operator_id.0, change };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Lets an operator do less.
    async fn revoke_role(
        &self,
        ctx: &Context<'_>,
        input: OperatorRoleInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = OperatorChange::RevokeRole(input.role.into());
        let change = ChangeOperator { operator_id: input.operator_id.0, change };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Lets an operator's roles hold elsewhere.
    async fn change_operator_scope(
        &self,
        ctx: &Context<'_>,
        input: ChangeOperatorScopeInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = OperatorChange::ChangeScope(input.scope.into());
        let change = ChangeOperator { operator_id: input.operator_id.0, change };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Lets an operator do nothing until resumed.
    async fn suspend_operator(
        &self,
        ctx: &Context<'_>,
        input: OperatorInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = ChangeOperator { operator_id: input.operator_id.0, change: OperatorChange::Suspend };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Lets an operator work again.
    async fn resume_operator(
        &self,
        ctx: &Context<'_>,
        input: OperatorInput,
    ) -> async_graphql::Result<OperatorPayload> {
        let change = ChangeOperator { operator_id: input.operator_id.0, change: OperatorChange::Resume };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Brings a team into being.
    async fn register_team(
        &self,
        ctx: &Context<'_>,
        input: RegisterTeamInput,
    ) -> async_graphql::Result<TeamPayload> {
        let register = RegisterTeam { line: input.line.0, name: input.name.0 };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &register).await?.try_into()?)
    }

    /// Calls a team otherwise.
    async fn rename_team(
        &self,
        ctx: &Context<'_>,
        input: RenameTeamInput,
    ) -> async_graphql::Result<TeamPayload> {
        let change = ChangeTeam { team_id: input.team_id.0, change: TeamChange::Rename(input.name.0) };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Gives a team no more work.
    async fn suspend_team(&self, ctx: &Context<'_>, input: TeamInput) -> async_graphql::Result<TeamPayload> {
        let change = ChangeTeam { team_id: input.team_id.0, change: TeamChange::Suspend };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }

    /// Gives a team work again.
    async fn resume_team(&self, ctx: &Context<'_>, input: TeamInput) -> async_graphql::Result<TeamPayload> {
        let change = ChangeTeam { team_id: input.team_id.0, change: TeamChange::Resume };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &change).await?.try_into()?)
    }
}

impl From<ScopeInput> for Scope {
    fn from(input: ScopeInput) -> Self {
        Self {
            lines: input.lines.into_iter().map(|line| line.0).collect(),
            teams: input.teams.into_iter().map(|team| team.0).collect(),
        }
    }
}
