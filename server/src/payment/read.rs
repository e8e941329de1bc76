//! What is read of payments.

use super::model::{NO_PROVIDER, Payment, PaymentId, Refund, State};
use super::{Payments, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Member, Seller};
use crate::kit::id::BookingId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;

/// A payment as it is shown.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) payment: Payment,
    /// Oldest first.
    pub(super) refunds: Vec<Refund>,
    /// Where it is by now.
    pub(super) state: State,
    /// Empty when there is nothing to pay.
    pub(super) checkout_url: String,
}

impl Payments {
    /// A payment as its own transaction sees it, with its booking locked: what is decided on both holds until the end.
    pub(super) async fn payment_in(&self, tx: &Tx, id: PaymentId) -> Result<Payment, Error> {
        let no_payment = || NotFound::new("payment", id);
        let payment = store::payment(&**tx, id).await?.ok_or_else(no_payment)?;
        match tx.has_others() {
            true => self.payment_with(tx, payment.booking, id).await,
            false => Ok(payment),
        }
    }

    /// The same, where it is known which booking it is for.
    pub(super) async fn payment_with(&self, tx: &Tx, booking: BookingId, id: PaymentId) -> Result<Payment, Error> {
        self.payable()?.lock(tx, booking).await?;
        Ok(store::payment(&**tx, id).await?.ok_or_else(|| NotFound::new("payment", id))?)
    }

    /// The same, when it is for a booking of this seller.
    pub(super) async fn payment_of_in(&self, tx: &Tx, seller: &Seller, id: PaymentId) -> Result<Payment, Error> {
        let payment = self.payment_in(tx, id).await?;
        if payment.seller != seller.id {
            return Err(NotFound::new("payment", id).into());
        }
        Ok(payment)
    }

    /// A payment of the caller, as payer or as seller.
    pub(super) async fn get(&self, caller: &Member, id: PaymentId) -> Result<View, Error> {
        let no_payment = || NotFound::new("payment", id);
        let payment = store::payment(self.kit.db.read(), id).await?.ok_or_else(no_payment)?;
        if !self.is_party(caller, payment.booking).await? {
            return Err(no_payment().into());
        }
        self.view(payment).await
    }

    /// The payments of a booking of the caller, newest first.
    pub(super) async fn list(
        &self,
        caller: &Member,
        booking: BookingId,
        page: &Page,
    ) -> Result<(Vec<View>, String), Error> {
        if !self.is_party(caller, booking).await? {
            return Err(NotFound::new("booking", booking).into());
        }
        let payments = store::attempts_page(self.kit.db.read(), booking, page).await?;
        let (payments, next) = page.cut(&self.kit.keys, payments, |payment| payment.id.0);
        let ids = payments.iter().map(|payment| payment.id);
        let mut refunds = store::refunds_of_all(self.kit.db.read(), ids).await?;
        let views = payments.into_iter().map(|payment| {
            let refunds = refunds.remove(&payment.id).unwrap_or_default();
            self.shown(payment, refunds)
        });
        Ok((views.collect(), next))
    }

    async fn is_party(&self, caller: &Member, booking: BookingId) -> Result<bool, Error> {
        let parties = self.payable()?.parties(booking).await?;
        Ok(parties.is_some_and(|parties| [parties.member, parties.seller].contains(&caller.id)))
    }

    /// An attempt, whoever it belongs to.
    pub(super) async fn payment(&self, id: PaymentId) -> Result<Payment, Error> {
        let found = store::payment(self.kit.db.read(), id).await?;
        found.ok_or_else(|| NotFound::new("payment", id).into())
    }

    /// A payment as it is now, with its refunds.
    pub(super) async fn view_of(&self, id: PaymentId) -> Result<View, Error> {
        self.view(self.payment(id).await?).await
    }

    pub(super) async fn view(&self, payment: Payment) -> Result<View, Error> {
        // Of what took no money, nothing goes back.
        let refunds = match payment.captured.minor {
            0 => Vec::new(),
            _ => store::refunds_of(self.kit.db.read(), payment.id).await?,
        };
        Ok(self.shown(payment, refunds))
    }

    fn shown(&self, payment: Payment, refunds: Vec<Refund>) -> View {
        let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
        let free = payment.provider == NO_PROVIDER;
        let checkout_url =
            if free { String::new() } else { format!("{}/pay/{}", self.settings.public_url, payment.id) };
        View { payment, refunds, state, checkout_url }
    }
}
