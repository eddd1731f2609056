//! Texts within the length limits of a service.

/// Returns a text of at most `limit` characters. An ellipsis replaces the end of a longer text.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// Returns the first lines of a text, with at most `limit` characters. A line with the number of
/// omitted lines replaces the rest.
pub(super) fn shorten_lines(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    let note = |shown: usize| format!("… and {} more lines", lines.len() - shown);
    let left = limit.saturating_sub(note(0).chars().count());
    let mut used = 0;
    let shown = lines.iter().take_while(|line| {
        used += line.chars().count() + 1;
        used <= left
    });
    let shown: Vec<&str> = shown.copied().collect();
    [shown.as_slice(), &[&note(shown.len())]].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_with_an_ellipsis() {
        assert_eq!(shorten("deployed", 8), "deployed");
        assert_eq!(shorten("déployed", 7), "déploy…");
    }

    #[test]
    fn a_long_list_ends_with_the_number_of_omitted_lines() {
        assert_eq!(shorten_lines("one\ntwo", 7), "one\ntwo");
        let text = "one commit\n".repeat(100);
        let short = shorten_lines(&text, 60);
        assert!(short.chars().count() <= 60, "{short}");
        assert!(short.ends_with("one commit\n… and 97 more lines"), "{short}");
        assert_eq!(shorten_lines(&"a".repeat(100), 30), "… and 1 more lines");
    }
}
