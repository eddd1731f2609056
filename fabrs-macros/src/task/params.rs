//! The parameters of a task, and their form on the command line.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, ExprLit, FnArg, GenericArgument, ItemFn, Lit, Meta, Pat, PatType, PathArguments, Type};

use super::arg::ArgAttr;
use super::docs::docs;
use crate::errors::Errors;

/// The parameters of a task.
pub(super) struct Params {
    /// The first parameter `c: Connection`, if any.
    pub(super) connection: Option<PatType>,
    /// The other parameters.
    pub(super) arguments: Vec<TaskParam>,
    /// True if no parameter was skipped because of an error.
    pub(super) is_complete: bool,
}

/// A parameter with a value from the command line.
pub(super) struct TaskParam {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    /// The name displayed by `fab`: without `r#`, and without the `_` of an unused parameter.
    pub(super) name: String,
    pub(super) docs: String,
    /// The letter of the short option, and its key in `#[arg(…)]`.
    pub(super) short: Option<(char, Meta)>,
    pub(super) kind: ArgKind,
}

/// The form of a parameter on the command line.
pub(super) enum ArgKind {
    /// `bool`: a switch, on or off by default.
    Flag { on: bool },
    /// `T`: required.
    Required,
    /// `T` with `#[arg(default = …)]`.
    Defaulted(Expr),
    /// `Option<T>`: optional.
    Optional(Type),
    /// `Vec<T>`: repeatable.
    List(Type),
}

impl Params {
    /// Parses the parameters. Records an error for each invalid parameter and skips it.
    pub(super) fn read(function: &ItemFn, errors: &mut Errors) -> Self {
        let mut read = Self { connection: None, arguments: Vec::new(), is_complete: true };
        for (position, input) in function.sig.inputs.iter().enumerate() {
            // `check` reports a `self` parameter.
            let FnArg::Typed(input) = input else { continue };
            if is_named(&input.ty, "Connection") {
                if check_connection(input, position == 0, errors) {
                    read.connection = Some(input.clone());
                } else {
                    read.is_complete = false;
                }
                continue;
            }
            let param = if check_type(input, errors) { TaskParam::read(input, errors) } else { None };
            read.is_complete &= param.is_some();
            read.arguments.extend(param);
        }
        check_shorts(&read.arguments, errors);
        read
    }
}

impl TaskParam {
    fn read(input: &PatType, errors: &mut Errors) -> Option<Self> {
        let ident = check_pattern(input, errors)?;
        let arg = ArgAttr::read(&input.attrs, errors);
        let written = ident.unraw().to_string();
        let name = written.trim_start_matches('_').to_owned();
        let kind = arg_kind(&input.ty, arg.default, errors);
        let short = arg.short.and_then(|short| {
            let letter = short.letter.or_else(|| name.chars().next().filter(char::is_ascii_alphanumeric));
            if letter.is_none() {
                errors.add(
                    &short.key,
                    format!("`{name}` does not start with an ASCII letter or digit: write `short = 'v'`"),
                );
            }
            letter.map(|letter| (letter, short.key))
        });
        Some(Self { ident: ident.clone(), ty: (*input.ty).clone(), name, docs: docs(&input.attrs), short, kind })
    }
}

fn arg_kind(ty: &Type, default: Option<Expr>, errors: &mut Errors) -> ArgKind {
    if is_named(ty, "bool") {
        return ArgKind::Flag { on: default.is_some_and(|default| check_switch_default(&default, errors)) };
    }
    if let Some(inner) = argument_of(ty, "Option") {
        check_no_default(
            default,
            "an omitted `Option` is `None`: for a default, use the type without `Option`",
            errors,
        );
        return ArgKind::Optional(inner.clone());
    }
    if let Some(inner) = argument_of(ty, "Vec") {
        check_no_default(default, "an omitted `Vec` is empty: set a default in the body of the task", errors);
        return ArgKind::List(inner.clone());
    }
    match default {
        Some(default) if check_text_default(ty, &default, errors) => ArgKind::Defaulted(default),
        _ => ArgKind::Required,
    }
}

/// Returns true if the last segment of a type path is `name`. A macro sees only tokens, so an alias
/// is not resolved.
fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    path.qself.is_none() && path.path.segments.last().is_some_and(|last| last.ident == name)
}

/// Returns `T` of `name<T>`.
fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| path.qself.is_none() && last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// Returns true if the connection is the first parameter. Otherwise records an error.
fn check_connection(input: &PatType, is_first: bool, errors: &mut Errors) -> bool {
    if !is_first {
        errors.add(input, "the connection must be the first parameter: `async fn deploy(c: Connection, …)`");
    }
    is_first
}

fn check_type(input: &PatType, errors: &mut Errors) -> bool {
    let inner = argument_of(&input.ty, "Option").or_else(|| argument_of(&input.ty, "Vec"));
    check_reference(&input.ty, errors) && inner.is_none_or(|inner| check_reference(inner, errors))
}

fn check_reference(ty: &Type, errors: &mut Errors) -> bool {
    let text = match ty {
        Type::Reference(reference) => match &*reference.elem {
            elem if is_named(elem, "str") => "a task must own its arguments: use `String`".to_owned(),
            elem if is_named(elem, "Path") => "a task must own its arguments: use `PathBuf`".to_owned(),
            Type::Slice(slice) => format!("a task must own its arguments: use `Vec<{}>`", type_source(&slice.elem)),
            elem => format!("a task must own its arguments: use `{}`", type_source(elem)),
        },
        Type::ImplTrait(_) => "`impl Trait` cannot be read from the command line: write a concrete type".to_owned(),
        _ => return true,
    };
    errors.add(ty, text);
    false
}

fn check_pattern<'a>(input: &'a PatType, errors: &mut Errors) -> Option<&'a Ident> {
    match &*input.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            let is_named = name.ident.unraw().to_string().chars().any(|c| c != '_');
            if is_named {
                return Some(&name.ident);
            }
        }
        _ => {}
    }
    errors.add(&input.pat, "a task's argument needs a plain name for the option `--name`");
    None
}

fn check_switch_default(default: &Expr, errors: &mut Errors) -> bool {
    if let Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) = default {
        return value.value;
    }
    errors.add(default, "the default of a switch must be `true` (turned off by `--no-name`) or `false`");
    false
}

/// Rejects a string as the default of a number, because numbers have no `From<&str>`.
fn check_text_default(ty: &Type, default: &Expr, errors: &mut Errors) -> bool {
    const NUMBERS: [&str; 14] =
        ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = default else { return true };
    let is_number = NUMBERS.iter().any(|number| is_named(ty, number));
    if is_number {
        errors.add(default, format!("the default of a number must be a number: write `default = {}`", text.value()));
    }
    !is_number
}

fn check_no_default(default: Option<Expr>, why: &str, errors: &mut Errors) {
    if let Some(default) = default {
        errors.add(default, why);
    }
}

fn check_shorts(params: &[TaskParam], errors: &mut Errors) {
    for (position, param) in params.iter().enumerate() {
        let Some((letter, key)) = &param.short else { continue };
        let others = params.iter().take(position);
        let same = |other: &&TaskParam| other.short.as_ref().is_some_and(|(other, _)| other == letter);
        if let Some(other) = others.into_iter().find(same) {
            errors.add(
                key,
                format!(
                    "`-{letter}` is already the short option of `{}`: write `short = '…'` with another letter",
                    other.name
                ),
            );
        }
    }
}

/// Formats a type as in source code.
pub(super) fn type_source(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "").replace(',', ", ")
}
