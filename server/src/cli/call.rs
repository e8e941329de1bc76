//! `yeyak call`: any RPC from a shell, by what the server says of itself.
//!
//! Promises:
//! - descriptors come from the server's reflection, so that every service can be called, ours or not;
//! - a token of `yeyak login` goes to the server that gave it, and to no other;
//! - the answer alone is on stdout, as proto3 JSON with the names of the proto files.

mod body;
mod codec;
mod comment;
mod describe;
mod enumeration;
mod identity;
mod list;
mod name;
mod reflection;
mod send;
mod template;

use std::time::Duration;

use clap::{ArgGroup, Args};

use self::identity::Identity;
use self::reflection::Reflection;
use super::failure::{EXIT_CODES, Failure};
use super::target::{Target, block_on};

const EXAMPLES: &str = "\
Examples:
  yeyak call --list
  yeyak call --list yeyak.member.v1.AuthService
  yeyak call --describe yeyak.member.v1.AuthService/SignUp
  yeyak call AuthService/VerifyToken '{\"access_token\": \"…\"}'
  yeyak call yeyak.member.v1.AuthService/SignUp @sign_up.json
  yeyak call AuthService/ListSessions --json | jq .sessions

The body is proto3 JSON. Values of enums may be given short, as \"JEJU\" for REGION_JEJU.";

/// Calls an RPC, or lists and describes what can be called.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(group = ArgGroup::new("look").args(["list", "describe"]))]
pub(super) struct Call {
    /// The RPC, as `package.Service/Method`; with --list a service; with --describe any name.
    #[arg(value_name = "RPC", required_unless_present = "list")]
    name: Option<String>,
    /// The request as JSON; `@file` reads it from a file, `-` from stdin.
    #[arg(value_name = "JSON", conflicts_with = "look")]
    body: Option<String>,
    /// Lists the services, or the RPCs of one.
    #[arg(long)]
    list: bool,
    /// Prints a service, an RPC, a message or an enum in proto syntax, and a request to begin with.
    #[arg(long)]
    describe: bool,
    /// How long the call may take, such as 500ms, 10s or 2m; without it 10s, and for streams as long as they last.
    #[arg(long, value_parser = deadline, value_name = "TIME")]
    deadline: Option<Duration>,
    /// Sends a header, as 'name: value'; may be repeated.
    #[arg(short = 'H', long = "header", value_parser = header, value_name = "HEADER")]
    headers: Vec<(String, String)>,
    /// Shows the headers of request and answer on stderr.
    #[arg(short, long)]
    verbose: bool,
    /// Prints fields that have their default value too.
    #[arg(long)]
    defaults: bool,
    /// Prints for machines: one line a message, lists as JSON, refusals as JSON on stderr.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    target: Target,
}

impl Call {
    pub(super) fn run(self) -> Result<(), Failure> {
        block_on(async {
            let client = self.target.connect().await?;
            let mut reflection = Reflection::open(&client).await.map_err(Failure::when_unreached)?;
            match &self.name {
                None => list::services(&mut reflection, self.json).await,
                Some(name) if self.list => list::methods(&mut reflection, name, self.json).await,
                Some(name) if self.describe => describe::describe(&mut reflection, name).await,
                Some(name) => {
                    let method = name::method(&mut reflection, name).await?;
                    let request = body::read(&method.input(), self.body.as_deref())?;
                    send::send(&self, &client, &method, request).await
                }
            }
        })
    }
}

/// Reads `500ms`, `10s`, `2m`, `1h`, or a number of seconds.
fn deadline(text: &str) -> Result<Duration, String> {
    let at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u32 = number.parse().map_err(|_| "must be a time such as 500ms, 10s or 2m".to_owned())?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "" | "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return Err(format!("`{unit}` is not a unit of time; use ms, s, m or h")),
    };
    match unit.checked_mul(number) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("must be longer than nothing".to_owned()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be 'name: value'")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_have_a_unit_or_are_seconds() {
        assert_eq!(deadline("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(deadline("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(deadline("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(deadline("7"), Ok(Duration::from_secs(7)));
        for wrong in ["", "s", "0s", "10x", "-1s", "99999999999s"] {
            assert!(deadline(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("X-Request-Id: a:b"), Ok(("x-request-id".to_owned(), "a:b".to_owned())));
        assert!(header("nothing").is_err());
    }
}
