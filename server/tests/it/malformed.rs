//! 100,000 requests that no client of ours would send, to every RPC: none is the server's fault, and none stays in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use tonic::Code;
use yeyak::proto::common::v1::Access;
use yeyak::proto::coupon::v1::CouponPolicy;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::{METHODS, Method};
use yeyak::{Client, Embedded};

use crate::coupon::code::batch;
use crate::coupon::desk::{grant, policy, terms};
use crate::harness::{Yeyak, id_of};
use crate::place::{Plan, nights};
use crate::raw::{Answer, Plausible, call, framed, headers, request_id, requests};

const SEED: u64 = 20_260_302;
const CALLS: u64 = 100_000;
/// By then every cache and pool has what it needs.
const WARM: u64 = 10_000;
const MOST_GROWTH: u64 = 20 << 20;
/// Calls between two logins: a log-out among them leaves its role nobody until then.
const BLOCK: u64 = 5_000;
const WORKERS: u64 = 4;
/// Set where the storm has its process to itself.
const ALONE: &str = "STORM_ALONE";
/// What becomes a byte that is not UTF-8, once the message is encoded.
const BROKEN: &str = "\u{1}\u{2}\u{3}\u{4}";

struct Storm {
    server: Embedded,
    requests: HashMap<String, MessageDescriptor>,
    plausible: Plausible,
    clients: Vec<Client>,
    /// Logs out, so that the others need not.
    leaver: Client,
    key: String,
    acted_for: String,
}

impl Storm {
    async fn new(yeyak: &Yeyak) -> Self {
        let place = yeyak.place(Plan { rooms: 3, ..Plan::default() }).await;
        let member = yeyak.member().await;
        let booking = place.confirmed(yeyak, &member, nights(0, 2)).await;
        let quote = place.quote(&member, nights(9, 2)).await.expect("quotes");
        let mut scopes: Vec<_> =
            METHODS.iter().filter(|method| method.access.contains(&Access::Service)).map(ToString::to_string).collect();
        scopes.push("act_as".to_owned());
        let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
        let acted_for = id_of(&member).await;
        let limits = CouponPolicy { per_member_count: 100, giftable: true, ..terms(Issuing::Grant) };
        let granted = policy(&place.seller, limits).await;
        let coupon = grant(&place.seller, &granted.id, &acted_for).await.expect("grants");
        let coded = policy(&place.seller, terms(Issuing::Code)).await;
        let values = HashMap::from([
            ("booking_id", booking.id),
            ("code", booking.code),
            ("member_id", acted_for.clone()),
            ("property_id", booking.property_id),
            ("room_type_id", place.room_type_id.clone()),
            ("rate_plan_id", place.rate_plan_id.clone()),
            ("quote_token", quote.token),
            ("receipt_id", coupon.id.replace("coupon_", "receipt_")),
            ("coupon_id", coupon.id),
            ("recipient_id", id_of(&place.seller).await),
            ("policy_id", granted.id.clone()),
            ("coupon_policy_id", granted.id),
            ("coupon_code_id", batch(&place.seller, &coded.id, 1, 1).await.id),
        ]);
        Self {
            server: yeyak.platform.embedded().expect("composes"),
            requests: requests(),
            plausible: Plausible(values),
            clients: vec![member, place.seller, yeyak.member().await, yeyak.seller().await, yeyak.admin().await],
            leaver: yeyak.member().await,
            key: yeyak.api_key(&scopes).await,
            acted_for,
        }
    }

    async fn call(&self, at: u64) -> (&'static Method, Answer) {
        let mut rng = StdRng::seed_from_u64(SEED.wrapping_mul(CALLS) + at);
        let method = METHODS.choose(&mut rng).expect("not empty");
        let mut headers = self.headers(method, &mut rng);
        let mut body = framed(&self.message(method, &mut rng));
        if rng.random_ratio(1, 10) {
            spoil_headers(&mut headers, &mut rng);
        }
        if rng.random_ratio(1, 20) {
            spoil_frame(&mut body, &mut rng);
        }
        (method, call(&self.server, method, headers, body).await)
    }

    fn headers(&self, method: &Method, rng: &mut StdRng) -> HeaderMap {
        let token = |client: &Client| client.tokens().map(|tokens| tokens.access_token);
        if matches!(method.name, "LogOut" | "ChangePassword") {
            return headers(token(&self.leaver).as_deref(), None);
        }
        // Mostly a role that may call, since the others are refused at the door.
        match rng.random_range(0..12) {
            0 => headers(None, None),
            1 => headers(Some(&self.key), None),
            2 | 3 => headers(Some(&self.key), Some(&self.acted_for)),
            _ => headers(token(self.clients.choose(rng).expect("not empty")).as_deref(), None),
        }
    }

    fn message(&self, method: &Method, rng: &mut StdRng) -> Vec<u8> {
        let descriptor = &self.requests[method.path];
        match rng.random_range(0..10) {
            0..3 => bytes(rng, 200),
            3..5 => {
                let mut whole = self.plausible.request(method, descriptor);
                whole.truncate(rng.random_range(0..=whole.len()));
                whole
            }
            5 | 6 => {
                let mut whole = self.plausible.request(method, descriptor);
                for _ in 0..rng.random_range(1..4) {
                    if let Some(last) = whole.len().checked_sub(1) {
                        whole[rng.random_range(0..=last)] = rng.random();
                    }
                }
                whole
            }
            _ => {
                let mut encoded = self.random(descriptor, rng, 0).encode_to_vec();
                let broken = BROKEN.as_bytes();
                for at in 0..encoded.len().saturating_sub(broken.len()) {
                    if encoded[at..].starts_with(broken) {
                        encoded[at] = 0xff;
                    }
                }
                encoded
            }
        }
    }

    fn random(&self, descriptor: &MessageDescriptor, rng: &mut StdRng, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields().filter(|field| !field.is_map() && depth < 4) {
            if rng.random_ratio(1, 5) {
                continue;
            }
            let value = if field.is_list() {
                let count = if rng.random_ratio(1, 20) { 300 } else { rng.random_range(0..4) };
                Value::List((0..count).map(|_| self.value(&field, rng, depth)).collect())
            } else {
                self.value(&field, rng, depth)
            };
            message.set_field(&field, value);
        }
        message
    }

    fn value(&self, field: &FieldDescriptor, rng: &mut StdRng, depth: u32) -> Value {
        let extremes = [0, 1, -1, 2, 31, 400, 2026, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN];
        let mut number = || if rng.random() { *extremes.choose(rng).expect("some") } else { rng.random() };
        match field.kind() {
            Kind::Message(inner) => Value::Message(self.random(&inner, rng, depth + 1)),
            Kind::String => Value::String(self.text(field.name(), rng)),
            Kind::Bytes => Value::Bytes(bytes(rng, 100).into()),
            Kind::Bool => Value::Bool(rng.random()),
            Kind::Enum(_) => Value::EnumNumber(if rng.random() { rng.random_range(0..6) } else { rng.random() }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(truncated(number())),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(rng.random()),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(rng.random()),
            Kind::Double => Value::F64(*[f64::NAN, f64::INFINITY, -1e308, 0.5].choose(rng).expect("some")),
            Kind::Float => Value::F32(*[f32::NAN, f32::INFINITY, 0.5].choose(rng).expect("some")),
        }
    }

    fn text(&self, field: &str, rng: &mut StdRng) -> String {
        if field == "request_id" && rng.random_ratio(2, 3) {
            return request_id();
        }
        let known: Vec<_> = self.plausible.0.values().collect();
        match rng.random_range(0..12) {
            0 => String::new(),
            1 => "x".repeat(rng.random_range(1..2_000)),
            2 => "한".repeat(*[100, 10_000, 60_000].choose(rng).expect("some")),
            3 => BROKEN.to_owned(),
            4 => "\0 nul \u{202e} and \u{feff} the like 👩‍👩‍👧".to_owned(),
            5 => "'; DROP TABLE booking; --".to_owned(),
            6 => "booking_01h455vb4pex5vsknk084sn02q".to_owned(),
            7 => "member_zzzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
            8 => "me".to_owned(),
            9 => {
                let mut token: Vec<_> = known.choose(rng).expect("some").chars().collect();
                let at = rng.random_range(0..token.len());
                token[at] = 'Z';
                token.into_iter().collect()
            }
            _ => known.choose(rng).expect("some").to_string(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
fn truncated(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(number as i32)
}

fn bytes(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..=most)];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn spoil_headers(headers: &mut HeaderMap, rng: &mut StdRng) {
    let spoils: [(&'static str, &[u8]); 14] = [
        ("authorization", b"Bearer x.y.z"),
        ("authorization", b"Basic eDp5"),
        ("authorization", b"Bearer \xff\xfe"),
        ("yeyak-act-as", b"nobody"),
        ("yeyak-act-as", b"\xff"),
        ("grpc-timeout", b"soon"),
        ("grpc-timeout", b"99999999999H"),
        ("grpc-timeout", b"1n"),
        ("grpc-encoding", b"br"),
        ("grpc-encoding", b"gzip"),
        ("content-type", b"application/json"),
        ("x-request-id", b"\xff\xff"),
        ("trace-bin", b"!!! no base64"),
        ("traceparent", b"00-zz-zz-01"),
    ];
    let (name, value) = spoils.choose(rng).expect("some");
    headers.insert(*name, HeaderValue::from_bytes(value).expect("a header"));
}

fn spoil_frame(body: &mut Vec<u8>, rng: &mut StdRng) {
    match rng.random_range(0..4) {
        0 => body[0] = rng.random(),
        1 => body[rng.random_range(1..5)] = rng.random(),
        2 => body.truncate(rng.random_range(0..body.len())),
        _ => body.extend(bytes(rng, 20)),
    }
}

/// Resident bytes of this process, where the system tells them.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

/// Run by the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "measures its process: another test starts it in one of its own"]
async fn storm() {
    // Started with all that is ignored, beside tests whose memory would count as ours.
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    println!("seed {SEED}");
    let yeyak = Yeyak::new().await;
    let storm = Arc::new(Storm::new(&yeyak).await);
    let emails = emails(&storm).await;
    let mut slow = BTreeMap::<&str, Duration>::new();
    let (mut codes, mut warm, begin) = (BTreeMap::<String, u32>::new(), None, Instant::now());
    let mut faults = Vec::new();

    for block in 0..CALLS / BLOCK {
        let all = storm.clients.iter().chain([&storm.leaver]);
        for (client, email) in all.zip(&emails) {
            client.log_in(email, crate::harness::PASSWORD).await.expect("logs in");
        }
        let workers = (0..WORKERS).map(|worker| {
            let storm = storm.clone();
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for at in (block * BLOCK + worker..(block + 1) * BLOCK).step_by(4) {
                    let begin = Instant::now();
                    let (method, answer) = storm.call(at).await;
                    let fault = matches!(answer.code, Code::Internal | Code::Unknown | Code::DataLoss);
                    answers.push((
                        method,
                        begin.elapsed(),
                        answer.code,
                        fault.then(|| format!("{at} {method}: {:?}", answer.error)),
                    ));
                }
                answers
            })
        });
        for answers in futures::future::join_all(workers).await {
            for (method, took, code, fault) in answers.expect("no panic") {
                *slow.entry(method.name).or_default() += took;
                *codes.entry(format!("{code:?}")).or_default() += 1;
                faults.extend(fault);
            }
        }
        let kept = resident().unwrap_or_default() >> 10;
        println!("{} calls in {:?}, {kept} KiB", (block + 1) * BLOCK, begin.elapsed());
        if std::env::var_os("SIZES").is_some() {
            for e in std::fs::read_dir(yeyak.installation.folder.path()).unwrap().flatten() {
                println!("  {:?} {}", e.file_name(), e.metadata().unwrap().len());
            }
        }
        if (block + 1) * BLOCK == WARM {
            warm = resident();
        }
    }

    let mut slow: Vec<_> = slow.into_iter().collect();
    slow.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    println!("slowest in all: {:?}", &slow[..8]);
    println!("{CALLS} calls in {:?}: {codes:?}", begin.elapsed());
    assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), &faults[..faults.len().min(10)]);
    assert_eq!(u64::from(codes.values().sum::<u32>()), CALLS);
    yeyak.check().await;
    if let (Some(warm), Some(end)) = (warm, resident()) {
        println!("resident: {} KiB after {WARM} calls, {} KiB at the end", warm >> 10, end >> 10);
        assert!(end < warm + MOST_GROWTH, "grew by {} KiB", (end - warm) >> 10);
    }
}

async fn emails(storm: &Storm) -> Vec<String> {
    let mut emails = Vec::new();
    for client in storm.clients.iter().chain([&storm.leaver]) {
        let get = yeyak::proto::member::v1::GetMemberRequest { id: "me".into() };
        emails.push(client.members().get_member(get).await.expect("reads").email);
    }
    emails
}

/// Guards: the conventions layer, which decodes before any domain; `Violations`; the layer that catches panics.
#[tokio::test]
async fn no_request_is_our_fault_and_none_stays_in_memory() {
    let test = std::env::current_exe().expect("this test");
    let run = tokio::process::Command::new(test)
        // Memory that the allocator keeps, for each thread and for the next large request, is not what is measured.
        .env(ALONE, "1")
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .args(["malformed::storm", "--exact", "--ignored", "--nocapture"])
        .output()
        .await
        .expect("runs");

    let told = [run.stdout, run.stderr].map(|output| String::from_utf8_lossy(&output).into_owned()).concat();
    println!("{told}");
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
    assert!(!told.contains("panicked at"), "{told}");
}
