//! What a person probably meant, and lists of names for hints.

/// Returns the known name that was probably meant, where one is near what was typed.
///
/// Near is what lacks a few letters of the name, has a few too many or in the wrong place, or is its beginning.
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
    // The distance takes time by the product of both lengths, and a word of that size is no slip of a finger.
    if length > 100 {
        return None;
    }
    let distance = |name: &'a str| {
        let lower = name.to_lowercase();
        if length >= 3 && lower.starts_with(&typed) {
            return Some((1, name));
        }
        let distance = strsim::osa_distance(&typed, &lower);
        // One slip in three letters; a word of which no letter is right is never near.
        let allowed = (length.max(lower.chars().count()) / 3).max(1);
        (distance <= allowed && distance < length).then_some((distance, name))
    };
    known.into_iter().filter_map(distance).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Returns the hint for an unknown name: the one that was probably meant, or all there are under a `title`.
pub(super) fn meant<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone, title: &str) -> String {
    match did_you_mean(typed, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{title}: {}", listed(known)),
    }
}

/// Returns the names as they stand in a sentence: `` `a`, `b` ``.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
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
    fn a_slip_of_a_finger_finds_the_key_and_a_strange_word_finds_none() {
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
    fn the_hint_lists_the_names_where_none_is_near() {
        assert_eq!(meant("hots", KEYS, "known keys"), "did you mean `hosts`?");
        assert_eq!(meant("zzz", ["a", "b"], "known keys"), "known keys: `a`, `b`");
    }
}
