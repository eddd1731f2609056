//! The `#[task]` macro: generates the description of a task and a typed call next to the function.
//!
//! - [`attr`] parses `#[task(…)]`, [`params`] the parameters, and [`arg`] their `#[arg(…)]`.
//! - [`docs`] converts doc comments to help text.
//! - [`check`] rejects invalid functions and keys.
//! - [`expand`] generates the code.
//!
//! Parsing continues after an error. The expansion contains as much valid code as possible next to
//! the compile errors, so a single mistake causes a single error.

mod arg;
mod attr;
mod check;
mod docs;
mod expand;
mod params;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

use crate::errors::Errors;
use attr::TaskAttr;
use params::Params;

/// Expands `#[task(…)]` on an item.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(check::not_a_function(item, error));
            let errors = errors.into_tokens();
            return quote! { #item #errors };
        }
    };
    let attr = TaskAttr::read(arguments, &mut errors);
    let is_callable = check::check_function(&function, &mut errors);
    let params = Params::read(&function, &mut errors);
    check::check_keys(&attr, &params, &mut errors);
    let function_item = expand::function_item(&function);
    // With a working `call`, code such as `deploy::call(..)` does not fail for the same mistake.
    let companion_items =
        (is_callable && params.is_complete).then(|| expand::companion_items(&function, &attr, &params));
    let errors = errors.into_tokens();
    quote! { #function_item #companion_items #errors }
}
