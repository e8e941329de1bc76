//! Where a password is read from: never the command line, which others can see.

use std::io::{self, Read};

use clap::Args;

use super::failure::Failure;

/// No password has more than 128 characters.
const LONGEST: u64 = 4096;

/// Where a password is read from.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct PasswordFrom {
    /// Reads the password from the first line of stdin, instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordFrom {
    /// A password that is known.
    pub(super) fn known(self) -> Result<String, Failure> {
        if self.password_stdin { first_line() } else { ask("Password: ") }
    }

    /// A password that is made up now, so it is asked for twice.
    pub(super) fn chosen(self) -> Result<String, Failure> {
        if self.password_stdin {
            return first_line();
        }
        let password = ask("New password (10 to 128 characters): ")?;
        match ask("The same again: ")? == password {
            true => Ok(password),
            false => Err(Failure::usage("the two passwords differ; run the command again")),
        }
    }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::usage(format!("no terminal to ask for the password ({error}); use --password-stdin")))
}

fn first_line() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("stdin can't be read: {error}")))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::usage("--password-stdin was given, but the first line of stdin is empty")),
    }
}
