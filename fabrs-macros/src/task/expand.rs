//! Generates the output of `#[task]`: the function, its description, and a typed call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, FnArg, ItemFn, Lit, ReturnType};

use super::arg::is_arg;
use super::attr::TaskAttr;
use super::docs::{docs, is_doc};
use super::params::{ArgKind, Params, TaskParam, type_source};

/// Returns the function without the parameter attributes of `#[task]`.
pub(super) fn function_item(function: &ItemFn) -> TokenStream {
    let mut function = function.clone();
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attr| !is_doc(attr) && !is_arg(attr));
        }
    }
    // Clippy would suggest arguments by reference, but a task must own its arguments.
    let by_value = quote! { #[allow(clippy::needless_pass_by_value)] };
    let by_value = (!function.sig.inputs.is_empty()).then_some(by_value);
    quote! { #by_value #function }
}

/// Generates the items next to the function: a type of the same name with `call` and `task`, and
/// the registration.
///
/// A function name is only in the value namespace, so a type can have the same name. The type is an
/// empty enum and has no values.
pub(super) fn companion_items(function: &ItemFn, attr: &TaskAttr, params: &Params) -> TokenStream {
    let name = &function.sig.ident;
    let vis = &function.vis;
    let doc = format!("The task `{0}` as a value: `{0}::call(..)` binds its arguments.", name.unraw());
    let task = task_value(function, attr, params);
    let call = call_method(function, params);
    let argument = argument_helper(params);
    quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(::std::fmt::Debug)]
        #vis enum #name {}

        const _: () = {
            static __FABRS_TASK: ::fabrs::__private::Task = #task;

            impl #name {
                #call

                /// Returns the description of the task.
                #vis fn task() -> &'static ::fabrs::__private::Task {
                    &__FABRS_TASK
                }
            }

            #argument

            ::fabrs::__private::inventory::submit! { ::fabrs::__private::Registration(&__FABRS_TASK) }
        };
    }
}

fn task_value(function: &ItemFn, attr: &TaskAttr, params: &Params) -> TokenStream {
    let ident = &function.sig.ident;
    // `build-docs` and `build_docs` are the same name. The description has the form with
    // underscores.
    let name = attr.name.as_ref().map_or_else(|| ident.unraw().to_string(), |name| name.value().replace('-', "_"));
    // With the span of the function name, `line!` returns the line of the function, not of the
    // attribute.
    let (file, line) =
        (quote_spanned! {ident.span()=> ::std::file!() }, quote_spanned! {ident.span()=> ::std::line!() });
    let docs = docs(&function.attrs);
    let described = params.arguments.iter().map(param_value);
    let selection = selection_value(attr);
    let rolling = match &attr.rolling {
        Some((_, rolling)) => rolling.to_token_stream(),
        None => quote! { ::std::option::Option::None },
    };
    let sudo = attr.sudo.is_some();
    let lock = option_tokens(attr.lock.as_ref());
    let TaskAttr { defer_approval, default, aliases, .. } = attr;
    let bind = bind_closure(function, params);
    quote! {
        ::fabrs::__private::Task {
            name: #name,
            module: ::std::module_path!(),
            file: #file,
            line: #line,
            docs: #docs,
            params: &[#(#described),*],
            selection: ::fabrs::__private::Selection::#selection,
            rolling: #rolling,
            sudo: #sudo,
            defer_approval: #defer_approval,
            lock: #lock,
            default: #default,
            aliases: &[#(#aliases),*],
            bind: #bind,
        }
    }
}

fn selection_value(attr: &TaskAttr) -> TokenStream {
    match attr {
        TaskAttr { local: Some(_), .. } => quote! { Local },
        TaskAttr { hosts: Some((_, hosts)), role: Some((_, role)), .. } => {
            quote! { HostsAndRole(&[#(#hosts),*], #role) }
        }
        TaskAttr { hosts: Some((_, hosts)), .. } => quote! { Hosts(&[#(#hosts),*]) },
        TaskAttr { role: Some((_, role)), .. } => quote! { Role(#role) },
        _ => quote! { Inherit },
    }
}

fn param_value(param: &TaskParam) -> TokenStream {
    let TaskParam { name, docs, .. } = param;
    let type_name = type_source(&param.ty);
    let short = option_tokens(param.short.as_ref().map(|(letter, _)| letter));
    let (param_kind, default) = match &param.kind {
        ArgKind::Flag { on } => (quote! { Flag }, on.then(|| "true".to_owned())),
        ArgKind::Required => (quote! { Required }, None),
        ArgKind::Defaulted(default) => (quote! { Optional }, Some(default_text(default))),
        ArgKind::Optional(_) => (quote! { Optional }, None),
        ArgKind::List(_) => (quote! { List }, None),
    };
    let default = option_tokens(default);
    quote! {
        ::fabrs::__private::Param {
            name: #name,
            short: #short,
            docs: #docs,
            kind: ::fabrs::__private::ParamKind::#param_kind,
            type_name: #type_name,
            default: #default,
        }
    }
}

/// Returns a default as displayed in the help: a string without quotes, other expressions as
/// written.
fn default_text(default: &Expr) -> String {
    match default {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        Expr::Lit(ExprLit { lit: Lit::Char(letter), .. }) => letter.value().to_string(),
        other => other.to_token_stream().to_string().replace(" :: ", "::"),
    }
}

/// Generates the function that parses the arguments of the command line.
fn bind_closure(function: &ItemFn, params: &Params) -> TokenStream {
    let name = &function.sig.ident;
    let args = hygienic_ident("args");
    let values: Vec<Ident> = numbered_idents("value", params);
    let read = params.arguments.iter().map(|param| {
        let TaskParam { ty, name, kind, .. } = param;
        match kind {
            ArgKind::Flag { on } => quote! { #args.flag(#name)?.unwrap_or(#on) },
            ArgKind::Required => quote_spanned! {ty.span()=> #args.required::<#ty>(#name)? },
            ArgKind::Optional(inner) => quote_spanned! {inner.span()=> #args.optional::<#inner>(#name)? },
            ArgKind::List(inner) => quote_spanned! {inner.span()=> #args.list::<#inner>(#name)? },
            ArgKind::Defaulted(default) => {
                let given = quote_spanned! {ty.span()=> #args.optional::<#ty>(#name)? };
                let (default, value) = (default_value(param, default), hygienic_ident("value"));
                quote! {
                    match #given {
                        ::std::option::Option::Some(#value) => #value,
                        ::std::option::Option::None => {
                            let #value: #ty = #default;
                            #value
                        }
                    }
                }
            }
        }
    });
    let span = output_type(function).span();
    let task = with_span(name, name.span().located_at(span));
    let call = quote_spanned! {span=> ::std::result::Result::Ok(#task::call(#(#values),*).erased()) };
    quote! {
        |#args| {
            #(let #values = #read;)*
            #call
        }
    }
}

/// Returns the expression of a default. A string is converted with `From`, so a `String` needs no
/// `.to_owned()`.
fn default_value(param: &TaskParam, default: &Expr) -> TokenStream {
    let ty = &param.ty;
    match default {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
            quote_spanned! {default.span()=> <#ty as ::std::convert::From<&'static str>>::from(#default) }
        }
        other => other.to_token_stream(),
    }
}

/// Generates `call`: it binds the arguments and runs the function with a copy of them on each host.
fn call_method(function: &ItemFn, params: &Params) -> TokenStream {
    let (name, vis) = (&function.sig.ident, &function.vis);
    let doc = format!("Binds the arguments of the task `{}`.", name.unraw());
    let output = output_type(function);
    // With a single span, rustc reports the same error once.
    let bound_type = quote_spanned! {output.span()=>
        ::fabrs::__private::Call<<#output as ::fabrs::__private::TaskReturn>::Value>
    };
    let into_result = quote_spanned! {output.span()=> <#output as ::fabrs::__private::TaskReturn>::into_result };
    let connection = hygienic_ident("connection");
    let first = params.connection.as_ref().map(|_| quote! { #connection, });
    let closure_param = first.as_ref().map_or_else(|| quote! { _ }, |_| connection.to_token_stream());
    let (texts, copies, values) =
        (numbered_idents("text", params), numbered_idents("copy", params), numbered_idents("value", params));
    let types = params.arguments.iter().map(|param| &param.ty);
    let names = params.arguments.iter().map(|param| &param.name);
    // These identifiers have the names of the parameters, but are invisible to expressions of the
    // user and do not shadow a task of the same name.
    let idents = params
        .arguments
        .iter()
        .map(|param| with_span(&param.ident, param.ident.span().resolved_at(Span::mixed_site())));
    let idents: Vec<Ident> = idents.collect();
    let arguments = params.arguments.iter().zip(&idents).map(|(TaskParam { ty, .. }, ident)| {
        // With the span of the type, rustc reports a missing trait at the type.
        let ident = with_span(ident, ident.span().located_at(ty.span()));
        quote_spanned! {ty.span()=> __fabrs_argument::<#ty>(#ident) }
    });
    let run = if function.sig.asyncness.is_some() {
        quote_spanned! {output.span()=>
            ::std::boxed::Box::pin(async move { #into_result(#name(#first #(#values),*).await) })
        }
    } else {
        quote_spanned! {output.span()=> ::fabrs::__private::blocking(move || #into_result(#name(#first #(#values),*))) }
    };
    let bound = quote_spanned! {output.span()=>
        ::fabrs::__private::Call::new(
            Self::task(),
            ::std::vec::Vec::from([#((#names, #texts)),*]),
            move |#closure_param| {
                #(let #values = #copies();)*
                #run
            },
        )
    };
    quote! {
        #[doc = #doc]
        #[allow(clippy::too_many_arguments)]
        #vis fn call(#(#idents: #types),*) -> #bound_type {
            #(let (#texts, #copies) = #arguments;)*
            #bound
        }
    }
}

/// Returns the return type. Without a written type, `()` has the span of the function name.
fn output_type(function: &ItemFn) -> TokenStream {
    match &function.sig.output {
        ReturnType::Default => quote_spanned! {function.sig.ident.span()=> () },
        ReturnType::Type(_, output) => output.to_token_stream(),
    }
}

/// Generates the helper with the trait bounds of arguments, so rustc reports a missing trait once.
fn argument_helper(params: &Params) -> TokenStream {
    if params.arguments.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn __fabrs_argument<T>(
            value: T,
        ) -> (
            ::std::string::String,
            ::std::boxed::Box<dyn ::std::ops::Fn() -> T + ::std::marker::Send + ::std::marker::Sync>,
        )
        where
            T: ::std::clone::Clone + ::std::fmt::Debug + ::std::marker::Send + ::std::marker::Sync + 'static,
        {
            (::std::format!("{value:?}"), ::std::boxed::Box::new(move || ::std::clone::Clone::clone(&value)))
        }
    }
}

/// Creates an identifier that does not collide with names of the user.
fn hygienic_ident(name: &str) -> Ident {
    Ident::new(&format!("__{name}"), Span::mixed_site())
}

fn numbered_idents(name: &str, params: &Params) -> Vec<Ident> {
    (0..params.arguments.len()).map(|n| hygienic_ident(&format!("{name}{n}"))).collect()
}

fn with_span(ident: &Ident, span: Span) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(span);
    ident
}

fn option_tokens(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote! { ::std::option::Option::Some(#value) },
        None => quote! { ::std::option::Option::None },
    }
}
