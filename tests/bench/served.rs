//! The whole server on a database of its own, and an agent who may use it.

use std::sync::Arc;
use std::time::Duration;

use api::app::App;
use api::auth::Tokens;
use commands::clock::{Clock, SystemClock};
use domain::ids::OperatorId;
use domain::operator::Role;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tests::served::Served;

/// The business line of the agents.
pub const LINE: &str = "used-car-sales";

/// A server, and the people of a business line.
pub struct Staffed {
    pub server: Served,
    /// A token of the first agent.
    pub token: String,
    /// A token of somebody with the role bi, and of an auditor.
    pub readers: [String; 2],
    /// Everybody who has clues.
    pub agents: Vec<OperatorId>,
}

impl Staffed {
    /// Migrates the database, serves and hires people. Read models stay as they are then.
    pub async fn on(options: &PgConnectOptions) -> Self {
        let mut connection = options.connect().await.expect("it answers");
        migrations::POSTGRES.run(&mut connection).await.expect("the schema");
        connection.close().await.expect("closed");
        let server = Served::in_roles(options, &[api::app::Role::Api]).await;
        let line = include_str!("../../docs/lines/used-car-sales.toml");
        let line = commands::line_file::parse(line).expect("a line");
        let app: &Arc<App> = &server.app;
        let staff = api::demo::hire(&app.commands, &[line], SystemClock.now()).await.expect("people");
        app.projections.catch_up().await.expect("read models");
        app.directory.refresh().await.expect("the directory");
        let agents: Vec<OperatorId> = staff.teams.iter().flat_map(|team| team.agents.clone()).collect();
        let tokens = Tokens::new(server.keys.signing()).expect("tokens");
        let hour = Duration::from_secs(3_600);
        let token = |operator| tokens.issue(operator, SystemClock.now(), hour).expect("a token").token;
        let readers = [Role::Bi, Role::Auditor].map(|wanted| {
            let found = staff.showcase.iter().find(|(role, ..)| *role == wanted);
            token(found.expect("somebody has the role").2)
        });
        Self { server, token: token(agents[0]), readers, agents }
    }
}
