//! Runs a command beside a PostgreSQL server of its own, whose address it finds in
//! `TEST_POSTGRES_URL`. A server that is named there already is used instead.

use std::process::{Command, ExitCode};

use tests::postgres::{Cluster, connect_patiently};
use tests::process::as_from_a_shell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let mut command = Command::new(&program);
    as_from_a_shell(&mut command).args(words);
    let _server = if std::env::var_os("TEST_POSTGRES_URL").is_some() {
        None
    } else {
        match Cluster::passing() {
            Ok(server) => {
                let (host, port) = (server.options().get_host(), server.options().get_port());
                drop(connect_patiently(server.options()).await);
                command.env("TEST_POSTGRES_URL", format!("postgres://postgres@{host}:{port}/postgres"));
                Some(server)
            }
            Err(error) => {
                eprintln!("PostgreSQL did not start: {error}");
                return ExitCode::FAILURE;
            }
        }
    };
    match command.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{} did not start: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
