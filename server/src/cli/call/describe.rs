//! `yeyak call --describe`: a definition in proto syntax, with its comments.

use std::fmt::Write;

use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};

use super::super::failure::Failure;
use super::super::output;
use super::comment::comment;
use super::list::{access, path, stream};
use super::name;
use super::reflection::Reflection;
use super::template::{optional, template};
use crate::kit::suggest::nearest_name;

/// Prints a service, an RPC, a message or an enum.
pub(super) async fn describe(reflection: &mut Reflection, name: &str) -> Result<(), Failure> {
    let name = name.trim_start_matches(['/', '.']);
    let is_path = name.contains('/');
    if !is_path && reflection.learn(name).await? {
        let pool = reflection.pool()?;
        if let Some(message) = pool.get_message_by_name(name) {
            return output::say(of_message(&message));
        }
        if let Some(values) = pool.get_enum_by_name(name) {
            return output::say(text(|out| out.values(&values, 0)).trim_end());
        }
    }
    if !is_path && let Ok(service) = name::service(reflection, name).await {
        return output::say(text(|out| out.service(&service)).trim_end());
    }
    if name::split(name).is_some() && (is_path || reflection.learn(name).await?) {
        let method = name::method(reflection, name).await?;
        return output::say(of_method(&method));
    }
    Err(unknown(reflection, name).await?)
}

/// Names what was probably meant among all that the services use.
async fn unknown(reflection: &mut Reflection, name: &str) -> Result<Failure, Failure> {
    for service in reflection.services().to_vec() {
        reflection.learn(&service).await?;
    }
    let pool = reflection.pool()?;
    let mut names: Vec<_> = pool.all_messages().map(|message| message.full_name().to_owned()).collect();
    names.extend(pool.all_enums().map(|values| values.full_name().to_owned()));
    names.extend(pool.services().map(|service| service.full_name().to_owned()));
    let meant = nearest_name(name, names.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Ok(Failure::usage(format!("the server knows nothing by the name `{name}`{meant}"))
        .and("`yeyak call --list` lists the services"))
}

fn of_message(message: &MessageDescriptor) -> String {
    format!("{}\n{}", text(|out| out.message(message, 0)), as_json(message))
}

fn of_method(method: &MethodDescriptor) -> String {
    let (input, output) = (method.input(), method.output());
    let mut shown = text(|out| out.method(method, 0));
    for message in [&input, &output] {
        _ = write!(shown, "\n{}", text(|out| out.message(message, 0)));
    }
    let template = template(&input);
    let more = match &optional(&input)[..] {
        [] => String::new(),
        names => format!("\n// It may have too: {}", names.join(", ")),
    };
    format!("{shown}\n// To call it, with what is required:\nyeyak call {} '{template}'{more}", path(method))
}

fn as_json(message: &MessageDescriptor) -> String {
    format!("// As JSON:\n{}", template(message))
}

fn text(write: impl FnOnce(&mut Proto)) -> String {
    let mut out = Proto::default();
    write(&mut out);
    out.text
}

/// Writes proto syntax.
#[derive(Debug, Default)]
struct Proto {
    text: String,
}

impl Proto {
    fn line(&mut self, depth: usize, line: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn about(&mut self, depth: usize, file: &FileDescriptor, path: &[i32]) {
        for line in comment(file, path) {
            self.line(depth, format!("// {line}").trim_end());
        }
    }

    fn service(&mut self, service: &ServiceDescriptor) {
        self.about(0, &service.parent_file(), service.path());
        self.line(0, &format!("service {} {{", service.full_name()));
        for (at, method) in service.methods().enumerate() {
            if at > 0 {
                self.text.push('\n');
            }
            self.method(&method, 1);
        }
        self.line(0, "}");
    }

    fn method(&mut self, method: &MethodDescriptor, depth: usize) {
        self.about(depth, &method.parent_file(), method.path());
        let (input, output) = (method.input(), method.output());
        let head = format!(
            "rpc {}({}{}) returns ({}{})",
            method.name(),
            stream(method.is_client_streaming()),
            input.full_name(),
            stream(method.is_server_streaming()),
            output.full_name()
        );
        let access = access(method);
        if access.is_empty() {
            return self.line(depth, &format!("{head};"));
        }
        self.line(depth, &format!("{head} {{"));
        for access in access {
            self.line(depth + 1, &format!("option (yeyak.common.v1.access) = {access};"));
        }
        self.line(depth, "}");
    }

    fn message(&mut self, message: &MessageDescriptor, depth: usize) {
        self.about(depth, &message.parent_file(), message.path());
        let name = if depth == 0 { message.full_name() } else { message.name() };
        self.line(depth, &format!("message {name} {{"));
        for values in message.child_enums() {
            self.values(&values, depth + 1);
        }
        for child in message.child_messages().filter(|child| !child.is_map_entry()) {
            self.message(&child, depth + 1);
        }
        let free = |field: &FieldDescriptor| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic());
        for field in message.fields().filter(free) {
            self.field(&field, depth + 1);
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            self.about(depth + 1, &oneof.parent_file(), oneof.path());
            self.line(depth + 1, &format!("oneof {} {{", oneof.name()));
            for field in oneof.fields() {
                self.field(&field, depth + 2);
            }
            self.line(depth + 1, "}");
        }
        self.line(depth, "}");
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) {
        self.about(depth, &field.parent_file(), field.path());
        let kind = field.kind();
        let kind = match kind.as_message() {
            Some(entry) if field.is_map() => {
                let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
                format!("map<{}, {}>", type_name(&key.kind()), type_name(&value.kind()))
            }
            _ => type_name(&kind),
        };
        let label = match field.cardinality() {
            _ if field.is_map() => "",
            Cardinality::Repeated => "repeated ",
            Cardinality::Required => "required ",
            Cardinality::Optional if field.field_descriptor_proto().proto3_optional() => "optional ",
            Cardinality::Optional => "",
        };
        self.line(depth, &format!("{label}{kind} {} = {};", field.name(), field.number()));
    }

    fn values(&mut self, values: &EnumDescriptor, depth: usize) {
        self.about(depth, &values.parent_file(), values.path());
        let name = if depth == 0 { values.full_name() } else { values.name() };
        self.line(depth, &format!("enum {name} {{"));
        for value in values.values() {
            self.about(depth + 1, &value.parent_file(), value.path());
            self.line(depth + 1, &format!("{} = {};", value.name(), value.number()));
        }
        self.line(depth, "}");
    }
}

/// The type of a field as the proto files write it.
fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(values) => values.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}
