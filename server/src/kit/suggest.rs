//! What was probably meant.

/// The candidate that differs least from a word, when it differs little.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let few = (word.chars().count() / 3).max(2);
    let mut best = None;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
        if distance <= few && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// As [`nearest`], for names with a package: when the whole is too different, what stands behind the last dot counts.
pub(crate) fn nearest_name<'a>(word: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    nearest(word, names.clone()).or_else(|| {
        let own = nearest(own_name(word), names.clone().into_iter().map(own_name))?;
        names.into_iter().find(|name| own_name(name) == own)
    })
}

/// A name without its package.
pub(crate) fn own_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `; did you mean …?`, or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let fields = ["email", "password", "display_name"];
        assert_eq!(nearest("emial", fields), Some("email"));
        assert_eq!(nearest("displayname", fields), Some("display_name"));
        assert_eq!(nearest("Password", fields), Some("password"));
        assert_eq!(nearest("region", fields), None);
        assert_eq!(did_you_mean("x", []), "");
    }

    #[test]
    fn a_package_may_be_missing_or_wrong() {
        let names = ["a.v1.ErrorReason", "a.v1.Money", "b.v1.Member"];
        assert_eq!(nearest_name("ErrorReasn", names), Some("a.v1.ErrorReason"));
        assert_eq!(nearest_name("Member", names), Some("b.v1.Member"));
        assert_eq!(nearest_name("a.v1.Mony", names), Some("a.v1.Money"));
        assert_eq!(nearest_name("c.v9.Nothing", names), None);
    }
}
