//! stub
mod cmd;
#[allow(dead_code)]
mod near;

/// cmd
#[proc_macro]
pub fn cmd(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cmd::expand(input.into()).into()
}
