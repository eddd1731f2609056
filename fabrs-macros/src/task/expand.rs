//! What a task's function becomes: itself, its description, and a typed call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, FnArg, ItemFn, Lit, ReturnType};

use super::arg::is_arg;
use super::attr::TaskAttr;
use super::docs::{docs, is_doc};
use super::params::{Param, Params, Shape, written};

/// Returns the function as it was, without the attributes of parameters that only `#[task]` understands.
pub(super) fn own_function(function: &ItemFn) -> TokenStream {
    let mut function = function.clone();
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attr| !is_doc(attr) && !is_arg(attr));
        }
    }
    function.into_token_stream()
}

/// Writes what stands beside the function: a type of its name with `call` and `task`, and its registration.
///
/// The function uses its name among the values only, so a type may have it, too. It has no values of its own.
pub(super) fn beside(function: &ItemFn, attr: &TaskAttr, params: &Params) -> TokenStream {
    let name = &function.sig.ident;
    let vis = &function.vis;
    let doc = format!("The task `{0}` as a value: `{0}::call(..)` binds its arguments.", name.unraw());
    let task = task(function, attr, params);
    let call = call(function, params);
    let bounds = bounds(params);
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

            #bounds

            ::fabrs::__private::inventory::submit! { ::fabrs::__private::Registration(&__FABRS_TASK) }
        };
    }
}

fn task(function: &ItemFn, attr: &TaskAttr, params: &Params) -> TokenStream {
    let ident = &function.sig.ident;
    // `build-docs` and `build_docs` are one name, and this is how it is kept.
    let name = attr.name.as_ref().map_or_else(|| ident.unraw().to_string(), |name| name.value().replace('-', "_"));
    // With the span of the name, so that it is the line of the function and not that of `#[task]`.
    let (file, line) =
        (quote_spanned! {ident.span()=> ::std::file!() }, quote_spanned! {ident.span()=> ::std::line!() });
    let docs = docs(&function.attrs);
    let described = params.params.iter().map(param);
    let place = place(attr);
    let rolling = option(attr.rolling.as_ref().map(|(_, hosts)| hosts));
    let TaskAttr { default, aliases, .. } = attr;
    let bind = bind(ident, params);
    quote! {
        ::fabrs::__private::Task {
            name: #name,
            module: ::std::module_path!(),
            file: #file,
            line: #line,
            docs: #docs,
            params: &[#(#described),*],
            place: ::fabrs::__private::Place::#place,
            rolling: #rolling,
            default: #default,
            aliases: &[#(#aliases),*],
            bind: #bind,
        }
    }
}

fn place(attr: &TaskAttr) -> TokenStream {
    match attr {
        TaskAttr { local: Some(_), .. } => quote! { Local },
        TaskAttr { hosts: Some((_, hosts)), .. } => quote! { Hosts(&[#(#hosts),*]) },
        TaskAttr { role: Some((_, role)), .. } => quote! { Role(#role) },
        _ => quote! { Inherit },
    }
}

fn param(param: &Param) -> TokenStream {
    let Param { name, docs, .. } = param;
    let type_name = written(&param.ty);
    let short = option(param.short.as_ref().map(|(letter, _)| letter));
    let (kind, default) = match &param.shape {
        Shape::Flag { on } => (quote! { Flag }, on.then(|| "true".to_owned())),
        Shape::Required => (quote! { Required }, None),
        Shape::Defaulted(default) => (quote! { Optional }, Some(default_text(default))),
        Shape::Optional(_) => (quote! { Optional }, None),
        Shape::List(_) => (quote! { List }, None),
    };
    let default = option(default);
    quote! {
        ::fabrs::__private::Param {
            name: #name,
            short: #short,
            docs: #docs,
            kind: ::fabrs::__private::ParamKind::#kind,
            type_name: #type_name,
            default: #default,
        }
    }
}

/// Returns a default as help shows it: text without quotes, all else as it is written.
fn default_text(default: &Expr) -> String {
    match default {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        Expr::Lit(ExprLit { lit: Lit::Char(letter), .. }) => letter.value().to_string(),
        other => other.span().source_text().unwrap_or_else(|| other.to_token_stream().to_string()),
    }
}

/// Writes the function that reads the arguments as they were typed.
fn bind(name: &Ident, params: &Params) -> TokenStream {
    // Not a name that an argument, or a default's expression, could mean.
    let args = Ident::new("args", Span::mixed_site());
    let read = params.params.iter().map(|param| {
        let Param { ident, ty, name, shape, .. } = param;
        let value = match shape {
            Shape::Flag { on } => quote! { #args.flag(#name)?.unwrap_or(#on) },
            Shape::Required => quote_spanned! {ty.span()=> #args.required::<#ty>(#name)? },
            Shape::Optional(inner) => quote_spanned! {inner.span()=> #args.optional::<#inner>(#name)? },
            Shape::List(inner) => quote_spanned! {inner.span()=> #args.list::<#inner>(#name)? },
            Shape::Defaulted(default) => {
                let default = default_value(param, default);
                let given = quote_spanned! {ty.span()=> #args.optional::<#ty>(#name)? };
                let value = Ident::new("value", Span::mixed_site());
                quote! {
                    match #given {
                        ::std::option::Option::Some(#value) => #value,
                        ::std::option::Option::None => #default,
                    }
                }
            }
        };
        quote! { let #ident: #ty = #value; }
    });
    let idents = params.params.iter().map(|param| &param.ident);
    quote! {
        |#args| {
            #(#read)*
            ::std::result::Result::Ok(#name::call(#(#idents),*).erased())
        }
    }
}

/// Returns a default's expression; text becomes whatever the parameter is, so that a `String` needs no `.to_owned()`.
fn default_value(param: &Param, default: &Expr) -> TokenStream {
    let ty = &param.ty;
    match default {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
            quote_spanned! {default.span()=> <#ty as ::std::convert::From<&'static str>>::from(#default) }
        }
        other => other.to_token_stream(),
    }
}

/// Writes `call`, which takes what the function takes, and runs it with a copy of that on each host.
fn call(function: &ItemFn, params: &Params) -> TokenStream {
    let (name, vis) = (&function.sig.ident, &function.vis);
    let doc = format!("Binds the arguments of the task `{}`.", name.unraw());
    let output = match &function.sig.output {
        ReturnType::Default => quote! { () },
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let value = quote_spanned! {output.span()=> <#output as ::fabrs::__private::TaskReturn>::Value };
    let connection = Ident::new("connection", Span::mixed_site());
    let (idents, types): (Vec<_>, Vec<_>) = params.params.iter().map(|param| (&param.ident, &param.ty)).unzip();
    let names = params.params.iter().map(|param| &param.name);
    let texts = params.params.iter().map(|Param { ident, ty, .. }| {
        quote_spanned! {ty.span()=> ::std::format!("{:?}", #ident) }
    });
    let copies = params.params.iter().map(|Param { ident, ty, .. }| {
        quote_spanned! {ty.span()=> let #ident: #ty = ::std::clone::Clone::clone(&#ident); }
    });
    let (taken, first) = match &params.connection {
        Some(_) => (quote! { #connection }, quote! { #connection, }),
        None => (quote! { _ }, quote! {}),
    };
    let run = if function.sig.asyncness.is_some() {
        quote! {
            ::std::boxed::Box::pin(async move {
                ::fabrs::__private::TaskReturn::into_result(#name(#first #(#idents),*).await)
            })
        }
    } else {
        quote! { ::fabrs::__private::blocking(move || #name(#first #(#idents),*)) }
    };
    quote! {
        #[doc = #doc]
        #vis fn call(#(#idents: #types),*) -> ::fabrs::__private::Call<#value> {
            ::fabrs::__private::Call::new(
                Self::task(),
                ::std::vec::Vec::from([#((#names, #texts)),*]),
                move |#taken| {
                    #(#copies)*
                    #run
                },
            )
        }
    }
}

/// Writes checks of what `call` needs of each type, each at its type: in `call` they would be told about a closure.
fn bounds(params: &Params) -> TokenStream {
    let checks = params.params.iter().map(|param| {
        let ty = &param.ty;
        quote_spanned! {ty.span()=> is_argument::<#ty>(); }
    });
    if params.params.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: fn() = || {
            fn is_argument<T>()
            where
                T: ::std::clone::Clone + ::std::fmt::Debug + ::std::marker::Send + ::std::marker::Sync + 'static,
            {
            }
            #(#checks)*
        };
    }
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote! { ::std::option::Option::Some(#value) },
        None => quote! { ::std::option::Option::None },
    }
}
