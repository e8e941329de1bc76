//! PostgreSQL.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::program::{Process, command, find, folder, free_port, run};

const PACKAGE: &str = "postgresql";
const FOLDERS: &[&str] = &["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// Outlives a crash of the server, and not a power cut: for tests.
    Crash,
    /// Outlives a power cut: for benches.
    Full,
}

/// A PostgreSQL of its own.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    durability: Durability,
    settings: Vec<String>,
    process: Process,
    folder: TempDir,
}

/// A replica that follows a [`Postgres`].
#[derive(Debug)]
pub struct Replica(Postgres);

fn program(name: &str) -> PathBuf {
    find(name, FOLDERS, PACKAGE)
}

impl Postgres {
    /// The one of this test run.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Durability::Crash))
    }

    /// Starts one.
    pub fn start(durability: Durability) -> Self {
        Self::start_with(durability, &[])
    }

    /// Starts one with settings of its own, such as `shared_buffers=2GB`.
    pub fn start_with(durability: Durability, settings: &[&str]) -> Self {
        let folder = folder("postgres");
        let mut init = command(&program("initdb"), "KILL");
        init.current_dir("/").arg("--pgdata").arg(folder.path().join("data"));
        init.args(["--username=yeyak", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        run(init);
        Self::serve(folder, durability, settings)
    }

    fn serve(folder: TempDir, durability: Durability, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = Process::new("PostgreSQL", folder.path().join("log"));
        let mut postgres = Self { port: free_port(), durability, settings, process, folder };
        postgres.start_again();
        postgres
    }

    /// Starts it again over the same files, on the same port.
    pub fn start_again(&mut self) {
        let (port, folder) = (self.port, self.folder.path());
        let options = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", folder.display()),
            "max_connections=500".to_owned(),
            "shared_buffers=256MB".to_owned(),
            "wal_level=replica".to_owned(),
            "max_wal_size=2GB".to_owned(),
            format!("fsync={}", if self.durability == Durability::Full { "on" } else { "off" }),
        ];
        let serve = || {
            let mut serve = command(&program("postgres"), "INT");
            serve.current_dir("/").arg("-D").arg(folder.join("data"));
            // Of two that are the same the later counts.
            for option in options.iter().chain(&self.settings) {
                serve.arg("-c").arg(option);
            }
            serve
        };
        let port = port.to_string();
        let ready = || {
            let mut ask = Command::new(program("pg_isready"));
            ask.args(["--quiet", "--host=127.0.0.1", "--username=yeyak", "--dbname=postgres", "--port", &port]);
            ask.status().is_ok_and(|status| status.success())
        };
        self.process.start(serve, ready);
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://yeyak@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a new, empty database; gives its URL.
    pub fn create(&self) -> String {
        let name = crate::unique("yeyak");
        self.run_sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Makes a database that is a copy of another, which nobody is connected to; gives its URL.
    pub fn copy(&self, template: &str) -> String {
        let template = template.rsplit('/').next().expect("a name");
        let name = crate::unique("yeyak");
        // By file: a copy of a small database takes a tenth of the time that its log would.
        self.run_sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"));
        self.url(&name)
    }

    /// All that is in a database, as `pg_dump` writes it.
    pub fn dump(&self, url: &str) -> String {
        let mut dump = Command::new(program("pg_dump"));
        dump.arg(url);
        run(dump)
    }

    /// Makes a database that is a copy of another, which may be in use; gives its URL.
    pub fn duplicate(&self, url: &str) -> String {
        let copy = self.create();
        let script = self.folder.path().join("duplicate.sql");
        std::fs::write(&script, self.dump(url)).expect("the folder is ours");
        let mut psql = Command::new(program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null"]);
        psql.arg("--file").arg(&script).arg(&copy);
        run(psql);
        Self::ask(&copy, "ANALYZE");
        copy
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Deletes a database, whoever is connected to it.
    pub fn drop(&self, url: &str) {
        let name = url.rsplit('/').next().expect("a name");
        self.run_sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    /// Runs a statement in a database, given by its name or URL; what it answers, a line for each row.
    pub fn run_sql(&self, database: &str, statement: &str) -> String {
        let database = database.rsplit('/').next().expect("a name");
        Self::ask(&self.url(database), statement)
    }

    /// Runs a statement in the database of a URL; what it answers, a line for each row.
    pub fn ask(url: &str, statement: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command"]);
        psql.arg(statement).arg(url);
        run(psql)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.end("KILL");
    }

    /// Stops it as an operator does: transactions under way are rolled back, connections cut.
    pub fn stop(&mut self) {
        self.process.end("INT");
    }

    /// Starts a replica that follows this one, `delay_ms` behind.
    pub fn replica(&self, delay_ms: u32) -> Replica {
        let folder = folder("replica");
        let mut backup = command(&program("pg_basebackup"), "KILL");
        backup.current_dir("/").args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname"]);
        backup.arg(self.url("")).arg("--pgdata").arg(folder.path().join("data"));
        run(backup);
        let settings = folder.path().join("data/postgresql.auto.conf");
        let mut text = std::fs::read_to_string(&settings).expect("pg_basebackup wrote it");
        text.push_str(&format!("recovery_min_apply_delay = {delay_ms}\n"));
        std::fs::write(&settings, text).expect("it is ours");
        Replica(Self::serve(folder, self.durability, &[]))
    }
}

impl Replica {
    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.0.url(database.rsplit('/').next().expect("a name"))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill();
    }
}
