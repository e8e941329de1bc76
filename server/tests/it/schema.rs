//! The rules of the interface that buf can't see.

use std::collections::HashSet;

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use yeyak::proto::{FILE_DESCRIPTOR_SET, METHODS};
use yeyak_proto::Effect;
use yeyak_server::error::{ErrorReason, code};

/// What each call does again: nothing may repeat it but a person.
const EACH: [&str; 1] = ["CreateApiKey"];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("descriptors")
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let own = pool.services().filter(|service| service.full_name().starts_with("yeyak."));
    own.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn comment(file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.clone().expect("source info is kept");
    let found = info.location.into_iter().find(|location| location.path == path);
    found.and_then(|location| location.leading_comments).unwrap_or_default()
}

#[test]
fn every_rpc_states_who_may_call_it_and_what_a_repetition_does() {
    for method in METHODS {
        assert!(!method.access.is_empty(), "{method} is closed to everyone");
    }
    let pool = pool();
    let unkeyed = pool.get_extension_by_name("yeyak.common.v1.unkeyed_reason").expect("defined");
    for method in methods(&pool) {
        let level = method.method_descriptor_proto().options.clone().unwrap_or_default().idempotency_level();
        let reads = level == prost_types::method_options::IdempotencyLevel::NoSideEffects;
        let keyed = method.input().get_field_by_name("request_id").is_some_and(|field| field.number() == 15);
        let reason = method.options().get_extension(&unkeyed).into_owned();
        let excused = matches!(reason, Value::String(reason) if !reason.is_empty());
        assert!(
            reads != (keyed || excused),
            "{}: a read has no request_id, a mutation has one or says why not",
            method.full_name()
        );
        let repeatable = level == prost_types::method_options::IdempotencyLevel::Idempotent;
        assert!(keyed || reads || repeatable || EACH.contains(&method.name()), "{}", method.full_name());
    }
    let each = METHODS.iter().filter(|method| method.effect == Effect::Each).map(|method| method.name);
    assert_eq!(each.collect::<Vec<_>>(), EACH);
}

#[test]
fn every_list_has_pages() {
    let pool = pool();
    for method in
        methods(&pool).iter().filter(|method| method.name().starts_with("List") || method.name().starts_with("Search"))
    {
        let (input, output) = (method.input(), method.output());
        for field in ["page_size", "page_token"] {
            assert!(input.get_field_by_name(field).is_some(), "{} has no {field}", method.full_name());
        }
        assert!(output.get_field_by_name("next_page_token").is_some(), "{}", method.full_name());
    }
}

#[test]
fn every_element_has_a_comment_and_every_error_that_an_rpc_names_exists() {
    let pool = pool();
    let reasons: HashSet<_> =
        (0..300).filter_map(|n| ErrorReason::try_from(n).ok()).map(|reason| reason.as_str_name()).collect();
    for file in pool.files().filter(|file| file.package_name().starts_with("yeyak.")) {
        let proto = file.file_descriptor_proto();
        let check = |path: &[i32], name: &str| {
            let text = comment(&file, path);
            assert!(!text.trim().is_empty(), "{}: {name} has no comment", file.name());
            text
        };
        for (at, service) in (0..).zip(&proto.service) {
            check(&[6, at], service.name());
            for (method_at, method) in (0..).zip(&service.method) {
                let text = check(&[6, at, 2, method_at], method.name());
                let (_, errors) =
                    text.split_once("Errors:").unwrap_or_else(|| panic!("{} names no errors", method.name()));
                for reason in errors
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .filter(|word| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
                {
                    assert!(reasons.contains(reason), "{} names {reason}, which does not exist", method.name());
                }
            }
        }
        for (at, message) in (0..).zip(&proto.message_type) {
            check(&[4, at], message.name());
            for (field_at, field) in (0..).zip(&message.field) {
                check(&[4, at, 2, field_at], field.name());
            }
            for (enum_at, inner) in (0..).zip(&message.enum_type) {
                check(&[4, at, 4, enum_at], inner.name());
                for (value_at, value) in (0..).zip(&inner.value) {
                    check(&[4, at, 4, enum_at, 2, value_at], value.name());
                }
            }
        }
        for (at, inner) in (0..).zip(&proto.enum_type) {
            check(&[5, at], inner.name());
            for (value_at, value) in (0..).zip(&inner.value) {
                check(&[5, at, 2, value_at], value.name());
            }
        }
    }
}

#[test]
fn every_reason_names_its_code() {
    let pool = pool();
    let reasons = pool.get_enum_by_name("yeyak.common.v1.ErrorReason").expect("defined");
    for value in reasons.values().filter(|value| value.number() != 0) {
        let reason = ErrorReason::try_from(value.number()).expect("known");
        let text = comment(&reasons.parent_file(), value.path());
        let expected = format!("{:?}", code(reason));
        let shouted: String = expected.chars().enumerate().fold(String::new(), |mut name, (at, letter)| {
            if letter.is_uppercase() && at > 0 {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
            name
        });
        assert!(
            text.contains(&format!("{shouted}.")) || text.contains(&format!("{shouted},")),
            "{} is {shouted}: {text}",
            value.name()
        );
    }
}

/// The order of domains: none names one above it.
#[test]
fn no_domain_names_one_above_it() {
    let order: &[&[&str]] = &[
        &["member"],
        &["stay", "show", "shop"],
        &["deal"],
        &["inventory"],
        &["ledger"],
        &["coupon", "point"],
        &["payment"],
        &["waiting_room"],
        &["booking"],
        &["settlement"],
        &["review", "chat", "notice", "admin"],
    ];
    let rank = |name: &str| order.iter().position(|level| level.contains(&name));
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (level, domain) in
        order.iter().enumerate().flat_map(|(level, domains)| domains.iter().map(move |domain| (level, *domain)))
    {
        let mut folders = vec![source.join(domain)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("a source file");
                for named in text.split("crate::").skip(1) {
                    let named: String =
                        named.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                    let allowed = named == domain || rank(&named).is_none_or(|other| other < level);
                    assert!(allowed, "{} names {named}, which stands above or beside {domain}", path.display());
                }
            }
        }
    }
}
