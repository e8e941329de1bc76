//! Which service or RPC a name means.

use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use super::super::failure::Failure;
use super::reflection::Reflection;
use crate::kit::suggest::{did_you_mean, nearest_name, own_name};

/// The RPC of a name such as `package.Service/Method`.
pub(super) async fn method(reflection: &mut Reflection, name: &str) -> Result<MethodDescriptor, Failure> {
    let Some((service, method)) = split(name) else {
        return Err(Failure::usage(format!("`{name}` is not of the form package.Service/Method"))
            .and("`yeyak call --list` lists the services"));
    };
    let service = self::service(reflection, service).await?;
    find(&service, method).ok_or_else(|| {
        let names: Vec<_> = service.methods().map(|method| method.name().to_owned()).collect();
        let meant = did_you_mean(method, names.iter().map(String::as_str));
        let service = service.full_name();
        Failure::usage(format!("{service} has no RPC `{method}`{meant}"))
            .and(format!("`yeyak call --list {service}` lists them"))
    })
}

/// Splits `package.Service/Method`, or `package.Service.Method`.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    let name = name.trim_start_matches('/');
    name.split_once('/')
        .or_else(|| name.rsplit_once('.'))
        .filter(|(service, method)| !service.is_empty() && !method.is_empty())
}

/// An RPC of a service by its own name.
pub(super) fn find(service: &ServiceDescriptor, name: &str) -> Option<MethodDescriptor> {
    service.methods().find(|method| method.name() == name)
}

/// The service of a name, with its package or without when no other has the same.
pub(super) async fn service(reflection: &mut Reflection, name: &str) -> Result<ServiceDescriptor, Failure> {
    let Some(full) = meant(reflection.services(), name) else {
        return Err(unknown(reflection.services(), name));
    };
    let full = full.to_owned();
    reflection.learn(&full).await?;
    let found = reflection.pool()?.get_service_by_name(&full);
    found.ok_or_else(|| Failure::failed(format!("the server lists {full}, but does not describe it")))
}

fn meant<'a>(services: &'a [String], name: &str) -> Option<&'a str> {
    if let Some(exact) = services.iter().find(|service| *service == name) {
        return Some(exact);
    }
    let mut short = services.iter().filter(|service| own_name(service) == name);
    match (short.next(), short.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn unknown(services: &[String], name: &str) -> Failure {
    let meant = nearest_name(name, services.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Failure::usage(format!("the server has no service `{name}`{meant}")).and("`yeyak call --list` lists the services")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_go_without_its_package_while_that_is_clear() {
        let services = ["a.v1.Stay", "a.v1.Show", "b.v1.Show"].map(str::to_owned);
        assert_eq!(meant(&services, "Stay"), Some("a.v1.Stay"));
        assert_eq!(meant(&services, "b.v1.Show"), Some("b.v1.Show"));
        assert_eq!(meant(&services, "Show"), None);
        assert_eq!(meant(&services, "Sty"), None);
    }

    #[test]
    fn an_rpc_is_named_with_a_slash_or_a_dot() {
        assert_eq!(split("a.v1.Stay/Get"), Some(("a.v1.Stay", "Get")));
        assert_eq!(split("/a.v1.Stay/Get"), Some(("a.v1.Stay", "Get")));
        assert_eq!(split("a.v1.Stay.Get"), Some(("a.v1.Stay", "Get")));
        assert_eq!(split("Stay"), None);
        assert_eq!(split("Stay/"), None);
    }
}
