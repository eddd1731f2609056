//! The scripts that take and give a file on a host. POSIX, with `cat`, `mv`, and what a host has of checksums.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::files::checksum::Checksum;
use crate::files::file_error::{IS_A_FOLDER, NO_FILE, NO_REGULAR};
use crate::files::job::Attributes;
use crate::shell::{ShellLineError, quote, quote_path};

/// Begins what a script says about itself.
pub(in crate::files::script) const SAYS: &str = "fabrs: ";
/// What the script of `put` says when it wants the content; and when it has the same size, and which sum.
pub(in crate::files::script) const SEND: &str = "fabrs-send";
pub(in crate::files::script) const SUM_IS: &str = "fabrs-sum ";
/// What it says where it knows the sums of the blocks of what is there, which follow.
pub(in crate::files::script) const BLOCKS: &str = "fabrs-blocks";
/// What it says where the content can come in parts, with the folder behind it; and when a part has arrived.
pub(in crate::files::script) const SEND_PARTS: &str = "fabrs-parts ";
pub(in crate::files::script) const PART: &str = "fabrs-part";
/// What it says, with the path behind it, when the file is there; and when it was there already.
pub(in crate::files::script) const DONE: &str = "fabrs-done ";
pub(in crate::files::script) const SAME: &str = "fabrs-same ";
/// What it says, with the path behind it, where what it replaces has other names; and an ACL that could not be copied.
pub(in crate::files::script) const NAMES: &str = "fabrs-names ";
pub(in crate::files::script) const ACL: &str = "fabrs-acl ";
/// What the script of `get` says before the content: mode and size; or that the file is the same.
pub(in crate::files::script) const CONTENT: &str = "fabrs-content ";

/// Prints the SHA-256 of what is read, by the first program that can.
pub(super) const SUM: &str =
    "sum() { { sha256sum || shasum -a 256 || openssl dgst -r -sha256; } 2>/dev/null | cut -c1-64; }\n";
/// Removes from a folder what was left there by a script that was killed: folders of its own kind, of which nothing was
/// written for a day. What has something in it that made room for another has the only copy of that, and stays.
pub(in crate::files::script) const SWEEP: &str = "\
sweep() { for i in \"${1%/}\"/.fabrs.????????????????; do case ${i##*/.fabrs.} in *[!0-9a-f]*) continue ;; esac
if [ -d \"$i\" ] && [ ! -L \"$i\" ] && [ -O \"$i\" ] && [ ! -d \"$i/o\" ] && [ -z \"$(find \"$i\" -mtime -1 2>/dev/null | head -n 1)\" ]
then rm -rf -- \"$i\"; fi; done; }
";
/// Lets nobody else into the folder, to whom an ACL opens it that the folder around it gives: that asks nothing of the umask.
/// Without one it is shut already, and not touched: who is not of its group would take away that it gives that on.
pub(in crate::files::script) const SHUT: &str =
    "shut() { case $(ls -ld .) in ??????????+*) chmod go-rwx . ;; esac; }\n";
/// Removes what also may be, or have in it, a folder that may not be written to; no symlink is followed.
pub(in crate::files::script) const REMOVE: &str = "\
remove() { rm -rf -- \"$@\" 2>/dev/null || { [ \"$(id -u)\" = 0 ] || find \"$@\" -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null
rm -rf -- \"$@\"; }; }
";
/// Says what is wrong and ends.
pub(in crate::files::script) const FAIL: &str = "fail() { printf 'fabrs: %s\\n' \"$*\" >&2; exit 1; }\n";

/// Returns the script that makes folders, and all above them.
pub(in crate::files::script) fn folders(folders: &[String]) -> Result<String, ShellLineError> {
    let words = folders.iter().map(|folder| quote_path(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("umask 022\nmkdir -p -- {}", words.join(" ")))
}

/// Returns the script that prints a file, unless it has this content.
pub(in crate::files::script) fn get(path: &Path, known: Option<&Checksum>) -> Result<String, ShellLineError> {
    let same = match known {
        Some(sum) => format!(
            "if [ \"$s\" -eq {} ] && [ \"$(sum <\"$f\")\" = {} ]; then printf '{SAME}\\n'; exit 0; fi\n",
            sum.size, sum.sha256
        ),
        None => String::new(),
    };
    Ok(format!(
        "{FAIL}{SUM}f={}\n[ -d \"$f\" ] && fail \"$f{IS_A_FOLDER}\"\n[ -e \"$f\" ] || fail \"{NO_FILE}$f\"\n\
         [ -f \"$f\" ] || fail \"$f{NO_REGULAR}\"\n\
         s=$(wc -c <\"$f\") || exit 1\n{same}\
         m=$(stat -L -c %a -- \"$f\" 2>/dev/null || stat -L -f %Mp%Lp -- \"$f\")\n\
         printf '{CONTENT}%s %s\\n' \"$m\" $((s)); head -c $((s)) \"$f\"",
        path_word(path.as_os_str())?
    ))
}

/// Returns the script that says what is at a path, and what that leads to, a line each; nothing where nothing is.
pub(in crate::files::script) fn look(path: &str) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}export LC_ALL=C; f={}\n\
         if stat -c %f / >/dev/null 2>&1; then s='stat -c'; m='x%f %u %g %s %Y %d %h ./'; else s='stat -f'; m='o%p %u %g %z %m %d %l ./'; fi\n\
         look() {{ e=$(\"$@\" 2>&1) && printf '%s\\n' \"$e\" && return\n\
         case $e in *'No such file or directory'|*'Not a directory') exit 0 ;; *) fail \"${{e##*: }}\" ;; esac; }}\n\
         look $s \"$m\" -- \"$f\"; look $s \"$m\" -L -- \"$f\"",
        quote_path(path)?
    ))
}

/// Returns the script that names what a pattern means: `d` for a folder or `f`, and the path, each with a NUL behind it.
pub(in crate::files::script) fn matches(path: &str) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}found=\nfor f in {}; do\n\
         if [ -d \"$f\" ]; then found=1; printf 'd\\0%s\\0' \"$f\"\n\
         elif [ -e \"$f\" ]; then found=1; printf 'f\\0%s\\0' \"$f\"; fi\n\
         done\n[ -n \"$found\" ] || fail \"{NO_FILE}\"{}",
        pattern(path)?,
        quote(path)?,
    ))
}

/// Returns a path as a word whose `*`, `?` and `[...]` the shell expands, and in which nothing else means anything.
pub(super) fn pattern(path: &str) -> Result<String, ShellLineError> {
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

/// Returns bytes as one word; of those that are no UTF-8, which no line can have in it, what prints them.
pub(super) fn word(bytes: &OsStr) -> Result<String, ShellLineError> {
    match bytes.to_str() {
        Some(text) => Ok(quote(text)?.into_owned()),
        None => printed(bytes.as_bytes()),
    }
}

/// Returns a path as one word, as [`quote_path`] does.
pub(in crate::files::script) fn path_word(path: &OsStr) -> Result<String, ShellLineError> {
    match path.to_str() {
        Some(text) => Ok(quote_path(text)?.into_owned()),
        None => match path.as_bytes() {
            [b'~', b'/', rest @ ..] => Ok(format!("~/{}", printed(rest)?)),
            [b'-', ..] => Ok(format!("./{}", printed(path.as_bytes())?)),
            bytes => printed(bytes),
        },
    }
}

pub(super) fn printed(bytes: &[u8]) -> Result<String, ShellLineError> {
    // A shell takes line ends away from the end of what is printed.
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

/// Returns a time as `touch -t` takes it in UTC: `202611260945.12`.
pub(in crate::files::script) fn touch_time(seconds: i64) -> String {
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

/// Returns the condition of `find` for files that belong to the given owner and group.
pub(in crate::files::script) fn belongs(attributes: &Attributes) -> Result<String, ShellLineError> {
    let mut words = String::new();
    for (option, name) in [("-user", &attributes.owner), ("-group", &attributes.group)] {
        if let Some(name) = name {
            words.extend([" ", option, " ", &*quote(name)?]);
        }
    }
    Ok(words)
}

/// Returns the owner and the group as `chown` takes them.
pub(in crate::files::script) fn owner_words(attributes: &Attributes) -> Result<Option<String>, ShellLineError> {
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
    fn a_time_is_said_as_touch_takes_it() {
        assert_eq!(touch_time(1_795_682_712), "202611260845.12");
        assert_eq!(touch_time(-1), "197001010000.00");
    }

    #[test]
    fn only_the_signs_of_a_pattern_are_left_to_the_shell() {
        assert_eq!(pattern("/var/log/*.log").unwrap(), "/var/log/*.log");
        assert_eq!(pattern("a b/[0-9]?").unwrap(), "'a b/'[0-9]?");
        assert_eq!(pattern("~/$x/*").unwrap(), "~/'$x/'*");
        assert_eq!(pattern("-rf").unwrap(), "./-rf");
        assert_eq!(pattern("").unwrap(), "''");
    }
}
