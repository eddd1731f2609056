//! The key `rolling` of `#[task(…)]`: the maximum number of hosts at a time, as a number or a
//! percentage.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Lit, LitInt, LitStr};

/// The maximum number of hosts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rolling {
    /// A number of hosts, at least 1.
    Hosts(usize),
    /// A percentage of the hosts of the task, from 1 to 100.
    Percent(u8),
}

impl Rolling {
    /// The syntax of the key.
    pub(super) const SYNTAX: &str = "rolling = 1` or `rolling = \"25%\"";

    /// Parses a literal, or returns `None` for another literal than an integer or a string.
    pub(super) fn parse(literal: &Lit) -> Option<syn::Result<Self>> {
        match literal {
            Lit::Int(number) => Some(Self::parse_number(number)),
            Lit::Str(text) => Some(Self::parse_percentage(text)),
            _ => None,
        }
    }

    fn parse_number(number: &LitInt) -> syn::Result<Self> {
        match number.base10_parse::<usize>()? {
            0 => {
                let text = "`rolling = 0` runs on no host: write the maximum number of hosts at a time, at least 1";
                Err(syn::Error::new_spanned(number, text))
            }
            hosts => Ok(Self::Hosts(hosts)),
        }
    }

    fn parse_percentage(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let message = match text.strip_suffix('%') {
            Some(percent) if is_number(percent) => match percent.parse() {
                Ok(percent @ 1..=100) => return Ok(Self::Percent(percent)),
                Ok(0) => format!("`rolling = \"{text}\"` runs on no host: write a percentage from `1%` to `100%`"),
                _ => format!("`{text}` is more than all hosts: write a percentage from `1%` to `100%`"),
            },
            None if is_number(&text) => format!(
                "`rolling = \"{text}\"` has no unit: write `rolling = {text}` for a number of hosts, \
                 or add a `%` for a percentage"
            ),
            _ => format!("`{text}` is not a percentage: write `{}`", Self::SYNTAX),
        };
        Err(syn::Error::new(literal.span(), message))
    }
}

impl ToTokens for Rolling {
    /// Generates an `Option<BatchSize>`.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Hosts(hosts) => quote! { ::fabrs::__private::BatchSize::hosts(#hosts) },
            Self::Percent(percent) => quote! { ::fabrs::__private::BatchSize::percent(#percent) },
        });
    }
}
