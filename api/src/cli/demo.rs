//! `cluestream demo`: a believable month on the embedded store, then a server with live traffic.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commands::clock::{Clock, SystemClock};
use domain::Instant;
use domain::business_line::LineSpec;
use domain::operator::Role as OperatorRole;
use domain::values::LineKey;
use projections::operators::OperatorEntry;
use projections::{Projections, RunError, Snapshot};
use tokio::sync::watch;

use super::CliError;
use super::progress::Progress;
use crate::app::{App, Location, Role, ServeError, Service, migrate};
use crate::auth::Tokens;
use crate::config::{Config, DatabaseUrl};
use crate::demo::{self, DemoClock, Staff, Team};
use crate::http::{Server, stop_signal};
use crate::keys::{Keys, KeysError};

/// The lines of the demo, the busier one first.
const LINES: [&str; 2] = [
    include_str!("../../../docs/lines/used-car-sales.toml"),
    include_str!("../../../docs/lines/after-sale.toml"),
];
/// Length of the history.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Tokens of the demo are good for a day.
const TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the leases of a demo that was killed are waited for; they hold ten seconds.
const LEASES: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the demo keeps its files, keys included; an earlier demo there goes on
    #[arg(long, value_name = "DIRECTORY", default_value = "data/demo")]
    dir: PathBuf,
    /// The same seed gives the same people and decisions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// No clues arrive while it serves
    #[arg(long)]
    quiet: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let config = own(arguments, config)?;
    let server = Server::bind(config.listen).await.map_err(ServeError::from)?;
    let keys = keys(&config)?;
    migrate(&Location::of(&config.database_url)?).await?;
    let lines = LINES
        .iter()
        .map(|text| commands::line_file::parse(text).map_err(|error| CliError::Line(error.to_string())))
        .collect::<Result<Vec<LineSpec>, _>>()?;
    let now = SystemClock.now();
    let begin = Instant::from_micros(now.micros() - i64::try_from(MONTH.as_micros()).unwrap_or(0));
    let clock = Arc::new(DemoClock::starting_at(begin));
    let app = Arc::new(App::open(&config, &keys, clock.clone()).await?);
    if app.log.head().await?.position == domain::Position::ZERO {
        let staff = demo::hire(&app.commands, &lines, begin).await?;
        play(&app, &clock, &staff, &lines, now, arguments.seed).await?;
    }
    clock.go_live();
    catch_up(&app.projections).await?;
    app.directory.refresh().await.map_err(crate::app::AppError::from)?;
    let staff = staff(&app.directory.now(), &lines);
    let service = Service::new(
        server,
        app.clone(),
        &config,
        &keys,
        &[Role::Api, Role::Projections, Role::Checkpoints],
    )?;
    welcome(&service, &keys, &staff)?;
    let traffic = async {
        if arguments.quiet {
            return;
        }
        if let Err(error) = demo::keep_busy(&app.commands, &staff, &lines, arguments.seed).await {
            tracing::warn!(%error, "no more clues arrive");
        }
    };
    let (end, mut ended) = watch::channel(());
    let stop = async move {
        stop_signal().await;
        drop(end);
    };
    let traffic = async {
        tokio::select! {
            () = traffic => {}
            _ = ended.changed() => {}
        }
    };
    let (served, ()) = tokio::join!(service.run(stop), traffic);
    Ok(served?)
}

/// Brings the read models to the end of the log. A demo that was killed a moment ago has them until its
/// leases run out.
async fn catch_up(projections: &Projections) -> Result<(), RunError> {
    let mut waits = 0..LEASES.as_secs();
    loop {
        let held = match projections.catch_up().await {
            Err(RunError::Held(model)) => model,
            done => return done,
        };
        match waits.next() {
            Some(0) => {
                println!("An earlier demo was killed a moment ago. Its leases run out in some seconds.")
            }
            Some(_) => {}
            None => return Err(RunError::Held(held)),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The configuration with the demo's own files.
fn own(arguments: &Arguments, config: &Config) -> Result<Config, CliError> {
    let file = arguments.dir.join("cluestream.db");
    let url = DatabaseUrl::new(&format!("sqlite://{}", file.display())).map_err(CliError::Line)?;
    Ok(Config {
        database_url: url,
        event_store_url: None,
        keys_dir: arguments.dir.join("keys"),
        checkpoints_dir: arguments.dir.join("checkpoints"),
        ..config.clone()
    })
}

fn keys(config: &Config) -> Result<Keys, CliError> {
    match Keys::create(&config.keys_dir) {
        Ok(_) | Err(KeysError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let keys = Keys::load(&config.keys_dir)?;
    if keys.log().is_some() {
        return Ok(keys);
    }
    // An earlier demo did not sign its log.
    Keys::create_log_key(&config.keys_dir, None)?;
    Ok(Keys::load(&config.keys_dir)?)
}

async fn play(
    app: &App,
    clock: &DemoClock,
    staff: &Staff,
    lines: &[LineSpec],
    end: Instant,
    seed: u64,
) -> Result<(), CliError> {
    let begin = clock.now();
    let bar = Progress::begin("playing a month", "hours");
    let hours = |from: Instant, to: Instant| (to.micros_since(from) / 3_600_000_000).unsigned_abs();
    let mut progress = |at: Instant| bar.show(hours(begin, at), hours(begin, end));
    let report = demo::play_month(&app.commands, clock, staff, lines, end, seed, &mut progress).await?;
    bar.end();
    eprintln!("{} clues arrived, {} things happened to them", report.clues, report.steps);
    Ok(())
}

/// Who works here, from the directory: an earlier demo hired the same people.
fn staff(snapshot: &Snapshot, lines: &[LineSpec]) -> Staff {
    let has =
        |role: OperatorRole| move |roles: &std::collections::BTreeSet<OperatorRole>| roles.contains(&role);
    let mut teams = Vec::new();
    for spec in lines {
        let line: &LineKey = &spec.key;
        for team in snapshot.teams.values().filter(|team| team.line == *line) {
            let members = || snapshot.operators.values().filter(|one| one.scope.teams.contains(&team.id));
            let of = |role| members().filter(move |one| has(role)(&one.roles)).map(|one| one.id);
            let agents: Vec<_> = of(OperatorRole::Agent).collect();
            if let Some(lead) = of(OperatorRole::TeamLead).next()
                && !agents.is_empty()
            {
                teams.push(Team { line: line.clone(), lead, agents });
            }
        }
    }
    let showcase = OperatorRole::ALL.into_iter().filter_map(|role| {
        let able = snapshot.operators.values().filter(|one| has(role)(&one.roles) && !one.suspended);
        // Somebody of the busier line, and the same one whenever the demo goes on.
        let quiet =
            |one: &OperatorEntry| !lines.first().is_some_and(|spec| one.scope.lines.contains(&spec.key));
        let one = able.min_by_key(|one| (quiet(one), one.name.clone()))?;
        Some((role, one.name.clone().unwrap_or_default(), one.id))
    });
    Staff { teams, showcase: showcase.collect() }
}

fn welcome(service: &Service, keys: &Keys, staff: &Staff) -> Result<(), CliError> {
    let tokens = Tokens::new(keys.signing())?;
    let address = service.address();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nCluestream is up. Console with a token in it, one link a role:\n")?;
    for (role, name, id) in &staff.showcase {
        let token = tokens.issue(*id, SystemClock.now(), TOKEN)?.token;
        writeln!(out, "  {:<16} {name}\n    http://{address}/#token={token}\n", role.as_str())?;
    }
    for (title, role, query) in demo::QUERIES {
        writeln!(out, "  {title}, with the link of {}:\n    {query}\n", role.as_str())?;
    }
    writeln!(
        out,
        "GraphQL   http://{address}/graphql   (Authorization: Bearer <token>)\n\
         Events    http://{address}/events    (bi or auditor)\n\
         Proofs    http://{address}/log/checkpoint  (auditor)\n\
         Health    http://{address}/readyz    Metrics http://{address}/metrics\n\n\
         Clues arrive and are worked while it runs. Ctrl-C ends it.\n"
    )?;
    Ok(out.flush()?)
}
