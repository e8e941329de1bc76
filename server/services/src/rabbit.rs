//! RabbitMQ.

use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::program::{Process, command, find, folder, free_port, listens, own, run};

const PACKAGE: &str = "rabbitmq-server";
const FOLDERS: &[&str] = &["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin"];

/// A RabbitMQ of its own, with the names service that Erlang needs beside it.
#[derive(Debug)]
pub struct Rabbit {
    port: u16,
    distribution: u16,
    names_port: u16,
    node: String,
    process: Process,
    _names: Process,
    folder: TempDir,
}

impl Rabbit {
    /// The one of this test run.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Rabbit> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one.
    pub fn start() -> Self {
        let folder = folder("rabbit");
        let names_port = free_port();
        let mut names = Process::new("epmd", folder.path().join("epmd.log"));
        let epmd = || {
            let mut epmd = command(&find("epmd", &["/usr/bin"], "erlang-base"), "KILL");
            epmd.args(["-port", &names_port.to_string(), "-address", "127.0.0.1"]);
            epmd
        };
        names.start(epmd, || listens(names_port));
        for (name, text) in [("rabbitmq.conf", "log.console.level = warning\n"), ("plugins", "[].\n")] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("the folder is ours");
            own(&file);
        }
        let mut rabbit = Self {
            port: free_port(),
            distribution: free_port(),
            names_port,
            node: format!("{}@localhost", crate::unique("yeyak")),
            process: Process::new("RabbitMQ", folder.path().join("log")),
            _names: names,
            folder,
        };
        rabbit.start_again();
        rabbit
    }

    /// Starts it again over the same files, on the same port.
    pub fn start_again(&mut self) {
        let port = self.port;
        let settings = self.settings();
        let serve = || {
            let mut serve = command(&find("rabbitmq-server", FOLDERS, PACKAGE), "KILL");
            serve.current_dir("/").envs(settings.iter().cloned());
            // Otherwise the script waits for the broker as its parent, and the signal of our death reaches the script alone.
            serve.env("RUNNING_UNDER_SYSTEMD", "true");
            serve
        };
        self.process.start(serve, || listens(port));
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let inside = |name: &str| self.folder.path().join(name).display().to_string();
        vec![
            ("HOME", inside("")),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", self.names_port.to_string()),
            ("RABBITMQ_NODENAME", self.node.clone()),
            ("RABBITMQ_NODE_PORT", self.port.to_string()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string()),
            ("RABBITMQ_MNESIA_BASE", inside("mnesia")),
            ("RABBITMQ_LOG_BASE", inside("logs")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins")),
            ("RABBITMQ_PID_FILE", inside("pid")),
            ("RABBITMQ_CONF_ENV_FILE", inside("environment")),
            // Its schedulers would otherwise spin beside the programs under test.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none".to_owned()),
        ]
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// `rabbitmqctl`; what it answers.
    pub fn control(&self, words: &[&str]) -> String {
        let mut control: Command = command(&find("rabbitmqctl", FOLDERS, PACKAGE), "KILL");
        control.current_dir("/").envs(self.settings()).arg("--quiet").args(words);
        run(control)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.end("KILL");
    }

    /// Makes it answer nothing, with its connections open.
    pub fn hang(&self) {
        self.process.hang();
    }

    /// Ends a hang.
    pub fn go_on(&self) {
        self.process.signal("CONT");
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) {
        self.process.end("TERM");
    }
}
