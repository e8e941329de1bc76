//! Who a token belongs to.

use async_trait::async_trait;

use super::Members;
use super::api_key;
use super::token::Claims;
use crate::error::Error;
use crate::kit::caller::{Caller, Denied, Member, Roles, Unauthenticated};
use crate::layer::auth::{Authenticate, Credentials};

impl Members {
    /// What an access token says, when it is good and its session lives.
    pub(super) async fn verify_token(&self, token: &str) -> Result<Option<(Claims, Roles)>, Error> {
        let Some(claims) = self.tokens.verify(token) else { return Ok(None) };
        let live = self.liveness.member(claims.session).await?;
        Ok(live.filter(|(member, _)| *member == claims.member).map(|(_, roles)| (claims, roles)))
    }
}

#[async_trait]
impl Authenticate for Members {
    async fn caller(&self, credentials: Credentials<'_>) -> Result<Caller, Error> {
        if credentials.token.starts_with(api_key::PREFIX) {
            return self.service(credentials).await;
        }
        let Some((claims, roles)) = self.verify_token(credentials.token).await? else {
            return Err(Unauthenticated::Token.into());
        };
        // Done as themselves, what was meant for another would be a surprise.
        if credentials.act_as.is_some() {
            return Err(Denied { needs: "an API key; members act for nobody else" }.into());
        }
        Ok(Caller::Member(Member { id: claims.member, roles, session: Some(claims.session), by: None }))
    }

    async fn again(&self, caller: &Caller) -> Result<Caller, Error> {
        match caller {
            Caller::Member(member) => {
                let Some(session) = member.session else { return Ok(caller.clone()) };
                let live = self.liveness.member(session).await?;
                let (_, roles) = live.filter(|(id, _)| *id == member.id).ok_or(Unauthenticated::Token)?;
                Ok(Caller::Member(Member { roles, ..member.clone() }))
            }
            Caller::Service { key, acting_for } => {
                if !self.is_live(*key).await? {
                    return Err(Unauthenticated::Token.into());
                }
                let Some(member) = acting_for else { return Ok(caller.clone()) };
                let roles = self.liveness.roles(member.id).await?.ok_or(Unauthenticated::Token)?;
                let roles = Roles { admin: false, ..roles };
                Ok(Caller::Service { key: *key, acting_for: Some(Member { roles, ..member.clone() }) })
            }
            Caller::Anonymous => Ok(Caller::Anonymous),
        }
    }
}
