//! The service of room types: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::room_type_service_server::{RoomTypeService, RoomTypeServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::violation::Violations;
use crate::stay::Stays;
use crate::stay::convert::keyed_id;
use crate::stay::model::SaleState;

type Answer<T> = Result<Response<T>, Status>;

impl Stays {
    /// The service that keeps room types.
    pub fn room_type_service(&self) -> RoomTypeServiceServer<Self> {
        RoomTypeServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl RoomTypeService for Stays {
    async fn create_room_type(&self, request: Request<pb::CreateRoomTypeRequest>) -> Answer<pb::RoomType> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::create(request.get_ref())?;
        Ok(self.create_room_type(&seller, &command, &key).await?.into_response())
    }

    async fn get_room_type(&self, request: Request<pb::GetRoomTypeRequest>) -> Answer<pb::RoomType> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let room_type = self.seen_room_type(&caller, violations.finish(id)?).await?;
        Ok(Response::new(room_type.into()))
    }

    async fn list_room_types(&self, request: Request<pb::ListRoomTypesRequest>) -> Answer<pb::ListRoomTypesResponse> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let property = violations.id("property_id", &request.get_ref().property_id);
        let property = violations.finish(property)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (room_types, next_page_token) = self.list_room_types(&caller, property, &page).await?;
        let room_types = room_types.into_iter().map(pb::RoomType::from).collect();
        Ok(Response::new(pb::ListRoomTypesResponse { room_types, next_page_token }))
    }

    async fn update_room_type(&self, request: Request<pb::UpdateRoomTypeRequest>) -> Answer<pb::RoomType> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::update(request.get_ref())?;
        Ok(self.update_room_type(&seller, &command, &key).await?.into_response())
    }

    async fn open_room_type(&self, request: Request<pb::OpenRoomTypeRequest>) -> Answer<pb::RoomType> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_room_type(&seller, id, SaleState::Open, &key).await?.into_response())
    }

    async fn close_room_type(&self, request: Request<pb::CloseRoomTypeRequest>) -> Answer<pb::RoomType> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_room_type(&seller, id, SaleState::Closed, &key).await?.into_response())
    }
}
