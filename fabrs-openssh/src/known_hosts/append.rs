//! Formats `known_hosts` lines and appends them to a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::error::Error;

use super::host_matcher::{self, SALT_LEN};
use super::host_name::HostName;
use crate::host_key::HostKey;

/// Formats the `known_hosts` line for a host and its key, without a line end.
///
/// With a salt, the name is hashed (`HashKnownHosts`). Use a new salt from a cryptographic random
/// generator for each line.
///
/// ```
/// use fabrs_openssh::known_hosts::{HostKey, HostName, format_entry};
///
/// let key = HostKey::from_blob(*b"\0\0\0\x0bssh-ed25519\0\0\0\x01x")?;
/// let line = format_entry(&HostName::new("web1", 2222), &key, None)?;
/// assert_eq!(line, "[web1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=");
/// # Ok::<(), fabrs_openssh::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::KnownHostsEntry`] for a name with a special character, such as `*` or a comma.
pub fn format_entry(name: &HostName, key: &HostKey, salt: Option<&[u8; SALT_LEN]>) -> Result<String, Error> {
    let host = name.host();
    let special = |c: char| c.is_whitespace() || c.is_control() || "@?*#[]|'\"\\,!".contains(c);
    if host.is_empty() || host.contains(special) {
        let problem = "a host name must not contain blanks or any of `@ ? * # [ ] | ' \" \\ , !`";
        return Err(Error::KnownHostsEntry { text: name.to_string(), problem });
    }
    let name = name.to_string();
    let name = salt.map_or_else(|| name.clone(), |salt| host_matcher::hash_name(&name, salt));
    Ok(format!("{name} {key}"))
}

/// Appends a line to a `known_hosts` file. The file gets the complete line or no change.
///
/// An exclusive lock keeps lines of concurrent writers apart. A missing file is created with mode
/// 0600, its directory with mode 0700. If the last line of the file has no line end, `append_entry`
/// adds one.
///
/// ```
/// use fabrs_openssh::known_hosts::append_entry;
///
/// let directory = tempfile::tempdir()?;
/// let file = directory.path().join("known_hosts");
/// append_entry(&file, "web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=")?;
/// let text = std::fs::read_to_string(&file)?;
/// assert_eq!(text, "web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// - [`Error::KnownHostsEntry`] if `line` is empty or has more than one line.
/// - [`Error::Write`] if the file cannot be written.
pub fn append_entry(path: impl AsRef<Path>, line: &str) -> Result<(), Error> {
    let path = path.as_ref();
    if line.is_empty() || line.contains(['\n', '\r', '\0']) {
        return Err(Error::KnownHostsEntry {
            text: line.escape_debug().to_string(),
            problem: "expected a single line",
        });
    }
    append_locked(path, line).map_err(|source| Error::write(path, source))
}

fn append_locked(path: &Path, line: &str) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        create_directory(directory)?;
    }
    let mut file = open_for_append(path)?;
    match file.lock() {
        // Some network file systems have no locks. Without a lock, the single append is the only
        // protection.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        locked => locked?,
    }
    let end = file.seek(SeekFrom::End(0))?;
    let mut text = String::with_capacity(line.len() + 2);
    if end > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    text.push_str(line);
    text.push('\n');
    match file.write_all(text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) => {
            // A partial line would be malformed, or would record a wrong key.
            file.set_len(end)?;
            Err(error)
        }
    }
}

#[cfg(unix)]
fn create_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

fn open_for_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::{HostKey, HostName, append_entry, format_entry};

    fn key() -> HostKey {
        HostKey::from_blob(*b"\0\0\0\x0bssh-ed25519\0\0\0\x01x").expect("the key is well formed")
    }

    #[test]
    fn lines_contain_the_lookup_name() {
        #[track_caller]
        fn case(name: &HostName, expected: &str) {
            let line = format_entry(name, &key(), None).expect("the name can be recorded");
            assert_eq!(line, format!("{expected} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg="));
        }
        case(&HostName::new("Web1", 22), "web1");
        case(&HostName::new("web1", 2222), "[web1]:2222");
        case(&HostName::new("fe80::1%eth0", 22), "fe80::1%eth0");
        case(&HostName::alias("shop"), "shop");
    }

    #[test]
    fn names_with_special_characters_are_not_recorded() {
        for host in ["", "*", "web?", "!web1", "web1,web2", "web 1", "|1|a|b", "#web1", "@revoked", "[web1]:22", "a\nb"]
        {
            assert!(format_entry(&HostName::new(host, 22), &key(), Some(&[1; 20])).is_err(), "{host:?}");
        }
    }

    #[test]
    fn only_single_lines_are_appended() {
        for line in ["", "a\nb", "a\r", "a\0"] {
            assert!(append_entry("/nonexistent/known_hosts", line).is_err(), "{line:?}");
        }
    }
}
