//! Every RPC that may be called, by its path. It is looked up once a call, by the outermost layer.

use std::collections::HashMap;
use std::ops::Deref;

use yeyak_proto::yeyak::common::v1::Access;
use yeyak_proto::{Effect, METHODS, Method};

/// Health and reflection: part of every server, and in no proto file of ours but one.
static BUILT_IN: &[Method] = &[
    built_in("/grpc.health.v1.Health/Check", "grpc.health.v1.Health", "Check", false),
    built_in("/grpc.health.v1.Health/List", "grpc.health.v1.Health", "List", false),
    built_in("/grpc.health.v1.Health/Watch", "grpc.health.v1.Health", "Watch", true),
    built_in(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1.ServerReflection",
        "ServerReflectionInfo",
        true,
    ),
    built_in(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection",
        "ServerReflectionInfo",
        true,
    ),
];

const fn built_in(path: &'static str, service: &'static str, name: &'static str, streaming: bool) -> Method {
    Method { path, service, name, effect: Effect::None, streaming, access: &[Access::Public] }
}

/// One RPC of the catalog; reads as its [`Method`].
#[derive(Clone, Copy, Debug)]
pub struct Rpc {
    method: &'static Method,
    index: usize,
    service_index: usize,
}

impl Rpc {
    /// What the proto file says of it.
    pub fn method(self) -> &'static Method {
        self.method
    }

    /// Whether it is health or reflection, which work in every state of the server and for everyone.
    pub fn is_built_in(self) -> bool {
        self.service.starts_with("grpc.")
    }

    /// `package.Service/Method`, as logs and metrics name it.
    pub fn label(self) -> &'static str {
        self.method.path.strip_prefix('/').unwrap_or(self.method.path)
    }

    /// Its place among all RPCs, from 0.
    pub(super) fn index(self) -> usize {
        self.index
    }

    /// The place of its service among all services, from 0.
    pub(super) fn service_index(self) -> usize {
        self.service_index
    }
}

impl Deref for Rpc {
    type Target = Method;

    fn deref(&self) -> &Method {
        self.method
    }
}

/// Every RPC that may be called.
#[derive(Debug)]
pub struct Catalog {
    by_path: HashMap<&'static str, Rpc>,
    service_count: usize,
}

impl Catalog {
    /// The RPCs of Yeyak, health and reflection.
    pub fn new() -> Self {
        Self::of(METHODS)
    }

    /// The RPCs given, health and reflection.
    pub fn of(methods: &'static [Method]) -> Self {
        let mut by_path = HashMap::new();
        let mut services = HashMap::new();
        for (index, method) in methods.iter().chain(BUILT_IN).enumerate() {
            let next = services.len();
            let service_index = *services.entry(method.service).or_insert(next);
            by_path.insert(method.path, Rpc { method, index, service_index });
        }
        Self { by_path, service_count: services.len() }
    }

    /// The RPC of a request path.
    pub fn find(&self, path: &str) -> Option<Rpc> {
        self.by_path.get(path).copied()
    }

    /// All of them, in the order of their index.
    pub(super) fn rpcs(&self) -> Vec<Rpc> {
        let mut rpcs: Vec<_> = self.by_path.values().copied().collect();
        rpcs.sort_by_key(|rpc| rpc.index);
        rpcs
    }

    pub(super) fn service_count(&self) -> usize {
        self.service_count
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_is_found_by_its_path_and_nothing_else_is() {
        let catalog = Catalog::new();

        for method in METHODS {
            assert_eq!(catalog.find(method.path).map(Rpc::method), Some(method));
        }
        assert!(catalog.find("/grpc.health.v1.Health/Watch").is_some_and(|rpc| rpc.streaming && rpc.is_built_in()));
        assert!(catalog.find("/yeyak.member.v1.AuthService/Nothing").is_none());
        assert!(catalog.find("").is_none());
        assert!(catalog.rpcs().iter().enumerate().all(|(index, rpc)| rpc.index() == index));
    }
}
