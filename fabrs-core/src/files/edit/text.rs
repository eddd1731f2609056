//! Pure functions that edit text: append, replace, comment, uncomment, and ensure a line.

use memchr::memmem;
use regex::bytes::Regex;

/// The lines of a text, each with its line end.
struct TextLines<'a> {
    each: Vec<&'a [u8]>,
    /// The line end of added lines.
    end: &'static [u8],
}

impl<'a> TextLines<'a> {
    fn of(text: &'a [u8]) -> Self {
        let end: &[u8] = if memmem::find(text, b"\r\n").is_some() { b"\r\n" } else { b"\n" };
        Self { each: text.split_inclusive(|byte| *byte == b'\n').collect(), end }
    }

    fn contains(&self, line: &str) -> bool {
        self.each.iter().any(|each| split_end(each).0 == line.as_bytes())
    }

    /// Returns the text with `line` inserted. If the previous line has no line end, a line end is
    /// added.
    fn with(&self, at: usize, line: &str) -> Vec<u8> {
        let (before, behind) = self.each.split_at(at.min(self.each.len()));
        let mut text = before.concat();
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.extend_from_slice(self.end);
        }
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(self.end);
        text.extend(behind.iter().copied().flatten());
        text
    }

    /// Returns the text with each line replaced by `change`, or kept for `None`. Line ends are
    /// kept.
    fn map(&self, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
        let mut text = Vec::new();
        for each in &self.each {
            let (line, end) = split_end(each);
            match change(line) {
                Some(changed) => text.extend_from_slice(&changed),
                None => text.extend_from_slice(line),
            }
            text.extend_from_slice(end);
        }
        text
    }
}

/// Splits a line from its line end.
fn split_end(line: &[u8]) -> (&[u8], &[u8]) {
    let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
    line.split_at(text.len())
}

/// Appends the missing lines, in their order.
pub(super) fn append(old: &[u8], lines: &[String]) -> Vec<u8> {
    let mut text = old.to_vec();
    for line in lines {
        let known = TextLines::of(&text);
        if !known.contains(line) {
            let end = known.each.len();
            text = known.with(end, line);
        }
    }
    text
}

/// Returns true if the text contains `needle`.
pub(super) fn contains(text: &[u8], needle: &str) -> bool {
    memmem::find(text, needle.as_bytes()).is_some()
}

/// Replaces all matches by `with`. `$1` in `with` is the match of the first group.
pub(super) fn replace(old: &[u8], pattern: &Regex, with: &str) -> Vec<u8> {
    pattern.replace_all(old, with.as_bytes()).into_owned()
}

/// Returns the first group that `with` names and `pattern` lacks. The `regex` crate replaces such a
/// group by an empty text.
pub(super) fn unknown_group<'w>(pattern: &Regex, with: &'w str) -> Option<&'w str> {
    let is_known = |name: &str| match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|known| known == name),
    };
    let mut rest = with;
    while let Some((_, behind)) = rest.split_once('$') {
        rest = behind;
        if let Some(behind) = rest.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let name = match rest.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((name, _)) => name,
            None => rest.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')).next().unwrap_or_default(),
        };
        if !name.is_empty() && !is_known(name) {
            return Some(name);
        }
    }
    None
}

/// Comments out the matching lines: adds the marker after the indentation, unless a marker is
/// there.
pub(super) fn comment(old: &[u8], pattern: &Regex, marker: &str) -> Vec<u8> {
    TextLines::of(old).map(|line| {
        let (indentation, rest) = indented(line);
        let is_uncommented = pattern.is_match(line) && !rest.starts_with(marker.as_bytes());
        is_uncommented.then(|| [indentation, marker.as_bytes(), b" ", rest].concat())
    })
}

/// Removes the marker, and one space after it, from lines whose rest matches the pattern.
pub(super) fn uncomment(old: &[u8], pattern: &Regex, marker: &str) -> Vec<u8> {
    TextLines::of(old).map(|line| {
        let (indentation, rest) = indented(line);
        let rest = rest.strip_prefix(marker.as_bytes())?;
        let line = [indentation, rest.strip_prefix(b" ").unwrap_or(rest)].concat();
        pattern.is_match(&line).then_some(line)
    })
}

/// The position of a new line.
#[derive(Debug, Clone, Default)]
pub(super) enum LinePosition {
    #[default]
    End,
    After(Regex),
    Before(Regex),
}

/// Ensures that the text has `line`: replaces the last line that matches `matching`, or inserts the
/// line at `position`.
pub(super) fn ensure_line(old: &[u8], line: &str, matching: Option<&Regex>, position: &LinePosition) -> Vec<u8> {
    let lines = TextLines::of(old);
    let last = |pattern: &Regex| lines.each.iter().rposition(|line| pattern.is_match(split_end(line).0));
    if lines.contains(line) {
        return old.to_vec();
    }
    if let Some(at) = matching.and_then(last) {
        let mut n = 0;
        return lines.map(|_| {
            n += 1;
            (n - 1 == at).then(|| line.as_bytes().to_vec())
        });
    }
    let end = lines.each.len();
    let at = match position {
        LinePosition::End => end,
        LinePosition::After(pattern) => last(pattern).map_or(end, |at| at + 1),
        LinePosition::Before(pattern) => last(pattern).unwrap_or(end),
    };
    lines.with(at, line)
}

fn indented(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(line.len());
    line.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Regex {
        Regex::new(text).unwrap()
    }

    #[track_caller]
    fn case(new: Vec<u8>, expected: &str) {
        assert_eq!(String::from_utf8(new).unwrap(), expected);
    }

    #[test]
    fn an_unknown_group_of_a_replacement_is_found() {
        let pattern = Regex::new(r"(?<name>a)(\d+)").unwrap();
        for known in ["$1$2", "${1}x", "$name", "$$price", "a $ b", "100 $"] {
            assert_eq!(unknown_group(&pattern, known), None, "{known}");
        }
        for (with, group) in [("$1_tls", "1_tls"), ("$10", "10"), ("US$price", "price"), ("${no}", "no")] {
            assert_eq!(unknown_group(&pattern, with), Some(group), "{with}");
        }
    }

    #[test]
    fn appended_lines_keep_their_order_without_duplicates() {
        let lines = ["b".to_owned(), "a.*".to_owned(), "b".to_owned()];
        case(append(b"x\n", &lines), "x\nb\na.*\n");
        case(append(b"x\nb\na.*\n", &lines), "x\nb\na.*\n");
        case(append(b"", &lines), "b\na.*\n");
        case(append(b"no end", &lines[..1]), "no end\nb\n");
        case(append(b"dos\r\n", &lines[..1]), "dos\r\nb\r\n");
    }

    #[test]
    fn contains_matches_literal_text() {
        assert!(contains(b"allow *.[x] $y\n", "*.[x] $y") && !contains(b"ax\n", "a."));
    }

    #[test]
    fn all_matches_are_replaced() {
        case(
            replace(b"port = 80\nport = 81\n", &pattern(r"(?m)^port = (\d+)$"), "port = 9$1"),
            "port = 980\nport = 981\n",
        );
        case(replace(b"port = 80\n", &pattern(r"port = (\d)"), "port = 9${1}"), "port = 980\n");
        case(replace(b"caf\xe9 x".as_slice(), &pattern("x"), "y").into_iter().skip(5).collect(), "y");
    }

    #[test]
    fn comment_and_uncomment_keep_the_indentation() {
        let text = "a\n    allow all;\n\tdeny all;\n# b\n";
        let with = "a\n    # allow all;\n\tdeny all;\n# b\n";
        case(comment(text.as_bytes(), &pattern("allow"), "#"), with);
        case(comment(with.as_bytes(), &pattern("allow"), "#"), with);
        case(uncomment(with.as_bytes(), &pattern("allow"), "#"), text);
        case(uncomment(b"  #allow\n#other\n", &pattern("^ *allow"), "#"), "  allow\n#other\n");
        case(comment(b"x", &pattern("x"), "//"), "// x");
    }

    #[test]
    fn ensure_line_replaces_the_last_match_or_inserts_at_the_position() {
        let text = b"a=1\nb=2\na=3\n";
        let of_a = pattern("^a=");
        case(ensure_line(text, "a=4", Some(&of_a), &LinePosition::End), "a=1\nb=2\na=4\n");
        case(ensure_line(text, "a=1", Some(&of_a), &LinePosition::End), "a=1\nb=2\na=3\n");
        case(ensure_line(text, "c=5", Some(&pattern("^c=")), &LinePosition::End), "a=1\nb=2\na=3\nc=5\n");
        case(ensure_line(text, "c=5", None, &LinePosition::After(pattern("^b="))), "a=1\nb=2\nc=5\na=3\n");
        case(ensure_line(text, "c=5", None, &LinePosition::Before(of_a.clone())), "a=1\nb=2\nc=5\na=3\n");
        case(ensure_line(text, "c=5", None, &LinePosition::After(pattern("none"))), "a=1\nb=2\na=3\nc=5\n");
        case(ensure_line(b"x", "y", None, &LinePosition::End), "x\ny\n");
        case(ensure_line(b"a=1", "a=2", Some(&of_a), &LinePosition::End), "a=2");
        case(ensure_line(b"a=1\r\nb=2\n", "c", None, &LinePosition::Before(pattern("^b"))), "a=1\r\nc\r\nb=2\n");
    }

    proptest::proptest! {
        #[test]
        fn every_edit_is_idempotent(text in "[ab#= \r\n]{0,40}", line in "[ab=]{1,3}") {
            let of_a = pattern("a");
            let once = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
                let one = change(text.as_bytes());
                assert_eq!(change(&one), one);
            };
            once(&|text| append(text, std::slice::from_ref(&line)));
            once(&|text| comment(text, &of_a, "#"));
            once(&|text| ensure_line(text, &line, Some(&of_a), &LinePosition::End));
            once(&|text| ensure_line(text, &line, None, &LinePosition::Before(of_a.clone())));
        }
    }
}
