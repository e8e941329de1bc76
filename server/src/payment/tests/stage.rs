//! What the tests of payments stand on.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::backend::provider::simulator::{Fault, NewPayment, Settings, Simulator};
use crate::backend::provider::toss::{self, Toss};
use crate::backend::provider::{Charge, Provider};
use crate::backend::queue::{DatabaseQueue, Queue, Relay};
use crate::error::{Error, ErrorReason, NotFound};
use crate::harness::Harness;
use crate::kit::caller::{Actor, Member, Roles, Seller};
use crate::kit::id::{BookingId, ChangeId, MemberId};
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::money::{Currency, Money};
use crate::kit::tx::Tx;
use crate::kit::violation::Violations;
use crate::ledger::{Account, Ledger};
use crate::payment::confirm::Confirm;
use crate::payment::model::{PaymentId, RefundId, State};
use crate::payment::payable::{Bill, Parties, Payable, Purpose, Received, Taken};
use crate::payment::prepare::Prepare;
use crate::payment::read::View;
use crate::payment::refund::GiveBack;
use crate::payment::{PaymentSettings, Payments};

const SECRET: &str = "test_sk_of_the_stage";

/// Bookings that are rows, so that what is undone is undone here, too.
#[derive(Debug)]
pub(super) struct Bookings {
    harness_db: crate::kit::tx::Db,
    /// What there is to pay for every booking.
    pub(super) bill: Mutex<Bill>,
    /// What becomes of money.
    pub(super) answer: Mutex<Received>,
}

/// A booking as it was left.
#[derive(Debug, Eq, FromQueryResult, PartialEq)]
pub(super) struct Left {
    pub(super) state: String,
    pub(super) received: i64,
    pub(super) failed: i64,
    pub(super) given_back: i64,
}

impl Bookings {
    async fn run(&self, tx: &Tx, set: &str, booking: BookingId) -> Result<(), Error> {
        let sql = format!("UPDATE fake_booking SET {set} WHERE id = '{booking}'");
        tx.execute_unprepared(&sql).await?;
        Ok(())
    }
}

#[async_trait]
impl Payable for Bookings {
    async fn point_version(&self, _: MemberId) -> Result<i64, Error> {
        Ok(0)
    }

    async fn bill(&self, payer: &Member, booking: BookingId, _: Option<&str>) -> Result<Bill, Error> {
        let bill = self.bill.lock().unwrap().clone();
        if bill.payer == payer.id {
            Ok(Bill { booking, ..bill })
        } else {
            Err(NotFound::new("booking", booking).into())
        }
    }

    async fn parties(&self, _: BookingId) -> Result<Option<Parties>, Error> {
        let bill = self.bill.lock().unwrap().clone();
        Ok(Some(Parties { member: bill.payer, seller: bill.seller }))
    }

    async fn set_aside(&self, _: &Tx, bill: Bill, _: Option<&str>) -> Result<Bill, Error> {
        Ok(bill)
    }

    async fn make_way(&self, _: &Error) -> Result<bool, Error> {
        Ok(false)
    }

    async fn lock(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        self.run(tx, "state = state", booking).await
    }

    async fn begin(&self, tx: &Tx, purpose: Purpose, _: Money, _: &Actor) -> Result<(), Error> {
        self.run(tx, "state = 'PAYING'", purpose.booking).await
    }

    async fn received(&self, tx: &Tx, purpose: Purpose, _: Taken<'_>, _: &Actor) -> Result<Received, Error> {
        self.run(tx, "received = received + 1, state = 'RECEIVED'", purpose.booking).await?;
        Ok(*self.answer.lock().unwrap())
    }

    async fn failed(&self, tx: &Tx, purpose: Purpose, _: &Actor) -> Result<(), Error> {
        self.run(tx, "failed = failed + 1, state = 'HELD'", purpose.booking).await
    }

    async fn accept_late(&self, tx: &Tx, booking: BookingId, _: Money, _: &Actor) -> Result<(), Error> {
        self.run(tx, "state = 'CONFIRMED'", booking).await
    }

    async fn given_back(
        &self,
        tx: &Tx,
        booking: BookingId,
        _: RefundId,
        amount: Money,
        _: &Actor,
    ) -> Result<Money, Error> {
        self.run(tx, &format!("given_back = given_back + {}", amount.minor), booking).await.map(|()| amount)
    }

    async fn refund_failed(&self, tx: &Tx, booking: BookingId, amount: Money, _: &Actor) -> Result<(), Error> {
        self.run(tx, &format!("given_back = given_back - {}", amount.minor), booking).await
    }
}

pub(super) struct Stage {
    pub(super) yeyak: Harness,
    pub(super) payments: Payments,
    pub(super) bookings: Arc<Bookings>,
    pub(super) simulator: Simulator,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) payer: Member,
    pub(super) seller: Seller,
    pub(super) base: String,
    queue: Arc<dyn Queue>,
    relay: Relay,
    tasks: TaskTracker,
    _folder: TempDir,
}

pub(super) fn member(yeyak: &Harness, seller: bool) -> Member {
    let id = MemberId::new(&yeyak.kit.ids, yeyak.kit.clock.now());
    Member { id, roles: Roles { seller, admin: false }, session: None, by: None }
}

impl Stage {
    pub(super) async fn new() -> Self {
        let yeyak = Harness::new().await;
        let kit = yeyak.kit.clone();
        let table = "CREATE TABLE fake_booking (id TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'HELD',
            received BIGINT NOT NULL DEFAULT 0, failed BIGINT NOT NULL DEFAULT 0, given_back BIGINT NOT NULL DEFAULT 0)";
        kit.db.schema_connection().execute_unprepared(table).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings {
            secret_key: SECRET.to_owned(),
            public_url: format!("{base}/simulator"),
            webhook_url: Some(format!("{base}/webhooks/toss")),
        };
        let file = folder.path().join("simulator.db");
        let simulator = Simulator::open(&file, kit.clock.clone(), kit.ids.clone(), settings).await.unwrap();
        let mut settings = toss::Settings::new("simulator", format!("{base}/simulator"), SECRET);
        settings.first_pause = std::time::Duration::from_millis(1);
        let provider: Arc<dyn Provider> = Arc::new(Toss::new(settings, kit.ids.clone()).unwrap());
        let tasks = TaskTracker::new();
        let settings = PaymentSettings {
            public_url: base.clone(),
            paying: TimeDelta::minutes(5),
            alarm: TimeDelta::hours(1),
            tasks: tasks.clone(),
        };
        let payments = Payments::new(kit.clone(), provider.clone(), Some(simulator.clone()), settings);
        let (payer, seller) = (member(&yeyak, false), Seller { id: member(&yeyak, true).id });
        let bookings = Arc::new(Bookings {
            harness_db: kit.db.clone(),
            bill: Mutex::new(Bill {
                booking: BookingId::new(&kit.ids, kit.clock.now()),
                change: None,
                payer: payer.id,
                seller: seller.id,
                amount: Money::won(1000),
                name: "한강뷰 <스위트> 1박".to_owned(),
                expire_time: kit.clock.now() + TimeDelta::minutes(15),
            }),
            answer: Mutex::new(Received::Accepted),
        });
        payments.pays_for(bookings.clone());
        let router = Router::new().nest("/simulator", simulator.router()).merge(payments.http_router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let queue: Arc<dyn Queue> = Arc::new(DatabaseQueue::new(kit.clone(), &[payments.consumer()]));
        let relay = Relay::new(kit, queue.clone());
        Self {
            yeyak,
            payments,
            bookings,
            simulator,
            provider,
            payer,
            seller,
            base,
            queue,
            relay,
            tasks,
            _folder: folder,
        }
    }

    /// A change of a booking.
    pub(super) fn change(&self) -> ChangeId {
        ChangeId::new(&self.yeyak.kit.ids, self.yeyak.kit.clock.now())
    }

    /// A booking that waits to be paid.
    pub(super) async fn booking(&self) -> BookingId {
        let id = BookingId::new(&self.yeyak.kit.ids, self.yeyak.kit.clock.now());
        let sql = format!("INSERT INTO fake_booking (id) VALUES ('{id}')");
        self.yeyak.db.schema_connection().execute_unprepared(&sql).await.unwrap();
        id
    }

    pub(super) async fn left(&self, booking: BookingId) -> Left {
        let sql = format!("SELECT state, received, failed, given_back FROM fake_booking WHERE id = '{booking}'");
        let statement = Statement::from_string(self.bookings.harness_db.backend(), sql);
        Left::find_by_statement(statement).one(self.yeyak.db.read()).await.unwrap().unwrap()
    }

    pub(super) async fn try_prepare(&self, booking: BookingId) -> Result<View, Error> {
        let command = Prepare { booking, return_url: String::new(), change_quote: None };
        Ok(self.payments.prepare(&self.payer, command, &RequestKey::default()).await?.value)
    }

    pub(super) async fn prepare(&self, booking: BookingId) -> PaymentId {
        self.try_prepare(booking).await.unwrap().payment.id
    }

    /// The payer agrees at the provider, who gives its key.
    pub(super) async fn agree(&self, id: PaymentId) -> String {
        let payment = self.payments.payment(id).await.unwrap();
        let new = NewPayment {
            order: id.to_string(),
            order_name: payment.order_name,
            amount: payment.amount,
            success_url: format!("{}/pay/return", self.base),
            fail_url: format!("{}/pay/failed", self.base),
            agreed: true,
        };
        self.simulator.create_payment(new).await.unwrap()
    }

    pub(super) async fn script(&self, id: PaymentId, fault: Fault) {
        self.simulator.script(&id.to_string(), fault).await.unwrap();
    }

    pub(super) async fn confirm(&self, id: PaymentId, key: &str) -> Result<View, Error> {
        self.confirm_once(id, key, &RequestKey::default()).await.map(|reply| reply.value)
    }

    pub(super) async fn confirm_once(
        &self,
        id: PaymentId,
        key: &str,
        request: &RequestKey,
    ) -> Result<Reply<View>, Error> {
        self.payments.confirm(&self.payer, Confirm { id, provider_key: key.to_owned() }, request).await
    }

    /// A booking that is paid.
    pub(super) async fn paid(&self) -> (BookingId, PaymentId) {
        let booking = self.booking().await;
        let id = self.prepare(booking).await;
        let key = self.agree(id).await;
        assert_eq!(self.confirm(id, &key).await.unwrap().state, State::Captured);
        (booking, id)
    }

    pub(super) async fn refund(&self, id: PaymentId, won: i64) -> Result<View, Error> {
        let command = GiveBack { id, amount: Money::won(won), reason: "곰팡이".to_owned() };
        Ok(self.payments.refund(&self.seller, command, &RequestKey::default()).await?.value)
    }

    pub(super) async fn view(&self, id: PaymentId) -> View {
        self.payments.get(&self.payer, id).await.unwrap()
    }

    pub(super) async fn state(&self, id: PaymentId) -> State {
        self.view(id).await.state
    }

    pub(super) async fn charge(&self, id: PaymentId) -> Charge {
        self.provider.find(&id.to_string()).await.unwrap().unwrap()
    }

    /// Waits for what was begun behind a commit.
    pub(super) async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// Time passes, and the reconciler runs.
    pub(super) async fn reconcile_after(&self, by: TimeDelta) {
        self.idle().await;
        self.yeyak.clock.advance(by);
        self.payments.reconcile().await.unwrap();
        self.idle().await;
    }

    /// The provider's webhooks come, and are acted on.
    pub(super) async fn webhooks(&self) -> usize {
        let delivered = self.simulator.deliver_due().await.unwrap();
        while self.relay.publish_due().await.unwrap() > 0 {}
        let consumer = self.payments.consumer();
        while self.queue.consume_due(&*consumer).await.unwrap() > 0 {}
        delivered
    }

    /// What the ledger holds for a booking.
    pub(super) async fn held(&self, booking: BookingId) -> i64 {
        let account = Account::Booking(booking);
        let ledger = Ledger::new(self.yeyak.kit.clone());
        ledger.balance(&account, Currency::KRW).await.unwrap().amount.minor
    }

    /// Every promise of payments and ledger holds.
    pub(super) async fn assert_sound(&self) {
        assert_eq!(self.payments.check().await.unwrap(), []);
        assert_eq!(Ledger::new(self.yeyak.kit.clone()).check().await.unwrap(), []);
    }
}

/// The key of a request with an id.
pub(super) fn request(number: u128) -> RequestKey {
    let request_id = uuid::Uuid::from_u128(number).to_string();
    let message = yeyak_proto::yeyak::payment::v1::ConfirmPaymentRequest { request_id, ..Default::default() };
    RequestKey::of(&message, &mut Violations::new())
}

pub(super) fn reasons<T>(outcomes: &[Result<T, Error>]) -> Vec<ErrorReason> {
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(Error::reason).collect()
}
