//! The names of demo hosts, and what `@demo` and `@demo:3` mean.

use fabrs_core::{Error, ErrorKind, Host, Result};

/// As many hosts as one may ask for: each is a few processes and some memory.
pub(crate) const MAX_HOSTS: usize = 32;

/// Returns the hosts that a name after `@` stands for: `demo` for one of that name, `demo:3` for `demo1` to `demo3`;
/// `None` where it is none of ours.
///
/// # Errors
///
/// [`ErrorKind::Usage`] where there is no such number of hosts.
pub fn parse_hosts(name: &str) -> Option<Result<Vec<Host>>> {
    let count = match name.strip_prefix("demo")? {
        "" => return Some(to_hosts(&["demo".to_owned()])),
        rest => rest.strip_prefix(':')?,
    };
    match count.parse() {
        Ok(count @ 1..=MAX_HOSTS) => Some(to_hosts(&(1..=count).map(|n| format!("demo{n}")).collect::<Vec<_>>())),
        _ => {
            let error = Error::new(ErrorKind::Usage, format!("`@{name}` is no number of hosts"));
            Some(Err(error.hint(format!("`@demo:3` starts three; there can be {MAX_HOSTS}"))))
        }
    }
}

fn to_hosts(names: &[String]) -> Result<Vec<Host>> {
    let host = |name: &String| {
        let name = name.parse();
        name.map_err(|source| Error::new(ErrorKind::Internal, "a demo host has no name").caused_by(source))
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
    fn one_has_the_bare_name_and_several_are_numbered() {
        case("demo", &["demo"]);
        case("demo:1", &["demo1"]);
        case("demo:3", &["demo1", "demo2", "demo3"]);
    }

    #[test]
    fn what_is_not_a_demo_is_left_to_others() {
        for name in ["hosts.txt", "demos", "demo.txt", "./demo", "/demo"] {
            assert!(parse_hosts(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_number_that_can_not_be_is_named() {
        for name in ["demo:", "demo:0", "demo:x", "demo:-1", "demo:33"] {
            let error = parse_hosts(name).unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert_eq!(error.doing(), format!("`@{name}` is no number of hosts"));
        }
    }
}
