//! Values of enums by their short names: what is left without the prefix that all of them have.

use prost_reflect::EnumDescriptor;

use crate::kit::suggest::did_you_mean;

/// How many values are told at most.
const TOLD: usize = 24;

/// The prefix that all values of an enum have, with its underscore.
pub(super) fn prefix(values: &EnumDescriptor) -> String {
    let mut common: Option<String> = None;
    for value in values.values() {
        let length = match &common {
            None => value.name().len(),
            Some(common) => common.bytes().zip(value.name().bytes()).take_while(|(a, b)| a == b).count(),
        };
        common = Some(value.name()[..length].to_owned());
    }
    let common = common.unwrap_or_default();
    match common.rfind('_') {
        Some(end) => common[..=end].to_owned(),
        None => String::new(),
    }
}

/// The name of a value without the prefix.
pub(super) fn short<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The full name of the value that is meant, or what to write instead.
pub(super) fn resolve(values: &EnumDescriptor, text: &str) -> Result<String, String> {
    let prefix = prefix(values);
    let upper = text.to_ascii_uppercase().replace(['-', ' '], "_");
    let meant = [text.to_owned(), upper.clone(), format!("{prefix}{upper}")];
    if let Some(found) = meant.into_iter().find(|name| values.get_value_by_name(name).is_some()) {
        return Ok(found);
    }
    let names: Vec<_> = values
        .values()
        .filter(|value| value.number() != 0)
        .map(|value| short(value.name(), &prefix).to_owned())
        .collect();
    let nearest = did_you_mean(short(&upper, &prefix), names.iter().map(String::as_str));
    let more = if names.len() > TOLD { ", …" } else { "" };
    let told = names[..names.len().min(TOLD)].join(", ");
    Err(format!("{} has no value `{text}`{nearest} (it has {told}{more})", values.name()))
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    fn values(name: &str) -> EnumDescriptor {
        let pool = DescriptorPool::decode(yeyak_proto::FILE_DESCRIPTOR_SET).expect("ours");
        pool.get_enum_by_name(name).expect("ours")
    }

    #[test]
    fn the_prefix_is_what_all_values_have_up_to_an_underscore() {
        assert_eq!(prefix(&values("yeyak.member.v1.Role")), "ROLE_");
        assert_eq!(prefix(&values("yeyak.common.v1.Access")), "ACCESS_");
        assert_eq!(prefix(&values("yeyak.common.v1.ErrorReason")), "", "these have no prefix");
    }

    #[test]
    fn a_value_is_found_by_its_long_name_its_short_one_and_in_any_case() {
        let role = values("yeyak.member.v1.Role");
        for text in ["ROLE_ADMIN", "ADMIN", "admin", "role-admin"] {
            assert_eq!(resolve(&role, text).as_deref(), Ok("ROLE_ADMIN"), "{text}");
        }
        let reason = values("yeyak.common.v1.ErrorReason");
        assert_eq!(resolve(&reason, "email_taken").as_deref(), Ok("EMAIL_TAKEN"));
        assert!(resolve(&role, "ADNIM").unwrap_err().contains("did you mean `ADMIN`?"));
    }
}
