//! The `#[task]` macro: parses, checks and expands an item.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

use super::attr::TaskAttr;
use super::check::{check_function, check_keys, not_a_function};
use super::expand::{companion_items, function_item};
use super::params::Params;
use crate::errors::Errors;

/// Expands `#[task(…)]` on an item.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(not_a_function(item, error));
            let errors = errors.into_tokens();
            return quote! { #item #errors };
        }
    };
    let attr = TaskAttr::read(arguments, &mut errors);
    let is_callable = check_function(&function, &mut errors);
    let params = Params::read(&function, &mut errors);
    check_keys(&attr, &params, &mut errors);
    let function_item = function_item(&function);
    // With a working `call`, code such as `deploy::call(..)` does not fail for the same mistake.
    let companion_items = (is_callable && params.is_complete).then(|| companion_items(&function, &attr, &params));
    let errors = errors.into_tokens();
    quote! { #function_item #companion_items #errors }
}
