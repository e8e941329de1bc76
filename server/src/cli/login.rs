//! `yeyak login` and `yeyak logout`.

use clap::Args;
use tonic::Code;
use yeyak::proto::member::v1::LogOutRequest;

use super::failure::Failure;
use super::output;
use super::password::PasswordFrom;
use super::session::{Session, SessionFile};
use super::target::{Target, block_on};

/// Logs in; `yeyak call` then calls as this member.
#[derive(Args, Debug)]
pub(super) struct Login {
    /// The address of the account.
    email: String,
    #[command(flatten)]
    password: PasswordFrom,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    session: SessionFile,
}

impl Login {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut sessions = self.session.read()?;
        let password = self.password.known()?;
        block_on(async {
            let client = self.target.connect().await?;
            let member = client.log_in(&self.email, &password).await?;
            let tokens = client.tokens().ok_or_else(|| Failure::failed("the server gave no tokens"))?;
            sessions.keep(self.target.url(), Session::new(&member.email, tokens))?;
            let (name, url) = (member.display_name, self.target.url());
            output::say(format!("{name} ({}) is logged in at {url}.", member.email))?;
            output::note(format!("The tokens are kept in {}.", sessions.path().display()));
            Ok(())
        })
    }
}

/// Ends the session of `yeyak login` and forgets its tokens.
#[derive(Args, Debug)]
pub(super) struct Logout {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    session: SessionFile,
}

impl Logout {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut sessions = self.session.read()?;
        let url = self.target.url();
        let Some(session) = sessions.of(url).cloned() else {
            return output::say(format!("nobody is logged in at {url}"));
        };
        sessions.forget(url)?;
        let ended = block_on(async {
            let client = self.target.connect().await?.with_tokens(session.tokens());
            match client.auth().log_out(LogOutRequest::default()).await {
                // It had ended before.
                Err(error) if error.code == Code::Unauthenticated => Ok(()),
                outcome => Ok(outcome.map(drop)?),
            }
        });
        ended.map_err(|failure| {
            failure
                .and("The tokens are forgotten here, but the server was not told: the session lasts until it expires.")
        })?;
        output::say(format!("{} is logged out of {url}.", session.email))
    }
}
