//! How fast the best of a member's coupons are found: pure computing, one booking after the other.
//!
//! `cargo bench --bench coupon_best [-- --sets N --coupons N --lines N]` prints one line of JSON. Each set is tried three
//! times, and the fastest counts. A fifth of the sets is of each flavour, of which four are hostile: all coupons in groups of
//! their own, so that every set of five is to be ruled out; all of the same worth, all shares of everything, all with
//! thresholds that others break, all on parts that overlap. `unproven` counts the searches that reached their limit; each
//! answer is applied again, and what it saves is compared.

#[path = "allocator/mod.rs"]
mod allocator;
#[path = "../src/coupon/best/tests/sample.rs"]
mod sample;

use std::time::Instant;

use yeyak_server::coupon::best::{Coupon, Limits, apply, best};
use yeyak_server::{coupon, kit};

use self::sample::{Flavour, Sample, sample};

type Failure = Box<dyn std::error::Error>;

struct Plan {
    sets: usize,
    coupons: usize,
    lines: usize,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan = Self { sets: 5000, coupons: 30, lines: 10 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--sets" => plan.sets = value()?.parse::<usize>()?.max(1),
                "--coupons" => plan.coupons = value()?.parse()?,
                "--lines" => plan.lines = value()?.parse()?,
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        Ok(plan)
    }
}

/// In how many milliseconds something is done at best, and what comes of it. Of several tries the fastest counts: what other
/// programs on the machine take in between is not what is measured.
fn fastest<T>(work: impl Fn() -> T) -> (f64, T) {
    let time = || {
        let begun = Instant::now();
        let done = work();
        (begun.elapsed().as_secs_f64() * 1000.0, done)
    };
    let tries = [time(), time(), time()];
    tries.into_iter().min_by(|one, other| one.0.total_cmp(&other.0)).expect("three tries")
}

fn main() -> Result<(), Failure> {
    let Plan { sets, coupons, lines } = Plan::read()?;
    let (mut times, mut unproven) = (Vec::with_capacity(sets), 0);
    for set in 0..sets {
        let flavour = Flavour::ALL[set % Flavour::ALL.len()];
        let Sample { cart, coupons } = sample(set as u64, flavour, lines, coupons);
        let (time, found) = fastest(|| best(&cart, &coupons, Limits::default()));
        times.push(time);
        unproven += usize::from(!found.is_proven);
        let is_chosen = |coupon: &&Coupon| found.applied.coupons.iter().any(|one| one.coupon == coupon.id);
        let chosen: Vec<_> = coupons.iter().filter(is_chosen).cloned().collect();
        if apply(&cart, &chosen)?.saving() != found.applied.saving() {
            return Err(format!("set {set} saves something else when it is applied").into());
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        r#"{{"bench":"coupon_best","coupons":{coupons},"lines":{lines},"sets":{sets},"p50_ms":{:.3},"p99_ms":{:.3},"max_ms":{:.3},"unproven":{unproven}}}"#,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
