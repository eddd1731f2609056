//! The parameters of a task: what each takes from the command line.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, GenericArgument, ItemFn, Pat, PatType, PathArguments, Type};

use super::arg::ArgAttr;
use super::docs::docs;
use crate::errors::Errors;

/// The parameters of a task.
pub(super) struct Params {
    /// The `c: Connection` in front, where there is one.
    pub(super) connection: Option<PatType>,
    pub(super) params: Vec<Param>,
    /// Whether every parameter is here, if only without what was wrong about it.
    pub(super) is_complete: bool,
}

/// A parameter that takes something from the command line.
pub(super) struct Param {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    /// The name as `fab` shows it: without `r#`, and without the `_` of an unused one.
    pub(super) name: String,
    pub(super) docs: String,
    pub(super) short: Option<char>,
    pub(super) shape: Shape,
}

/// How a parameter is given.
pub(super) enum Shape {
    /// `bool`: a switch, which is on or off by default.
    Flag { on: bool },
    /// `T`: needed.
    Required,
    /// `T` with `#[arg(default = …)]`.
    Defaulted(syn::Expr),
    /// `Option<T>`: may be left out.
    Optional(Type),
    /// `Vec<T>`: any number of times.
    List(Type),
}

impl Params {
    /// Reads the parameters, and leaves out those that can be none.
    pub(super) fn read(function: &ItemFn, errors: &mut Errors) -> Self {
        let mut read = Self { connection: None, params: Vec::new(), is_complete: true };
        for (position, input) in function.sig.inputs.iter().enumerate() {
            // A receiver is told by `check`.
            let FnArg::Typed(input) = input else { continue };
            if is_named(&input.ty, "Connection") && check_connection(input, position, errors) {
                read.connection = Some(input.clone());
                continue;
            }
            match check_type(input, errors) {
                true => read.is_complete &= Param::read(input, errors).map(|param| read.params.push(param)).is_some(),
                false => read.is_complete = false,
            }
        }
        check_shorts(&read.params, errors);
        read
    }
}
