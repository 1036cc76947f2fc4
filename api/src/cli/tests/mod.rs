//! The command line by itself, and audits of files without a server.

mod offline;

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_well_formed_and_takes_no_secret() {
    let command = Cli::command();
    command.clone().debug_assert();
    let names = command.get_arguments().filter_map(|argument| argument.get_long());
    let secret = |name: &str| ["password", "secret", "pepper", "master"].iter().any(|s| name.contains(s));
    assert!(!names.into_iter().any(secret));
}
