//! A private PostgreSQL cluster for the test process, one database a test; or a cluster for one test.
//!
//! A cluster listens on a free port of the loopback interface. A small shell watches the test
//! process through a pipe: when the process ends, however it ends, the cluster stops and its folder
//! goes. `TEST_POSTGRES_URL` names a server to use instead.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use tokio::sync::OnceCell;

/// Every test process may have one cluster for all its tests.
static SHARED: OnceCell<(PgConnectOptions, Option<Cluster>)> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Connection options of a fresh, migrated database.
pub async fn fresh_database() -> PgConnectOptions {
    let (options, _) = SHARED.get_or_init(shared).await;
    let number = DATABASES.fetch_add(1, Ordering::SeqCst);
    let name = format!("test_{}_{number}", std::process::id());
    let mut connection = PgConnection::connect_with(options).await.expect("the cluster answers");
    connection
        .execute(format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}").as_str())
        .await
        .expect("a database from the template");
    options.clone().database(&name)
}

/// The database that every test's database is a copy of.
const TEMPLATE: &str = "cluestream_template";

async fn shared() -> (PgConnectOptions, Option<Cluster>) {
    let (options, cluster) = match std::env::var("TEST_POSTGRES_URL") {
        Ok(url) => (PgConnectOptions::from_str(&url).expect("TEST_POSTGRES_URL is an address"), None),
        Err(_) => {
            let cluster = Cluster::passing().expect("PostgreSQL's server programs are installed");
            (cluster.options.clone(), Some(cluster))
        }
    };
    let mut connection = connect_patiently(&options).await;
    let dropped = format!("DROP DATABASE IF EXISTS {TEMPLATE}");
    connection.execute(dropped.as_str()).await.expect("no template in use");
    connection.execute(format!("CREATE DATABASE {TEMPLATE}").as_str()).await.expect("a template");
    let mut template =
        PgConnection::connect_with(&options.clone().database(TEMPLATE)).await.expect("the template answers");
    migrations::POSTGRES.run(&mut template).await.expect("the schema");
    template.close().await.expect("the template is left");
    (options, cluster)
}

/// A connection to a server that may still be starting.
///
/// # Panics
/// When it does not answer within ten seconds.
pub async fn connect_patiently(options: &PgConnectOptions) -> PgConnection {
    let mut last = None;
    for _ in 0..200 {
        match PgConnection::connect_with(options).await {
            Ok(connection) => return connection,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("PostgreSQL did not start: {last:?}");
}

/// How a standby calls itself, for `synchronous_standby_names`.
pub const STANDBY: &str = "standby";

/// A cluster, gone with this handle or with the process. A test that has one for itself may crash
/// it and look at its files.
pub struct Cluster {
    options: PgConnectOptions,
    data: PathBuf,
    settings: String,
    _watcher: Child,
}

impl Cluster {
    /// Starts a cluster with extra server settings. It may not answer yet.
    ///
    /// # Errors
    /// When the server programs are not installed, or a program fails.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        Self::start_below(&std::env::temp_dir(), settings)
    }

    /// Starts a cluster for tests that make a database each and lose nothing when it is gone: in memory,
    /// where making a database takes a tenth of the time, if there is plenty of it.
    ///
    /// # Errors
    /// When the server programs are not installed, or a program fails.
    pub fn passing() -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let place = if has_plenty(memory) { memory.to_owned() } else { std::env::temp_dir() };
        Self::start_below(&place, &["fsync=off", "full_page_writes=off"])
    }

    fn start_below(place: &Path, settings: &[&str]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("cluestream-pg-").tempdir_in(place)?.keep();
        initialise(&folder, &[])?;
        Self::launch(&folder, settings)
    }

    /// Starts a cluster whose files are in a folder, which goes with it. The folder may be on a small
    /// disk.
    ///
    /// # Errors
    /// When the server programs are not installed, or a program fails.
    pub fn start_in(folder: &Path, settings: &[&str]) -> io::Result<Self> {
        initialise(folder, &["--wal-segsize=1"])?;
        Self::launch(folder, settings)
    }

    /// Starts a server on the files that are in a folder.
    fn launch(folder: &Path, settings: &[&str]) -> io::Result<Self> {
        let programs = server_programs()?;
        let data = folder.join("data");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = vec![
            format!("-p {port}"),
            "-c listen_addresses=127.0.0.1".to_owned(),
            format!("-c unix_socket_directories={}", folder.display()),
            "-c max_connections=300".to_owned(),
            // In its folder, so that a server that is killed leaves nothing behind.
            "-c dynamic_shared_memory_type=mmap".to_owned(),
        ];
        server.extend(settings.iter().map(|setting| format!("-c {setting}")));
        let settings = server.join(" ");
        let script = format!(
            "{prefix} {programs}/postgres -D {data} {settings} >{folder}/log 2>&1 &
             cat >/dev/null; {prefix} {programs}/pg_ctl stop -D {data} -m immediate >/dev/null 2>&1; rm -rf {folder}",
            prefix = if is_root() { SETPRIV.join(" ") } else { String::new() },
            programs = programs.display(),
            data = data.display(),
            folder = folder.display(),
        );
        let watcher = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn()?;
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username("postgres")
            .database("postgres");
        Ok(Self { options, data, settings, _watcher: watcher })
    }

    /// A fresh, migrated database of a cluster that the test has for itself.
    ///
    /// # Panics
    /// When the cluster does not start.
    pub async fn own(settings: &[&str]) -> (Self, PgConnectOptions) {
        let cluster = Self::start(settings).expect("PostgreSQL's server programs are installed");
        let options = cluster.database("cluestream").await;
        let mut database = PgConnection::connect_with(&options).await.expect("the database answers");
        migrations::POSTGRES.run(&mut database).await.expect("the schema");
        (cluster, options)
    }

    /// How its administrator connects.
    #[must_use]
    pub const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A fresh, empty database.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn database(&self, name: &str) -> PgConnectOptions {
        let mut connection = connect_patiently(&self.options).await;
        connection.execute(format!("CREATE DATABASE {name}").as_str()).await.expect("a database");
        self.options.clone().database(name)
    }

    /// The folder of its files.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Stops it at once, without a word to anybody, as a power cut would.
    ///
    /// # Panics
    /// When it does not run.
    pub fn crash(&self) {
        let mut stop = self.control("stop");
        run(stop.args(["-m", "immediate"])).expect("the cluster stops");
    }

    /// Starts it again on the same files at the same port, and waits until it has recovered.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        self.try_restart().expect("the cluster starts");
    }

    /// Tries to start it again on the same files at the same port.
    ///
    /// # Errors
    /// When it does not start, for what is left of it has not ended for example.
    pub fn try_restart(&self) -> io::Result<()> {
        let mut start = self.control("start");
        start.args(["-o", &self.settings, "-l"]).arg(self.data.join("log"));
        run(&mut start)
    }

    /// Starts a standby of it in a folder, which goes with the standby.
    ///
    /// # Errors
    /// When the copy cannot be made.
    pub fn standby_in(&self, folder: &Path, settings: &[&str]) -> io::Result<Self> {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
        let primary = format!(
            "host=127.0.0.1 port={} user=postgres application_name={STANDBY}",
            self.options.get_port()
        );
        run(as_user(&server_programs()?.join("pg_basebackup"))
            .args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--wal-method=stream", "-d"])
            .arg(primary)
            .arg("-D")
            .arg(folder.join("data")))?;
        Self::launch(folder, settings)
    }

    /// Makes a standby the primary.
    ///
    /// # Panics
    /// When it is no standby, or does not become the primary.
    pub fn promote(&self) {
        run(&mut self.control("promote")).expect("the standby takes over");
    }

    /// Whether its server runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.control("status").output().is_ok_and(|output| output.status.success())
    }

    /// `kill -9` of its first process; the others end when they notice.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        let first = self.processes().into_iter().next().expect("the server runs");
        kill_process(first, Signal::KILL).expect("the server runs");
    }

    /// Sends a signal to every process of its server.
    pub fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // One that has ended meanwhile needs none.
            let _ = kill_process(process, signal);
        }
    }

    /// Its first process and the children of that.
    fn processes(&self) -> Vec<Pid> {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let Some(first) = file.lines().next().and_then(|line| line.parse().ok()) else { return Vec::new() };
        let stat = |entry: fs::DirEntry| {
            let process: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `pid (name) state parent …`; the name may hold anything.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()?;
            (parent == first).then_some(process)
        };
        let processes = fs::read_dir("/proc").expect("Linux").flatten().filter_map(stat);
        std::iter::once(first).chain(processes).filter_map(Pid::from_raw).collect()
    }

    fn control(&self, action: &str) -> Command {
        let programs = server_programs().expect("PostgreSQL's server programs are installed");
        let mut command = as_user(&programs.join("pg_ctl"));
        command.args([action, "--wait", "-D"]).arg(&self.data);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A stopped process would not hear that it has to end.
        self.signal(Signal::CONT);
    }
}

/// Whether a file system in memory has room for the databases of all tests, and the machine for both.
fn has_plenty(memory: &Path) -> bool {
    const ROOM: u64 = 6 << 30;
    let room = rustix::fs::statvfs(memory).is_ok_and(|state| state.f_bavail * state.f_frsize >= ROOM);
    let free = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = free.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = free.and_then(|kibibytes| kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    room && free.is_some_and(|kibibytes| kibibytes << 10 >= 2 * ROOM)
}

/// Makes the files of a cluster in a folder.
fn initialise(folder: &Path, arguments: &[&str]) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    run(as_user(&server_programs()?.join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .args(arguments)
        .arg("-D")
        .arg(folder.join("data")))
}

const SETPRIV: [&str; 4] = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

/// PostgreSQL refuses to run as root, so root runs it as `nobody`.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV[0]);
    command.args(&SETPRIV[1..]).arg(program);
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// The folder of the newest installed server's programs.
fn server_programs() -> io::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().ok_or_else(|| io::Error::other("no PostgreSQL server is installed"))
}
