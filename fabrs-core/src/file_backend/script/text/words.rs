//! Quotes paths, times and owners as words of a script.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, UNIX_EPOCH};

use crate::shell::{ShellLineError, quote, quote_path};
use crate::transfer::job::Attributes;

/// Quotes a path, except for `*`, `?` and `[...]`. The shell expands these characters.
pub(crate) fn pattern(path: &str) -> Result<String, ShellLineError> {
    let mut word = String::new();
    let (home, rest) = match path.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None if path.starts_with('-') => ("./", path),
        None => ("", path),
    };
    word.push_str(home);
    let mut plain = String::new();
    for c in rest.chars() {
        if "*?[]".contains(c) {
            if !plain.is_empty() {
                word.push_str(&quote(&std::mem::take(&mut plain))?);
            }
            word.push(c);
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() || word.is_empty() {
        word.push_str(&quote(&plain)?);
    }
    Ok(word)
}

/// Quotes bytes as a word. A script must be UTF-8, so `printf` prints other bytes.
pub(crate) fn word(bytes: &OsStr) -> Result<String, ShellLineError> {
    match bytes.to_str() {
        Some(text) => Ok(quote(text)?.into_owned()),
        None => print_word(bytes.as_bytes()),
    }
}

/// Quotes a path as a word, as [`quote_path`] does.
pub(crate) fn path_word(path: &OsStr) -> Result<String, ShellLineError> {
    match path.to_str() {
        Some(text) => Ok(quote_path(text)?.into_owned()),
        None => match path.as_bytes() {
            [b'~', b'/', rest @ ..] => Ok(format!("~/{}", print_word(rest)?)),
            [b'-', ..] => Ok(format!("./{}", print_word(path.as_bytes())?)),
            bytes => print_word(bytes),
        },
    }
}

/// Returns a command substitution of `printf` for the bytes.
fn print_word(bytes: &[u8]) -> Result<String, ShellLineError> {
    // A shell strips line breaks at the end of the output of a command.
    let end = bytes.iter().rposition(|byte| *byte != b'\n').map_or(0, |at| at + 1);
    let (bytes, ends) = bytes.split_at(end);
    let mut format = String::new();
    for byte in bytes {
        match byte {
            0 => return Err(ShellLineError::Nul),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => format.push(char::from(*byte)),
            byte => {
                let _infallible = write!(format, "\\0{byte:03o}");
            }
        }
    }
    Ok(format!("\"$(printf '%b' '{format}'){}\"", "\n".repeat(ends.len())))
}

/// Formats a time for `touch -t` in UTC: `202611260945.12`.
pub(crate) fn touch_time(seconds: i64) -> String {
    let time = match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => UNIX_EPOCH,
    };
    // `2026-11-26T09:45:12Z`.
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (minutes, seconds) = digits.split_at_checked(12).unwrap_or((&digits, "00"));
    format!("{minutes}.{seconds}")
}

/// Returns the condition of `find` for files with the requested owner and group.
pub(crate) fn belongs(attributes: &Attributes) -> Result<String, ShellLineError> {
    let mut words = String::new();
    for (option, name) in [("-user", &attributes.owner), ("-group", &attributes.group)] {
        if let Some(name) = name {
            words.extend([" ", option, " ", &*quote(name)?]);
        }
    }
    Ok(words)
}

/// Returns the requested owner and group for `chown`, or `None` if neither is requested.
pub(crate) fn owner_words(attributes: &Attributes) -> Result<Option<String>, ShellLineError> {
    let (owner, group) = match (&attributes.owner, &attributes.group) {
        (None, None) => return Ok(None),
        (owner, group) => (owner.as_deref().unwrap_or_default(), group.as_ref()),
    };
    let group = group.map(|group| format!(":{group}")).unwrap_or_default();
    Ok(Some(quote(&format!("{owner}{group}"))?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_format_of_touch() {
        assert_eq!(touch_time(1_795_682_712), "202611260845.12");
        assert_eq!(touch_time(-1), "197001010000.00");
    }

    #[test]
    fn only_pattern_characters_are_unquoted() {
        assert_eq!(pattern("/var/log/*.log").unwrap(), "/var/log/*.log");
        assert_eq!(pattern("a b/[0-9]?").unwrap(), "'a b/'[0-9]?");
        assert_eq!(pattern("~/$x/*").unwrap(), "~/'$x/'*");
        assert_eq!(pattern("-rf").unwrap(), "./-rf");
        assert_eq!(pattern("").unwrap(), "''");
    }
}
