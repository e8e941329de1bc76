//! The command `yeyak`.

use std::process::ExitCode;

fn main() -> ExitCode {
    yeyak_server::cli::run()
}
