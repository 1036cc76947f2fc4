//! A database that goes away and comes back under a running server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use commands::service::{CommandContext, CommandError, CommandService, Receipt};
use commands::use_cases::clue::{CaptureClue, Route};
use domain::envelope::Position;
use domain::ids::CommandId;
use tests::given::{Person, World};
use tests::postgres::Cluster;
use tests::served::Served;
use tests::stores::Store;
use tokio::sync::mpsc;

/// How long to wait for the next answer to anybody.
const PATIENCE: Duration = Duration::from_secs(60);

const PERSON: Person<'_> = Person { name: "Li Wei", phone: "13900139000" };

/// A command that was handed in, and what came of it.
struct Answer {
    context: CommandContext,
    capture: CaptureClue,
    result: Result<Receipt, CommandError>,
}

/// Callers that hand in one command after the other, each with a phone number of its own.
struct Callers {
    answers: mpsc::UnboundedReceiver<Answer>,
    heard: Vec<Answer>,
    stop: Arc<AtomicBool>,
}

impl Callers {
    fn start(world: &Arc<World>, count: usize) -> Self {
        let (send, answers) = mpsc::unbounded_channel();
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        for _ in 0..count {
            let (world, send, stop, next) = (world.clone(), send.clone(), stop.clone(), next.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let phone = format!("1380{:07}", next.fetch_add(1, Ordering::SeqCst));
                    let capture = world.capture(&Person { phone: &phone, ..PERSON }, None, Route::Pool);
                    let context = world.system();
                    let result = world.service.execute(&context, &capture).await;
                    let _ = send.send(Answer { context, capture, result });
                }
            });
        }
        Self { answers, heard: Vec::new(), stop }
    }

    /// Listens until so many more commands are done, or have failed.
    async fn until(&mut self, count: usize, done: bool) {
        let mut left = count;
        while left > 0 {
            let next = tokio::time::timeout(PATIENCE, self.answers.recv()).await.expect("nobody hangs");
            let answer = next.expect("callers go on");
            left -= usize::from(answer.result.is_ok() == done);
            self.heard.push(answer);
        }
    }

    /// Lets the callers end; everything that they were answered.
    async fn end(mut self) -> Vec<Answer> {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(answer) = self.answers.recv().await {
            self.heard.push(answer);
        }
        self.heard
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_back_finds_every_command_done_once_or_repeatable_and_the_server_ready() {
    let (cluster, database) = Cluster::own(&["fsync=off"]).await;
    let served = Served::on(&database).await;
    let world = Arc::new(World::new(served.app.commands.clone()).await);
    served.until_ready(true).await;
    let mut callers = Callers::start(&world, 4);
    callers.until(20, true).await;

    // Back at once: what was on its way may fail, nobody has to wait long.
    cluster.crash();
    cluster.restart();
    callers.until(20, true).await;

    // Away for longer than anybody waits.
    cluster.crash();
    served.until_ready(false).await;
    // One that has nothing in memory cannot even load what it decides on.
    let cold = CommandService::new(served.app.log.clone(), served.app.vault.clone(), world.clock.clone());
    let (context, capture) = (world.system(), world.capture(&PERSON, None, Route::Pool));
    let (unloaded, ()) = tokio::join!(cold.execute(&context, &capture), callers.until(4, false));
    assert_eq!(unloaded.map_err(|error| error.code().to_owned()), Err("unavailable".to_owned()));
    assert!(!served.is_ready().await);
    cluster.restart();
    callers.until(20, true).await;
    served.until_ready(true).await;
    let answers = callers.end().await;

    let mut failed = 0;
    for Answer { context, capture, result } in &answers {
        let again = world.service.execute(context, capture).await.expect("the store is back");
        match result {
            Ok(first) => {
                assert!(again.repeated);
                assert_eq!((again.position, &again.ids), (first.position, &first.ids));
            }
            Err(error) => {
                assert_eq!(error.code(), "unavailable", "{error:?}");
                failed += 1;
            }
        }
    }
    assert!(failed >= 4);

    let mut captured: BTreeMap<CommandId, usize> = BTreeMap::new();
    for event in served.app.log.read(Position::ZERO, 100_000).await.expect("no hole") {
        if &*event.event_type == "clue.captured" {
            *captured.entry(event.metadata.command_id).or_default() += 1;
        }
    }
    for Answer { context, .. } in &answers {
        assert_eq!(captured.get(&context.command_id), Some(&1), "one effect each");
    }
    assert_eq!(captured.len(), answers.len());

    served.caught_up().await;
    let clues = Store::Postgres(database).count("SELECT count(*) FROM clue_list").await.unwrap();
    assert_eq!(usize::try_from(clues), Ok(answers.len()));
    for model in served.app.projections.names() {
        let report = served.app.projections.verify(model, &|_| {}).await.expect("it replays");
        assert!(report.is_equal() && report.parked == 0, "{report:?}");
    }
    served.end().await;
}
