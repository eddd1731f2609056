//! The hosts of `-H` and `-x`: comma lists, ranges, files and this machine.

use std::fs;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

use crate::config::environment::deduplicated;

/// A function that resolves additional names after `@`, such as `@demo`. Returns `None` for an
/// unknown name.
pub type ResolveAlias<'a> = dyn Fn(&str) -> Option<Result<Vec<Host>>> + 'a;

/// Parses the values of all `-H` options, in order and without duplicates. Returns `None` without
/// any `-H`.
///
/// A value is a comma list. Each item is a host, a range of hosts ([`Host::expand`]), `@local` for
/// this machine, or `@FILE`. A file has one host per line. Blank lines and `#` comments are
/// skipped. A file named `local` is written `@./local`.
///
/// A blank value, as from an empty variable of a script, and a file without hosts give an empty
/// selection. They do not select the hosts of the environment.
///
/// ```
/// use fabrs_core::config::parse_host_args;
///
/// let hosts = parse_host_args(&["web1,deploy@web2", "@local,web1"])?.expect("`-H` was given");
/// let names: Vec<_> = hosts.iter().map(|host| host.name()).collect();
/// assert_eq!(names, ["web1", "web2", "@local"]);
/// # Ok::<(), fabrs_core::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Usage`] if an item is not a host, or a file can't be read.
pub fn parse_host_args<S: AsRef<str>>(texts: &[S]) -> Result<Option<Vec<Host>>> {
    parse_host_args_with(texts, &|_| None)
}

/// Like [`parse_host_args`], but resolves `@NAME` with `named` first. If `named` returns `None`,
/// `NAME` is read as a file name.
///
/// A program can thus define additional `@NAME` arguments. `fab` defines `@demo`.
///
/// ```
/// use fabrs_core::{Host, config::parse_host_args_with};
///
/// let lab: Host = "10.0.0.7".parse().expect("a host");
/// let named = |name: &str| (name == "lab").then(|| Ok(vec![lab.clone()]));
/// let hosts = parse_host_args_with(&["web1,@lab"], &named)?.expect("`-H` was given");
/// assert_eq!(hosts.iter().map(|host| host.name()).collect::<Vec<_>>(), ["web1", "10.0.0.7"]);
/// # Ok::<(), fabrs_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`parse_host_args`], and the error returned by `named`.
pub fn parse_host_args_with<S: AsRef<str>>(texts: &[S], named: &ResolveAlias<'_>) -> Result<Option<Vec<Host>>> {
    if texts.is_empty() {
        return Ok(None);
    }
    Ok(Some(read("-H", texts, named)?))
}

/// Parses the values of all `-x` options, the excluded hosts, as [`parse_host_args_with`] parses
/// `-H`.
///
/// # Errors
///
/// As [`parse_host_args`].
pub fn parse_excluded_hosts<S: AsRef<str>>(texts: &[S], named: &ResolveAlias<'_>) -> Result<Vec<Host>> {
    read("-x", texts, named)
}

fn read<S: AsRef<str>>(option: &str, texts: &[S], named: &ResolveAlias<'_>) -> Result<Vec<Host>> {
    let mut hosts = Vec::new();
    for text in texts.iter().map(AsRef::as_ref).filter(|text| !text.trim().is_empty()) {
        for item in Host::split_list(text) {
            match item.strip_prefix('@') {
                Some(name) if !item.parse::<Host>().is_ok_and(|host| host.is_local()) => match named(name) {
                    Some(found) => hosts.extend(found?),
                    None => from_file(option, name, &mut hosts)?,
                },
                _ => hosts.extend(expand_host_argument(item, &format!("{option} {text}"))?),
            }
        }
    }
    Ok(deduplicated(hosts))
}

fn from_file(option: &str, name: &str, hosts: &mut Vec<Host>) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(ErrorKind::Usage, format!("missing file name in `{option} @`")));
    }
    let text = fs::read_to_string(name).map_err(|cause| {
        let error = Error::new(ErrorKind::Usage, format!("could not read the host file `{name}`"));
        error.caused_by(cause).hint(format!("`{option} @{name}` reads a file with one host per line"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for (n, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if !line.is_empty() {
            hosts.extend(expand_host_argument(line, &format!("{name}:{}", n + 1))?);
        }
    }
    Ok(())
}

/// Removes a comment. A `#` at the start or after white space begins a comment. Elsewhere `#` is
/// part of a name.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    let begins = |(_, c): &(usize, char)| {
        let comment = *c == '#' && before.is_whitespace();
        before = *c;
        comment
    };
    match line.char_indices().find(begins) {
        Some((at, _)) => line.get(..at).unwrap_or(line),
        None => line,
    }
}

fn expand_host_argument(text: &str, place: &str) -> Result<Vec<Host>> {
    Host::expand(text)
        .map_err(|cause| Error::new(ErrorKind::Usage, format!("invalid host in `{place}`")).caused_by(cause))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> (tempfile::NamedTempFile, String) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let argument = format!("@{}", file.path().display());
        (file, argument)
    }

    #[track_caller]
    fn case(texts: &[&str], expected: &[&str]) {
        let hosts = parse_host_args(texts).unwrap().unwrap();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lists_are_split_trimmed_and_joined_without_duplicates() {
        case(&["web1"], &["web1"]);
        case(&[" web1 , deploy@web2:22", "web3,web1"], &["web1", "deploy@web2:22", "web3"]);
        case(&["[::1]:2222,::1"], &["[::1]:2222", "::1"]);
        case(&["@local, @local ,web1"], &["@local", "web1"]);
    }

    #[test]
    fn ranges_expand_in_lists_and_in_files() {
        case(
            &["web[01:02],a@db[1,3-4]:22,[::1]:22"],
            &["web01", "web02", "a@db1:22", "a@db3:22", "a@db4:22", "[::1]:22"],
        );
        case(&["web[1-3],web2"], &["web1", "web2", "web3"]);
        let (_file, hosts) = file("web[1-2,4] # the web\n[fe80::1]:22\n");
        case(&[&hosts], &["web1", "web2", "web4", "[fe80::1]:22"]);
    }

    #[test]
    fn exclusions_have_the_syntax_of_selections() {
        let texts = |hosts: Vec<Host>| hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (_file, listed) = file("db1\n");
        assert_eq!(texts(parse_excluded_hosts(&["web[1-2]", &listed], &|_| None).unwrap()), ["web1", "web2", "db1"]);
        assert_eq!(parse_excluded_hosts::<&str>(&[], &|_| None).unwrap(), []);
        let error = parse_excluded_hosts(&["web[2-1]"], &|_| None).unwrap_err();
        assert!(error.to_string().starts_with("invalid host in `-x web[2-1]`"), "{error}");
        assert_eq!(parse_excluded_hosts(&["@"], &|_| None).unwrap_err().to_string(), "missing file name in `-x @`");
    }

    #[test]
    fn a_file_has_one_host_per_line_and_comments() {
        let (_file, hosts) = file("\u{feff}# the web\r\n\r\n  web1  \r\nweb2\t# new\r\n   # none\r\n@local\r\nweb1");
        case(&[&hosts], &["web1", "web2", "@local"]);
        case(&["web0", &format!("{hosts},web9")], &["web0", "web1", "web2", "@local", "web9"]);
    }

    #[test]
    fn an_alias_takes_precedence_over_a_file() {
        let (_file, path) = file("web1\n");
        let named = |name: &str| match name {
            "lab" => Some(Ok(vec!["lab1".parse().unwrap(), "lab2".parse().unwrap()])),
            "none" => Some(Err(Error::new(ErrorKind::Usage, "there is no lab"))),
            _ => None,
        };
        let hosts = parse_host_args_with(&["web0,@lab", "@local", &path, "lab1"], &named).unwrap().unwrap();
        let texts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["web0", "lab1", "lab2", "@local", "web1"]);
        assert_eq!(parse_host_args_with(&["@none"], &named).unwrap_err().message(), "there is no lab");
        refused(
            "@./lab",
            "error: could not read the host file `./lab`\n\
             \x20 caused by: No such file or directory (os error 2)\n\
             hint: `-H @./lab` reads a file with one host per line",
        );
    }

    #[test]
    fn a_missing_argument_differs_from_an_empty_argument() {
        let (_file, empty) = file("# none yet\n");
        assert_eq!(parse_host_args::<&str>(&[]).unwrap(), None);
        assert_eq!(parse_host_args(&["", " "]).unwrap(), Some(Vec::new()));
        assert_eq!(parse_host_args(&[empty]).unwrap(), Some(Vec::new()));
    }

    #[track_caller]
    fn refused(text: &str, block: &str) {
        let error = parse_host_args(&[text]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.block().to_string(), block);
    }

    #[test]
    fn an_invalid_host_is_reported_with_its_position() {
        refused("web1,,web2", "error: invalid host in `-H web1,,web2`\n  caused by: the host name is empty in ``");
        refused("web:0", "error: invalid host in `-H web:0`\n  caused by: `0` is not a port (1 to 65535) in `web:0`");
        refused("@", "error: missing file name in `-H @`");
        refused(
            "db1,web[3-1]",
            "error: invalid host in `-H db1,web[3-1]`\n  caused by: \
             invalid range `[3-1]` in `web[3-1]`: the first bound `3` is greater than the last bound `1`",
        );
        refused(
            "@no/such/file",
            "error: could not read the host file `no/such/file`\n\
             \x20 caused by: No such file or directory (os error 2)\n\
             hint: `-H @no/such/file` reads a file with one host per line",
        );
        let (file, hosts) = file("web1\n\nweb2 web3\n");
        let path = file.path().display();
        refused(
            &hosts,
            &format!("error: invalid host in `{path}:3`\n  caused by: `web2 web3` is not a valid host name"),
        );
    }
}
