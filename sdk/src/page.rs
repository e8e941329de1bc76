//! Lists as streams that fetch their pages.

use futures::{Stream, StreamExt, TryStreamExt, stream};
use yeyak_proto::{Items, Paged};

use crate::error::Error;

/// Every item of a list, fetched page by page as the stream is read.
///
/// ```no_run
/// # use futures::TryStreamExt;
/// # async fn example(client: yeyak::Client) -> Result<(), yeyak::Error> {
/// use yeyak::proto::booking::v1::ListBookingsRequest;
///
/// let bookings = client.bookings();
/// let mut all = std::pin::pin!(yeyak::pages(ListBookingsRequest::default(), |page| {
///     let bookings = bookings.clone();
///     async move { bookings.list_bookings(page).await }
/// }));
/// while let Some(booking) = all.try_next().await? {
///     println!("{} {}", booking.code, booking.property_name);
/// }
/// # Ok(())
/// # }
/// ```
pub fn pages<Q, A, F, Fut>(request: Q, call: F) -> impl Stream<Item = Result<A::Item, Error>>
where
    Q: Paged,
    A: Items,
    F: Fn(Q) -> Fut,
    Fut: Future<Output = Result<A, Error>>,
{
    let fetched = stream::try_unfold(Some(request), move |next| {
        let page = next.clone().map(&call);
        async move {
            let (Some(mut request), Some(page)) = (next, page) else { return Ok::<_, Error>(None) };
            let (items, token) = page.await?.into_page();
            let more = !token.is_empty();
            request.set_page_token(token);
            Ok(Some((stream::iter(items).map(Ok), more.then_some(request))))
        }
    });
    fetched.try_flatten()
}
