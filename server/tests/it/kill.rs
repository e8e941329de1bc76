//! A server that is killed while it works keeps every promise that it made.

use std::time::Duration;

use crate::dice::{Dice, rounds};
use crate::guest::Load;
use crate::harness::Installation;
use crate::process::Server;

const CLIENTS: usize = 4;
const KILLS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_keeps_what_it_said() {
    let mut dice = Dice::of("kill");
    let (installation, place) = Installation::with_a_place(30).await;
    let mut server = Server::start(&installation).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.connect().await);
    }

    let load = Load::start(clients, &place, &mut dice).await;
    for _ in 0..KILLS.max(rounds()) {
        tokio::time::sleep(Duration::from_millis(400 + dice.below(1200))).await;
        server.kill().await;
        server.start_again().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;

    load.stop().await;
    installation.check().await;
}
