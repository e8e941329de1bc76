//! Turns `proto/` into messages, services, method tables, SDK wrappers and the descriptor set, without protoc.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_build::{Config, Service, ServiceGenerator};
use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor, ServiceDescriptor, Value};

fn main() -> Result<(), Box<dyn Error>> {
    // The folders, not the files: `proto/lib.rs` stands among them, and a new file must be seen.
    println!("cargo:rerun-if-changed=proto/yeyak");
    println!("cargo:rerun-if-changed=proto/grpc");
    println!("cargo:rerun-if-changed=build.rs");

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(proto_files(Path::new("proto"))?)?;

    // Encoded by protox itself, since prost-types would lose the values of our method options.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor_set.binpb"), &encoded)?;
    let pool = DescriptorPool::decode(&*encoded)?;

    let mut config = Config::new();
    config.bytes(["."]).enable_type_names();
    config.skip_debug(
        pool.all_messages()
            .filter(|message| message.fields().any(|field| is_secret(&field)))
            .map(|message| format!(".{}", message.full_name())),
    );
    let generated = Generated::of(&pool)?;
    config.service_generator(Box::new(Generator {
        tonic: tonic_prost_build::configure()
            .build_transport(false)
            .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
            .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
            .service_generator(),
        pool: pool.clone(),
    }));
    config.compile_fds(prost_types::FileDescriptorSet::decode(&*encoded)?)?;
    fs::write(out.join("messages.rs"), generated.messages)?;
    fs::write(out.join("methods.rs"), generated.methods)?;
    fs::write(out.join("accessors.rs"), generated.accessors)?;
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// `debug_redact` marks what must not be seen in a log, nor kept in a request's record.
fn is_secret(field: &prost_reflect::FieldDescriptor) -> bool {
    let redact = field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool());
    redact == Some(true)
}

/// What is written once for all services together.
#[derive(Default)]
struct Generated {
    messages: String,
    methods: String,
    accessors: String,
}

impl Generated {
    fn of(pool: &DescriptorPool) -> Result<Self, Box<dyn Error>> {
        let mut this = Self::default();
        this.messages(pool)?;
        this.methods(pool)?;
        this.accessors(pool)?;
        Ok(this)
    }

    fn messages(&mut self, pool: &DescriptorPool) -> Result<(), std::fmt::Error> {
        for message in pool.all_messages().filter(|message| message.full_name().starts_with("yeyak.")) {
            let rust = rust_path(message.full_name());
            let secrets: Vec<_> = message.fields().filter(is_secret).map(|field| field.name().to_owned()).collect();
            if !secrets.is_empty() {
                let name = message.name();
                writeln!(
                    self.messages,
                    "impl ::core::fmt::Debug for {rust} {{\n    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        f.debug_struct(\"{name}\").finish_non_exhaustive()\n    }}\n}}"
                )?;
            }
            if message.get_field_by_name("request_id").is_some() {
                let mut cleared = String::new();
                for field in secrets.iter().map(String::as_str).chain(["request_id"]) {
                    writeln!(cleared, "        bare.{field} = Default::default();")?;
                }
                writeln!(
                    self.messages,
                    "impl crate::Mutation for {rust} {{\n    fn request_id(&self) -> &str {{\n        &self.request_id\n    }}\n    fn fingerprint(&self) -> Vec<u8> {{\n        let mut bare = self.clone();\n{cleared}        ::prost::Message::encode_to_vec(&bare)\n    }}\n}}"
                )?;
            }
            if message.get_field_by_name("page_token").is_some() {
                // How new a page must be at least is no part of what it is of: who pages may be told of more meanwhile.
                let least = match message.get_field_by_name("min_version") {
                    Some(_) => "        bare.min_version = 0;\n",
                    None => "",
                };
                writeln!(
                    self.messages,
                    "impl crate::Paged for {rust} {{\n    fn page_size(&self) -> i32 {{\n        self.page_size\n    }}\n    fn page_token(&self) -> &str {{\n        &self.page_token\n    }}\n    fn set_page_token(&mut self, token: String) {{\n        self.page_token = token;\n    }}\n    fn arguments(&self) -> Vec<u8> {{\n        let mut bare = self.clone();\n        bare.page_size = 0;\n        bare.page_token.clear();\n{least}        ::prost::Message::encode_to_vec(&bare)\n    }}\n}}"
                )?;
            }
            if message.get_field_by_name("next_page_token").is_some() {
                let list =
                    message.fields().find(|field| field.is_list()).map(|field| (field.name().to_owned(), field.kind()));
                if let Some((field, prost_reflect::Kind::Message(item))) = list {
                    let item = rust_path(item.full_name());
                    writeln!(
                        self.messages,
                        "impl crate::Items for {rust} {{\n    type Item = {item};\n    fn into_page(self) -> (Vec<{item}>, String) {{\n        (self.{field}, self.next_page_token)\n    }}\n}}"
                    )?;
                }
            }
        }
        Ok(())
    }

    fn methods(&mut self, pool: &DescriptorPool) -> Result<(), Box<dyn Error>> {
        let access = extension(pool, "yeyak.common.v1.access")?;
        writeln!(
            self.methods,
            "/// Every RPC of Yeyak, by service and in the order of the proto files.\npub static METHODS: &[Method] = &["
        )?;
        for method in own_services(pool).iter().flat_map(ServiceDescriptor::methods) {
            writeln!(self.methods, "    {},", method_literal(&method, &access))?;
        }
        writeln!(self.methods, "];")?;
        Ok(())
    }

    fn accessors(&mut self, pool: &DescriptorPool) -> Result<(), std::fmt::Error> {
        writeln!(
            self.accessors,
            "/// Passes `accessor: path::of::Api = \"documentation\";` for each service to the macro that it is given.\n#[macro_export]\nmacro_rules! services {{\n    ($with:ident) => {{\n        $with! {{"
        )?;
        for service in own_services(pool) {
            let noun = service.name().trim_end_matches("Service");
            let package = service.package_name().replace('.', "::");
            let comment = first_paragraph(&comment_of(service.parent_file(), service.path()));
            writeln!(
                self.accessors,
                "            {}: $crate::{package}::{noun}Api<Client> = {comment:?};",
                accessor(noun)
            )?;
        }
        writeln!(self.accessors, "        }}\n    }};\n}}")
    }
}

fn own_services(pool: &DescriptorPool) -> Vec<ServiceDescriptor> {
    pool.services().filter(|service| service.full_name().starts_with("yeyak.")).collect()
}

fn extension(pool: &DescriptorPool, name: &str) -> Result<ExtensionDescriptor, String> {
    pool.get_extension_by_name(name).ok_or_else(|| format!("{name} is not defined"))
}

fn method_literal(method: &MethodDescriptor, access: &ExtensionDescriptor) -> String {
    let options = method.options();
    let Value::List(allowed) = options.get_extension(access).into_owned() else { unreachable!("`access` is repeated") };
    // An RPC that states no access would be closed to everyone: better to say so now.
    assert!(!allowed.is_empty(), "{} states no (yeyak.common.v1.access)", method.full_name());
    let allowed: Vec<_> = allowed
        .iter()
        .map(|value| match value.as_enum_number() {
            Some(1) => "crate::yeyak::common::v1::Access::Public",
            Some(2) => "crate::yeyak::common::v1::Access::Member",
            Some(3) => "crate::yeyak::common::v1::Access::Seller",
            Some(4) => "crate::yeyak::common::v1::Access::Admin",
            Some(5) => "crate::yeyak::common::v1::Access::Service",
            other => panic!("{} states an unknown access {other:?}", method.full_name()),
        })
        .collect();
    let level = method.method_descriptor_proto().options.as_ref().map(|options| options.idempotency_level());
    let effect = match level {
        Some(prost_types::method_options::IdempotencyLevel::NoSideEffects) => "None",
        Some(prost_types::method_options::IdempotencyLevel::Idempotent) => "Repeatable",
        _ if method.input().get_field_by_name("request_id").is_some() => "Once",
        _ => "Each",
    };
    format!(
        "Method {{ path: \"/{}/{}\", service: {:?}, name: {:?}, effect: Effect::{effect}, streaming: {}, access: &[{}] }}",
        method.parent_service().full_name(),
        method.name(),
        method.parent_service().full_name(),
        method.name(),
        method.is_server_streaming(),
        allowed.join(", "),
    )
}

/// tonic's own code, followed by our wrapper for the SDK.
struct Generator {
    tonic: Box<dyn ServiceGenerator>,
    pool: DescriptorPool,
}

impl ServiceGenerator for Generator {
    fn generate(&mut self, service: Service, code: &mut String) {
        if service.package.starts_with("yeyak.") {
            wrapper(&self.pool, &service, code).expect("writing to a string can't fail");
        }
        self.tonic.generate(service, code);
    }

    fn finalize(&mut self, code: &mut String) {
        self.tonic.finalize(code);
    }
}

fn wrapper(pool: &DescriptorPool, service: &Service, code: &mut String) -> std::fmt::Result {
    let full_name = format!("{}.{}", service.package, service.proto_name);
    let index: BTreeMap<_, _> = own_services(pool)
        .iter()
        .flat_map(ServiceDescriptor::methods)
        .enumerate()
        .map(|(index, method)| (method.full_name().to_owned(), index))
        .collect();
    let api = format!("{}Api", service.name.trim_end_matches("Service"));
    doc(code, "", &service.comments);
    writeln!(code, "#[cfg(feature = \"client\")]\n#[derive(Clone, Debug)]\npub struct {api}<C> {{\n    call: C,\n}}")?;
    writeln!(code, "#[cfg(feature = \"client\")]\nimpl<C: crate::Call> {api}<C> {{")?;
    writeln!(
        code,
        "    /// Wraps what makes the calls.\n    pub fn new(call: C) -> Self {{\n        Self {{ call }}\n    }}"
    )?;
    writeln!(code, "    /// What makes the calls.\n    pub fn call(&self) -> &C {{\n        &self.call\n    }}")?;
    for method in &service.methods {
        let (name, input, output) = (&method.name, &method.input_type, &method.output_type);
        let method_name = format!("{full_name}.{}", method.proto_name);
        let keyed = pool
            .get_service_by_name(&full_name)
            .and_then(|service| service.methods().find(|found| found.full_name() == method_name))
            .is_some_and(|found| found.input().get_field_by_name("request_id").is_some());
        let (answer, kind) = match method.server_streaming {
            true => (format!("::tonic::Streaming<{output}>"), "server_streaming"),
            false => (output.clone(), "unary"),
        };
        let index = index[&method_name];
        doc(code, "    ", &method.comments);
        writeln!(
            code,
            "    pub async fn {name}(&self, request: impl Into<{input}> + Send) -> Result<{answer}, C::Error> {{"
        )?;
        if keyed {
            writeln!(
                code,
                "        let mut request: {input} = request.into();\n        if request.request_id.is_empty() {{\n            request.request_id = self.call.request_id();\n        }}"
            )?;
        } else {
            writeln!(code, "        let request: {input} = request.into();")?;
        }
        writeln!(code, "        self.call.{kind}(&crate::METHODS[{index}], request).await\n    }}")?;
    }
    writeln!(code, "}}")
}

fn doc(code: &mut String, indent: &str, comments: &prost_build::Comments) {
    for line in comments.leading.iter().flat_map(|block| block.lines()) {
        let line = line.trim_end();
        // `[` would be taken for a link.
        let line = line.replace('[', "\\[").replace(']', "\\]");
        code.push_str(&format!(
            "{indent}///{}{line}\n",
            if line.is_empty() || line.starts_with(' ') { "" } else { " " }
        ));
    }
}

fn comment_of(file: prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let location = info.location.iter().find(|location| location.path == path);
    location.map(|location| location.leading_comments().to_owned()).unwrap_or_default()
}

fn first_paragraph(comment: &str) -> String {
    let lines: Vec<_> = comment.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// `Booking` is reached as `client.bookings()`; what can't be counted keeps its name.
fn accessor(noun: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in noun.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    match snake.as_str() {
        "auth" | "stay_search" | "ledger" => snake,
        _ => match snake.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
            _ => format!("{snake}s"),
        },
    }
}

fn rust_path(full_name: &str) -> String {
    // Requests and resources with secrets are top-level messages.
    format!("crate::{}", full_name.replace('.', "::"))
}
