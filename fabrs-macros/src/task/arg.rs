//! The `#[arg(…)]` attribute: the short option and the default of a parameter.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

use super::attr::key_name;
use crate::did_you_mean;
use crate::errors::Errors;

/// The parsed `#[arg(…)]` attribute.
#[derive(Default)]
pub(super) struct ArgAttr {
    pub(super) short: Option<ShortOption>,
    pub(super) default: Option<Expr>,
}

/// The short option: `short`, or `short = 'v'`.
pub(super) struct ShortOption {
    pub(super) key: Meta,
    pub(super) letter: Option<char>,
}

const KEYS: [&str; 2] = ["short", "default"];

/// Returns true for an `#[arg]` attribute.
pub(super) fn is_arg(attr: &Attribute) -> bool {
    attr.path().is_ident("arg")
}

impl ArgAttr {
    /// Parses the keys. Records an error for each invalid key and skips it.
    pub(super) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut arg = Self::default();
        for attr in attrs.iter().filter(|attr| is_arg(attr)) {
            let Meta::List(list) = &attr.meta else {
                errors.add(attr, "write `#[arg(short)]` or `#[arg(default = …)]`");
                continue;
            };
            let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            for meta in errors.record(metas).into_iter().flatten() {
                errors.record(arg.read_key(meta));
            }
        }
        arg
    }

    fn read_key(&mut self, meta: Meta) -> syn::Result<()> {
        let key = key_name(meta.path());
        let is_repeated = (key == "short" && self.short.is_some()) || (key == "default" && self.default.is_some());
        match (key.as_str(), &meta) {
            _ if is_repeated => return Err(syn::Error::new_spanned(meta.path(), format!("duplicate key `{key}`"))),
            ("short", Meta::Path(_)) => self.short = Some(ShortOption { key: meta, letter: None }),
            ("short", Meta::NameValue(pair)) => {
                let Some(letter) = letter(&pair.value) else {
                    return Err(syn::Error::new_spanned(&pair.value, "write one letter or digit: `short = 'v'`"));
                };
                self.short = Some(ShortOption { key: meta, letter: Some(letter) });
            }
            ("short", _) => return Err(syn::Error::new_spanned(meta, "write `short` or `short = 'v'`")),
            ("default", Meta::NameValue(pair)) => self.default = Some(pair.value.clone()),
            ("default", _) => return Err(syn::Error::new_spanned(meta, "write `default = …`, with any expression")),
            (unknown, _) => {
                let text = format!(
                    "unknown key `{unknown}` in `#[arg(…)]`: {}",
                    did_you_mean::unknown_name_hint(unknown, &KEYS)
                );
                return Err(syn::Error::new_spanned(meta.path(), text));
            }
        }
        Ok(())
    }
}

fn letter(value: &Expr) -> Option<char> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Char(letter), .. }) => Some(letter.value()).filter(char::is_ascii_alphanumeric),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn read(attr: Attribute) -> (ArgAttr, Vec<String>) {
        let mut errors = Errors::default();
        let arg = ArgAttr::read(&[attr], &mut errors);
        (arg, errors.messages())
    }

    #[test]
    fn every_key_is_read() {
        let (arg, errors) = read(parse_quote! { #[arg(short = 'v', default = 2 + 3)] });
        assert_eq!(errors, [""; 0]);
        assert_eq!(arg.short.and_then(|short| short.letter), Some('v'));
        assert!(arg.default.is_some());
        let (arg, _) = read(parse_quote! { #[arg(short)] });
        assert!(arg.short.is_some_and(|short| short.letter.is_none()) && arg.default.is_none());
        assert!(read(parse_quote! { #[doc = "x"] }).0.short.is_none());
    }

    #[track_caller]
    fn assert_error(attr: Attribute, expected: &str) {
        let (_, errors) = read(attr);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{errors:?}");
    }

    #[test]
    fn an_invalid_key_or_value_has_a_message_with_the_syntax() {
        assert_error(parse_quote! { #[arg] }, "write `#[arg(short)]` or");
        assert_error(parse_quote! { #[arg(shrt)] }, "unknown key `shrt` in `#[arg(…)]`: did you mean `short`?");
        assert_error(
            parse_quote! { #[arg(help = "x")] },
            "unknown key `help` in `#[arg(…)]`: known keys: `short`, `default`",
        );
        assert_error(parse_quote! { #[arg(short = "v")] }, "write one letter or digit");
        assert_error(parse_quote! { #[arg(short = '-')] }, "write one letter or digit");
        assert_error(parse_quote! { #[arg(short('v'))] }, "write `short` or");
        assert_error(parse_quote! { #[arg(default)] }, "write `default = …`");
        assert_error(parse_quote! { #[arg(short, short = 'v')] }, "duplicate key `short`");
    }
}
