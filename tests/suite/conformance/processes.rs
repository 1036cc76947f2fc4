//! Two operating system processes that write one log: interleaved, in conflict, and one of them killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use commands::event_log::{AppendError, EventLog, append};
use domain::envelope::{Position, Revision};
use domain::ids::CommandId;
use tests::clock::ManualClock;
use tests::process::{child, told};
use tests::stores::{Backend, Store, open_at};
use tokio::sync::watch;

use super::event_log::{all, assert_dense, new_events, stream};

on_every_backend! {
    two_operating_system_processes_interleave_and_every_acknowledged_append_is_there_once,
    a_killed_process_leaves_whole_appends_and_the_other_one_goes_on,
}

/// The stream that all writers append to.
const SHARED: u128 = 100;
/// What precedes an acknowledged append on the output of a child process.
const ACKNOWLEDGED: &str = "acknowledged ";
/// How long all of a test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command and where its last event went.
type Acknowledged = (CommandId, Position);

/// Each append adds to the shared stream and to a stream of the writer's own, so that half an
/// append would show. It expects the shared stream as it left it: whoever was faster is a conflict.
struct Writer {
    log: Arc<dyn EventLog>,
    clock: Arc<ManualClock>,
    own: u128,
    own_revision: i64,
    shared_revision: i64,
    conflicts: usize,
}

impl Writer {
    /// A writer on the log at an address whose clock is late by so much.
    async fn pair(address: &str, late: Duration, own: u128) -> [Self; 2] {
        let clock = ManualClock::new();
        clock.step_back(late);
        let log = open_at(address, clock.clone()).await;
        [own, own + 1].map(|own| Self {
            log: log.clone(),
            clock: clock.clone(),
            own,
            own_revision: 0,
            shared_revision: 0,
            conflicts: 0,
        })
    }

    /// Appends under one command id until it is acknowledged.
    async fn append(&mut self) -> Acknowledged {
        self.clock.advance(Duration::from_millis(1));
        let mut new = new_events(&[(SHARED, self.shared_revision, 1), (self.own, self.own_revision, 1)]);
        loop {
            match append(self.log.as_ref(), new.clone()).await {
                Ok(appended) => {
                    self.shared_revision += 1;
                    self.own_revision += 1;
                    return (new.command.id, appended.position);
                }
                Err(AppendError::WrongExpectedRevision { stream: at, .. }) if at == stream(SHARED) => {
                    self.conflicts += 1;
                    let known = Revision::new(self.shared_revision);
                    let page = self.log.read_stream(&at, known, 10_000).await.expect("the stream reads");
                    self.shared_revision = page.last().map_or(known, |event| event.revision).get();
                    new.streams[0].expected = Revision::new(self.shared_revision);
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// The child process, and what it says was acknowledged.
struct Other {
    process: Child,
    acknowledged: watch::Receiver<Vec<Acknowledged>>,
    listener: JoinHandle<()>,
}

impl Other {
    fn start(store: &Store) -> Self {
        let name = "conformance::processes::a_child_process_appends_until_its_input_ends";
        let mut command = child(name, &store.address());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let output = process.stdout.take().expect("its output");
        let (heard, acknowledged) = watch::channel(Vec::new());
        let listener = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Whoever is killed may leave half a line: that append counts as not acknowledged.
                let Some((_, line)) = line.split_once(ACKNOWLEDGED) else { continue };
                let Some((id, position)) = line.split_once(' ') else { continue };
                let Some(position) = position.strip_suffix('.') else { continue };
                let position = Position::new(position.parse().expect("a position"));
                heard.send_modify(|all| all.push((id.parse().expect("a command id"), position)));
            }
        });
        Self { process, acknowledged, listener }
    }

    fn count(&self) -> usize {
        self.acknowledged.borrow().len()
    }

    /// Everything that was acknowledged to it, once it has ended.
    fn heard(self) -> Vec<Acknowledged> {
        self.listener.join().expect("the listener ends with the process");
        self.acknowledged.borrow().clone()
    }
}

/// Appends with both writers at once until it is `enough`.
async fn work(
    writers: &mut [Writer; 2],
    mut enough: impl FnMut(&[Acknowledged], usize) -> bool,
) -> Vec<Acknowledged> {
    let mut done = Vec::new();
    let working = async {
        while !enough(&done, writers.iter().map(|writer| writer.conflicts).sum()) {
            let [one, two] = &mut *writers;
            let (one, two) = tokio::join!(one.append(), two.append());
            done.extend([one, two]);
        }
    };
    tokio::time::timeout(PATIENCE, working).await.expect("both processes get on");
    done
}

/// Positions and revisions are dense, times never run backwards, each command is there whole and
/// once, and whatever was acknowledged is where the acknowledgement said. How many commands are there?
async fn assert_sound(log: &Arc<dyn EventLog>, acknowledged: &[Acknowledged]) -> usize {
    let events = all(log).await;
    assert_dense(&events);
    assert!(events.is_sorted_by_key(|event| event.recorded_at), "recorded times run forward");
    let mut commands: BTreeMap<CommandId, Vec<Position>> = BTreeMap::new();
    for event in &events {
        commands.entry(event.metadata.command_id).or_default().push(event.position);
    }
    for (command, positions) in &commands {
        assert!(
            matches!(positions.as_slice(), [first, second] if *second == first.next()),
            "{command} is at {positions:?}"
        );
    }
    for (command, position) in acknowledged {
        assert_eq!(commands.get(command).and_then(|at| at.last()), Some(position), "{command}");
        let stored = log.command(*command).await.unwrap().expect("its result is stored");
        assert_eq!(stored.position, *position);
    }
    commands.len()
}

async fn two_operating_system_processes_interleave_and_every_acknowledged_append_is_there_once(store: Store) {
    let mut other = Other::start(&store);
    let mut writers = Writer::pair(&store.address(), Duration::ZERO, 1).await;
    let mut acknowledged =
        work(&mut writers, |done, conflicts| done.len() >= 50 && conflicts >= 10 && other.count() >= 50)
            .await;
    drop(other.process.stdin.take());
    assert!(other.process.wait().unwrap().success(), "the other process had no other errors either");
    acknowledged.extend(other.heard());
    let commands = assert_sound(&writers[0].log, &acknowledged).await;
    assert_eq!(commands, acknowledged.len(), "whatever is there was acknowledged");
}

async fn a_killed_process_leaves_whole_appends_and_the_other_one_goes_on(store: Store) {
    let mut writers = Writer::pair(&store.address(), Duration::ZERO, 1).await;
    let mut acknowledged = Vec::new();
    let mut unknown = 0;
    for _ in 0..3 {
        let mut other = Other::start(&store);
        acknowledged.extend(work(&mut writers, |_, _| other.count() >= 15).await);
        // SIGKILL, with appends on their way.
        other.process.kill().unwrap();
        other.process.wait().unwrap();
        acknowledged.extend(other.heard());
        unknown += 2;
        acknowledged.extend(work(&mut writers, |done, _| done.len() >= 20).await);
    }
    let commands = assert_sound(&writers[0].log, &acknowledged).await;
    let unheard = commands - acknowledged.len();
    assert!(unheard <= unknown, "{unheard} appends that nobody waited for");
}

/// The body of the child process. Without a parent it appends a little to a store of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_process_appends_until_its_input_ends() {
    let store = Store::fresh(Backend::Sqlite).await;
    let ended = Arc::new(AtomicBool::new(false));
    let (address, own) = match told() {
        Some(address) => {
            let end = ended.clone();
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                end.store(true, Ordering::SeqCst);
            });
            (address, 1_000_000 * u128::from(std::process::id()))
        }
        None => (store.address(), 1),
    };
    let alone = told().is_none();
    let tasks = Writer::pair(&address, Duration::from_secs(3_600), own).await.map(|mut writer| {
        let ended = ended.clone();
        tokio::spawn(async move {
            while !(ended.load(Ordering::SeqCst) || alone && writer.own_revision >= 10) {
                let (command, position) = writer.append().await;
                println!("{ACKNOWLEDGED}{command} {position}.");
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
}
