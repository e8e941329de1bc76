//! Programs that are started, end with this process, and can be hung, killed and started again.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// The account of what root starts; in every system's list.
const NOBODY: u32 = 65534;
const PREFIX: &str = "yeyak-services-";

/// Where a program is, by one of its usual places.
pub(crate) fn find(program: &str, folders: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_path = std::env::split_paths(&path).map(|folder| folder.join(program));
    let usual = folders.iter().map(|folder| Path::new(folder).join(program));
    let mut found: Vec<PathBuf> = usual.chain(of_path).filter(|file| file.is_file()).collect();
    assert!(!found.is_empty(), "{program} is not installed; `apt-get install {package}` installs it");
    found.swap_remove(0)
}

/// Below the ports that the system gives to connections (from 32768 on), and within what a Redis Cluster's bus port allows.
/// A port from among those could be taken by any connection while its program is down, and who asks a port again and again
/// whether somebody listens would in the end be connected to themselves.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port that was free a moment ago, and that this process gives nobody else.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<Mutex<u16>> = OnceLock::new();
    // Other test runs begin elsewhere.
    let chance =
        || u16::try_from(RandomState::new().hash_one(std::process::id()) % PORTS.len() as u64).expect("it is less");
    let mut next = NEXT.get_or_init(|| Mutex::new(chance())).lock().expect("nothing panics while it counts");
    let free = PORTS.into_iter().find_map(|_| {
        *next = (*next + 1) % PORTS.len() as u16;
        let port = PORTS.start + *next;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
    });
    free.expect("a free port")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A folder for a program's files, owned by the account that it runs as. Those of runs that ended are cleared away.
pub(crate) fn folder(program: &str) -> TempDir {
    static CLEARED: OnceLock<()> = OnceLock::new();
    CLEARED.get_or_init(clear_leftovers);
    let name = format!("{PREFIX}{}-{program}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&name).tempdir().expect("a folder");
    own(folder.path());
    folder
}

/// Gives a file or folder to the account that the programs run as.
pub(crate) fn own(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
    }
    if path.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
    }
}

fn clear_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()) else { continue };
        if !Path::new("/proc").join(process).exists() {
            // Another run may be clearing it at the same moment.
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A command that runs as the account of services, and is sent `death` when this process ends.
pub(crate) fn command(program: &Path, death: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", death]);
    if is_root() {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    command.arg(program).stdin(Stdio::null());
    command
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a program on a thread that lives as long as this process: the signal at a parent's death is sent when the *thread*
/// that started the program ends, and a test's thread ends with its test.
fn spawn(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, taken) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in taken {
                // Who asked waits for the answer.
                _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, started) = channel();
    keeper.lock().expect("no panic").send((command, answer)).expect("the keeper lives");
    started.recv().expect("the keeper answers")
}

/// A program that runs, or may be made to run again.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn new(name: &'static str, log: PathBuf) -> Self {
        Self { name, log, child: None }
    }

    /// Starts it, and waits until `ready`. A program that ends at once is started again for a while: what a killed one left
    /// behind may still be on its way out.
    pub(crate) fn start(&mut self, command: impl Fn() -> Command, ready: impl Fn() -> bool) {
        let began = Instant::now();
        loop {
            let log = fs::File::options().create(true).append(true).open(&self.log).expect("a log");
            let mut command = command();
            command.stdout(log.try_clone().expect("a log")).stderr(log);
            let name = self.name;
            let mut child = spawn(command).unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
            while child.try_wait().expect("our own child").is_none() {
                if ready() {
                    self.child = Some(child);
                    return;
                }
                assert!(began.elapsed() < PATIENCE, "{name} did not get ready: {}", self.said());
                thread::sleep(Duration::from_millis(20));
            }
            assert!(began.elapsed() < PATIENCE / 2, "{name} ended: {}", self.said());
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn said(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, signal: &str) {
        signal_to(self.id(), signal);
    }

    /// Stops it where it is, as a machine that hangs: it keeps its connections and answers nothing.
    pub(crate) fn hang(&self) {
        self.signal("STOP");
        // A thread on another core goes on for a moment.
        let tasks = Path::new("/proc").join(self.id().to_string()).join("task");
        let stopped = |task: &Path| {
            let status = fs::read_to_string(task.join("status")).unwrap_or_default();
            status.lines().filter(|line| line.starts_with("State:")).all(|line| line.contains('T'))
        };
        while !fs::read_dir(&tasks).expect("it lives").flatten().all(|task| stopped(&task.path())) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        signal_to(child.id(), signal);
        child.wait().expect("our own child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end("KILL");
    }
}

fn signal_to(process: u32, signal: &str) {
    // The shell's own `kill`: there is no safe call for it in the standard library.
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {process}")).status();
    assert!(sent.expect("a shell").success(), "{process} can't be signalled");
}

/// Runs a program to its end, which must be a good one.
pub(crate) fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether somebody listens on a port of this machine.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
