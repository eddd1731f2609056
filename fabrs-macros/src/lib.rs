//! stub
mod cmd;
mod errors;
mod near;
mod task;

/// cmd
#[proc_macro]
pub fn cmd(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cmd::expand(input.into()).into()
}

/// task
#[proc_macro_attribute]
pub fn task(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    task::expand(arguments.into(), item.into()).into()
}
