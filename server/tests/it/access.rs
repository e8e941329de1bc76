//! Every RPC, called by everyone.
//!
//! Guard: `permit` in `layer/auth.rs`. What must come is read from the `access` that the proto states, so that an RPC which
//! is added later is covered by being there.

use std::collections::HashMap;

use tonic::Code;
use yeyak::proto::common::v1::Access;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::member::v1::{GetMemberRequest, ListSessionsRequest, Member};
use yeyak::proto::payment::v1::ListPaymentsRequest;
use yeyak::proto::stay::v1::{GetRoomTypeRequest, RoomType};
use yeyak::proto::{METHODS, Method};
use yeyak::{Client, Embedded, ErrorReason};

use crate::coupon::code::batch;
use crate::coupon::desk::{grant, policy, terms};
use crate::coupon::grant::{list, start};
use crate::harness::{PASSWORD, Yeyak, application, id_of};
use crate::place::{Place, Plan, nights};
use crate::raw::{Answer, Plausible, call, framed, headers, requests};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Nobody,
    OtherMember,
    OtherSeller,
    KeyWithoutScopes,
    Key,
    Member,
    Seller,
    Admin,
}

/// Strangers first: what the owners and the admin then do changes the resources.
const ROLES: [Role; 8] = [
    Role::Nobody,
    Role::OtherMember,
    Role::OtherSeller,
    Role::KeyWithoutScopes,
    Role::Key,
    Role::Member,
    Role::Seller,
    Role::Admin,
];

impl Role {
    /// Whether the proto names it.
    fn may_call(self, method: &Method) -> bool {
        let also: &[Access] = match self {
            Self::Nobody | Self::KeyWithoutScopes => &[],
            Self::OtherMember | Self::Member => &[Access::Member],
            Self::OtherSeller | Self::Seller => &[Access::Member, Access::Seller],
            Self::Admin => &[Access::Member, Access::Admin],
            Self::Key => &[Access::Service],
        };
        method.access.iter().any(|access| *access == Access::Public || also.contains(access))
    }

    fn owns(self) -> bool {
        matches!(self, Self::Member | Self::Seller)
    }

    fn is_stranger(self) -> bool {
        !self.owns() && self != Self::Admin
    }
}

/// What one role calls with.
struct Voice {
    client: Client,
    email: String,
    key: Option<(String, Option<String>)>,
}

impl Voice {
    async fn of(client: Client) -> Self {
        let email = me(&client).await.email;
        Self { client, email, key: None }
    }

    fn keyed(client: &Client, key: String, act_as: Option<String>) -> Self {
        Self { client: client.anonymous(), email: String::new(), key: Some((key, act_as)) }
    }

    async fn call(&self, server: &Embedded, method: &Method, message: &[u8]) -> Answer {
        let answer = call(server, method, self.headers(), framed(message)).await;
        let logged_out = reason(&answer) == ErrorReason::Unauthenticated && !self.email.is_empty();
        if !logged_out {
            return answer;
        }
        // An earlier call ended the session. If it was not that, the second answer is the same.
        self.client.log_in(&self.email, PASSWORD).await.expect("logs in");
        call(server, method, self.headers(), framed(message)).await
    }

    fn headers(&self) -> http::HeaderMap {
        match &self.key {
            Some((key, act_as)) => headers(Some(key), act_as.as_deref()),
            None => headers(self.client.tokens().map(|tokens| tokens.access_token).as_deref(), None),
        }
    }
}

fn reason(answer: &Answer) -> ErrorReason {
    answer.error.as_ref().map_or(ErrorReason::Unspecified, |error| error.reason)
}

async fn me(client: &Client) -> Member {
    client.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads")
}

/// A member's booking at a seller's place, and all that hangs on it.
struct Owned {
    member: Client,
    place: Place,
    values: HashMap<&'static str, String>,
    /// What no stranger may read anywhere.
    secrets: Vec<String>,
}

impl Owned {
    async fn new(yeyak: &Yeyak) -> Self {
        let place = yeyak.place(Plan { rooms: 3, ..Plan::default() }).await;
        let member = yeyak.member().await;
        let booking = place.confirmed(yeyak, &member, nights(0, 2)).await;
        let quote = place.quote(&member, nights(9, 2)).await.expect("quotes");
        let asked = ListPaymentsRequest { booking_id: booking.id.clone(), ..Default::default() };
        let payment = member.payments().list_payments(asked).await.expect("lists").payments.remove(0);
        let wish = member.seller_applications().create_seller_application(application()).await.expect("applies");
        let known = me(&member).await;
        // A second login: revoking it leaves the first.
        let elsewhere = member.anonymous();
        elsewhere.log_in(&known.email, PASSWORD).await.expect("logs in");
        let sessions = elsewhere.auth().list_sessions(ListSessionsRequest::default()).await.expect("lists").sessions;
        let session = sessions.into_iter().find(|session| session.current).expect("the current one").id;
        let get = GetRoomTypeRequest { id: place.room_type_id.clone() };
        let RoomType { property_id, .. } = place.seller.room_types().get_room_type(get).await.expect("reads");
        let seller = me(&place.seller).await;
        let granted = policy(&place.seller, terms(Issuing::Grant)).await;
        let coupon = grant(&place.seller, &granted.id, &known.id).await.expect("grants");
        let coded = policy(&place.seller, terms(Issuing::Code)).await;
        let batch = batch(&place.seller, &coded.id, 1, 1).await;
        let run = start(&place.seller, list(&granted, std::slice::from_ref(&known.id))).await.expect("starts");
        let secrets =
            [&booking.id, &booking.code, &payment.id, &wish.id, &session, &known.id, &known.email, &seller.email];
        let secrets = secrets.into_iter().chain([&coupon.id, &batch.id, &run.id]).cloned().collect();
        let values = HashMap::from([
            ("booking_id", booking.id),
            ("code", booking.code),
            ("payment_id", payment.id),
            ("seller_application_id", wish.id),
            ("auth_id", session),
            ("member_id", known.id),
            ("property_id", property_id),
            ("room_type_id", place.room_type_id.clone()),
            ("rate_plan_id", place.rate_plan_id.clone()),
            ("quote_token", quote.token),
            ("receipt_id", coupon.id.replace("coupon_", "receipt_")),
            ("coupon_id", coupon.id),
            ("policy_id", granted.id.clone()),
            ("coupon_policy_id", granted.id),
            ("coupon_code_id", batch.id),
            ("coupon_grant_id", run.id),
        ]);
        Self { member, place, values, secrets }
    }

    /// All that the owners can read, by RPC; but quotes, which are sealed anew each time.
    async fn all(&self, server: &Embedded) -> Vec<(String, Vec<u8>)> {
        let (requests, plausible) = (requests(), Plausible(self.values.clone()));
        let mut all = Vec::new();
        let reads = METHODS.iter().filter(|method| method.effect == yeyak_proto::Effect::None && !method.streaming);
        for method in reads.filter(|method| !method.name.starts_with("Quote")) {
            let message = plausible.request(method, &requests[method.path]);
            for owner in [&self.member, &self.place.seller] {
                let token = owner.tokens().expect("signed in").access_token;
                let answer = call(server, method, headers(Some(&token), None), framed(&message)).await;
                if answer.code == Code::Ok {
                    all.push((method.to_string(), answer.body));
                }
            }
        }
        all
    }
}

async fn voices(yeyak: &Yeyak, owned: &Owned) -> Vec<(Role, Voice)> {
    let other = yeyak.member().await;
    let mut scopes: Vec<_> = METHODS.iter().filter(|method| method.access.contains(&Access::Service)).collect();
    scopes.dedup_by_key(|method| method.service);
    let scopes: Vec<_> = scopes.iter().map(|method| format!("{}/*", method.service)).chain(["act_as".into()]).collect();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let key = yeyak.api_key(&scopes).await;
    // The scope that names no RPC: a key must have one.
    let bare = yeyak.api_key(&["act_as"]).await;
    let acting_for = id_of(&other).await;
    let mut voices = Vec::new();
    for role in ROLES {
        let voice = match role {
            Role::Nobody => Voice { client: yeyak.client.anonymous(), email: String::new(), key: None },
            Role::OtherMember => Voice::of(other.clone()).await,
            Role::OtherSeller => Voice::of(yeyak.seller().await).await,
            Role::KeyWithoutScopes => Voice::keyed(&yeyak.client, bare.clone(), None),
            Role::Key => Voice::keyed(&yeyak.client, key.clone(), Some(acting_for.clone())),
            Role::Member => Voice::of(owned.member.clone()).await,
            Role::Seller => Voice::of(owned.place.seller.clone()).await,
            Role::Admin => Voice::of(yeyak.admin().await).await,
        };
        voices.push((role, voice));
    }
    voices
}

fn judge(role: Role, method: &Method, answer: &Answer) {
    let refused = matches!(reason(answer), ErrorReason::Unauthenticated | ErrorReason::AccessDenied);
    match (role.may_call(method), role) {
        (true, _) => assert!(!refused, "{role:?} is named by {method}: {answer:?}"),
        (false, Role::Nobody) => {
            let expected = (Code::Unauthenticated, ErrorReason::Unauthenticated);
            assert_eq!((answer.code, reason(answer)), expected, "{role:?} {method}");
        }
        (false, _) => {
            let expected = (Code::PermissionDenied, ErrorReason::AccessDenied);
            assert_eq!((answer.code, reason(answer)), expected, "{role:?} {method}");
        }
    }
}

fn holds(body: &[u8], secret: &str) -> bool {
    body.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[tokio::test]
async fn every_rpc_answers_whom_the_proto_names_and_nobody_reads_what_is_not_theirs() {
    let yeyak = Yeyak::new().await;
    let owned = Owned::new(&yeyak).await;
    yeyak.settle().await;
    let server = yeyak.platform.embedded().expect("composes");
    let (requests, plausible) = (requests(), Plausible(owned.values.clone()));
    let voices = voices(&yeyak, &owned).await;
    let before = owned.all(&server).await;
    let mut combinations = 0;
    let mut read_by_owners = 0;

    for (role, voice) in &voices {
        if role.owns() && combinations == METHODS.len() * 5 {
            let after = owned.all(&server).await;
            for (before, after) in before.iter().zip(&after) {
                assert!(before == after, "a stranger changed what {} tells the owner", before.0);
            }
            assert_eq!(before.len(), after.len());
        }
        for method in METHODS {
            let request = requests.get(method.path).unwrap_or_else(|| panic!("{method} has no descriptor"));
            let mut messages = vec![Vec::new(), plausible.request(method, request)];
            // What is for services of the platform in their own right names any member: with a key it would change the owner's.
            let names_anyone = method.access.contains(&Access::Service) && !method.access.contains(&Access::Member);
            if *role == Role::Key && names_anyone {
                messages.truncate(1);
            }
            for message in messages {
                let answer = voice.call(&server, method, &message).await;

                judge(*role, method, &answer);
                let told = owned.secrets.iter().any(|secret| holds(&answer.body, secret));
                assert!(!(role.is_stranger() && told), "{method} tells {role:?} what is not theirs");
                read_by_owners += usize::from(role.owns() && told);
            }
            combinations += 1;
        }
    }

    assert_eq!(combinations, METHODS.len() * ROLES.len());
    assert!(read_by_owners > 12, "the requests reach what they name: {read_by_owners} of the owners' answers");
    assert!(before.len() > 15, "{} reads were compared", before.len());
    println!("{read_by_owners} answers to owners hold what is theirs; {} reads were compared", before.len());
    println!("{} RPCs x {} roles = {combinations} combinations, two requests each", METHODS.len(), ROLES.len());
}
