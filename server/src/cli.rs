//! The command line: serve, and everything an operator does beside it.

mod admin;
mod call;
mod check;
mod completions;
mod config;
mod coupons;
mod demo;
mod failure;
mod health;
mod job;
mod login;
mod migrate;
mod output;
mod password;
mod place;
mod queue;
mod refusal;
mod serve;
mod session;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::EXIT_CODES;
use crate::config::Sources;

/// The gRPC-first booking platform.
#[derive(Debug, Parser)]
#[command(name = "yeyak", version, propagate_version = true, after_help = EXIT_CODES)]
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
    Call(call::Call),
    Login(login::Login),
    Logout(login::Logout),
    Health(health::Health),
    Config(config::Config),
    Migrate(migrate::Migrate),
    Check(check::Check),
    Demo(demo::Demo),
    #[command(subcommand)]
    Admin(admin::Admin),
    #[command(subcommand)]
    Job(job::Job),
    #[command(subcommand)]
    Queue(queue::Queue),
    #[command(subcommand)]
    Coupons(coupons::Coupons),
    Completions(completions::Completions),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let sources = Sources::read(config.as_deref());
    let outcome = match command.unwrap_or(Command::Serve(serve::Serve::default())) {
        Command::Serve(command) => command.run(sources),
        Command::Call(command) => command.run(),
        Command::Login(command) => command.run(),
        Command::Logout(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Config(command) => command.run(sources),
        Command::Migrate(command) => command.run(sources),
        Command::Check(command) => command.run(sources),
        Command::Demo(command) => command.run(sources),
        Command::Admin(command) => command.run(sources),
        Command::Job(command) => command.run(sources),
        Command::Queue(command) => command.run(sources),
        Command::Coupons(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
