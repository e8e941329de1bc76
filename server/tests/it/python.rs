//! A client that was not written by us, in another language, and that knows nothing but an address.

use std::ffi::OsString;
use std::path::Path;

use crate::harness::Yeyak;
use crate::place::Plan;
use crate::wire::Serving;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with grpcio, grpcio-reflection, grpcio-status: .ci/run"]
async fn python_books_by_reflection_alone() {
    let yeyak = Yeyak::new().await;
    let _place = yeyak.place(Plan::default()).await;
    yeyak.settle().await;
    let serving = Serving::start(yeyak.platform).await;
    let python = std::env::var_os("YEYAK_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/book.py");

    let run = tokio::process::Command::new(python).arg(script).arg(serving.ports.grpc.to_string()).output();
    let output = run.await.expect("Python runs");

    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{wrong}");
    assert!(told.trim_end().ends_with("booked"), "{told}");
    serving.end().await;
}
