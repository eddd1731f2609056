//! "Did you mean": the known word that is did_you_mean to what was written.

/// Returns what to say behind an unknown word: the did_you_mean known one if it is near, and all of them.
pub(crate) fn hint(written: &str, known: &[&str]) -> String {
    let all = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match did_you_mean(written, known) {
        Some(word) => format!("did you mean `{word}`? Known are {all}"),
        None => format!("known are {all}"),
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
    fn a_slip_of_the_pen_is_recognised_and_a_strange_word_is_not() {
        assert_eq!(did_you_mean("roel", &KNOWN), Some("role"));
        assert_eq!(did_you_mean("roles", &KNOWN), Some("role"));
        assert_eq!(did_you_mean("host", &KNOWN), Some("hosts"));
        assert_eq!(did_you_mean("parallel", &KNOWN), None);
    }
}
