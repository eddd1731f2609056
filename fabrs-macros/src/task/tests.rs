//! Tests of `#[task]`: accepted and rejected items, and the expansion next to an error.

use proc_macro2::TokenStream;
use quote::quote;

use super::expand;

/// Returns the expansion, and the messages of its compile errors.
fn expanded(arguments: TokenStream, item: &TokenStream) -> (String, Vec<String>) {
    let expanded = expand(arguments, item);
    let text = expanded.to_string();
    let errors = text.split("compile_error !").skip(1);
    let errors = errors.map(|rest| rest.split('"').nth(1).unwrap_or_default().to_owned()).collect();
    (text, errors)
}

#[track_caller]
fn assert_error(arguments: TokenStream, item: &TokenStream, expected: &str) {
    let (_, errors) = expanded(arguments, item);
    assert!(errors.len() == 1 && errors[0].starts_with(expected), "{errors:?}");
}

/// Checks the error of an item under `#[task]` without keys.
#[track_caller]
fn assert_function_error(item: &TokenStream, expected: &str) {
    assert_error(quote! {}, item, expected);
}

#[test]
fn the_function_keeps_everything_except_attributes_of_the_macro() {
    let item = quote! {
        /// Docs.
        #[inline]
        pub async fn deploy(#[allow(unused)] #[arg(short)] #[doc = " Help."] tag: String) -> Result { body().await }
    };
    let (text, errors) = expanded(quote! {}, &item);
    assert_eq!(errors, [""; 0]);
    let own = quote! {
        #[doc = r" Docs."]
        #[inline]
        pub async fn deploy(#[allow(unused)] tag: String) -> Result { body().await }
    };
    assert!(text.contains(&own.to_string()), "{text}");
}

#[test]
fn each_error_in_a_function_is_reported_once() {
    assert_function_error(&quote! { struct Deploy; }, "`#[task]` requires a function");
    assert_function_error(&quote! { impl App { async fn deploy() {} } }, "`#[task]` requires a function");
    assert_function_error(&quote! { async fn deploy(&self) {} }, "a task must be a function, not a method");
    assert_function_error(&quote! { async fn deploy<T>(tag: u8) {} }, "a task cannot be generic");
    assert_function_error(&quote! { async fn deploy<'a>(tag: u8) {} }, "a task cannot be generic");
    assert_function_error(&quote! { fn deploy() where u8: Copy {} }, "a task cannot have a `where` clause");
    assert_function_error(&quote! { const fn deploy() {} }, "a task cannot be `const`");
    assert_function_error(&quote! { unsafe fn deploy() {} }, "a task cannot be `unsafe`");
    assert_function_error(&quote! { extern "C" fn deploy() {} }, "a task cannot be `extern`");
    assert_function_error(&quote! { fn deploy() -> impl Sized {} }, "a task must return `Result` or nothing");
    assert_function_error(&quote! { fn deploy() -> ! {} }, "a task must return `Result` or nothing");
    for name in ["run", "put", "cd", "r#env"] {
        let name: syn::Ident = syn::parse_str(name).unwrap();
        assert_function_error(&quote! { async fn #name() {} }, "a task function cannot be named `");
    }
}

#[test]
fn each_error_in_a_parameter_is_reported_once() {
    let arguments =
        |inputs: TokenStream, expected: &str| assert_function_error(&quote! { fn deploy(#inputs) {} }, expected);
    arguments(quote! { tag: u8, c: Connection }, "the connection must be the first parameter");
    arguments(quote! { tag: u8, c: fabrs::Connection }, "the connection must be the first parameter");
    arguments(quote! { c: &Connection }, "a task must own its arguments: use `Connection`");
    arguments(quote! { tag: &str }, "a task must own its arguments: use `String`");
    arguments(quote! { tag: Option<&'static str> }, "a task must own its arguments: use `String`");
    arguments(quote! { files: Vec<&Path> }, "a task must own its arguments: use `PathBuf`");
    arguments(quote! { files: &[Vec<u8>] }, "a task must own its arguments: use `Vec<Vec<u8>>`");
    arguments(
        quote! { tag: impl ToString },
        "`impl Trait` cannot be read from the command line: write a concrete type",
    );
    arguments(quote! { (a, b): (u8, u8) }, "a task's argument needs a plain name");
    arguments(quote! { _: u8 }, "a task's argument needs a plain name");
    arguments(quote! { #[arg(default = 1)] tag: Option<u8> }, "an omitted `Option` is `None`");
    arguments(quote! { #[arg(default = 1)] tags: Vec<u8> }, "an omitted `Vec` is empty");
    arguments(quote! { #[arg(default = ON)] force: bool }, "the default of a switch must be `true`");
    arguments(
        quote! { #[arg(default = "1")] count: u8 },
        "the default of a number must be a number: write `default = 1`",
    );
    arguments(quote! { #[arg(short)] a: u8, #[arg(short = 'a')] b: u8 }, "`-a` is already the short option of `a`");
    arguments(
        quote! { #[arg(short)] größe: u8, #[arg(short)] über: u8 },
        "`über` does not start with an ASCII letter or digit",
    );
}

#[test]
fn keys_are_checked_against_each_other_and_against_the_parameters() {
    let function = quote! { fn deploy() {} };
    assert_error(quote! { local, hosts("a") }, &function, "`local` and `hosts` cannot be combined");
    assert_error(quote! { local, role = "a" }, &function, "`local` and `role` cannot be combined");
    assert_error(quote! { local, rolling = 1 }, &function, "`local` and `rolling` cannot be combined");
    assert_error(quote! { local, sudo }, &function, "`local` and `sudo` cannot be combined");
    assert_error(quote! { local }, &quote! { fn deploy(c: Connection) {} }, "a `local` task has no host");
}

#[test]
fn call_is_generated_next_to_an_error() {
    let (text, errors) = expanded(quote! { rolling = 0 }, &quote! { fn deploy(tag: u8) -> Result {} });
    assert_eq!(errors.len(), 1);
    assert!(text.contains("enum deploy") && text.contains("fn call (tag : u8)"), "{text}");
    // A generic function has no `call`, but the function itself is still in the expansion.
    let (text, errors) = expanded(quote! {}, &quote! { fn deploy<T>(tag: T) -> Result {} });
    assert_eq!(errors.len(), 1);
    assert!(text.contains("fn deploy < T >") && !text.contains("enum deploy"), "{text}");
    assert!(expanded(quote! {}, &quote! { struct Deploy { tag: String } }).0.starts_with("struct Deploy"));
}
