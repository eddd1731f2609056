//! The import graph between the files of a crate.
//!
//! Re-exports of a `mod.rs` count as imports. A file that imports an item through the `mod.rs`
//! above it is part of a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, Meta, UseTree};

use crate::repository::crate_sources;

/// A module as the segments of its path below the crate.
pub(crate) type Module = Vec<String>;

/// The imports of each file of a crate.
pub(crate) type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// Returns the import graph of a crate.
pub(crate) fn graph(krate: &str) -> Graph {
    let mut files = Vec::new();
    for (path, text) in crate_sources(krate) {
        let src = if krate == "." { Path::new("src").to_owned() } else { Path::new(krate).join("src") };
        let below = path.strip_prefix(src).expect("the file is below the sources").to_owned();
        if below.starts_with("bin") || below.ends_with("tests.rs") {
            continue;
        }
        files.push((module_of(&below), text));
    }
    let modules: BTreeSet<Module> = files.iter().map(|(module, _)| module.clone()).collect();
    files.into_iter().map(|(module, text)| (module.clone(), imports(&module, &text, &modules))).collect()
}

/// Returns the module of a source file.
fn module_of(path: &Path) -> Module {
    let mut module: Module = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

/// Returns the files imported by one file.
fn imports(module: &Module, text: &str, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let file = syn::parse_file(text).expect("a source file is valid Rust");
    let mut imports = Imports { module, inline: Vec::new(), modules, found: BTreeSet::new() };
    imports.visit_file(&file);
    imports.found
}

struct Imports<'a> {
    module: &'a Module,
    /// The inline modules around the visited item.
    inline: Vec<String>,
    modules: &'a BTreeSet<Module>,
    found: BTreeSet<Module>,
}

impl Imports<'_> {
    /// Records the file of a path.
    fn record(&mut self, path: &[String]) {
        let Some(first) = path.first() else { return };
        let here: Module = self.module.iter().chain(&self.inline).cloned().collect();
        let mut base;
        let mut rest = path;
        match first.as_str() {
            "crate" => {
                base = Vec::new();
                rest = &rest[1..];
            }
            "super" | "self" => {
                base = here;
                while let Some(segment @ ("super" | "self")) = rest.first().map(String::as_str) {
                    if segment == "super" {
                        base.pop();
                    }
                    rest = &rest[1..];
                }
            }
            _ if self.modules.contains(&[here.as_slice(), std::slice::from_ref(first)].concat()) => base = here,
            _ => return,
        }
        for segment in rest {
            let child = [base.as_slice(), std::slice::from_ref(segment)].concat();
            if !self.modules.contains(&child) {
                break;
            }
            base = child;
        }
        if base != *self.module && self.modules.contains(&base) {
            self.found.insert(base);
        }
    }

    fn record_tree(&mut self, tree: &UseTree, prefix: &[String]) {
        let joined = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.record_tree(&path.tree, &joined(&path.ident)),
            UseTree::Name(name) => self.record(&joined(&name.ident)),
            UseTree::Rename(rename) => self.record(&joined(&rename.ident)),
            UseTree::Glob(_) => self.record(prefix),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.record_tree(item, prefix)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.record_tree(&item.tree, &[]);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_none() || is_test(&item.attrs) {
            return;
        }
        self.inline.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.inline.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.record(&segments);
        }
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are tokens: paths are found as words joined by `::`.
    fn visit_macro(&mut self, item: &'ast Macro) {
        let tokens = item.tokens.to_string().replace(" :: ", "::");
        for word in tokens.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let segments: Vec<String> = word.split("::").map(str::to_owned).collect();
            if segments.len() > 1 && segments.iter().all(|segment| !segment.is_empty() && !segment.contains(':')) {
                self.record(&segments);
            }
        }
        visit::visit_macro(self, item);
    }

    /// `pub(in crate::files)` is no import.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

/// Returns whether an item exists only in tests.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => attribute.path().is_ident("test"),
    })
}

/// Returns the strongly connected components of a graph with more than one file (Tarjan's
/// algorithm).
pub(crate) fn cycles(graph: &Graph) -> Vec<Vec<Module>> {
    struct Search<'a> {
        graph: &'a Graph,
        index: BTreeMap<&'a Module, usize>,
        low: BTreeMap<&'a Module, usize>,
        stack: Vec<&'a Module>,
        found: Vec<Vec<Module>>,
    }
    impl<'a> Search<'a> {
        fn visit(&mut self, module: &'a Module) {
            let index = self.index.len();
            self.index.insert(module, index);
            self.low.insert(module, index);
            self.stack.push(module);
            for next in &self.graph[module] {
                let low = if !self.index.contains_key(next) {
                    self.visit(next);
                    self.low[next]
                } else if self.stack.contains(&next) {
                    self.index[next]
                } else {
                    continue;
                };
                let own = self.low[module].min(low);
                self.low.insert(module, own);
            }
            if self.low[module] != index {
                return;
            }
            let start = self.stack.iter().position(|on| *on == module).expect("the module is on the stack");
            let component: Vec<Module> = self.stack.drain(start..).cloned().collect();
            if component.len() > 1 {
                self.found.push(component);
            }
        }
    }
    let mut search =
        Search { graph, index: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for module in graph.keys() {
        if !search.index.contains_key(module) {
            search.visit(module);
        }
    }
    search.found
}

#[test]
fn the_import_graph_contains_uses_inline_paths_and_macro_arguments() {
    let modules: BTreeSet<Module> =
        [vec![], vec!["a".into()], vec!["b".into()], vec!["b".into(), "c".into()], vec!["d".into()]].into();
    let text = "use crate::{a::X, b::c}; use super::d::Y; fn f() { crate::b::g(); println!(\"{}\", crate::a::Z); }
        #[cfg(test)] mod tests { use crate::e; }";
    let found = imports(&vec!["e".to_owned()], text, &modules);
    let found: Vec<String> = found.iter().map(|module| module.join("::")).collect();
    assert_eq!(found, ["a", "b", "b::c", "d"]);
}

#[test]
fn cycles_are_found_and_trees_are_not() {
    let module = |name: &str| vec![name.to_owned()];
    let graph = |edges: &[(&str, &[&str])]| -> Graph {
        edges.iter().map(|(from, to)| (module(from), to.iter().map(|to| module(to)).collect())).collect()
    };
    assert!(cycles(&graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    assert_eq!(cycles(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])])).len(), 1);
}
