//! What resolvers work with, and who they work for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_graphql::Context;
use commands::service::UseCase;
use commands::{CommandContext, CommandError, CommandService, Receipt};
use domain::envelope::{Actor, Revision};
use domain::ids::{CommandId, CorrelationId};
use projections::Moment;
use projections::clue_list::{ClueList, ClueListQuery};
use projections::clue_pool::{CluePool, PoolQuery};
use projections::customer::{CustomerQuery, Customers};
use projections::fact_clue_stage::FactClueStageQuery;
use projections::history::{History, HistoryQuery};
use projections::star_customers::{StarCustomers, StarQuery};
use projections::{Directory, Page, Paging, Projections, QueryError, Snapshot, Viewer, WaitError};

use super::connection::{Connection, Node};
use super::cursor::{Cursors, ListVersion};
use super::error::ApiError;
use super::page::PageArguments;
use super::payload::UserError;
use super::scalars::{Instant, Long, Position, Uuid};
use crate::http::RequestContext;
use crate::proofs::Proofs;

/// Longest wait for the read side to come to a position.
const PATIENCE: Duration = Duration::from_secs(3);

/// Read models whose rows one answer shows side by side: a clue with its customer, a score with the
/// clues that make it visible. Who asks for a position waits for all of them.
pub const READ_TOGETHER: &[&str] = &[ClueList::NAME, CluePool::NAME, Customers::NAME, StarCustomers::NAME];

/// Read models that an answer of the past is made of: the past itself, and what today's rights rest on.
const READ_AS_OF: &[&str] =
    &[History::NAME, ClueList::NAME, CluePool::NAME, Customers::NAME, StarCustomers::NAME];

/// Everything that resolvers call.
#[derive(Clone)]
pub struct Services {
    /// Runs use cases.
    pub commands: CommandService,
    /// Knows how far the read models are.
    pub projections: Projections,
    /// Lines, operators and teams.
    pub directory: Directory,
    /// Reads the clue list.
    pub clues: ClueListQuery,
    /// Reads customers.
    pub customers: CustomerQuery,
    /// Reads the pool.
    pub pool: PoolQuery,
    /// Reads scores.
    pub stars: StarQuery,
    /// Reads how clues go through stages.
    pub stages: FactClueStageQuery,
    /// Reads the past.
    pub history: HistoryQuery,
    /// Signs cursors.
    pub cursors: Cursors,
    /// Rows of a page at most.
    pub page_size: usize,
    /// Proves the log.
    pub proofs: Proofs,
}

/// One request: its caller, and the directory as it was when the request began.
#[derive(Clone)]
pub struct Session {
    /// What resolvers call.
    pub services: Arc<Services>,
    /// Who asks, and what the roles let them see.
    pub viewer: Viewer,
    /// Lines, operators and teams.
    pub snapshot: Arc<Snapshot>,
    /// The request.
    pub request: RequestContext,
    /// The position that the answer must show, in all of its parts.
    wanted: Wanted,
}

/// The highest position that a request asked for. A field that reads another read model waits for
/// it as well, or the parts of one answer would be of different times.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<AtomicI64>);

/// What a mutation came to.
pub enum Outcome {
    /// It was done.
    Done(Receipt),
    /// The business refused it.
    Refused(UserError),
}

/// The session of a resolver.
///
/// # Errors
/// Never in a schema that [`super::schema`] built.
pub fn session<'a>(ctx: &Context<'a>) -> Result<&'a Session, ApiError> {
    ctx.data::<Session>().map_err(|error| ApiError::internal(&error.message))
}

impl Session {
    /// A session of a caller.
    #[must_use]
    pub fn new(services: Arc<Services>, request: RequestContext) -> Self {
        let caller = &request.caller;
        let viewer = Viewer::operator(caller.operator_id, caller.roles.clone(), caller.scope.clone());
        let snapshot = services.directory.now();
        Self { services, viewer, snapshot, request, wanted: Wanted::default() }
    }

    /// The position that the answer must show.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Runs a use case for the caller.
    ///
    /// # Errors
    /// When the caller may not do it, misuses a command id, or a store does not answer. Refusals of
    /// the business are no error.
    pub async fn run<U: UseCase>(
        &self,
        command_id: Uuid,
        expected_revision: Option<Long>,
        use_case: &U,
    ) -> Result<Outcome, ApiError> {
        let actor = Actor::Operator(self.request.caller.operator_id);
        let mut context = CommandContext::new(CommandId::new(command_id.0), actor);
        context.correlation_id = CorrelationId::new(self.request.request_id);
        context.trace.clone_from(&self.request.trace);
        context.expected_revision = expected_revision.map(|revision| Revision::new(revision.0));
        match self.services.commands.execute(&context, use_case).await {
            Ok(receipt) => Ok(Outcome::Done(receipt)),
            Err(CommandError::Refused(refused)) => Ok(Outcome::Refused(refused.into())),
            Err(error @ CommandError::StaleRevision { .. }) => Ok(Outcome::Refused(UserError {
                code: error.code().to_owned(),
                message: error.to_string(),
                field: Some("expectedRevision".to_owned()),
            })),
            Err(error) => Err(error.into()),
        }
    }

    /// The page of a list that is meant.
    ///
    /// # Errors
    /// As [`PageArguments::paging`].
    pub fn paging(&self, arguments: PageArguments, list: ListVersion) -> Result<Paging, ApiError> {
        arguments.paging(self.services.page_size, &self.services.cursors, list)
    }

    /// The connection of a page of a list, each row as its node.
    ///
    /// # Errors
    /// When the page could not be read.
    pub fn connection<T, N: Node>(
        &self,
        page: Result<Page<T>, QueryError>,
        list: ListVersion,
        node: impl FnMut(T) -> N,
    ) -> Result<Connection<N>, ApiError> {
        Ok(Connection::new(page?.map(node), &self.services.cursors, list))
    }

    /// The moment that an instant of the past is about, once the read side has come to it.
    ///
    /// # Errors
    /// `as_of_in_future` for an instant to come; `stale` when the read side has not come so far.
    pub async fn as_of(&self, at: Option<Instant>) -> Result<Option<Moment>, ApiError> {
        let Some(Instant(at)) = at else { return Ok(None) };
        let moment =
            self.services.projections.moment(at).await.map_err(|error| ApiError::internal(&error))?;
        let moment = moment.ok_or_else(|| {
            let message = "asOf is yet to come; leave it out for the present state";
            ApiError::new("as_of_in_future", message)
        })?;
        self.at_least(READ_AS_OF, Some(Position(moment.position))).await?;
        Ok(Some(moment))
    }

    /// Waits until read models have come to a position, but not for long. Whatever else the request
    /// reads then waits for it too.
    ///
    /// # Errors
    /// `stale` when they have not, with where they are.
    pub async fn at_least(&self, models: &[&str], position: Option<Position>) -> Result<(), ApiError> {
        if let Some(Position(position)) = position {
            self.wanted.0.fetch_max(position.get(), Ordering::Relaxed);
        }
        self.wanted.settle(&self.services, models).await
    }
}

impl Wanted {
    /// Waits until read models show what the request asked for.
    ///
    /// # Errors
    /// `stale` when they do not in time, with where they are.
    pub async fn settle(&self, services: &Services, models: &[&str]) -> Result<(), ApiError> {
        let position = domain::Position::new(self.0.load(Ordering::Relaxed));
        if position == domain::Position::ZERO {
            return Ok(());
        }
        match services.projections.wait_for(models, position, PATIENCE).await {
            Ok(()) => Ok(()),
            Err(WaitError::Stale { at, wanted }) => Err(ApiError::stale(wanted, at)),
            Err(WaitError::Sql(error)) => Err(ApiError::internal(&error)),
        }
    }
}
