//! Names: a type name has one meaning in the workspace.

use std::collections::BTreeMap;

use syn::Item;

use crate::imports::is_test;
use crate::repository::sources;

/// Names with a fixed meaning in each crate or module: `Error` of a crate, `State` of a state
/// machine, `Inner` of a handle.
const CONVENTIONAL: [&str; 3] = ["Error", "Inner", "State"];

#[test]
fn a_type_name_has_one_meaning_in_the_workspace() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in sources() {
        // The same types without the feature `demo`.
        if path.ends_with("demo_disabled.rs") {
            continue;
        }
        let file = syn::parse_file(&text).expect("a source file is valid Rust");
        for item in file.items {
            let (name, attributes) = match item {
                Item::Struct(item) => (item.ident, item.attrs),
                Item::Enum(item) => (item.ident, item.attrs),
                Item::Trait(item) => (item.ident, item.attrs),
                _ => continue,
            };
            if !is_test(&attributes) {
                places.entry(name.to_string()).or_default().push(path.display().to_string());
            }
        }
    }
    let ambiguous: Vec<_> =
        places.iter().filter(|(name, places)| places.len() > 1 && !CONVENTIONAL.contains(&name.as_str())).collect();
    assert!(ambiguous.is_empty(), "{ambiguous:#?}");
}
