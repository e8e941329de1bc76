//! What is served, and the layers that it stands behind.

use std::sync::Arc;
use std::time::Duration;

use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};

use super::{Platform, ServeError};
use crate::config::Config;
use crate::layer::auth::AuthLayer;
use crate::layer::{self, Catalog};

impl Platform {
    pub(super) fn routes(&self) -> Result<Routes, ServeError> {
        let limit = self.config.limit.message_bytes;
        let mut routes = Routes::builder();
        let descriptors = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(yeyak_proto::FILE_DESCRIPTOR_SET)
        };
        let other = |error: tonic_reflection::server::Error| ServeError::Other(error.to_string());
        routes
            .add_service(self.health.server())
            .add_service(descriptors().build_v1().map_err(other)?)
            .add_service(descriptors().build_v1alpha().map_err(other)?);
        // Both limits on every service: what may come in, and what may go out.
        macro_rules! add {
            ($($service:expr,)*) => {
                $({
                    let service = $service.max_decoding_message_size(limit).max_encoding_message_size(limit);
                    if self.config.serves(name_of(&service)) {
                        let gzip = CompressionEncoding::Gzip;
                        routes.add_service(service.accept_compressed(gzip).send_compressed(gzip));
                    }
                })*
            };
        }
        add! {
            self.members.auth_service(),
            self.members.member_service(),
            self.members.seller_application_service(),
            self.members.role_service(),
            self.members.api_key_service(),
            self.stays.property_service(),
            self.stays.room_type_service(),
            self.stays.rate_plan_service(),
            self.stays.calendar_service(),
            self.stays.search_service(),
            self.coupons.policy_service(),
            self.coupons.code_service(),
            self.coupons.grant_service(),
            self.points.policy_service(),
            self.points.service(),
            self.ledger.service(),
            self.payments.service(),
            self.coupons.service(),
            self.bookings.service(),
            self.checks().service(),
        }
        Ok(routes.routes().prepare())
    }

    pub(super) fn stack(
        &self,
    ) -> impl tower::Layer<Routes, Service: layer::Answer + Clone + Send + Sync + 'static> + Clone + use<> {
        let limit = &self.config.limit;
        let parts = layer::Parts {
            catalog: Arc::new(Catalog::new()),
            proxies: self.config.trusted_proxies.clone(),
            ids: self.kit.ids.clone(),
            clock: self.kit.clock.clone(),
            tasks: self.stop.tasks.clone(),
            drain: self.stop.streams.clone(),
            deadline: layer::deadline::Limits {
                default: Duration::from_secs(limit.default_deadline_seconds),
                max: Duration::from_secs(limit.longest_deadline_seconds),
            },
            shed: layer::shed::Limits {
                calls: limit.calls,
                calls_per_service: limit.calls_per_service,
                streams: limit.streams,
            },
        };
        layer::stack(parts, AuthLayer::new(Arc::new(self.members.clone()), self.rates.clone()))
    }

    /// The server without a socket, for tests and for programs that carry it inside: the same layers, the same answers.
    pub fn embedded(&self) -> Result<yeyak::Embedded, ServeError> {
        let service = self.stack().layer(self.routes()?);
        Ok(BoxCloneSyncService::new(service.map_err(|never| match never {})))
    }
}

fn name_of<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}

/// The services that this process serves, by their full names.
pub(super) fn service_names(config: &Config) -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = yeyak_proto::METHODS.iter().map(|method| method.service).collect();
    names.dedup();
    names.into_iter().filter(|name| config.serves(name))
}
