//! Literals accepted by `cmd!`, and the resulting shell lines.
#![allow(clippy::all, clippy::pedantic, reason = "the style of user code is not checked")]
#![deny(warnings, unused, unused_qualifications)]

use std::path::Path;

use fabrs::cmd;

struct App {
    name: &'static str,
    hosts: (&'static str, u16),
}

impl App {
    fn line(&self) -> String {
        cmd!("tail /var/log/{self.name}/{self.hosts.0}-{self.hosts.1:05}.log").to_string()
    }
}

macro_rules! checkout {
    (literal $line:literal) => {
        cmd!($line)
    };
    (own) => {{
        let tag = "own";
        cmd!("git checkout {tag}")
    }};
}

#[track_caller]
fn case(line: fabrs::ShellLine, expected: &str) {
    assert_eq!(line.check(), Ok(expected));
}

#[test]
fn literals_become_quoted_shell_lines() {
    let tag = String::from("v1; rm -rf /");
    case(cmd!("git checkout {tag}"), "git checkout 'v1; rm -rf /'");
    case(cmd!("true"), "true");
    case(cmd!(r#"awk '{{print $1}}' {tag} ${HOME}"#), "awk '{print $1}' 'v1; rm -rf /' ${HOME}");
    case(
        cmd!(
            "a \
               b"
        ),
        "a b",
    );

    let (file, n, width, r#type, files) = (Path::new("/a b"), 7, 4, "t", ["x", "y z"]);
    case(cmd!("cat {file} {n:03} {n:>width$} {r#type}"), "cat '/a b' 007 '   7' t");
    case(cmd!("rm -- {files...}"), "rm -- x 'y z'");
    let none: Option<&str> = None;
    let slice = &files[..1];
    case(cmd!("rm {slice...} {none...}"), "rm x ");

    assert_eq!(App { name: "shop", hosts: ("web1", 42) }.line(), "tail /var/log/shop/web1-00042.log");
    case(checkout!(literal "git checkout {tag}"), "git checkout 'v1; rm -rf /'");
    case(checkout!(own), "git checkout own");
}
