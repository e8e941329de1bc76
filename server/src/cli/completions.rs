//! `yeyak completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;
use super::output;

/// Prints completions, such as for `yeyak completions bash > /etc/bash_completion.d/yeyak`.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell they are for.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "yeyak", &mut script);
        output::say(String::from_utf8_lossy(&script).trim_end())
    }
}
