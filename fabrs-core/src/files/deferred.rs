//! Work that is described first and begins when it is awaited.

use std::fmt;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};

/// Work of which `S` says everything, until it has begun.
pub(super) enum Deferred<S, T> {
    Made(Box<S>),
    Begun(BoxFuture<'static, Result<T>>),
    Done,
}

impl<S, T> Deferred<S, T> {
    /// Changes what is to be done; after its beginning there is nothing to change any more.
    pub(super) fn changed(mut self, change: impl FnOnce(&mut S)) -> Self {
        if let Self::Made(spec) = &mut self {
            change(spec);
        }
        self
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        begin: impl FnOnce(Box<S>) -> BoxFuture<'static, Result<T>>,
    ) -> Poll<Result<T>> {
        if let Self::Made(_) = self
            && let Self::Made(spec) = std::mem::replace(self, Self::Done)
        {
            *self = Self::Begun(begin(spec));
        }
        let result = match self {
            Self::Begun(future) => ready!(future.as_mut().poll(cx)),
            Self::Made(_) | Self::Done => {
                Err(Error::new(ErrorKind::Usage, "a transfer was awaited after it had ended"))
            }
        };
        *self = Self::Done;
        Poll::Ready(result)
    }
}

/// Makes a builder around [`Deferred`] the future of what comes of it.
macro_rules! awaited {
    ($builder:ty => $output:ty, by $begin:path $(, of $name:ident $(: $bound:path)?)?) => {
        impl $(<$name: $($bound +)? Send + 'static>)? Future for $builder {
            type Output = $crate::error::Result<$output>;

            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                self.0.poll(cx, |spec| futures::future::FutureExt::boxed($begin(std::sync::Arc::from(spec))))
            }
        }
    };
}

pub(super) use awaited;

impl<S: fmt::Debug, T> fmt::Debug for Deferred<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(spec) => spec.fmt(f),
            Self::Begun(_) => f.write_str("on its way"),
            Self::Done => f.write_str("done"),
        }
    }
}
