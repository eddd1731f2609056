//! The search forms of a secret: plain, escaped and encoded.

use std::collections::BTreeSet;

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

use crate::secret::escaped::escaped;

/// The minimum length of a redacted text, in bytes. Shorter texts also occur in unrelated output.
pub(crate) const MIN_SECRET_LEN: usize = 6;

/// Returns all search forms of a secret with the minimum length.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    // A program may add a prefix to each line of a multi-line key.
    let texts = std::iter::once(secret).chain(secret.lines()).filter(|text| text.len() >= MIN_SECRET_LEN);
    for text in texts {
        forms.extend(escaped(text).into_iter().map(String::into_bytes));
    }
    // A secret from a file may end with a newline. Programs often strip the newline before they
    // encode the secret.
    for text in [secret, secret.trim_end_matches(['\r', '\n'])] {
        if text.len() >= MIN_SECRET_LEN {
            forms.extend(encoded(text.as_bytes()));
        }
    }
    forms.retain(|form| form.len() >= MIN_SECRET_LEN);
    forms
}

/// Returns a secret in hexadecimal, base64 and base32, also as a part of a longer encoded text.
fn encoded(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms =
        [HEXLOWER, HEXUPPER, BASE64, BASE64URL].map(|encoding| encoding.encode(secret).into_bytes()).to_vec();
    for (encoding, offsets) in [(BASE64_NOPAD, 3), (BASE64URL_NOPAD, 3), (BASE32_NOPAD, 5)] {
        forms.extend((0..offsets).map(|before| inside(&encoding, secret, before)));
    }
    forms
}

/// Returns the encoded letters that depend only on `secret`, if `before` bytes precede the secret.
fn inside(encoding: &Encoding, secret: &[u8], before: usize) -> Vec<u8> {
    let whole = [vec![0; before], secret.to_vec()].concat();
    let encoded = encoding.encode(&whole).into_bytes();
    // The first and the last letter may contain bits of other bytes.
    let bits = encoding.bit_width();
    let (first, last) = ((before * 8).div_ceil(bits), whole.len() * 8 / bits);
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
    fn a_trailing_newline_does_not_hide_an_encoded_secret() {
        found("s3cret-token\n", &BASE64.encode(b"s3cret-token"));
        found("s3cret-token\n", &HEXLOWER.encode(b"s3cret-token"));
    }

    #[test]
    fn a_secret_is_found_quoted_and_encoded() {
        let secret = "it's $a \"key\" \\ é";
        found(secret, "before it's $a \"key\" \\ é after");
        found(secret, &shlex::try_quote(secret).unwrap());
        found(secret, r#"'it'\''s $a "key" \ é'"#);
        found(secret, r#"it\'s\ \$a\ \"key\"\ \\\ é"#);
        found(secret, &serde_json::json!({ "key": secret }).to_string());
        for before in ["", "a", "ab", "abc", "abcd", "user:"] {
            for after in ["", "x", "xy", ":rest"] {
                let text = format!("{before}{secret}{after}");
                for encoding in [BASE64, BASE64URL_NOPAD, data_encoding::BASE32, HEXLOWER, HEXUPPER] {
                    found(secret, &encoding.encode(text.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn a_secret_is_found_in_json_of_other_programs() {
        let secret = "ä <'&\"/> \u{1f511}";
        found(secret, r#"\u00e4 <'&\"/> \ud83d\udd11"#);
        found(secret, r#"\u00E4 <'&\"/> \uD83D\uDD11"#);
        found(secret, r#"\u00e4 <'&\"\/> \ud83d\udd11"#);
        found(secret, "ä \\u003c'\\u0026\\\"/\\u003e \u{1f511}");
        found(secret, "ä \\u003c\\u0027\\u0026\\\"/\\u003e \u{1f511}");
    }

    #[test]
    fn a_secret_is_found_in_html() {
        let secret = "a<b>&\"c'/d";
        found(secret, "a&lt;b&gt;&amp;\"c'/d");
        found(secret, "a&lt;b&gt;&amp;&quot;c&#39;/d");
        found(secret, "a&lt;b&gt;&amp;&quot;c&#x27;/d");
        found(secret, "a&lt;b&gt;&amp;&quot;c&#x27;&#x2f;d");
        found(secret, "a&lt;b&gt;&amp;&#34;c&#39;/d");
        found(secret, "a&lt;b&gt;&amp;&quot;c&apos;/d");
    }

    #[test]
    fn a_secret_is_found_in_urls() {
        let secret = "S3+/ é!~*=@z";
        found(secret, "S3%2B%2F%20%C3%A9%21~%2A%3D%40z");
        found(secret, "S3%2b%2f%20%c3%a9%21~%2a%3d%40z");
        found(secret, "S3%2B/%20%C3%A9%21~%2A%3D%40z");
        found(secret, "S3%2B%2F%20%C3%A9!~*%3D%40z");
        found(secret, "S3%2B%2F+%C3%A9%21%7E*%3D%40z");
        found(secret, "S3%2B%2F+%C3%A9%21~%2A%3D%40z");
        found(secret, "S3+/%20%C3%A9!~*=@z");
        found(secret, "S3+%2F%20%C3%A9!~*%3D%40z");
    }

    #[test]
    fn each_line_of_a_key_is_found_and_a_short_line_is_not() {
        let key = "-----BEGIN KEY-----\nc2VjcmV0LWxpbmU\n'{}'\n";
        found(key, "web1 | c2VjcmV0LWxpbmU");
        for form in ["'{}'", "%27%7B%7D%27", "&#39;{}&#39;"] {
            assert!(!forms(key).contains(form.as_bytes()), "{form}");
        }
        assert!(forms("short").is_empty());
    }
}
