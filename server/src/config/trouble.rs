//! What is wrong with a configuration, in sentences that name the option and the file.

use std::path::PathBuf;

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Source};
use serde::de::DeserializeOwned;

use super::{DEFAULTS, Sources};
use crate::kit::suggest::{did_you_mean, nearest};

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named can't be read.
    #[error("the configuration file {} can't be read: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What is wrong, a sentence each.
    #[error("{}", .0.join("\n"))]
    Impossible(Vec<String>),
}

impl Sources {
    /// All options as something, or what is wrong with them.
    pub(super) fn read_as<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        if let Some(path) = &self.file
            && let Err(error) = std::fs::metadata(path)
        {
            return Err(ConfigError::File { path: path.clone(), error });
        }
        self.figment.extract().map_err(|error| ConfigError::Impossible(error.into_iter().map(sentence).collect()))
    }
}

/// An error as a sentence: the option, what is wrong with it, and where it was given.
fn sentence(error: figment::Error) -> String {
    let name = error.path.join(".");
    let given = given(&error, &name);
    match &error.kind {
        Kind::UnknownField(field, _) => {
            let name = match error.path.last() {
                Some(last) if last == field => name,
                Some(_) => format!("{name}.{field}"),
                None => field.clone(),
            };
            format!("there is no option `{name}`{given}{}", meant(&name))
        }
        kind if name.is_empty() => format!("{kind}{given}"),
        kind => format!("`{name}`: {kind}{given}"),
    }
}

/// Where a value was given that is not a default or a flag.
fn given(error: &figment::Error, name: &str) -> String {
    let Some(metadata) = &error.metadata else { return String::new() };
    match &metadata.source {
        Some(Source::File(path)) => format!(" (in {})", path.display()),
        _ if metadata.name.contains("environment variable") && !name.is_empty() => {
            format!(" (from YEYAK_{})", name.to_uppercase().replace('.', "__"))
        }
        _ => String::new(),
    }
}

/// The option that was probably meant, by its whole name or by the last part of it.
fn meant(name: &str) -> String {
    let known = names();
    let whole = did_you_mean(name, known.iter().map(String::as_str));
    if !whole.is_empty() {
        return whole;
    }
    fn last(name: &str) -> &str {
        name.rsplit('.').next().unwrap_or(name)
    }
    let near = nearest(last(name), known.iter().map(|name| last(name)));
    let option = near.and_then(|near| known.iter().find(|name| last(name) == near));
    option.map(|option| format!("; did you mean `{option}`?")).unwrap_or_default()
}

/// The name of every option.
fn names() -> Vec<String> {
    fn collect(prefix: &str, values: &Dict, names: &mut Vec<String>) {
        for (key, value) in values {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Dict(_, inner) => collect(&name, inner, names),
                _ => names.push(name),
            }
        }
    }
    let defaults: Dict = Figment::from(Toml::string(DEFAULTS)).extract().unwrap_or_default();
    let mut all = Vec::new();
    collect("", &defaults, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("yeyak.toml");
        std::fs::write(&file, text).expect("writes");
        Sources::read(Some(&file)).config().expect_err(text).to_string()
    }

    #[test]
    fn an_unknown_option_is_named_with_its_file_and_the_nearest_one() {
        let top = refused("lisen = 1");
        assert!(top.starts_with("there is no option `lisen` (in ") && top.contains("yeyak.toml"), "{top}");
        assert!(top.ends_with("did you mean `listen`?"), "{top}");
        let inner = refused("[booking]\nhold_minute = 1");
        assert!(inner.starts_with("there is no option `booking.hold_minute` (in "), "{inner}");
        assert!(inner.ends_with("did you mean `booking.hold_minutes`?"), "{inner}");
        let lost = refused("hold_minutes = 1");
        assert!(lost.ends_with("did you mean `booking.hold_minutes`?"), "{lost}");
    }

    #[test]
    fn a_value_of_another_kind_is_told_by_its_option_and_file() {
        let told = refused("[booking]\nhold_minutes = \"many\"");
        assert!(told.starts_with("`booking.hold_minutes`: ") && told.contains("yeyak.toml"), "{told}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let told = Sources::read(Some("/nowhere/yeyak.toml".as_ref())).config().expect_err("missing").to_string();
        assert!(told.starts_with("the configuration file /nowhere/yeyak.toml can't be read: "), "{told}");
    }
}
