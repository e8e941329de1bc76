//! Who a call is made as.

use clap::Args;
use prost_reflect::MethodDescriptor;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use yeyak::Client;
use yeyak_proto::ACT_AS_HEADER;

use super::super::failure::Failure;
use super::super::session::SessionFile;
use super::list;

/// Who the call is made as; without any of these, as who logged in with `yeyak login`.
#[derive(Args)]
pub(super) struct Identity {
    /// An access token.
    #[arg(long, env = "YEYAK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// An API key.
    #[arg(long, env = "YEYAK_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The member that the API key acts for.
    #[arg(long, value_name = "MEMBER")]
    act_as: Option<String>,
    #[command(flatten)]
    session: SessionFile,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Puts who calls into the headers, unless they say so already; who it is, when it is the session of `yeyak login`.
    pub(super) async fn put(
        &self,
        metadata: &mut MetadataMap,
        client: &Client,
        url: &str,
        method: &MethodDescriptor,
    ) -> Result<Option<String>, Failure> {
        if self.token.is_some() && self.api_key.is_some() {
            return Err(Failure::usage("give --token or --api-key, not both; YEYAK_TOKEN and YEYAK_API_KEY count too"));
        }
        if let Some(member) = &self.act_as {
            if self.api_key.is_none() {
                return Err(Failure::usage("--act-as needs --api-key: only an API key acts for members"));
            }
            set(metadata, ACT_AS_HEADER, member)?;
        }
        if metadata.contains_key("authorization") {
            return Ok(None);
        }
        let (bearer, email) = match self.token.as_ref().or(self.api_key.as_ref()) {
            Some(given) => (given.clone(), None),
            None if gives_tokens(method) => return Ok(None),
            None => match self.session.logged_in(client, url).await? {
                Some(session) => (session.access_token().to_owned(), Some(session.email)),
                None => return Ok(None),
            },
        };
        set(metadata, "authorization", &format!("Bearer {bearer}"))?;
        Ok(email)
    }
}

/// Logging in and refreshing need no token, and an old one would only be refused.
fn gives_tokens(method: &MethodDescriptor) -> bool {
    method.parent_service().full_name() == "yeyak.member.v1.AuthService" && is_public(method)
}

/// Whether nobody need say who they are.
pub(super) fn is_public(method: &MethodDescriptor) -> bool {
    list::access(method).contains(&"ACCESS_PUBLIC".to_owned())
}

/// Sets a header as it was typed.
pub(super) fn set(metadata: &mut MetadataMap, name: &str, value: &str) -> Result<(), Failure> {
    let key: AsciiMetadataKey = name
        .parse()
        .map_err(|_| Failure::usage(format!("`{name}` is not the name of a header that can be given here")))?;
    let value: AsciiMetadataValue =
        value.parse().map_err(|_| Failure::usage(format!("the value of the header `{name}` must be ASCII")))?;
    metadata.insert(key, value);
    Ok(())
}
