//! "Did you mean" suggestions for unknown keys.

/// Returns a hint for an unknown key: the most similar known key, if any, and all known keys.
pub(crate) fn unknown_name_hint(written: &str, known: &[&str]) -> String {
    let all = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match did_you_mean(written, known) {
        Some(word) => format!("did you mean `{word}`? (known keys: {all})"),
        None => format!("known keys: {all}"),
    }
}

fn did_you_mean<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |word: &str| strsim::jaro_winkler(&written.to_lowercase(), word);
    let best = known.iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.8).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["default", "hosts", "role", "rolling"];

    #[test]
    fn a_typo_has_a_suggestion_and_an_unrelated_word_has_none() {
        assert_eq!(did_you_mean("roel", &KNOWN), Some("role"));
        assert_eq!(did_you_mean("roles", &KNOWN), Some("role"));
        assert_eq!(did_you_mean("host", &KNOWN), Some("hosts"));
        assert_eq!(did_you_mean("parallel", &KNOWN), None);
    }
}
