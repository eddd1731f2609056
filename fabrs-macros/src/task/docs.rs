//! Converts doc comments to help text.

use syn::{Attribute, Expr, Lit, Meta};

/// Returns the doc comment of an item: the joined lines without their common indentation.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let comments = attrs.iter().filter_map(doc_text);
    let lines: Vec<String> = comments.flat_map(|text| doc_lines(&text)).collect();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indentation(line)).min().unwrap_or(0);
    let dedented: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or_default().trim_end()).collect();
    dedented.join("\n").trim_matches('\n').to_owned()
}

/// Returns true for a `#[doc]` attribute.
pub(super) fn is_doc(attr: &Attribute) -> bool {
    attr.path().is_ident("doc")
}

fn doc_text(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(doc) if is_doc(attr) => match &doc.value {
            Expr::Lit(value) => match &value.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Returns the lines of a doc comment. A `/** … */` comment is one text, often with a star on each
/// line.
fn doc_lines(text: &str) -> Vec<String> {
    let has_stars = text.contains('\n')
        && text.lines().skip(1).all(|line| line.trim_start().starts_with('*') || line.trim().is_empty());
    let without_star = |line: &str| line.trim_start().strip_prefix('*').unwrap_or(line).to_owned();
    text.split('\n').map(|line| if has_stars { without_star(line) } else { line.to_owned() }).collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use syn::{ItemFn, parse_quote};

    use super::*;

    #[track_caller]
    fn case(function: &ItemFn, expected: &str) {
        assert_eq!(docs(&function.attrs), expected);
    }

    #[test]
    fn a_doc_comment_loses_its_common_indentation() {
        case(
            &parse_quote! {
                /// Deploys a build.
                ///
                ///     fab deploy
                #[inline]
                /// The end.
                fn f() {}
            },
            "Deploys a build.\n\n    fab deploy\nThe end.",
        );
        case(&parse_quote! { #[doc = "One."] #[doc(hidden)] fn f() {} }, "One.");
        case(&parse_quote! { fn f() {} }, "");
    }

    #[test]
    fn a_block_comment_loses_its_stars() {
        let block = "\n * One.\n *\n *  - two\n ";
        case(&parse_quote! { #[doc = #block] fn f() {} }, "One.\n\n - two");
        let plain = " One.\n Two * three.";
        case(&parse_quote! { #[doc = #plain] fn f() {} }, "One.\nTwo * three.");
    }
}
