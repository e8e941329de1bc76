//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::member::v1 as pb;
use yeyak_proto::yeyak::member::v1::seller_application::State as PbState;

use super::create::Create;
use super::model::{Application, BusinessNumber, Decision, SellerApplicationId, State};
use crate::error::Error;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::violation::Violations;

pub(super) fn create(request: &pb::CreateSellerApplicationRequest) -> Result<(Create, RequestKey), Error> {
    let mut violations = Violations::new();
    let business_name = violations.text("business_name", &request.business_name, 1, 100);
    let business_number = violations.take("business_number", request.business_number.parse::<BusinessNumber>());
    let note = violations.text("note", &request.note, 0, 1000);
    let key = RequestKey::of(request, &mut violations);
    let command = (|| Some(Create { business_name: business_name?, business_number: business_number?, note: note? }))();
    violations.finish(command.map(|command| (command, key)))
}

pub(super) fn id(id: &str) -> Result<SellerApplicationId, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", id);
    violations.finish(id)
}

type Decide = (SellerApplicationId, Decision, RequestKey);

pub(super) fn approve(request: &pb::ApproveSellerApplicationRequest) -> Result<Decide, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let reason = violations.text("reason", &request.reason, 0, 500);
    let key = RequestKey::of(request, &mut violations);
    let decision = reason.map(|reason| Decision { approved: true, reason });
    violations.finish(id.zip(decision).map(|(id, decision)| (id, decision, key)))
}

pub(super) fn reject(request: &pb::RejectSellerApplicationRequest) -> Result<Decide, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let reason = violations.text("reason", &request.reason, 1, 500);
    let key = RequestKey::of(request, &mut violations);
    let decision = reason.map(|reason| Decision { approved: false, reason });
    violations.finish(id.zip(decision).map(|(id, decision)| (id, decision, key)))
}

/// The state that a list is asked for; none for all of them.
pub(super) fn state_filter(state: i32) -> Result<Option<State>, Error> {
    let mut violations = Violations::new();
    let state = match PbState::try_from(state) {
        Ok(PbState::Unspecified) => Some(None),
        Ok(PbState::Pending) => Some(Some(State::Pending)),
        Ok(PbState::Approved) => Some(Some(State::Approved)),
        Ok(PbState::Rejected) => Some(Some(State::Rejected)),
        Err(_) => None,
    };
    violations.require("state", state.is_some(), "must be a state of applications");
    violations.finish(state)
}

pub(super) fn state(state: State) -> PbState {
    match state {
        State::Pending => PbState::Pending,
        State::Approved => PbState::Approved,
        State::Rejected => PbState::Rejected,
    }
}

/// What an admin is shown.
pub(super) fn for_admin(application: Application) -> pb::SellerApplication {
    let decided_by = application.decided_by.map(|admin| admin.to_string()).unwrap_or_default();
    pb::SellerApplication { decided_by, ..for_member(application) }
}

/// What its member is shown: not who decided.
pub(super) fn for_member(application: Application) -> pb::SellerApplication {
    pb::SellerApplication {
        id: application.id.to_string(),
        member_id: application.member.to_string(),
        state: state(application.state).into(),
        business_name: application.business_name,
        business_number: application.business_number.as_str().to_owned(),
        note: application.note,
        decision_reason: application.decision_reason,
        decided_by: String::new(),
        create_time: Some(proto_time(application.create_time)),
        decide_time: application.decide_time.map(proto_time),
    }
}
