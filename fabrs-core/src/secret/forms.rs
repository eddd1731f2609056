//! The forms in which a secret may be met: as it is, quoted, escaped, encoded.

use std::collections::BTreeSet;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding};

use crate::shell::quote;

/// What is shorter is met by chance.
pub(super) const SHORTEST: usize = 6;

/// Returns every form of a secret that is long enough to be looked for.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if secret.len() < SHORTEST {
        return forms;
    }
    // A key of several lines may come with something in front of each.
    for text in std::iter::once(secret).chain(secret.lines()) {
        forms.extend(escaped(text).map(String::into_bytes));
    }
    for (bare, padded) in [(BASE64_NOPAD, BASE64), (BASE64URL_NOPAD, BASE64URL)] {
        forms.insert(padded.encode(secret.as_bytes()).into_bytes());
        forms.extend((0..3).map(|before| inside(&bare, secret.as_bytes(), before)));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Returns a text as it is, as shells quote it, and as it stands in JSON.
fn escaped(text: &str) -> impl Iterator<Item = String> {
    let behind = |special: &'static str| {
        move |text: &str| {
            let mut escaped = String::new();
            for c in text.chars() {
                if special.contains(c) {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            escaped
        }
    };
    let json = serde_json::Value::from(text).to_string();
    [
        text.to_owned(),
        shlex::try_quote(text).unwrap_or_default().into_owned(),
        quote(text).unwrap_or_default().into_owned(),
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        behind("\"$`\\")(text),
        behind(" !\"#$&'()*,;<=>?[\\]^`{|}~")(text),
        json.get(1..json.len() - 1).unwrap_or_default().to_owned(),
    ]
    .into_iter()
}

/// Returns the part of an encoded text that is the same whatever stands around `secret` in it, where `before` bytes stand in
/// front of it.
fn inside(encoding: &Encoding, secret: &[u8], before: usize) -> Vec<u8> {
    let whole = [vec![0; before], secret.to_vec()].concat();
    let encoded = encoding.encode(&whole).into_bytes();
    // Six bits a letter: those that share theirs with something else are not the secret's alone.
    let (first, last) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    encoded.get(first..last).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(secret: &str, text: &str) {
        let forms = forms(secret);
        let text = text.as_bytes();
        assert!(forms.iter().any(|form| memchr::memmem::find(text, form).is_some()), "{forms:?}");
    }

    #[test]
    fn a_secret_is_known_as_it_is_quoted_and_encoded() {
        let secret = "it's $a \"key\" \\ é";
        found(secret, "before it's $a \"key\" \\ é after");
        found(secret, &shlex::try_quote(secret).unwrap());
        found(secret, r#"'it'\''s $a "key" \ é'"#);
        found(secret, r#"it\'s\ \$a\ \"key\"\ \\\ é"#);
        found(secret, &serde_json::json!({ "key": secret }).to_string());
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "x", "xy", ":rest"] {
                found(secret, &BASE64.encode(format!("{before}{secret}{after}").as_bytes()));
                found(secret, &BASE64URL_NOPAD.encode(format!("{before}{secret}{after}").as_bytes()));
            }
        }
    }

    #[test]
    fn each_line_of_a_key_is_known_and_what_is_short_is_not() {
        let key = "-----BEGIN KEY-----\nc2VjcmV0LWxpbmU\nend\n";
        found(key, "web1 | c2VjcmV0LWxpbmU");
        assert!(!forms(key).iter().any(|form| form == b"end"));
        assert!(forms("short").is_empty());
    }
}
