//! Guessing codes is slow: wrong ones are counted for each member, in all processes together.

use chrono::TimeDelta;

use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;

/// How many wrong codes a member may try in [`WINDOW`].
const MOST: i64 = 10;
const WINDOW: TimeDelta = TimeDelta::minutes(10);

impl Coupons {
    /// Counts an attempt of a member before it is looked at, so that many at once are no more than many one after the other;
    /// refused when too many were wrong of late.
    pub(super) async fn count_guess(&self, member: MemberId) -> Result<(), Error> {
        let now = self.kit.clock.now();
        let since = now - WINDOW;
        // Without a write, since who guesses calls often.
        let refused = |begin: Time| {
            let wait = (begin + WINDOW - now).to_std().unwrap_or_default();
            Error::from(CouponError::Guessing { wait })
        };
        let known = store::guess::find(self.kit.db.read(), member).await?;
        if let Some((wrong, begin)) = known.filter(|(_, begin)| *begin > since)
            && wrong >= MOST
        {
            return Err(refused(begin));
        }
        let counted = self.kit.db.write(async |tx| store::guess::count(&tx, member, now, since, MOST).await).await?;
        if counted { Ok(()) } else { Err(refused(now)) }
    }

    /// The attempt was no wrong guess.
    pub(super) async fn forgive_guess(&self, member: MemberId) {
        let forgiven = self.kit.db.write(async |tx| store::guess::forgive(&tx, member).await).await;
        if let Err(error) = forgiven {
            tracing::debug!("a good code still counts as a wrong one of its member: {error}");
        }
    }
}
