//! `yeyak call --list`: the services, and the RPCs of one.

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{Cell, Color};
use prost_reflect::{MethodDescriptor, Value};
use serde_json::json;

use super::super::failure::Failure;
use super::super::output;
use super::comment::{comment, summary};
use super::name;
use super::reflection::Reflection;

const NAME: Style = AnsiColor::Green.on_default().bold();
const WHO: Style = AnsiColor::Yellow.on_default();

/// The method option of Yeyak that says who may call.
const ACCESS: &str = "yeyak.common.v1.access";

/// Lists the services with the first paragraph of their comments.
pub(super) async fn services(reflection: &mut Reflection, as_json: bool) -> Result<(), Failure> {
    let names = reflection.services().to_vec();
    for name in &names {
        reflection.learn(name).await?;
    }
    let pool = reflection.pool()?;
    let known: Vec<_> = names
        .iter()
        .map(|name| match pool.get_service_by_name(name) {
            Some(service) => {
                let about = summary(&comment(&service.parent_file(), service.path()));
                (name, service.methods().len(), about)
            }
            None => (name, 0, String::new()),
        })
        .collect();
    if as_json {
        let all = known.iter().map(|(name, rpcs, about)| json!({ "service": name, "rpcs": rpcs, "about": about }));
        return output::json(&all.collect::<Vec<_>>());
    }
    let rows =
        known.iter().map(|(name, rpcs, about)| [Cell::new(name).fg(Color::Green), Cell::new(rpcs), Cell::new(about)]);
    output::table(&["service", "rpcs", "about"], rows)
}

/// Lists the RPCs of a service with their comments and who may call them.
pub(super) async fn methods(reflection: &mut Reflection, name: &str, as_json: bool) -> Result<(), Failure> {
    let service = name::service(reflection, name).await?;
    let about = |method: &MethodDescriptor| comment(&service.parent_file(), method.path());
    if as_json {
        let all = service.methods().map(|method| {
            json!({
                "rpc": path(&method),
                "request": method.input().full_name(),
                "answer": method.output().full_name(),
                "streaming": method.is_server_streaming(),
                "access": access(&method),
                "about": about(&method).join("\n"),
            })
        });
        return output::json(&all.collect::<Vec<_>>());
    }
    output::say(format!("{NAME}{}{NAME:#}", service.full_name()))?;
    for line in comment(&service.parent_file(), service.path()) {
        output::say(line)?;
    }
    for method in service.methods() {
        let (name, request, stream) = (method.name(), method.input(), stream(method.is_server_streaming()));
        let (request, answer, who) = (request.name(), method.output(), who(&method));
        let answer = answer.name();
        output::say(format!("\n{NAME}{name}{NAME:#}({request}) → {stream}{answer}   {WHO}{who}{WHO:#}"))?;
        for line in about(&method) {
            output::say(format!("    {line}").trim_end())?;
        }
    }
    Ok(())
}

/// `package.Service/Method`.
pub(super) fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// `stream `, or nothing.
pub(super) const fn stream(streaming: bool) -> &'static str {
    if streaming { "stream " } else { "" }
}

/// The names of everyone who may call an RPC; nothing when the server is not one of ours.
pub(super) fn access(method: &MethodDescriptor) -> Vec<String> {
    let pool = method.parent_pool();
    let Some(option) = pool.get_extension_by_name(ACCESS) else { return Vec::new() };
    let kind = option.kind();
    let options = method.options();
    let value = options.get_extension(&option);
    let (Value::List(all), Some(names)) = (value.as_ref(), kind.as_enum()) else { return Vec::new() };
    let name = |value: &Value| Some(names.get_value(value.as_enum_number()?)?.name().to_owned());
    all.iter().filter_map(name).collect()
}

/// Everyone who may call an RPC, in words.
fn who(method: &MethodDescriptor) -> String {
    let all: Vec<_> = access(method)
        .iter()
        .map(|access| match access.as_str() {
            "ACCESS_PUBLIC" => "anyone".to_owned(),
            "ACCESS_MEMBER" => "members".to_owned(),
            "ACCESS_SELLER" => "sellers".to_owned(),
            "ACCESS_ADMIN" => "admins".to_owned(),
            "ACCESS_SERVICE" => "API keys".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    all.join(", ")
}
