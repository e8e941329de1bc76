//! The command line: serve, and everything an operator does beside it.

mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Sources;

/// The gRPC-first booking platform.
#[derive(Debug, Parser)]
#[command(name = "yeyak", version, about, propagate_version = true)]
struct Cli {
    /// A file of options; `yeyak config` shows them all.
    #[arg(long, global = true, env = "YEYAK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the platform; what `yeyak` alone does.
    Serve(serve::Serve),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let sources = Sources::read(config.as_deref());
    let outcome = match command.unwrap_or(Command::Serve(serve::Serve::default())) {
        Command::Serve(command) => command.run(sources),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yeyak: {error}");
            ExitCode::FAILURE
        }
    }
}
