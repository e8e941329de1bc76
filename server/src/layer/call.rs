//! The future that the simpler layers share: the inner call, and what is done to its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::Response;

/// What a layer does to the answer of one call.
pub trait Around {
    /// Sees the answer on its way out. Dropped uncalled when the caller goes away first.
    fn answer(self, response: Response) -> Response;
}

pin_project! {
    /// The inner call, or an answer in its place.
    #[project = CallState]
    #[derive(Debug)]
    pub enum Call<F, A> {
        /// The inner call runs.
        Running { #[pin] inner: F, around: Option<A> },
        /// It was never begun.
        Answered { response: Option<Response> },
    }
}

impl<F, A> Call<F, A> {
    pub(super) fn running(inner: F, around: A) -> Self {
        Self::Running { inner, around: Some(around) }
    }

    pub(super) fn answered(response: Response) -> Self {
        Self::Answered { response: Some(response) }
    }
}

impl<F, A> Future for Call<F, A>
where
    F: Future<Output = Result<Response, Infallible>>,
    A: Around,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            CallState::Running { inner, around } => {
                let Ok(response) = ready!(inner.poll(cx));
                let around = around.take().expect("a future is not polled after its end");
                Poll::Ready(Ok(around.answer(response)))
            }
            CallState::Answered { response } => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after its end")))
            }
        }
    }
}
