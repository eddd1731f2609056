//! "Did you mean": the known word that is nearest to what was written.

/// Returns what to say behind an unknown word: the nearest known one if it is near, and all of them.
pub(crate) fn hint(written: &str, known: &[&str]) -> String {
    let all = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match nearest(written, known) {
        Some(word) => format!("did you mean `{word}`? Known are {all}"),
        None => format!("known are {all}"),
    }
}

fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |word: &str| strsim::jaro_winkler(&written.to_lowercase(), word);
    let best = known.iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.8).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["default", "hosts", "role", "rolling"];

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_strange_word_is_not() {
        assert_eq!(nearest("roel", &KNOWN), Some("role"));
        assert_eq!(nearest("roles", &KNOWN), Some("role"));
        assert_eq!(nearest("host", &KNOWN), Some("hosts"));
        assert_eq!(nearest("parallel", &KNOWN), None);
    }
}
