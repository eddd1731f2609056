//! The text form of a revocation list: a public key on each line.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;

use crate::error::Error;
use crate::host_key::HostKey;
use crate::location::Location;

use super::plain_key::{is_key_type, plain_key};

/// A set of revoked plain keys.
#[derive(Clone, Debug)]
pub(super) struct KeyList {
    keys: HashSet<HostKey>,
}

impl KeyList {
    /// Parses lines of the form `type base64 [comment]`. Comments may contain any bytes.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let file: Arc<Path> = Arc::from(path);
        let mut keys = HashSet::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = trim_start(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let key = read_line(line)
                .map_err(|problem| Error::syntax(&Location { file: Arc::clone(&file), line: index + 1 }, problem))?;
            keys.insert(key);
        }
        Ok(Self { keys })
    }

    /// Returns true if the list contains a plain key.
    pub(super) fn contains(&self, key: &HostKey) -> bool {
        self.keys.contains(key)
    }
}

/// Parses a line that starts with a key type. A certificate is converted to its plain key.
fn read_line(line: &[u8]) -> Result<HostKey, String> {
    // `ssh` reads a line up to a NUL byte. In a file with lost (zero-filled) blocks, `ssh` would
    // skip the remaining keys.
    if line.contains(&0) {
        return Err("the line contains a NUL byte".to_owned());
    }
    let (name, rest) = split_field(line);
    let (base64, _comment) = split_field(rest);
    let name = String::from_utf8_lossy(name);
    if !is_key_type(&name) {
        return Err(format!("`{}` is not a key type", name.escape_debug()));
    }
    // In a file with Windows line ends, a key without a comment ends with `\r`. `ssh` skips the
    // `\r` too.
    let is_base64 = |byte: &u8| !matches!(byte, b'\r' | b'\x0b' | b'\x0c');
    let base64: Vec<u8> = base64.iter().copied().filter(is_base64).collect();
    if base64.is_empty() {
        return Err("the key is missing".to_owned());
    }
    let blob = BASE64.decode(&base64).map_err(|_| "the key is not valid base64")?;
    let key = HostKey::from_blob(blob).map_err(|error| error.to_string())?;
    if key.algorithm() != name {
        return Err(format!("the line has the type `{name}`, but its key has the type `{}`", key.algorithm()));
    }
    plain_key(&key).map_err(|error| error.to_string())
}

/// Splits a line into its first field and the rest.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    (&line[..end], trim_start(&line[end..]))
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_blank(*byte)).unwrap_or(line.len());
    &line[start..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::{BASE64, HostKey, KeyList, Path};

    fn key(id: u8) -> HostKey {
        let blob = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[id; 32]].concat();
        HostKey::from_blob(blob).expect("the key is well formed")
    }

    #[track_caller]
    fn parse_valid(text: &[u8]) -> KeyList {
        KeyList::parse(text, Path::new("revoked")).expect("the list is well formed")
    }

    #[track_caller]
    fn assert_error(text: &str, expected: &str) {
        let error = KeyList::parse(text.as_bytes(), Path::new("revoked")).expect_err("the list is broken");
        assert_eq!(error.to_string(), format!("revoked:{expected}"));
    }

    #[test]
    fn lines_may_have_blanks_and_comments() {
        let spaced = key(2).to_string().replace(' ', " \t ");
        let text = format!("# old keys\n\n \t\n{}\n\t {spaced}\tweb1 retired # here\n  # end\n{}\r", key(1), key(3));
        let list = parse_valid(text.as_bytes());
        for id in 0..5 {
            assert_eq!(list.contains(&key(id)), (1..4).contains(&id), "key {id}");
        }
    }

    #[test]
    fn comments_may_have_any_bytes() {
        let text = [b"# \xff\xfe\n", key(1).to_string().as_bytes(), b" caf\xe9"].concat();
        assert!(parse_valid(&text).contains(&key(1)));
    }

    #[test]
    fn an_empty_list_revokes_nothing() {
        assert!(!parse_valid(b"").contains(&key(1)));
    }

    #[test]
    fn a_bad_line_is_an_error_with_its_number() {
        let short = BASE64.encode(&key(1).blob()[..50]);
        assert_error("web1", "1: `web1` is not a key type");
        assert_error(&format!("\n{}\nno-pty {}", key(1), key(2)), "3: `no-pty` is not a key type");
        assert_error("ssh-ed25519", "1: the key is missing");
        assert_error("ssh-ed25519 \t\r", "1: the key is missing");
        assert_error("ssh-ed25519 !", "1: the key is not valid base64");
        assert_error(&format!("ssh-ed25519 {short}"), "1: not a public key: unexpected end of data");
        assert_error(&format!("{}\0", key(1)), "1: the line contains a NUL byte");
        assert_error("\r\n", "1: `\\r` is not a key type");
        let other = key(1).to_string().replace("ssh-ed25519 ", "ssh-rsa ");
        assert_error(&other, "1: the line has the type `ssh-rsa`, but its key has the type `ssh-ed25519`");
    }
}
