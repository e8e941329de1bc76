//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::member::v1 as pb;

use super::create::Create;
use super::model::{ApiKey, Scope, Scopes};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::proto_time;
use crate::kit::request::instant;
use crate::kit::violation::Violations;

const MOST_SCOPES: usize = 100;

pub(super) fn create(request: &pb::CreateApiKeyRequest, now: Time) -> Result<Create, Error> {
    let mut violations = Violations::new();
    let name = violations.text("name", &request.name, 1, 100);
    let fits = (1..=MOST_SCOPES).contains(&request.scopes.len());
    violations.require("scopes", fits, format!("must have 1 to {MOST_SCOPES} elements"));
    let scopes = request.scopes.iter().enumerate().take(MOST_SCOPES);
    let scopes: Vec<_> =
        scopes.filter_map(|(at, scope)| violations.take(format!("scopes[{at}]"), scope.parse::<Scope>())).collect();
    let expire_time = request.expire_time.as_ref().and_then(|time| future(&mut violations, time, now));
    let command = name.map(|name| Create { name, scopes: Scopes::new(scopes), expire_time });
    violations.finish(command)
}

fn future(violations: &mut Violations, time: &prost_types::Timestamp, now: Time) -> Option<Time> {
    let read = instant(violations, "expire_time", Some(time))?;
    violations.require("expire_time", read > now, "must be an instant in the future");
    Some(read)
}

impl From<ApiKey> for pb::ApiKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            scopes: key.scopes.names(),
            hint: key.hint,
            create_time: Some(proto_time(key.create_time)),
            expire_time: key.expire_time.map(proto_time),
            last_use_time: key.last_use_time.map(proto_time),
            revoke_time: key.revoke_time.map(proto_time),
            created_by: key.created_by.to_string(),
            revoked_by: key.revoked_by.map(|admin| admin.to_string()).unwrap_or_default(),
        }
    }
}
