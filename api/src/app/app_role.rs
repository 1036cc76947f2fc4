//! What the role that the program works as may do in PostgreSQL, so that the database itself keeps
//! the program, and whoever has its password, from changing events.
//!
//! Guarantees: all or nothing; the role ends with the least that the program needs; a role that
//! could change events by any other way, or give itself one, is refused.
//!
//! Deliberately absent: making roles and their passwords, which is the database's administration.

use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use super::location::Location;

/// Why a role cannot be made the one that the program works as.
#[derive(Debug, thiserror::Error)]
pub enum AppRoleError {
    /// SQLite knows no roles.
    #[error("SQLite has no roles: whoever may write the file may do anything")]
    NoRoles,
    /// There is no such role.
    #[error("the database has no role {0}: make it first, with CREATE ROLE")]
    Unknown(String),
    /// The role has more rights than it should, whatever is granted.
    #[error(
        "{0} could change events: it is a superuser, may create roles, owns the log or the database, or has \
         the rights of a role that does; take another one"
    )]
    TooMighty(String),
    /// The database refuses.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Rights on the tables of the log, of the vault and of the runner. Whatever else the owner of the
/// log has in the schema is a read model.
const RIGHTS: [(&str, &str); 11] = [
    ("events", "SELECT, INSERT"),
    ("log_head", "SELECT, UPDATE (position, epoch, recorded_at)"),
    ("log_source", "SELECT, INSERT"),
    ("commands", "SELECT, INSERT, DELETE"),
    ("unique_keys", "SELECT, INSERT, DELETE"),
    ("vault.data_keys", "SELECT, INSERT, DELETE, UPDATE (wrapped, master_version)"),
    ("checkpoints", "SELECT, INSERT, UPDATE, DELETE"),
    ("leases", "SELECT, INSERT, UPDATE, DELETE"),
    ("parked_events", "SELECT, INSERT, UPDATE, DELETE"),
    ("consumers", "SELECT, INSERT, UPDATE, DELETE"),
    ("_sqlx_migrations", "SELECT"),
];

/// Read models that do not belong to the role yet: a rebuild makes, renames and drops tables.
const READ_MODELS: &str = "\
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_class log ON log.oid = 'events'::regclass \
    WHERE c.relkind = 'r' AND c.relnamespace = log.relnamespace AND c.relowner = log.relowner \
    AND c.oid <> ALL ($1::text[]::regclass[]) ORDER BY 1";

const TOO_MIGHTY: &str = "\
    SELECT r.rolsuper OR r.rolcreaterole OR pg_has_role(r.oid, log.relowner, 'MEMBER') \
        OR pg_has_role(r.oid, d.datdba, 'MEMBER') \
        OR has_table_privilege(r.oid, log.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') \
        OR has_any_column_privilege(r.oid, log.oid, 'UPDATE') \
    FROM pg_roles r, pg_class log, pg_database d \
    WHERE r.rolname = $1 AND log.oid = 'events'::regclass AND d.datname = current_database()";

/// Gives a role what the program needs to work, and takes what it had beyond that. The schema must
/// be there; whoever calls owns it and is a member of the role, or is a superuser.
///
/// # Errors
/// See [`AppRoleError`]. Nothing is changed then.
pub async fn grant(location: &Location, role: &str) -> Result<(), AppRoleError> {
    let Location::Postgres(options) = location else { return Err(AppRoleError::NoRoles) };
    let mut connection: PgConnection = options.connect().await?;
    let mut tx = connection.begin().await?;
    let quoted: Option<String> =
        sqlx::query_scalar("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = $1")
            .bind(role)
            .fetch_optional(&mut *tx)
            .await?;
    let quoted = quoted.ok_or_else(|| AppRoleError::Unknown(role.to_owned()))?;
    for (table, rights) in RIGHTS {
        tx.execute(format!("REVOKE ALL ON {table} FROM {quoted}").as_str()).await?;
        tx.execute(format!("GRANT {rights} ON {table} TO {quoted}").as_str()).await?;
    }
    tx.execute(format!("GRANT USAGE ON SCHEMA vault TO {quoted}").as_str()).await?;
    tx.execute(format!("GRANT USAGE, CREATE ON SCHEMA public TO {quoted}").as_str()).await?;
    // Before read models change hands: the owner of the log must not be the role itself.
    if sqlx::query_scalar(TOO_MIGHTY).bind(role).fetch_one(&mut *tx).await? {
        return Err(AppRoleError::TooMighty(role.to_owned()));
    }
    let read_models: Vec<String> = sqlx::query_scalar(READ_MODELS)
        .bind(RIGHTS.map(|(table, _)| table).as_slice())
        .fetch_all(&mut *tx)
        .await?;
    for table in read_models {
        tx.execute(format!("ALTER TABLE {table} OWNER TO {quoted}").as_str()).await?;
    }
    tx.commit().await?;
    Ok(())
}
