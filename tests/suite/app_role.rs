//! The program working as a role of PostgreSQL that can append and read events, and not change them.

use api::app::{AppRoleError, Location, grant, migrate};
use commands::use_cases::clue::ClaimClue;
use commands::use_cases::customer::EraseCustomer;
use domain::operator::Role;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use tests::given::{World, parse};
use tests::postgres::Cluster;
use tests::served::Served;
use tests::stores::Store;

/// A database that one role owns and another one is to work on, as the guide says.
async fn two_roles() -> (Cluster, PgConnectOptions, PgConnectOptions) {
    let (cluster, administration) = Cluster::own(&["fsync=off"]).await;
    let mut connection = PgConnection::connect_with(&administration).await.unwrap();
    for statement in [
        "CREATE ROLE schema_owner LOGIN",
        "CREATE ROLE \"The App\" LOGIN",
        "GRANT \"The App\" TO schema_owner",
        "CREATE DATABASE shared_work OWNER schema_owner",
    ] {
        connection.execute(statement).await.unwrap();
    }
    let owner = administration.database("shared_work").username("schema_owner");
    let app = owner.clone().username("The App");
    (cluster, owner, app)
}

fn location(options: &PgConnectOptions) -> Location {
    Location::Postgres(Box::new(options.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_in_the_apps_role_and_the_database_refuses_it_any_change_of_events() {
    let (_cluster, owner, app) = two_roles().await;
    migrate(&location(&owner)).await.unwrap();
    // Twice: a later migration grants again, with read models that changed hands before.
    for _ in 0..2 {
        grant(&location(&owner), "The App").await.unwrap();
        migrate(&location(&owner)).await.unwrap();
    }

    let served = Served::on(&app).await;
    let world = World::new(served.app.commands.clone()).await;
    let (clue_id, customer_id) = world.pooled_clue("13800138000").await;
    let agent = world.hire(&[Role::Agent]).await;
    let claim = world.operator(agent);
    world.done(&claim, &ClaimClue { clue_id }).await;
    assert!(world.done(&claim, &ClaimClue { clue_id }).await.repeated);
    let ground = parse("request-of-the-person");
    world.done(&world.system(), &EraseCustomer { customer_id, ground }).await;
    world.service.forget_old_commands().await.unwrap();
    served.caught_up().await;
    for model in served.app.projections.names() {
        assert!(served.app.projections.rebuild(model, &|_| {}).await.unwrap().swapped);
        assert!(served.app.projections.verify(model, &|_| {}).await.unwrap().is_equal());
    }
    served.until_ready(true).await;
    let folder = tempfile::tempdir().unwrap();
    let (log, keys) = (folder.path().join("log"), folder.path().join("keys"));
    commands::backup::backup(&location(&app).place(), &log, &keys).await.unwrap();
    served.app.log.fence().await.unwrap();
    served.end().await;

    let store = Store::Postgres(app);
    let before = store.count("SELECT count(*) FROM events").await.unwrap();
    for forbidden in [
        "UPDATE events SET recorded_at = recorded_at",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TRIGGER events_append_only ON events",
        "DROP FUNCTION refuse_change CASCADE",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        "CREATE RULE quietly AS ON INSERT TO events DO INSTEAD NOTHING",
        "SET session_replication_role = replica",
        "DROP SCHEMA public CASCADE",
        "DELETE FROM log_head",
        "UPDATE log_head SET id = 1",
        "UPDATE commands SET result = ''",
        "UPDATE unique_keys SET owner = ''",
        "DELETE FROM _sqlx_migrations",
    ] {
        let error = store.execute(forbidden).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        // CREATE FUNCTION names no right but the ownership that is missing.
        assert_eq!(code, "42501", "{forbidden}: {error}");
    }
    assert_eq!(store.count("SELECT count(*) FROM events").await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_could_change_events_all_the_same_is_refused_and_gets_nothing() {
    let (_cluster, owner, app) = two_roles().await;
    migrate(&location(&owner)).await.unwrap();
    let administration = owner.clone().username("postgres");
    let mut connection = PgConnection::connect_with(&administration).await.unwrap();
    for statement in [
        "CREATE ROLE deputy LOGIN",
        "GRANT schema_owner TO deputy",
        "CREATE ROLE maker LOGIN CREATEROLE",
        "CREATE ROLE writer LOGIN",
        "GRANT pg_write_all_data TO writer",
    ] {
        connection.execute(statement).await.unwrap();
    }
    for mighty in ["postgres", "schema_owner", "deputy", "maker", "writer"] {
        let refused = grant(&location(&administration), mighty).await;
        assert!(matches!(refused, Err(AppRoleError::TooMighty(role)) if role == mighty), "{mighty}");
    }
    let nobody = grant(&location(&administration), "nobody").await;
    assert!(matches!(nobody, Err(AppRoleError::Unknown(_))));
    let sqlite = Location::Sqlite { log: "log".into(), views: "views".into(), keys: "keys".into() };
    assert!(matches!(grant(&sqlite, "The App").await, Err(AppRoleError::NoRoles)));

    let granted = "SELECT count(*) FROM information_schema.role_table_grants \
                   WHERE grantee IN ('deputy', 'maker', 'writer', 'The App')";
    assert_eq!(Store::Postgres(administration).count(granted).await.unwrap(), 0);
    assert!(Store::Postgres(app).count("SELECT count(*) FROM events").await.is_err());
}
