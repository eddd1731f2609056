//! Detects a literal with `{name}` and without `cmd!`, a common beginner's mistake.

/// Returns the name in the first unquoted `{name}` or `{name...}` of a literal.
///
/// Braces of the shell are ignored: `${HOME}`, text in single quotes (awk programs), `{a,b}`,
/// `{1..3}` and `{ cmd; }`. A `{name}` in double quotes counts, because `cmd!` would replace the
/// name there too.
pub(super) fn forgotten_placeholder(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let (mut at, mut single, mut double) = (0, false, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if !single => at += 1,
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'$' if !single && bytes.get(at + 1) == Some(&b'{') => at += 1,
            b'{' if !single => {
                if let Some(name) = placeholder(line.get(at + 1..).unwrap_or_default()) {
                    return Some(name);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the identifier at the start of `rest`, if `}` or `...}` follows it.
fn placeholder(rest: &str) -> Option<&str> {
    let inside = rest.split_once('}')?.0;
    let name = inside.strip_suffix("...").unwrap_or(inside);
    let first = name.chars().next()?;
    let is_name = (first.is_alphabetic() || first == '_') && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, expected: Option<&str>) {
        assert_eq!(forgotten_placeholder(line), expected, "{line}");
    }

    #[test]
    fn only_an_unquoted_name_in_braces_is_a_forgotten_placeholder() {
        case("git reset --hard {tag}", Some("tag"));
        case("rm {files...}", Some("files"));
        case("echo \"{tag}\"", Some("tag"));
        case("echo ${HOME}", None);
        case("awk '{print}'", None);
        case("awk '{print $1}' {file}", Some("file"));
        case("mkdir {a,b} {1..3}", None);
        case("f() { ls; }", None);
        case("find . -exec rm {} +", None);
        case("echo \\{x}", None);
        case("echo {", None);
    }
}
