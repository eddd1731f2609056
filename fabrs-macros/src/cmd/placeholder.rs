//! What may stand between braces: a name or a field, as one word, as a list, or formatted.

/// A value that the literal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// The name and the fields after it: `self`, `tag`.
    pub(super) path: Vec<String>,
    pub(super) form: Form,
}

/// How the value enters the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `{name}`: one quoted word.
    Word,
    /// `{name...}`: a quoted word for each item.
    List,
    /// `{name:spec}`: formatted as `format!` does, then one quoted word.
    Formatted(String),
}

/// Says why the text between two braces names no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misuse {
    /// `{}`
    Empty,
    /// `{0}`
    Positional,
    /// `{name...:03}`
    FormattedList,
    /// `{print $1}`, `{a,b}`, `{name.len()}`
    NoName,
}

impl Placeholder {
    /// Reads the text between two braces.
    pub(super) fn parse(inside: &str) -> Result<Self, Misuse> {
        let (name, spec) = match inside.split_once(':') {
            Some((name, spec)) => (name, Some(spec)),
            None => (inside, None),
        };
        let (name, is_list) = match name.strip_suffix("...") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if inside.is_empty() {
            return Err(Misuse::Empty);
        }
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_digit()) {
            return Err(Misuse::Positional);
        }
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        if !is_path(&path) || spec.is_some_and(is_no_spec) {
            return Err(Misuse::NoName);
        }
        let form = match (is_list, spec) {
            (true, Some(_)) => return Err(Misuse::FormattedList),
            (false, Some(spec)) if spec.ends_with("...") => return Err(Misuse::FormattedList),
            (false, Some(spec)) => Form::Formatted(spec.to_owned()),
            (true, None) => Form::List,
            (false, None) => Form::Word,
        };
        Ok(Self { path, form })
    }
}

fn is_path(path: &[String]) -> bool {
    let is_ident = |text: &str| syn::parse_str::<syn::Ident>(text).is_ok() && text.trim() == text;
    let is_field = |text: &str| is_ident(text) || (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit()));
    let [first, fields @ ..] = path else { return false };
    (first == "self" || is_ident(first)) && fields.iter().all(|field| is_field(field))
}

/// Tells a Rust path (`{module::NAME}`) and nested braces from what `format!` takes after the colon.
fn is_no_spec(spec: &str) -> bool {
    let is_path = spec.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()));
    is_path || spec.contains('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(inside: &str, path: &[&str], form: Form) {
        let path = path.iter().map(ToString::to_string).collect();
        assert_eq!(Placeholder::parse(inside), Ok(Placeholder { path, form }), "{{{inside}}}");
    }

    #[track_caller]
    fn misuse(inside: &str, expected: Misuse) {
        assert_eq!(Placeholder::parse(inside), Err(expected), "{{{inside}}}");
    }

    #[test]
    fn names_and_fields_are_values() {
        case("tag", &["tag"], Form::Word);
        case("TAG", &["TAG"], Form::Word);
        case("größe", &["größe"], Form::Word);
        case("r#type", &["r#type"], Form::Word);
        case("self.tag", &["self", "tag"], Form::Word);
        case("app.release.0", &["app", "release", "0"], Form::Word);
        case("files...", &["files"], Form::List);
        case("self.files...", &["self", "files"], Form::List);
        case("n:03", &["n"], Form::Formatted("03".to_owned()));
        case("n:>width$", &["n"], Form::Formatted(">width$".to_owned()));
        case("at::>5", &["at"], Form::Formatted(":>5".to_owned()));
    }

    #[test]
    fn everything_else_between_braces_is_a_misuse() {
        misuse("", Misuse::Empty);
        misuse("0", Misuse::Positional);
        misuse("0:03", Misuse::Positional);
        misuse("files...:03", Misuse::FormattedList);
        misuse("files:03...", Misuse::FormattedList);
        for inside in [
            "print $1", "a,b", "1..3", " x ", "x ", "x.len()", "x + 1", "type", "_", "...", ".x", "x.", "a::B", "n:{w}",
        ] {
            misuse(inside, Misuse::NoName);
        }
    }
}
