//! `#[task]`: from a function to the function, its description, and a typed call of it.
//!
//! [`attr`] reads `#[task(…)]`, [`params`] the parameters, [`arg`] their `#[arg(…)]`, [`docs`] doc comments; [`check`]
//! holds what a task's function may not be; [`expand`] writes the result. Reading goes on after a mistake, and as much as can
//! be made is made beside the compile errors, so that one mistake is one error.

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
    // A dummy of the rest keeps other code, which calls `deploy::call(..)`, from failing for the same mistake.
    let companion_items =
        (is_callable && params.is_complete).then(|| expand::companion_items(&function, &attr, &params));
    let errors = errors.into_tokens();
    quote! { #function_item #companion_items #errors }
}
