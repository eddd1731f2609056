//! "Did you mean" suggestions and lists of names for hints.

/// Returns the known name closest to the typed name, if any is close enough.
///
/// A name matches if a few letters are missing, added or swapped, or if it starts with the typed
/// name.
///
/// ```
/// use fabrs_core::config::did_you_mean;
///
/// assert_eq!(did_you_mean("deplyo", ["deploy", "migrate"]), Some("deploy"));
/// assert_eq!(did_you_mean("prod", ["staging", "production"]), Some("production"));
/// assert_eq!(did_you_mean("backup", ["deploy", "migrate"]), None);
/// ```
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let length = typed.chars().count();
    // The computation takes time proportional to the product of both lengths. A longer text is not
    // a typing error.
    if length > 100 {
        return None;
    }
    let distance = |name: &'a str| {
        let lower = name.to_lowercase();
        if length >= 3 && lower.starts_with(&typed) {
            return Some((1, name));
        }
        let distance = strsim::osa_distance(&typed, &lower);
        // One error is allowed for every three letters. A word without any correct letter never
        // matches.
        let allowed = (length.max(lower.chars().count()) / 3).max(1);
        (distance <= allowed && distance < length).then_some((distance, name))
    };
    known.into_iter().filter_map(distance).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Returns the hint for an unknown name: a suggestion, or all known names after `title`.
pub(super) fn unknown_name_hint<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    title: &str,
) -> String {
    match did_you_mean(typed, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{title}: {}", quoted_list(known)),
    }
}

/// Returns the names for a sentence: `` `a`, `b` ``.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 7] = ["hosts", "roles", "user", "port", "gateway", "protected", "vars"];

    #[track_caller]
    fn case(typed: &str, meant: Option<&str>) {
        assert_eq!(did_you_mean(typed, KEYS), meant, "{typed}");
    }

    #[test]
    fn a_typing_error_has_a_suggestion_and_an_unrelated_word_has_none() {
        case("hots", Some("hosts"));
        case("host", Some("hosts"));
        case("role", Some("roles"));
        case("usr", Some("user"));
        case("prot", Some("port"));
        case("Gatway", Some("gateway"));
        case("protect", Some("protected"));
        case("rt", None);
        case("x", None);
        case("colour", None);
        case("", None);
        case(&"hosts".repeat(100), None);
    }

    #[test]
    fn the_hint_lists_all_names_without_a_suggestion() {
        assert_eq!(unknown_name_hint("hots", KEYS, "known keys"), "did you mean `hosts`?");
        assert_eq!(unknown_name_hint("zzz", ["a", "b"], "known keys"), "known keys: `a`, `b`");
    }
}
