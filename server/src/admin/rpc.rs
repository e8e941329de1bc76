//! The service of checks.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::admin::v1 as pb;
use yeyak_proto::yeyak::admin::v1::check_service_server::{CheckService, CheckServiceServer};

use super::Checks;
use crate::kit::caller::Caller;
use crate::kit::check::Violation;

/// More than this nobody reads; the first tell what is wrong.
const LIMIT: usize = 1000;

impl Checks {
    /// The service of checks.
    pub fn service(&self) -> CheckServiceServer<Self> {
        CheckServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl CheckService for Checks {
    async fn check_invariants(
        &self,
        request: Request<pb::CheckInvariantsRequest>,
    ) -> Result<Response<pb::CheckInvariantsResponse>, Status> {
        Caller::of(&request).admin()?;
        let found = self.run().await?;
        Ok(Response::new(pb::CheckInvariantsResponse {
            checked: Self::invariants().map(str::to_owned).collect(),
            violations: found.into_iter().take(LIMIT).map(pb::Violation::from).collect(),
        }))
    }
}

impl From<Violation> for pb::Violation {
    fn from(violation: Violation) -> Self {
        Self { invariant: violation.invariant.to_owned(), subject: violation.subject, found: violation.found }
    }
}
