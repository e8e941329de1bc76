//! Members who ask for a coupon until they have an answer that is final, and remember what they were told.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::watch;
use tonic::Code;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, Validity};
use yeyak::proto::coupon::v1::{
    CouponParameter, CouponPolicy, CouponReceipt, CouponTerm, CreateCouponPolicyRequest, GetCouponReceiptRequest,
    IssueCouponRequest, coupon_receipt,
};
use yeyak::proto::member::v1::Tokens;
use yeyak::{Client, Error, ErrorReason};

use crate::harness::Yeyak;

/// How many ask at the same moment.
const AT_ONCE: usize = 256;
/// Nobody waits longer than this for a final answer, whatever fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// A first-come policy of so many coupons, one a member.
pub(super) async fn policy(seller: &Client, total: i64) -> String {
    let amount = Value::Amount(Money { currency_code: "KRW".into(), minor_units: 5_000 });
    let amount = CouponParameter { name: "amount".into(), value: Some(amount) };
    let policy = CouponPolicy {
        name: "선착순 할인".into(),
        issuing: Issuing::FirstCome.into(),
        benefit: Some(CouponTerm { kind: "FIXED_AMOUNT".into(), parameters: vec![amount] }),
        validity: Some(Validity::ValidDays(30)),
        total_count: Some(total),
        ..Default::default()
    };
    let request = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
    seller.coupon_policies().create_coupon_policy(request).await.expect("a policy").id
}

/// The tokens of new members.
pub(super) async fn members(yeyak: &Yeyak, count: usize) -> Vec<Tokens> {
    let sign_up = |_| async { yeyak.member().await.tokens().expect("signed in") };
    futures::stream::iter(0..count).map(sign_up).buffer_unordered(64).collect().await
}

/// The request of a member for a policy: the same for the same turn.
pub(super) fn request(policy: &str, member: usize, turn: usize) -> IssueCouponRequest {
    let salt = policy.bytes().fold(0_u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
    let id = uuid::Uuid::from_u64_pair(salt, (u64::try_from(member).expect("fits") << 8) + turn as u64);
    IssueCouponRequest { policy_id: policy.to_owned(), request_id: id.to_string() }
}

pub(super) async fn receipt(client: &Client, id: &str) -> Result<CouponReceipt, Error> {
    client.coupons().get_coupon_receipt(GetCouponReceiptRequest { id: id.to_owned() }).await
}

/// Whether asking again under the same request may help: nobody has said yes or no.
fn is_open(error: &Error) -> bool {
    matches!(error.code, Code::Unavailable | Code::Aborted | Code::DeadlineExceeded | Code::Cancelled)
}

/// A rush for one policy.
pub(super) struct Rush {
    clients: Vec<Client>,
    policy: String,
    /// After so many answers everybody waits until the fault has come.
    halt: usize,
    told: Mutex<Vec<(usize, CouponReceipt)>>,
    answered: watch::Sender<usize>,
    fault_done: watch::Sender<bool>,
    sold_out: AtomicUsize,
    open: Mutex<BTreeMap<String, usize>>,
}

impl Rush {
    /// Of these members, at these clients in turn.
    pub(super) fn new(clients: &[Client], members: &[Tokens], policy: String, halt: usize) -> Arc<Self> {
        let at = |(number, tokens): (usize, &Tokens)| clients[number % clients.len()].with_tokens(tokens.clone());
        Arc::new(Self {
            clients: members.iter().enumerate().map(at).collect(),
            policy,
            halt,
            told: Mutex::default(),
            answered: watch::channel(0).0,
            fault_done: watch::channel(false).0,
            sold_out: AtomicUsize::new(0),
            open: Mutex::default(),
        })
    }

    /// Everybody asks, and when so many were answered the fault comes; what it was told when all have their answers.
    pub(super) async fn run(self: &Arc<Self>, fault_after: usize, fault: impl Future<Output = ()>) {
        let this = self.clone();
        let asking = tokio::spawn(async move {
            let members = 0..this.clients.len();
            futures::stream::iter(members).for_each_concurrent(AT_ONCE, |member| this.member(member)).await;
        });
        let mut answered = self.answered.subscribe();
        answered.wait_for(|count| *count >= fault_after).await.expect("it lives");
        let began = Instant::now();
        fault.await;
        println!("the fault took {:.1} s", began.elapsed().as_secs_f64());
        self.fault_done.send_replace(true);
        tokio::time::timeout(PATIENCE, asking).await.expect("somebody is never answered").expect("no panic");
        let (told, refused) =
            (self.told.lock().expect("nothing panics while it is held").len(), self.sold_out.load(Ordering::Relaxed));
        println!(
            "{told} accepted, {refused} refused, asked again {:?}",
            self.open.lock().expect("nothing panics while it is held")
        );
    }

    async fn member(&self, number: usize) {
        if *self.answered.borrow() >= self.halt {
            self.fault_done.subscribe().wait_for(|done| *done).await.expect("it lives");
        }
        let client = &self.clients[number];
        let request = request(&self.policy, number, 0);
        loop {
            match client.coupons().issue_coupon(request.clone()).await {
                Ok(receipt) => {
                    self.told.lock().expect("nothing panics while it is held").push((number, receipt.clone()));
                    self.is_readable(client, &receipt).await;
                    break;
                }
                Err(error) if error.reason == ErrorReason::CouponSoldOut => {
                    self.sold_out.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(error) if is_open(&error) => {
                    *self
                        .open
                        .lock()
                        .expect("nothing panics while it is held")
                        .entry(error.reason.as_str_name().to_owned())
                        .or_default() += 1;
                    tokio::time::sleep(error.retry_after.unwrap_or_default().max(Duration::from_millis(50))).await;
                }
                Err(error) => panic!("member {number} was told {error:?}"),
            }
        }
        self.answered.send_modify(|count| *count += 1);
    }

    /// What was answered can be read at any process, unless none answers.
    async fn is_readable(&self, client: &Client, told: &CouponReceipt) {
        match receipt(client, &told.id).await {
            Ok(found) => assert_eq!((&found.id, found.place), (&told.id, told.place)),
            Err(error) if is_open(&error) => {}
            Err(error) => panic!("{} was answered, and can't be read: {error:?}", told.id),
        }
    }

    /// Every receipt that was told is there, of one member, and is a coupon by now; and the same request is told the same.
    pub(super) async fn was_told_the_truth(&self) {
        let told = self.told.lock().expect("nothing panics while it is held").clone();
        let ids: HashSet<_> = told.iter().map(|(_, receipt)| &receipt.id).collect();
        let places: HashSet<_> = told.iter().map(|(_, receipt)| receipt.place).collect();
        assert_eq!((ids.len(), places.len()), (told.len(), told.len()), "nobody has what is another's");
        let look = |(number, told): (usize, CouponReceipt)| async move {
            let client = &self.clients[number];
            let found = receipt(client, &told.id).await.expect("it is there");
            assert_eq!(found.state(), coupon_receipt::State::Issued, "{found:?}");
            let again = client.coupons().issue_coupon(request(&self.policy, number, 0)).await.expect("is known");
            assert_eq!(again.id, told.id, "the same request, the same receipt");
        };
        futures::stream::iter(told).for_each_concurrent(64, look).await;
    }

    pub(super) fn accepted(&self) -> usize {
        self.told.lock().expect("nothing panics while it is held").len()
    }
}
