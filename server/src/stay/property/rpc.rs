//! The service of properties: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::property_service_server::{PropertyService, PropertyServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::violation::Violations;
use crate::stay::Stays;
use crate::stay::convert::keyed_id;

type Answer<T> = Result<Response<T>, Status>;

impl Stays {
    /// The service that keeps properties.
    pub fn property_service(&self) -> PropertyServiceServer<Self> {
        PropertyServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl PropertyService for Stays {
    async fn create_property(&self, request: Request<pb::CreatePropertyRequest>) -> Answer<pb::Property> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::create(request.get_ref())?;
        Ok(self.create_property(&seller, &command, &key).await?.into_response())
    }

    async fn get_property(&self, request: Request<pb::GetPropertyRequest>) -> Answer<pb::Property> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let property = self.seen_property(&caller, violations.finish(id)?).await?;
        Ok(Response::new(property.into()))
    }

    async fn list_properties(&self, request: Request<pb::ListPropertiesRequest>) -> Answer<pb::ListPropertiesResponse> {
        let seller = Caller::of(&request).seller()?;
        let state = convert::state(request.get_ref())?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (properties, next_page_token) = self.list_properties(&seller, state, &page).await?;
        let properties = properties.into_iter().map(pb::Property::from).collect();
        Ok(Response::new(pb::ListPropertiesResponse { properties, next_page_token }))
    }

    async fn update_property(&self, request: Request<pb::UpdatePropertyRequest>) -> Answer<pb::Property> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::update(request.get_ref())?;
        Ok(self.update_property(&seller, &command, &key).await?.into_response())
    }

    async fn open_property(&self, request: Request<pb::OpenPropertyRequest>) -> Answer<pb::Property> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.open_property(&seller, id, &key).await?.into_response())
    }

    async fn close_property(&self, request: Request<pb::ClosePropertyRequest>) -> Answer<pb::Property> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.close_property(&seller, id, &key).await?.into_response())
    }
}
