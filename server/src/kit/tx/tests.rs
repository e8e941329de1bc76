use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use tokio::sync::watch;

use super::*;
use crate::error::NotFound;

async fn database() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}/test.db", folder.path().display());
    let db = Db::open(&DatabaseSettings::of(&url)).await.expect("opens");
    db.schema_connection().execute_unprepared("CREATE TABLE n (n INTEGER UNIQUE)").await.expect("creates");
    (folder, db)
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn count(db: &Db) -> i64 {
    let statement = Statement::from_string(db.backend(), "SELECT count(*) AS count FROM n");
    Count::find_by_statement(statement).one(db.read()).await.expect("reads").expect("a row").count
}

async fn insert(tx: &Tx, n: usize) -> Result<(), Error> {
    tx.execute_unprepared(&format!("INSERT INTO n VALUES ({n})")).await?;
    Ok(())
}

/// Guard: the savepoint around each operation of a batch.
#[tokio::test]
async fn a_refusal_takes_nothing_of_its_batch_with_it() {
    let (_folder, db) = database().await;

    let outcomes = futures::future::join_all((0..100).map(|n| {
        let db = db.clone();
        async move {
            db.write(async |tx| {
                insert(&tx, n).await?;
                if n % 3 == 0 { Err(NotFound::new("number", n).into()) } else { Ok(()) }
            })
            .await
        }
    }))
    .await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 34);
    assert_eq!(count(&db).await, 66);
}

/// Guard: a refusal that waits for the commit of its batch. The row that refuses must be there for all to read.
#[tokio::test]
async fn what_refuses_is_on_disk_before_the_refusal_is_told() {
    let (_folder, db) = database().await;

    let twins = (0..50).map(|_| async {
        match db.write(async |tx| insert(&tx, 1).await).await {
            Ok(()) => 1,
            Err(_) => count(&db).await,
        }
    });

    assert!(futures::future::join_all(twins).await.iter().all(|seen| *seen == 1));
}

#[tokio::test]
async fn hooks_run_after_the_commit_and_never_after_a_refusal() {
    let (_folder, db) = database().await;
    let ran = Arc::new(AtomicUsize::new(0));

    for refuse in [false, true] {
        let outcome: Result<(), Error> = db
            .write(async |tx| {
                insert(&tx, 1).await?;
                let ran = ran.clone();
                tx.on_commit(move || _ = ran.fetch_add(1, Ordering::SeqCst));
                if refuse { Err(NotFound::new("number", 1).into()) } else { Ok(()) }
            })
            .await;
        assert_eq!(outcome.is_err(), refuse || count(&db).await != 1);
    }

    assert_eq!((ran.load(Ordering::SeqCst), count(&db).await), (1, 1));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_and_blocks_nobody() {
    let (_folder, db) = database().await;
    let stuck = db.write(async |tx| {
        insert(&tx, 1).await?;
        std::future::pending::<Result<(), Error>>().await
    });
    assert!(timeout(Duration::from_millis(50), stuck).await.is_err());

    db.write(async |tx| insert(&tx, 2).await).await.expect("the writer goes on");

    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn an_operation_that_keeps_its_transaction_is_refused() {
    let (_folder, db) = database().await;
    let kept = Mutex::new(None);
    let outcome = db
        .write(async |tx| {
            insert(&tx, 1).await?;
            *kept.lock().expect("free") = Some(tx.clone());
            Ok(())
        })
        .await;
    drop(kept);
    assert!(outcome.is_err());
    db.write(async |tx| insert(&tx, 2).await).await.expect("the writer goes on");
    assert_eq!(count(&db).await, 1);
}

/// Guard: hooks run where the word of a commit is lost, since the rows may have changed.
#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn hooks_run_when_nobody_knows_whether_the_commit_was_done() {
    let url = yeyak_services::Postgres::shared().create();
    let db = Db::open(&DatabaseSettings::of(&url)).await.expect("opens");
    let (bodies, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));

    let outcome = db
        .write(async |tx| {
            bodies.fetch_add(1, Ordering::SeqCst);
            let hook = ran.clone();
            tx.on_commit(move || _ = hook.fetch_add(1, Ordering::SeqCst));
            let ask = Statement::from_string(db.backend(), "SELECT pg_backend_pid()::bigint AS count");
            let own = Count::find_by_statement(ask).one(&*tx).await?.expect("a row").count;
            yeyak_services::Postgres::ask(&url, &format!("SELECT pg_terminate_backend({own})"));
            Ok(())
        })
        .await;

    let error = outcome.expect_err("the connection is gone");
    assert!(error.fault::<Unavailable>().is_some(), "{error}");
    assert_eq!((bodies.into_inner(), ran.load(Ordering::SeqCst)), (1, 1));
}

/// Guard: the one order in which turns are shared. PostgreSQL would find the circle after a second and open it: here it does not
/// look, and who waits gives up and begins again.
#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn who_names_turns_in_another_order_does_not_wait_in_a_circle() {
    let url = yeyak_services::Postgres::shared().create();
    let name = url.rsplit('/').next().expect("a name");
    yeyak_services::Postgres::ask(&url, &format!("ALTER DATABASE {name} SET deadlock_timeout = '1min'"));
    let db = &Db::open(&DatabaseSettings { connections: 8, ..DatabaseSettings::of(&url) }).await.expect("opens");
    let locks = async |which: &str, number: i64| {
        let own = "database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let count = format!("SELECT count(*) AS count FROM pg_locks WHERE locktype = 'advisory' AND {own} AND {which}");
        let count = Statement::from_string(DatabaseBackend::Postgres, count);
        while Count::find_by_statement(count.clone()).one(db.read()).await.expect("reads").expect("a row").count
            != number
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let hold = |key| {
        let (let_go, is_free) = watch::channel(false);
        let db = db.clone();
        let held = tokio::spawn(async move {
            db.write(async |tx| {
                tx.take_turn(key).await?;
                _ = is_free.clone().wait_for(|is_free| *is_free).await;
                Ok(())
            })
            .await
        });
        (let_go, held)
    };
    let bodies = Arc::<AtomicUsize>::default();
    let enter = |keys: Vec<Uuid>| {
        let (db, bodies) = (db.clone(), bodies.clone());
        tokio::spawn(async move {
            db.write(async |tx| {
                bodies.fetch_add(1, Ordering::SeqCst);
                match *keys {
                    [alone] => tx.take_turn(alone).await,
                    _ => tx.share_turns(keys.iter().copied()).await,
                }
            })
            .await
        })
    };
    let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));

    let ((let_go_of_a, of_a), (let_go_of_b, of_b)) = (hold(a), hold(b));
    locks("granted", 2).await;
    let sharing = [enter(vec![a, b]), enter(vec![b, a])];
    locks("NOT granted", 2).await;
    // They keep others who share waiting behind them.
    let alone = [enter(vec![a]), enter(vec![b])];
    locks("NOT granted", 4).await;
    let_go_of_a.send(true).expect("is waited for");
    locks("NOT granted AND objid = 2", 3).await;
    let_go_of_b.send(true).expect("is waited for");

    for one in [of_a, of_b].into_iter().chain(sharing).chain(alone) {
        one.await.expect("does not panic").expect("has its turns");
    }
    assert_eq!(bodies.load(Ordering::SeqCst), 4, "nobody had to begin again");
}

/// Guard: the longer patience with a statement that looks at very much, which ends with it. SQLite has none.
#[tokio::test]
async fn a_statement_that_looks_at_very_much_may_take_longer_than_others() {
    let yeyak = crate::harness::Harness::new().await;
    if !yeyak.db.is_shared() {
        return;
    }
    let shown = || Statement::from_string(yeyak.db.backend(), "SHOW statement_timeout");
    let timeout =
        |row: Option<QueryResult>| row.expect("a row").try_get::<String>("", "statement_timeout").expect("a text");

    let slow = yeyak.db.read_slowly(shown()).await.expect("reads");
    let next = yeyak.db.read().query_one_raw(shown()).await.expect("reads");

    assert_eq!((&*timeout(slow), &*timeout(next)), ("1min", "10s"));
}
