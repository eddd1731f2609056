//! The scripts that take and give a file on a host. POSIX, with `mktemp`, `cat`, `mv`, and what a host has of checksums.

use std::fmt::Write as _;

use super::source::Sum;
use crate::shell::{ShellLineError, quote};

/// Begins what a script says about itself.
pub(super) const SAYS: &str = "fabrs: ";
/// What the script of `put` says when it wants the content.
pub(super) const SEND: &str = "fabrs-send\n";
/// What it says, with the path behind it, when the file is there; and when it was there already.
pub(super) const DONE: &str = "fabrs-done ";
pub(super) const SAME: &str = "fabrs-same ";
/// What the script of `get` says before the content: mode and size; or that the file is the same.
pub(super) const CONTENT: &str = "fabrs-content ";

/// Prints the SHA-256 of what is read, by the first program that can.
const SUM: &str = "sum() { { sha256sum || shasum -a 256 || openssl dgst -r -sha256; } 2>/dev/null | cut -c1-64; }\n";
/// Says what is wrong and ends.
const FAIL: &str = "fail() { printf 'fabrs: %s\\n' \"$*\" >&2; exit 1; }\n";

/// How a file is to be on the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
}

/// Returns a path as a word for the shell, with a leading `~/` left to it and a leading `-` no option.
fn word(path: &str) -> Result<String, ShellLineError> {
    match path.strip_prefix("~/") {
        Some("") => Ok("~/".to_owned()),
        Some(rest) => Ok(format!("~/{}", quote(rest)?)),
        None if path == "~" => Ok(path.to_owned()),
        None if path.starts_with('-') => Ok(format!("./{}", quote(path)?)),
        None => Ok(quote(path)?.into_owned()),
    }
}

/// Returns the script that takes a file on its standard input, unless the target has the same content.
///
/// It works in a temporary file beside the target, which is gone whatever happens, and ends with a rename: the target has
/// the old content or the new one. A target that is a symlink keeps it, and what it leads to is replaced. What was there
/// keeps its mode and, as far as whoever runs this may say so, its owner.
pub(super) fn put(target: &str, name: &str, sum: &Sum, attributes: &Attributes) -> Result<String, ShellLineError> {
    let mut script = format!(
        "{FAIL}{SUM}umask 022\nt={}; n={}\n\
         case $t in */) t=$t$n ;; *) if [ -d \"$t\" ]; then t=$t/$n; fi ;; esac\n\
         if [ -L \"$t\" ]; then t=$(readlink -f -- \"$t\") || fail \"the symlink $t leads nowhere\"; fi\n\
         [ -d \"$t\" ] && fail \"$t is a folder\"\n\
         case $t in */*) d=${{t%/*}} ;; *) d=. ;; esac; [ -n \"$d\" ] || d=/\n\
         [ -d \"$d\" ] || fail \"there is no folder $d\"\n",
        word(target)?,
        quote(name)?,
    );
    let attributes = attributes.words()?;
    let _infallible = write!(
        script,
        "state() {{ ls -ldn -- \"$1\" 2>/dev/null | awk '{{ print $1, $3, $4 }}'; }}\n\
         if [ -f \"$t\" ] && [ \"$(wc -c <\"$t\" 2>/dev/null)\" -eq {size} ] && [ \"$(sum <\"$t\")\" = {sha256} ]; then\n\
         before=$(state \"$t\"); f=$t; {{ {attributes}; }} || exit 1\n\
         if [ \"$before\" = \"$(state \"$t\")\" ]; then printf '{SAME}%s\\n' \"$t\"; else printf '{DONE}%s\\n' \"$t\"; fi; exit 0\n\
         fi\n\
         trap 'exit 1' HUP INT TERM; trap 'rm -f -- \"$f\"' EXIT\n\
         f=$(mktemp \"$d/.fabrs.{random}\") || exit 1\n\
         printf '{send}'\n\
         cat >\"$f\" || exit 1\n\
         [ \"$(wc -c <\"$f\")\" -eq {size} ] || fail 'not all of it arrived'\n\
         if [ -f \"$t\" ]; then\n\
         chmod \"$(stat -c %a -- \"$t\" 2>/dev/null || stat -f %Lp -- \"$t\")\" \"$f\" || exit 1\n\
         chown \"$(ls -ldn -- \"$t\" | awk '{{ print $3 \":\" $4 }}')\" \"$f\" 2>/dev/null || :\n\
         else chmod 644 \"$f\"; fi\n\
         {{ {attributes}; }} || exit 1\n\
         mv -f -- \"$f\" \"$t\" || exit 1\n\
         printf '{DONE}%s\\n' \"$t\"",
        // What `mktemp` replaces.
        random = "X".repeat(8),
        size = sum.size,
        sha256 = sum.sha256,
        send = SEND.escape_default(),
    );
    Ok(script)
}

/// Returns the script that makes folders, and all above them.
pub(super) fn folders(folders: &[String]) -> Result<String, ShellLineError> {
    let words = folders.iter().map(|folder| word(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("umask 022\nmkdir -p -- {}", words.join(" ")))
}

/// Returns the script that prints a file, unless it has this content.
pub(super) fn get(path: &str, known: Option<&Sum>) -> Result<String, ShellLineError> {
    let same = match known {
        Some(sum) => format!(
            "if [ \"$s\" -eq {} ] && [ \"$(sum <\"$f\")\" = {} ]; then printf '{SAME}\\n'; exit 0; fi\n",
            sum.size, sum.sha256
        ),
        None => String::new(),
    };
    Ok(format!(
        "{FAIL}{SUM}f={}\n[ -d \"$f\" ] && fail \"$f is a folder\"\n[ -e \"$f\" ] || fail \"there is no file $f\"\n\
         s=$(wc -c <\"$f\") || exit 1\n{same}\
         m=$(stat -L -c %a -- \"$f\" 2>/dev/null || stat -L -f %Lp -- \"$f\")\n\
         printf '{CONTENT}%s %s\\n' \"$m\" $((s)); cat -- \"$f\"",
        word(path)?
    ))
}

/// Returns the script that lists the files that a path means: itself, all in a folder, or all that match a pattern. Each
/// ends with a NUL: first what it is listed below, then the path below that.
pub(super) fn list(path: &str) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}found=\nfor f in {}; do\n\
         if [ -d \"$f\" ]; then found=1; (cd -- \"$f\" && find -L . -type f -exec printf '%s\\0%s\\0' \"$f\" {{}} \\;) || exit 1\n\
         elif [ -e \"$f\" ]; then found=1; printf '\\0%s\\0' \"$f\"; fi\n\
         done\n[ -n \"$found\" ] || fail \"there is no file \"{}",
        pattern(path)?,
        quote(path)?,
    ))
}

/// Returns a path as a word whose `*`, `?` and `[...]` the shell expands, and in which nothing else means anything.
fn pattern(path: &str) -> Result<String, ShellLineError> {
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

impl Attributes {
    /// Returns the commands that make the file `$f` so.
    fn words(&self) -> Result<String, ShellLineError> {
        let mut words = vec![":".to_owned()];
        let owner = match (&self.owner, &self.group) {
            (None, None) => None,
            (owner, group) => {
                let group = group.as_ref().map(|group| format!(":{group}")).unwrap_or_default();
                Some(format!("{}{group}", owner.as_deref().unwrap_or_default()))
            }
        };
        if let Some(owner) = owner {
            words.push(format!("chown {} \"$f\"", quote(&owner)?));
        }
        // After the owner: a change of it takes setuid away.
        if let Some(mode) = self.mode {
            words.push(format!("chmod {mode:o} \"$f\""));
        }
        Ok(words.join(" && "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signs_of_a_pattern_are_left_to_the_shell() {
        assert_eq!(pattern("/var/log/*.log").unwrap(), "/var/log/*.log");
        assert_eq!(pattern("a b/[0-9]?").unwrap(), "'a b/'[0-9]?");
        assert_eq!(pattern("~/$x/*").unwrap(), "~/'$x/'*");
        assert_eq!(pattern("-rf").unwrap(), "./-rf");
        assert_eq!(pattern("").unwrap(), "''");
    }
}
