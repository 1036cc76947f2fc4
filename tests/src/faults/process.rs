//! The program as a child process: a server, or a command that ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::PATIENCE;
use super::binary::{binary, fake_clock};

/// What a server says when it listens.
const SERVES: &str = "cluestream serves at ";
/// How often something is looked at that tells nobody when it changes.
pub const POLL: Duration = Duration::from_millis(20);

/// How a child process is started.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Environment of every child of a run.
    pub environment: Vec<(&'static str, String)>,
    /// Fail points: see `api/src/fail_points.rs`.
    pub fail_points: String,
    /// A file that says by how much its clock is wrong.
    pub clock: Option<PathBuf>,
}

impl Setting {
    /// With fail points.
    #[must_use]
    pub fn armed(&self, fail_points: impl Into<String>) -> Self {
        Self { fail_points: fail_points.into(), ..self.clone() }
    }

    /// With a clock that goes by a file.
    #[must_use]
    pub fn with_clock(&self, file: PathBuf) -> Self {
        Self { clock: Some(file), ..self.clone() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // A child ends with the thread that started it, so that a killed test leaves none behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        if !self.fail_points.is_empty() {
            command.env("FAIL_POINTS", &self.fail_points);
        }
        if let Some(file) = &self.clock {
            command.env("LD_PRELOAD", fake_clock()).env("FAKETIME_TIMESTAMP_FILE", file);
            command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command of the program to its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let child = self.command(arguments).spawn().expect("the program starts");
        let id = child.id();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        let Ok(output) = timeout_at(Instant::now() + PATIENCE, ended).await else {
            signal(id, Signal::KILL);
            panic!("cluestream {} does not end", arguments.join(" "));
        };
        output.expect("a thread").expect("its output")
    }

    /// Runs a command that must succeed; what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (said, told) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "cluestream {}: {said}{told}", arguments.join(" "));
        said.trim().to_owned()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    // One that has ended needs none.
    let _ = kill_process(id, signal);
}

/// Whether it was ended by `kill -9`.
#[must_use]
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// A server that was started. It is killed with this handle.
pub struct Serving {
    child: Child,
    said: watch::Receiver<Said>,
}

/// What a server said on standard error.
#[derive(Clone, Default)]
struct Said {
    lines: Arc<Mutex<Vec<String>>>,
    count: usize,
    over: bool,
}

impl Said {
    fn line(&self, part: &str) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| line.contains(part)).cloned()
    }
}

impl Serving {
    /// Starts a server at a free port.
    ///
    /// # Panics
    /// When the program does not start.
    #[must_use]
    pub fn start(setting: &Setting) -> Self {
        let mut command = setting.command(&["serve"]);
        let mut child = command.env("LISTEN", "127.0.0.1:0").spawn().expect("the program starts");
        let (tell, said) = watch::channel(Said::default());
        let errors = child.stderr.take().expect("its errors");
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                tell.send_modify(|said| {
                    said.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    said.count += 1;
                });
            }
            tell.send_modify(|said| said.over = true);
        });
        Self { child, said }
    }

    /// Starts a server that listens.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn listening(setting: &Setting) -> (Self, String) {
        let server = Self::start(setting);
        let url =
            server.url().await.unwrap_or_else(|| panic!("the server does not start: {}", server.tail()));
        (server, url)
    }

    /// Where it listens; nothing when it ends before it does.
    pub async fn url(&self) -> Option<String> {
        let line = self.says(SERVES).await?;
        line.split_once(SERVES).map(|(_, url)| url.trim().to_owned())
    }

    /// Waits for a line with these words; nothing when it ends without one.
    ///
    /// # Panics
    /// When it does neither.
    pub async fn says(&self, part: &str) -> Option<String> {
        let mut said = self.said.clone();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = said.borrow_and_update().clone();
            if let Some(line) = now.line(part) {
                return Some(line);
            }
            if now.over {
                return None;
            }
            let changed = timeout_at(deadline, said.changed()).await;
            let Ok(_) = changed else { panic!("the server does not say {part:?}: {}", self.tail()) };
        }
    }

    /// The last that it said.
    #[must_use]
    pub fn tail(&self) -> String {
        let said = self.said.borrow();
        let lines = said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    /// When the operating system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end: {}", self.tail());
            sleep(POLL).await;
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub async fn end(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "the server ends with {status}: {}", self.tail());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What a faked clock leaves in memory when its program is killed.
        for kind in ["faketime_shm_", "sem.faketime_sem_"] {
            let _ = std::fs::remove_file(format!("/dev/shm/{kind}{}", self.child.id()));
        }
    }
}
