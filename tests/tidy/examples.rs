//! Examples: each builder method of the public surface has an example.

use std::fs;

use syn::{Expr, ExprLit, FnArg, ImplItem, Item, ItemImpl, Lit, Meta, ReceiverKind, ReturnType, Type};

use crate::repository::{crate_sources, root};

/// The crates with builders for users.
const CRATES_WITH_BUILDERS: [&str; 2] = ["fabrs-core", "fabrs-deploy"];

#[test]
fn each_builder_method_has_an_example() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for krate in CRATES_WITH_BUILDERS {
        let surface = fs::read_to_string(root().join(format!("api/{krate}.txt"))).expect("the surface of the crate");
        // Without the generic parameters of types: `EditRequest<C>::backup`.
        let surface = surface.replace("<C>", "").replace("<T>", "");
        for (path, text) in crate_sources(krate) {
            let file = syn::parse_file(&text).expect("a source file is valid Rust");
            let impls = file.items.iter().filter_map(|item| match item {
                Item::Impl(item) if item.trait_.is_none() => Some(item),
                _ => None,
            });
            for (name, docs) in impls.flat_map(builder_methods) {
                // A method of a private type is not part of the surface.
                if surface.contains(&format!("::{name}(")) {
                    checked += 1;
                    if !docs.contains("```") {
                        missing.push(format!("{}: {name}", path.display()));
                    }
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} builder methods were found");
    assert!(missing.is_empty(), "{} methods without an example: {missing:#?}", missing.len());
}

/// Returns the public methods that take `self` and return `Self`, as `Type::method`, with the docs.
fn builder_methods(item: &ItemImpl) -> Vec<(String, String)> {
    let Type::Path(of) = &*item.self_ty else { return Vec::new() };
    let Some(of) = of.path.segments.last().map(|segment| segment.ident.to_string()) else { return Vec::new() };
    let methods = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) if matches!(method.vis, syn::Visibility::Public(_)) => Some(method),
        _ => None,
    });
    let is_builder = |signature: &syn::Signature| {
        let consumes = matches!(signature.inputs.first(), Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Value));
        let returns_self = match &signature.output {
            ReturnType::Type(_, ty) => matches!(&**ty, Type::Path(path) if path.path.is_ident("Self")),
            ReturnType::Default => false,
        };
        consumes && returns_self
    };
    methods
        .filter(|method| is_builder(&method.sig))
        .map(|method| {
            let docs: Vec<_> = method.attrs.iter().filter_map(doc_line).collect();
            (format!("{of}::{}", method.sig.ident), docs.join("\n"))
        })
        .collect()
}

/// Returns the text of a doc attribute.
fn doc_line(attribute: &syn::Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}
