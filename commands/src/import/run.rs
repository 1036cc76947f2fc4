//! One import, from the file to its summary.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::business_line::BusinessLine;
use domain::envelope::Actor;
use domain::ids::CommandId;
use domain::values::{Code, LineKey};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use super::convert::Row;
use super::detect::{Layout, detect};
use super::error::ImportError;
use super::in_flight::{Outcome, Window};
use super::map::Map;
use super::patience::{Patience, Retry};
use super::plan::Plan;
use super::record::{Fault, Record};
use super::rejected::{RejectedFile, Rejection};
use super::source;
use super::summary::{Progress, Summary};
use crate::clock::fresh_uuid;
use crate::event_log::{Gathering, UniqueKey};
use crate::service::{CommandContext, CommandError, CommandService, Refused};
use crate::use_cases::clue::Route;

/// Commands at a time: while one commit of the log is under way, the next fills.
const COMMANDS: usize = 512;
/// How often progress is told when nothing moves.
const TICK: Duration = Duration::from_millis(200);
/// Most keys that a dry run remembers to find repeated rows within the file.
const MAX_SEEN: usize = 1 << 20;

/// How an import is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Append nothing, and tell what would happen.
    pub dry_run: bool,
    /// How long to wait for a store that does not answer.
    pub patience: Patience,
}

/// Takes the clues of a file in. Rejected rows go to a file of its name with `.rejected.csv` behind
/// it, which is whole once it is there. Dropping the future stops the import between two rows.
///
/// # Errors
/// See [`ImportError`]. A row that is rejected is no error.
pub async fn import(
    service: &CommandService,
    map: &Map,
    line: &LineKey,
    file: &Path,
    options: Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, ImportError> {
    let retry = Retry::new(options.patience);
    let actor = Actor::System(Code::new("import").map_err(|error| ImportError::Internal(error.to_string()))?);
    let context = CommandContext::new(CommandId::new(fresh_uuid(service.clock().now())), actor);
    let state = retry.until_answered(|| service.look::<BusinessLine>(&context, line)).await?;
    let (opened, layout) = open(file.to_owned(), map.clone()).await?;
    let plan = Arc::new(Plan::new(map.clone(), &layout, line.clone(), state)?);
    let rejected = RejectedFile::create(file, &layout).map_err(ImportError::Rejected)?;
    let mut batches = source::read(opened, &layout);
    let summary = Summary::new(context.correlation_id, options.dry_run, layout);
    let context = CommandContext { bulk: true, ..context };
    let mut run = Run::new(service, plan, context, retry, (summary, rejected), progress);
    while let Some(batch) = batches.recv().await {
        run.batch(batch?).await?;
    }
    while !run.commands.is_empty() {
        run.settle_one().await?;
    }
    run.tell()?;
    let Run { mut summary, rejected, .. } = run;
    fail::fail_point!("import.before-end");
    summary.rejected_file = rejected.finish().map_err(ImportError::Rejected)?;
    Ok(summary)
}

/// Opens the file and finds out how it is written.
async fn open(path: PathBuf, map: Map) -> Result<(File, Layout), ImportError> {
    let look = move || {
        let mut file = File::open(path).map_err(ImportError::Read)?;
        let layout = detect(&mut file, &map.format, &map.columns())?;
        Ok((file, layout))
    };
    tokio::task::spawn_blocking(look).await.map_err(|error| ImportError::Internal(error.to_string()))?
}

/// What a command came to.
enum Answer {
    Done,
    Refused(Refused),
}

type Settled = (u64, Row, Result<Answer, ImportError>);

struct Run<'a> {
    service: &'a CommandService,
    plan: Arc<Plan>,
    context: CommandContext,
    retry: Retry,
    progress: &'a mut (dyn FnMut(Progress) + Send),
    summary: Summary,
    rejected: RejectedFile,
    window: Window,
    commands: JoinSet<Settled>,
    /// What the rows in flight share with others.
    busy: HashSet<u64>,
    /// Keys that a dry run would have taken in.
    seen: HashSet<u64>,
    done: Progress,
    tick: Interval,
    /// Held while more commands come without waiting for those that are under way.
    gathering: Option<Gathering>,
}

impl<'a> Run<'a> {
    fn new(
        service: &'a CommandService,
        plan: Arc<Plan>,
        context: CommandContext,
        retry: Retry,
        (summary, rejected): (Summary, RejectedFile),
        progress: &'a mut (dyn FnMut(Progress) + Send),
    ) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = Progress { total_bytes: summary.layout.bytes, ..Progress::default() };
        Self {
            service,
            plan,
            context,
            retry,
            progress,
            summary,
            rejected,
            window: Window::default(),
            commands: JoinSet::new(),
            busy: HashSet::new(),
            seen: HashSet::new(),
            done,
            tick,
            gathering: None,
        }
    }

    async fn batch(&mut self, records: Vec<Record>) -> Result<(), ImportError> {
        let now = self.service.clock().now();
        let convert = |record: Record| {
            let cells = record.cells.as_deref().map_err(Clone::clone);
            let row = cells.and_then(|cells| self.plan.convert(cells, now));
            (record, row)
        };
        let rows: Vec<_> = records.into_iter().map(convert).collect();
        let mut known = self.known(&rows).await?.into_iter();
        for (record, row) in rows {
            let outcome = match &row {
                Err(fault) => Some(Outcome::Rejected(self.rejection(fault))),
                Ok(_) => known.next().unwrap_or(false).then_some(Outcome::Known),
            };
            match (row, outcome) {
                (Ok(row), None) => self.begin(record, row).await?,
                (_, outcome) => {
                    self.make_room(&[]).await?;
                    self.window.push(record, outcome);
                }
            }
        }
        self.tell()
    }

    /// For each row that became a command: whether its source record was taken in before. This spares
    /// a second run the commands; the command itself decides again for the others.
    async fn known(&self, rows: &[(Record, Result<Row, Fault>)]) -> Result<Vec<bool>, ImportError> {
        let rows = rows.iter().filter_map(|(_, row)| row.as_ref().ok());
        let keys: Vec<UniqueKey> = rows.filter_map(|row| row.capture.source_record()).collect();
        let log = self.service.log();
        let ask = || async { Ok(log.holders(&keys).await?) };
        let holders = self.retry.until_answered(ask).await?;
        Ok(holders.iter().map(Option::is_some).collect())
    }

    /// Sends the row's command, once no row before it that shares something with it is under way.
    async fn begin(&mut self, record: Record, row: Row) -> Result<(), ImportError> {
        self.make_room(&row.shared).await?;
        if self.summary.dry_run && self.is_repeated(&row) {
            self.window.push(record, Some(Outcome::Known));
            return Ok(());
        }
        let ticket = self.window.push(record, None);
        fail::fail_point!("import.row-begun");
        self.busy.extend(&row.shared);
        let command_id = CommandId::new(fresh_uuid(self.service.clock().now()));
        let context = CommandContext { command_id, occurred_at: row.occurred_at, ..self.context.clone() };
        let (service, retry, dry_run) = (self.service.clone(), self.retry.clone(), self.summary.dry_run);
        self.commands.spawn(async move {
            // Sent again, it is the same command: what was done before is then only told again.
            let send = || async {
                let done = if dry_run {
                    service.dry_run(&context, &row.capture).await
                } else {
                    service.execute(&context, &row.capture).await.map(|_| ())
                };
                match done {
                    Ok(()) => Ok(Answer::Done),
                    Err(CommandError::Refused(refused)) => Ok(Answer::Refused(refused)),
                    Err(error) => Err(error),
                }
            };
            let answer = retry.until_answered(send).await;
            (ticket, row, answer)
        });
        Ok(())
    }

    /// Whether this dry run met the row's key before. Beyond a number of keys it forgets the rest, so
    /// that it does not grow with the file.
    fn is_repeated(&mut self, row: &Row) -> bool {
        let Some(key) = row.shared.last() else { return false };
        if self.seen.len() >= MAX_SEEN {
            self.summary.approximate = true;
        }
        self.seen.contains(key)
    }

    /// Waits until a row that shares these things with others may begin.
    async fn make_room(&mut self, shared: &[u64]) -> Result<(), ImportError> {
        let blocked = |run: &Self| {
            run.commands.len() >= COMMANDS
                || run.window.is_full()
                || shared.iter().any(|thing| run.busy.contains(thing))
        };
        while blocked(self) {
            if self.commands.is_empty() {
                self.tell()?;
                continue;
            }
            if self.commands.len() < COMMANDS {
                // It waits for certain rows, so these must not wait for company.
                self.gathering = None;
            }
            self.settle_one().await?;
        }
        if self.gathering.is_none() && !self.summary.dry_run {
            self.gathering = Some(self.service.log().appender().gather());
        }
        Ok(())
    }

    /// Waits for one command, and tells progress meanwhile.
    async fn settle_one(&mut self) -> Result<(), ImportError> {
        let settled = loop {
            tokio::select! {
                biased;
                settled = self.commands.join_next() => break settled,
                _ = self.tick.tick() => self.report(),
            }
        };
        let Some(settled) = settled else { return Ok(()) };
        let (ticket, row, answer) = settled.map_err(|error| ImportError::Internal(error.to_string()))?;
        for thing in &row.shared {
            self.busy.remove(thing);
        }
        let outcome = match answer? {
            Answer::Done => {
                if self.summary.dry_run && self.seen.len() < MAX_SEEN {
                    self.seen.extend(row.shared.last());
                }
                Outcome::Accepted { won: matches!(row.capture.route, Route::Won { .. }) }
            }
            Answer::Refused(refused) => self.refusal(&row, refused)?,
        };
        fail::fail_point!("import.row-done");
        self.window.finish(ticket, outcome);
        self.tell()
    }

    fn refusal(&self, row: &Row, refused: Refused) -> Result<Outcome, ImportError> {
        match refused.code.as_str() {
            "source_already_known" => Ok(Outcome::Known),
            // Not this row's: the line was closed while the import ran.
            "line_closed" | "line_not_found" => Err(ImportError::LineClosed(self.plan.line_key.clone())),
            _ => {
                let column = self.plan.blame(row, &refused).map(|place| self.plan.column_name(place));
                Ok(Outcome::Rejected(Rejection { code: refused.code, column, reason: refused.message }))
            }
        }
    }

    fn rejection(&self, fault: &Fault) -> Rejection {
        Rejection {
            code: fault.code.to_owned(),
            column: fault.column.map(|place| self.plan.column_name(place)),
            reason: fault.reason.clone().into_owned(),
        }
    }

    /// Counts the rows at the front that are done, and writes down those that were rejected.
    fn tell(&mut self) -> Result<(), ImportError> {
        while let Some((record, outcome)) = self.window.pop() {
            self.done.bytes = record.end;
            // Further pieces of a row that is too long are no rows of their own.
            let counts = u64::from(!record.continued);
            self.summary.rows += counts;
            match outcome {
                Outcome::Accepted { won } => {
                    self.summary.accepted += 1;
                    self.summary.won += u64::from(won);
                }
                Outcome::Known => self.summary.known += 1,
                Outcome::Rejected(rejection) => {
                    self.rejected.add(record.line, &rejection, &record.raw).map_err(ImportError::Rejected)?;
                    *self.summary.rejected.entry(rejection.code).or_default() += counts;
                    self.done.rejected += counts;
                }
            }
        }
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        self.done.rows = self.summary.rows;
        self.done.accepted = self.summary.accepted;
        self.done.known = self.summary.known;
        self.done.waiting = self.retry.waiting();
        (self.progress)(self.done);
    }
}
