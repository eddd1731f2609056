//! Names of demo hosts: parses `@demo` and `@demo:3`.

use fabrs_core::{Error, ErrorKind, Host, Result};

/// The maximum number of hosts. Each host needs several processes and some memory.
pub(crate) const MAX_HOSTS: usize = 32;

/// Parses the name after `@`: `demo` means one host, and `demo:3` means the hosts `demo1` to
/// `demo3`.
///
/// Returns `None` if `name` is not the name of a demo.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if the number of hosts is not between 1 and 32.
///
/// # Examples
///
/// ```
/// let hosts = fabrs_demo::parse_hosts("demo:2").expect("a demo")?;
/// assert_eq!(hosts.len(), 2);
/// assert_eq!(hosts[1].name(), "demo2");
/// assert!(fabrs_demo::parse_hosts("hosts.txt").is_none());
/// # Ok::<(), fabrs_core::Error>(())
/// ```
pub fn parse_hosts(name: &str) -> Option<Result<Vec<Host>>> {
    let count = match name.strip_prefix("demo")? {
        "" => return Some(to_hosts(&["demo".to_owned()])),
        rest => rest.strip_prefix(':')?,
    };
    match count.parse() {
        Ok(count @ 1..=MAX_HOSTS) => Some(to_hosts(&(1..=count).map(|n| format!("demo{n}")).collect::<Vec<_>>())),
        _ => {
            let error = Error::new(ErrorKind::Usage, format!("invalid number of hosts in `@{name}`"));
            Some(Err(error.hint(format!("use `@demo:N` with N from 1 to {MAX_HOSTS}"))))
        }
    }
}

fn to_hosts(names: &[String]) -> Result<Vec<Host>> {
    let host = |name: &String| {
        let name = name.parse();
        name.map_err(|source| {
            Error::new(ErrorKind::Internal, "internal error: invalid name of a demo host").caused_by(source)
        })
    };
    names.iter().map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(name: &str, expected: &[&str]) {
        let hosts = parse_hosts(name).unwrap().unwrap();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_single_host_has_the_bare_name_and_several_are_numbered() {
        case("demo", &["demo"]);
        case("demo:1", &["demo1"]);
        case("demo:3", &["demo1", "demo2", "demo3"]);
    }

    #[test]
    fn other_names_are_not_demo_hosts() {
        for name in ["hosts.txt", "demos", "demo.txt", "./demo", "/demo"] {
            assert!(parse_hosts(name).is_none(), "{name}");
        }
    }

    #[test]
    fn an_invalid_number_of_hosts_is_an_error() {
        for name in ["demo:", "demo:0", "demo:x", "demo:-1", "demo:33"] {
            let error = parse_hosts(name).unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert_eq!(error.message(), format!("invalid number of hosts in `@{name}`"));
        }
    }
}
