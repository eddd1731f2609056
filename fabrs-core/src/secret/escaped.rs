//! Escaped forms of a text: for shells, JSON, HTML and URLs.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};

use crate::shell::quote;

/// Returns the text and all its escaped forms.
pub(super) fn escaped(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    all.extend(for_shells(text));
    all.extend(for_json(text));
    all.extend(for_html(text));
    all.extend(for_urls(text));
    all
}

fn for_shells(text: &str) -> [String; 6] {
    let with_backslashes = |special: &'static str| {
        text.chars().fold(String::new(), |mut escaped, c| {
            if special.contains(c) {
                escaped.push('\\');
            }
            escaped.push(c);
            escaped
        })
    };
    [
        shlex::try_quote(text).unwrap_or_default().into_owned(),
        quote(text).unwrap_or_default().into_owned(),
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        with_backslashes("\"$`\\"),
        with_backslashes(" !\"#$&'()*,;<=>?[\\]^`{|}~"),
    ]
}

/// Returns the forms in a JSON string.
fn for_json(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default();
    let unicode = |special: fn(char) -> bool| {
        let mut escaped = String::new();
        for c in json.chars() {
            if special(c) {
                escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            } else {
                escaped.push(c);
            }
        }
        escaped
    };
    // Python, PHP and Ruby escape all characters except ASCII. Go escapes three characters of HTML,
    // and minijinja also the apostrophe.
    let ascii = unicode(|c| !c.is_ascii());
    let forms = [
        json.to_owned(),
        unicode(|c| matches!(c, '<' | '>' | '&')),
        unicode(|c| matches!(c, '<' | '>' | '&' | '\'')),
        ascii.replace('/', "\\/"),
        ascii,
    ];
    forms.into_iter().flat_map(|form| [map_hex(&form, "\\u", 4, char::to_ascii_uppercase), form]).collect()
}

/// Returns the forms in HTML and XML.
fn for_html(text: &str) -> Vec<String> {
    // Each row has the escapes of quote, apostrophe and slash.
    let styles = [
        ("\"", "'", "/"), // text between tags
        ("&quot;", "'", "/"),
        ("&quot;", "&#x27;", "/"),      // Python
        ("&quot;", "&#x27;", "&#x2f;"), // minijinja
        ("&quot;", "&#39;", "/"),
        ("&#34;", "&#39;", "/"),   // Jinja and Go
        ("&quot;", "&#039;", "/"), // PHP
        ("&quot;", "&apos;", "/"), // XML
    ];
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // In this order, no replacement changes the escapes of an earlier replacement.
    let form = |(quote, apostrophe, slash)| text.replace('/', slash).replace('"', quote).replace('\'', apostrophe);
    styles.into_iter().map(form).collect()
}

/// All characters except the unreserved characters of RFC 3986, as in curl, jq and Python.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The set of Python's `quote` and of AWS signatures.
const RESERVED_IN_PATHS: &AsciiSet = &RESERVED.remove(b'/');
/// The set of `encodeURIComponent` in JavaScript.
const COMPONENT: &AsciiSet = &RESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// The set of forms in browsers, PHP and Java.
const FORM: &AsciiSet = &RESERVED.add(b'~').remove(b'*');
/// The set of paths in the URL standard.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');
/// The set of users and passwords in the URL standard.
const USERINFO: &AsciiSet =
    &PATH.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b'\\').add(b']').add(b'|');

/// Returns the percent-encoded forms. HTML form data encodes a space as `+`.
fn for_urls(text: &str) -> Vec<String> {
    let encode = |set| percent_encode(text.as_bytes(), set).to_string();
    let plain = [NON_ALPHANUMERIC, RESERVED, RESERVED_IN_PATHS, COMPONENT, PATH, USERINFO].map(encode);
    let of_forms = [RESERVED, FORM].map(|set| encode(set).replace("%20", "+"));
    let all = plain.into_iter().chain(of_forms);
    all.flat_map(|form| [map_hex(&form, "%", 2, char::to_ascii_lowercase), form]).collect()
}

/// Maps the `count` hexadecimal digits after each `mark`.
fn map_hex(text: &str, mark: &str, count: usize, map: fn(&char) -> char) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mapped, part| {
        let digits = part.chars().take(count).map(|c| map(&c));
        mapped + mark + &digits.chain(part.chars().skip(count)).collect::<String>()
    })
}
