//! Floods from hostile hosts: each flood ends with an error long before a high memory use.

use fabrs_testing::{Sshd, probe};

use crate::case::{Case, Measurement};

/// The maximum growth of the peak, in bytes.
const LIMIT: u64 = 64 << 20;

/// The transfers, with the floods in the answers of the host.
const FLOODS: [(&str, &[&str]); 4] = [
    ("get a file", &["head", "text", "noise", "messages"]),
    ("get a directory", &["tree", "links", "deep", "record", "noise", "messages", "stream", "long-name"]),
    ("put", &["noise", "record", "messages", "tree"]),
    ("sync", &["sync", "record"]),
];

pub(crate) fn check() -> Result<(), String> {
    let here = tempfile::tempdir().expect("a temporary directory");
    let tree = here.path().join("tree");
    std::fs::create_dir(&tree).expect("the directory is ours");
    for name in ["a", "b"] {
        std::fs::write(tree.join(name), name).expect("the directory is ours");
    }
    let (tree, got) = (tree.display().to_string(), here.path().join("got").display().to_string());
    let mut failures = Vec::new();
    for (transfer, behaviours) in FLOODS {
        let (operation, source, target) = match transfer {
            "get a file" => ("get", "/a-file", got.as_str()),
            "get a directory" => ("get", "/tree/", got.as_str()),
            other => (other, tree.as_str(), "/tree"),
        };
        for behaviour in behaviours {
            let (_folder, program) = probe::hostile_shell();
            let sshd = Sshd::builder().option("ForceCommand", format!("{} {behaviour}", program.display())).start();
            let case = Case {
                hosts: sshd.alias().to_owned(),
                ssh_config: sshd.ssh_config(),
                operation: operation.to_owned(),
                source: source.to_owned(),
                target: target.to_owned(),
            };
            let Measurement { growth, errors } = case.measure();
            if growth > LIMIT || !errors.starts_with("error: host: ") {
                failures.push(format!("{transfer} ({behaviour}): {} MiB, {errors}", growth >> 20));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
