//! Tasks of every form compile without lints, and have a description and parsed arguments.
#![allow(clippy::all, clippy::pedantic, reason = "the style of user code is not checked")]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations, rust_2018_idioms, unused, nonstandard_style)]
#![deny(unreachable_pub, unused_qualifications, let_underscore_drop, single_use_lifetimes, unused_lifetimes)]

use std::path::PathBuf;

use fabrs::config::Selection;
use fabrs::prelude::*;
use fabrs::{BatchSize, ParamKind, RawArgs, Registry};

/// Puts a build live.
///
///   Indented.
#[task(role = "web", rolling = 1, default, alias = "d", alias = "ship")]
async fn deploy_all(
    c: Connection,
    /// The tag to deploy.
    ///
    /// The last good one if it is left out.
    #[arg(short)]
    tag: Option<String>,
    #[arg(short = 'F')] files: Vec<PathBuf>,
    /// The number of workers.
    #[arg(default = 2 + 3)]
    count: u16,
    #[arg(default = "main")] branch: String,
    force: bool,
    #[arg(default = true)] check: bool,
    r#type: String,
    #[arg(default = u16::from_str_radix("70", 8).unwrap_or(u16::MAX))] port: u16,
    mut _unused: f64,
) -> Result<usize> {
    let _ = (&c, &tag, &branch, force, check, &r#type, port);
    _unused += 1.0;
    Ok(files.len() + usize::from(count))
}

/// Counts.
#[task(local)]
fn plain(name: String) -> Result {
    drop(name);
    Ok(())
}

#[task(hosts("web1", "web2"), name = "build-docs")]
fn nothing() {}

#[task(hosts("web1", "db1"), role = "queue", rolling = "25%")]
fn both() {}

/// Tasks for others to use.
pub mod shared {
    /// Is public.
    #[fabrs::task]
    pub async fn public(args: String, connection: u8, value: bool) -> Result<String, std::io::Error> {
        Ok(format!("{args}{connection}{value}"))
    }

    #[fabrs::task]
    pub(crate) async fn nearly() {}
}

/// A task may hold these values across an await.
#[task]
async fn talks(c: Connection) -> Result {
    let mut child = c.run("cat").stdin_open().spawn()?;
    child.write("one\n").await?;
    child.end_input();
    child.wait().await?;
    let mut lines = run("cat").stdin_open().stream_lines()?;
    lines.write("one\n").await?;
    lines.end_input();
    c.run("true").stdin_reader(std::io::Cursor::new(b"x")).retry(1, secs(1)).await?;
    c.shell().await?;
    put(Secret::new("a secret"), "token").await?;
    Ok(())
}

#[test]
fn the_registry_describes_each_task() {
    let registry = Registry::linked();
    let own = registry.tasks().iter().filter(|task| task.module.starts_with(module_path!()));
    let names: Vec<_> = own.map(|task| task.name).collect();
    assert_eq!(names, ["both", "build_docs", "deploy_all", "nearly", "plain", "public", "talks"]);

    let task = deploy_all::task();
    assert_eq!((task.line, task.module), (17, module_path!()));
    assert!(task.file.ends_with("tasks.rs"), "{}", task.file);
    assert_eq!(task.docs, "Puts a build live.\n\n  Indented.");
    assert_eq!((task.selection, task.rolling, task.default), (Selection::Role("web"), BatchSize::hosts(1), true));
    assert_eq!((both::task().rolling, nothing::task().rolling), (BatchSize::percent(25), None));
    assert_eq!(task.aliases, ["d", "ship"]);
    let shown: Vec<_> = task.params.iter().map(|p| (p.name, p.short, p.kind, p.type_name, p.default)).collect();
    assert_eq!(
        shown,
        [
            ("tag", Some('t'), ParamKind::Optional, "Option<String>", None),
            ("files", Some('F'), ParamKind::List, "Vec<PathBuf>", None),
            ("count", None, ParamKind::Optional, "u16", Some("2 + 3")),
            ("branch", None, ParamKind::Optional, "String", Some("main")),
            ("force", None, ParamKind::Flag, "bool", None),
            ("check", None, ParamKind::Flag, "bool", Some("true")),
            ("type", None, ParamKind::Required, "String", None),
            ("port", None, ParamKind::Optional, "u16", Some("u16::from_str_radix(\"70\", 8).unwrap_or(u16::MAX)")),
            ("unused", None, ParamKind::Required, "f64", None),
        ]
    );
    assert_eq!(task.params[0].docs, "The tag to deploy.\n\nThe last good one if it is left out.");
    assert_eq!(nothing::task().selection, Selection::Hosts(&["web1", "web2"]));
    assert_eq!(plain::task().selection, Selection::Local);
    assert_eq!(shared::nearly::task().selection, Selection::Inherit);
    assert_eq!(both::task().selection, Selection::HostsAndRole(&["web1", "db1"], "queue"));

    let mut typed = RawArgs::new(task);
    for (at, value) in [(0, "v1"), (1, "a"), (1, "b"), (4, "true"), (6, "x"), (8, "0.5")] {
        typed.push(&task.params[at], value);
    }
    let bound = (task.bind)(&typed).expect("all that is needed was typed");
    let shown: Vec<_> = bound.arguments().iter().map(|(name, text)| format!("{name}={text}")).collect();
    assert_eq!(
        shown.join(" "),
        r#"tag=Some("v1") files=["a", "b"] count=5 branch="main" force=true check=true type="x" port=56 unused=0.5"#
    );

    let call: Call<usize> = deploy_all::call(None, vec![], 1, String::new(), false, true, String::new(), 22, 0.0);
    assert_eq!(call.task().name, "deploy_all");
    let call: Call<String> = shared::public::call(String::new(), 1, true);
    drop(call);
}
