//! Each service starts, answers, and comes back over what it kept.

use yeyak_services::{Durability, Postgres, Rabbit, Redis, Sentinel};

#[test]
#[ignore = "needs PostgreSQL: .ci/run"]
fn postgres_keeps_what_it_committed_through_a_kill_and_is_followed() {
    let mut postgres = Postgres::start(Durability::Crash);
    let url = postgres.create();
    postgres.run_sql(&url, "CREATE TABLE n (n int)");
    postgres.run_sql(&url, "INSERT INTO n VALUES (7)");
    let copy = postgres.copy(&url);

    postgres.kill();
    postgres.start_again();

    assert_eq!(postgres.run_sql(&url, "SELECT n FROM n").trim(), "7");
    assert_eq!(postgres.run_sql(&copy, "SELECT n FROM n").trim(), "7");
    drop(postgres.replica(0));
}

#[test]
#[ignore = "needs Redis: .ci/run"]
fn redis_starts_again_empty_and_sentinels_replace_a_master() {
    let mut redis = Redis::start();
    redis.ask(&["SET", "a", "1"]);
    redis.kill();
    redis.start_again();
    assert_eq!(redis.ask(&["DBSIZE"]), "0");

    let mut sentinel = Sentinel::start();
    let port = sentinel.master_port();
    sentinel.master().kill();
    sentinel.wait_for_master_other_than(port);
}

#[test]
#[ignore = "needs RabbitMQ: .ci/run"]
fn rabbit_comes_back_over_its_files() {
    let mut rabbit = Rabbit::start();
    rabbit.control(&["add_vhost", "kept"]);
    rabbit.kill();
    rabbit.start_again();
    assert!(rabbit.control(&["list_vhosts"]).contains("kept"));
}
