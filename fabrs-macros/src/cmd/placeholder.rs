//! Parses placeholders: a name or a field, as a word, as a list, or formatted.

/// A parsed placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// The name and its fields, such as `self` and `tag`.
    pub(super) path: Vec<String>,
    pub(super) kind: PlaceholderKind,
}

/// The conversion of the value to words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlaceholderKind {
    /// `{name}`: a quoted word.
    Word,
    /// `{name...}`: a quoted word for each item.
    List,
    /// `{name:spec}`: formatted as by `format!`, as a quoted word.
    Formatted(String),
}

/// The reason why the text between braces is not a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceholderError {
    /// `{}`: no name.
    Empty,
    /// `{0}`: a positional argument.
    Positional,
    /// `{name...:03}`: a formatted list.
    FormattedList,
    /// Other text, such as `{print $1}`, `{a,b}` or `{name.len()}`.
    NotAName,
}

impl Placeholder {
    /// Parses the text between two braces.
    pub(super) fn parse(inside: &str) -> Result<Self, PlaceholderError> {
        let (name, spec) = match inside.split_once(':') {
            Some((name, spec)) => (name, Some(spec)),
            None => (inside, None),
        };
        let (name, is_list) = match name.strip_suffix("...") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if inside.is_empty() {
            return Err(PlaceholderError::Empty);
        }
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_digit()) {
            return Err(PlaceholderError::Positional);
        }
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        if !is_path(&path) || spec.is_some_and(is_not_format_spec) {
            return Err(PlaceholderError::NotAName);
        }
        let kind = match (is_list, spec) {
            (true, Some(_)) => return Err(PlaceholderError::FormattedList),
            (false, Some(spec)) if spec.ends_with("...") => return Err(PlaceholderError::FormattedList),
            (false, Some(spec)) => PlaceholderKind::Formatted(spec.to_owned()),
            (true, None) => PlaceholderKind::List,
            (false, None) => PlaceholderKind::Word,
        };
        Ok(Self { path, kind })
    }
}

fn is_path(path: &[String]) -> bool {
    let is_ident = |text: &str| syn::parse_str::<syn::Ident>(text).is_ok() && text.trim() == text;
    let is_field = |text: &str| is_ident(text) || (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit()));
    let [first, fields @ ..] = path else { return false };
    (first == "self" || is_ident(first)) && fields.iter().all(|field| is_field(field))
}

/// Returns true for text after a colon that is not a format spec: a path (`{module::NAME}`) or a
/// nested brace.
fn is_not_format_spec(spec: &str) -> bool {
    let is_path = spec.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()));
    is_path || spec.contains('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_placeholder(inside: &str, path: &[&str], kind: PlaceholderKind) {
        let path = path.iter().map(ToString::to_string).collect();
        assert_eq!(Placeholder::parse(inside), Ok(Placeholder { path, kind }), "{{{inside}}}");
    }

    #[track_caller]
    fn assert_error(inside: &str, expected: PlaceholderError) {
        assert_eq!(Placeholder::parse(inside), Err(expected), "{{{inside}}}");
    }

    #[test]
    fn names_and_fields_are_values() {
        assert_placeholder("tag", &["tag"], PlaceholderKind::Word);
        assert_placeholder("TAG", &["TAG"], PlaceholderKind::Word);
        assert_placeholder("größe", &["größe"], PlaceholderKind::Word);
        assert_placeholder("r#type", &["r#type"], PlaceholderKind::Word);
        assert_placeholder("self.tag", &["self", "tag"], PlaceholderKind::Word);
        assert_placeholder("app.release.0", &["app", "release", "0"], PlaceholderKind::Word);
        assert_placeholder("files...", &["files"], PlaceholderKind::List);
        assert_placeholder("self.files...", &["self", "files"], PlaceholderKind::List);
        assert_placeholder("n:03", &["n"], PlaceholderKind::Formatted("03".to_owned()));
        assert_placeholder("n:>width$", &["n"], PlaceholderKind::Formatted(">width$".to_owned()));
        assert_placeholder("at::>5", &["at"], PlaceholderKind::Formatted(":>5".to_owned()));
    }

    #[test]
    fn other_text_between_braces_is_an_error() {
        assert_error("", PlaceholderError::Empty);
        assert_error("0", PlaceholderError::Positional);
        assert_error("0:03", PlaceholderError::Positional);
        assert_error("files...:03", PlaceholderError::FormattedList);
        assert_error("files:03...", PlaceholderError::FormattedList);
        for inside in [
            "print $1", "a,b", "1..3", " x ", "x ", "x.len()", "x + 1", "type", "_", "...", ".x", "x.", "a::B", "n:{w}",
        ] {
            assert_error(inside, PlaceholderError::NotAName);
        }
    }
}
