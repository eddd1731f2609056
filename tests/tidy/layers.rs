//! Layers of `fabrs-core`, and the absence of import cycles between files in every crate.

use crate::imports::{cycles, graph};
use crate::repository::CRATES;

/// The modules of `fabrs-core` by layer. Each module imports only from its own row and the rows
/// above.
const LAYERS: [&[&str]; 16] = [
    &["host", "secret", "shell", "controls", "open_files", "mutex", "blocking"],
    &["output", "error"],
    &["event", "config"],
    &["transport"],
    &["ssh"],
    &["state"],
    &["connection"],
    &["transfer"],
    &["file_backend"],
    &["files"],
    &["client"],
    &["group"],
    &["lock"],
    &["task"],
    &["plan"],
    &["run"],
];

fn layer(module: &str) -> usize {
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    layer.unwrap_or_else(|| panic!("the module `{module}` is in no layer"))
}

#[test]
fn modules_of_the_core_import_only_from_layers_above() {
    let mut violations = Vec::new();
    for (file, imports) in graph("fabrs-core") {
        let Some(module) = file.first() else { continue };
        for import in imports {
            let Some(other) = import.first() else { continue };
            if layer(other) > layer(module) {
                violations.push(format!("{} imports {}", file.join("::"), import.join("::")));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn files_of_a_crate_do_not_import_each_other_in_a_cycle() {
    for krate in CRATES {
        let graph = graph(krate);
        let cycles: Vec<Vec<String>> = cycles(&graph)
            .into_iter()
            .map(|cycle| cycle.into_iter().map(|module| module.join("::")).collect())
            .collect();
        assert!(cycles.is_empty(), "{krate}: {cycles:#?}");
    }
}
