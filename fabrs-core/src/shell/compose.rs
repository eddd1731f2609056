//! Remote scripts: composition from files and values.

/// Removes comments, empty lines and indentation from a script, since every command sends its whole
/// script.
///
/// Only whole lines are removed. A script must not depend on the indentation of a line.
pub(crate) fn minify(script: &str) -> String {
    let mut text = String::with_capacity(script.len());
    for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Minifies several scripts, and concatenates them.
pub(crate) fn minify_all(scripts: &[&str]) -> String {
    scripts.iter().map(|script| minify(script)).collect()
}

/// Minifies a script, and replaces its placeholders `__NAME__` by values.
///
/// Values are not searched for placeholders, since a path may contain the same text. A value
/// replaces the whole line, including the line break, if the line is only a placeholder and the
/// value is empty or ends with a line break.
pub(crate) fn fill(script: &str, values: &[(&str, &str)]) -> String {
    let script = minify(script);
    let mut text = String::with_capacity(script.len());
    let mut rest = script.as_str();
    while let Some((before, name, after)) = next_placeholder(rest) {
        text.push_str(before);
        let value = values.iter().find(|(known, _)| *known == name);
        debug_assert!(value.is_some(), "the placeholder {name} has no value");
        let value = value.map(|(_, value)| *value).unwrap_or_default();
        let is_line = text.is_empty() || text.ends_with('\n');
        text.push_str(value);
        let ends_line = is_line && (value.is_empty() || value.ends_with('\n'));
        rest = if ends_line { after.strip_prefix('\n').unwrap_or(after) } else { after };
    }
    text.push_str(rest);
    text
}

/// Returns the first placeholder, with the text before and after.
fn next_placeholder(script: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = script.split_once("__")?;
    let (name, after) = rest.split_once("__")?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_are_removed() {
        let script = "# A comment.\nif x; then\n  # Another.\n  printf '%s' \"${#a}\" # kept\n\nfi\n";
        assert_eq!(minify(script), "if x; then\nprintf '%s' \"${#a}\" # kept\nfi\n");
    }

    #[test]
    fn a_placeholder_is_replaced_once() {
        assert_eq!(fill("a=__A__; b=__B__\n", &[("A", "__B__"), ("B", "2")]), "a=__B__; b=2\n");
    }

    #[test]
    fn a_line_of_a_placeholder_is_replaced_as_a_whole() {
        assert_eq!(fill("x\n__A__\n__B__\ny\n", &[("A", ""), ("B", "1\n2\n")]), "x\n1\n2\ny\n");
        assert_eq!(fill("__A__\nprintf '__A__\\n'\n", &[("A", "1")]), "1\nprintf '1\\n'\n");
    }
}
