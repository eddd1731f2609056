//! Expands `cmd!` to a call that builds a shell line.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Lit, LitStr, Token};

use super::placeholder::{Placeholder, PlaceholderKind};
use super::scan::{LinePart, scan};

/// Expands `cmd!("…")`, or returns a compile error.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match syn::parse2::<CmdInput>(input).and_then(|line| line.expand()) {
        Ok(expanded) => expanded,
        Err(error) => error.into_compile_error(),
    }
}

/// The argument of `cmd!`.
struct CmdInput {
    literal: LitStr,
}

impl Parse for CmdInput {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let literal = match input.parse() {
            Ok(Lit::Str(literal)) => literal,
            Ok(other) => return Err(syn::Error::new_spanned(other, EXPECTED_LITERAL)),
            Err(error) => return Err(syn::Error::new(error.span(), EXPECTED_LITERAL)),
        };
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() { Ok(Self { literal }) } else { Err(input.error(EXTRA_ARGUMENT)) }
    }
}

const EXPECTED_LITERAL: &str = "cmd! takes one string literal: `cmd!(\"git checkout {tag}\")`";
const EXTRA_ARGUMENT: &str = "cmd! takes one string literal and nothing else: put the values into the literal, \
     as in `cmd!(\"git checkout {tag}\")`";

impl CmdInput {
    fn expand(&self) -> syn::Result<TokenStream> {
        let line = self.literal.value();
        let parts = scan(&line).map_err(|error| syn::Error::new(self.literal.span(), error.message(&line)))?;
        let pieces = parts.iter().map(|part| expand_part(part, self.literal.span()));
        // The parts borrow values that may not be `Sync`. Without a block, the borrows would live
        // until the end of `run(cmd!("…")).await`, and the future of the task would not be `Send`.
        let variable = Ident::new("line", Span::mixed_site());
        Ok(quote! { { let #variable = ::fabrs::__private::line(&[#(#pieces),*]); #variable } })
    }
}

fn expand_part(part: &LinePart, span: Span) -> TokenStream {
    let value = match part {
        LinePart::Text(text) => return quote! { ::fabrs::__private::Piece::Text(#text) },
        LinePart::Value(value) => value,
    };
    let expression = value_expression(value, span);
    match &value.kind {
        PlaceholderKind::Word => quote_spanned! {span=> ::fabrs::__private::Piece::Value(&#expression) },
        PlaceholderKind::List => quote_spanned! {span=> ::fabrs::__private::Piece::List(&#expression) },
        PlaceholderKind::Formatted(spec) => {
            let mut format = Literal::string(&format!("{{:{spec}}}"));
            // With this span, `format!` resolves names in the format spec (`{n:>width$}`) at the
            // call of `cmd!`.
            format.set_span(span);
            quote! { ::fabrs::__private::Piece::Value(&::std::format!(#format, #expression)) }
        }
    }
}

/// Returns the expression of a value. It has the span of the literal, so rustc reports an unknown
/// name at the literal.
fn value_expression(value: &Placeholder, span: Span) -> TokenStream {
    let segments = value.path.iter().map(|segment| -> TokenStream {
        if let Some(raw) = segment.strip_prefix("r#") {
            let name = Ident::new_raw(raw, span);
            quote! { #name }
        } else if segment.chars().all(|c| c.is_ascii_digit()) {
            let mut index = Literal::usize_unsuffixed(segment.parse().unwrap_or_default());
            index.set_span(span);
            quote! { #index }
        } else {
            let name = Ident::new(segment, span);
            quote! { #name }
        }
    });
    quote_spanned! {span=> #(#segments).* }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(input: TokenStream, pieces: &TokenStream) {
        let expected = quote! { { let line = ::fabrs::__private::line(&[#pieces]); line } };
        assert_eq!(expand(input).to_string(), expected.to_string());
    }

    #[test]
    fn a_line_has_its_parts_in_order() {
        case(
            quote! { "git reset {tag} {self.files...}" },
            &quote! {
                ::fabrs::__private::Piece::Text("git reset "),
                ::fabrs::__private::Piece::Value(&tag),
                ::fabrs::__private::Piece::Text(" "),
                ::fabrs::__private::Piece::List(&self.files)
            },
        );
        case(quote! { "" }, &quote! {});
        case(quote! { "true", }, &quote! { ::fabrs::__private::Piece::Text("true") });
    }

    #[test]
    fn names_may_be_raw_and_fields_may_be_numbers() {
        case(
            quote! { r"{r#type}{pair.0}" },
            &quote! {
                ::fabrs::__private::Piece::Value(&r#type),
                ::fabrs::__private::Piece::Value(&pair.0)
            },
        );
    }

    #[test]
    fn a_format_spec_is_passed_to_format() {
        case(quote! { "{n:03}" }, &quote! { ::fabrs::__private::Piece::Value(&::std::format!("{:03}", n)) });
    }

    #[test]
    fn other_arguments_than_a_string_literal_are_rejected() {
        let assert_error = |input: TokenStream, text: &str| {
            let error = expand(input).to_string();
            assert!(error.contains("compile_error") && error.contains(text), "{error}");
        };
        assert_error(quote! {}, "takes one string literal:");
        assert_error(quote! { tag }, "takes one string literal:");
        assert_error(quote! { 1 }, "takes one string literal:");
        assert_error(quote! { b"ls" }, "takes one string literal:");
        assert_error(quote! { "ls {}", tag }, "and nothing else");
        assert_error(quote! { "ls" "la" }, "and nothing else");
    }
}
