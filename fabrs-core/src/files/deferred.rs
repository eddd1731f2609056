//! [`Deferred`]: an operation that is configured first, and starts when it is awaited.

use std::fmt;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};

/// An operation: configured by `S`, running, or done.
pub(super) enum Deferred<S, T> {
    Described(Box<S>),
    Running(BoxFuture<'static, Result<T>>),
    Done,
}

impl<S, T> Deferred<S, T> {
    /// Changes the configuration. Has no effect on a started operation.
    pub(super) fn configure(mut self, change: impl FnOnce(&mut S)) -> Self {
        if let Self::Described(spec) = &mut self {
            change(spec);
        }
        self
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        start: impl FnOnce(Box<S>) -> BoxFuture<'static, Result<T>>,
    ) -> Poll<Result<T>> {
        if let Self::Described(_) = self
            && let Self::Described(spec) = std::mem::replace(self, Self::Done)
        {
            *self = Self::Running(start(spec));
        }
        let result = match self {
            Self::Running(future) => ready!(future.as_mut().poll(cx)),
            Self::Described(_) | Self::Done => {
                Err(Error::new(ErrorKind::Usage, "the request was awaited again after it completed"))
            }
        };
        *self = Self::Done;
        Poll::Ready(result)
    }
}

/// Implements `Future` for a builder with a [`Deferred`] as its field.
macro_rules! impl_future {
    ($builder:ty => $output:ty, $start:path $(, $name:ident $(: $bound:path)?)?) => {
        impl $(<$name: $($bound +)? Send + 'static>)? Future for $builder {
            type Output = $crate::error::Result<$output>;

            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                self.0.poll(cx, |spec| futures::future::FutureExt::boxed($start(std::sync::Arc::from(spec))))
            }
        }
    };
}

pub(super) use impl_future;

impl<S: fmt::Debug, T> fmt::Debug for Deferred<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Described(spec) => spec.fmt(f),
            Self::Running(_) => f.write_str("running"),
            Self::Done => f.write_str("done"),
        }
    }
}
