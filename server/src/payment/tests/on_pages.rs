//! What a payer's browser sees.

use chrono::TimeDelta;
use reqwest::{Response, StatusCode};

use super::stage::Stage;
use super::webhooks::reqwest_client;
use crate::payment::model::State;

async fn get(url: &str) -> Response {
    reqwest_client().get(url).send().await.unwrap()
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn press(page: &str, choice: &str) -> String {
    let request = reqwest_client().post(page).header("content-type", "application/x-www-form-urlencoded");
    location(&request.body(format!("choice={choice}")).send().await.unwrap())
}

#[tokio::test]
async fn a_payer_goes_to_the_page_presses_pay_and_is_told() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let view = stage.try_prepare(booking).await.unwrap();

    let page = location(&get(&view.checkout_url).await);
    let back = press(&page, "pay").await;
    let shown = get(&back).await;

    assert_eq!(shown.status(), StatusCode::OK);
    let html = shown.text().await.unwrap();
    assert!(html.contains("It is paid.") && html.contains("&lt;스위트&gt;") && !html.contains("<스위트>"), "{html}");
    assert_eq!((stage.state(view.payment.id).await, stage.left(booking).await.received), (State::Captured, 1));
    assert!(get(&back).await.text().await.unwrap().contains("It is paid."), "again");
    assert_eq!(get(&view.checkout_url).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_payer_whose_answer_was_lost_is_told_to_wait_and_one_who_declined_that_nothing_was_taken() {
    let stage = Stage::new().await;
    let lost = stage.try_prepare(stage.booking().await).await.unwrap();
    let back = press(&location(&get(&lost.checkout_url).await), "lose").await;
    assert!(get(&back).await.text().await.unwrap().contains("not known yet"));
    assert_eq!(stage.state(lost.payment.id).await, State::Reconciling);

    let declined = stage.try_prepare(stage.booking().await).await.unwrap();
    let back = press(&location(&get(&declined.checkout_url).await), "decline").await;
    let html = get(&back).await.text().await.unwrap();
    assert!(html.contains("declined") && html.contains("REJECT_CARD_COMPANY"), "{html}");
    stage.webhooks().await;
    assert_eq!(stage.state(declined.payment.id).await, State::Failed);
    let spoofed = format!("{}/pay/failed?code=%3Cscript%3E&message=call+me", stage.base);
    assert!(!get(&spoofed).await.text().await.unwrap().contains("script"));
}

/// Guard: the key and the amount that a browser brings are compared with the provider's and ours.
#[tokio::test]
async fn a_forged_return_takes_nothing_and_ends_nothing() {
    let stage = Stage::new().await;
    let view = stage.try_prepare(stage.booking().await).await.unwrap();
    let id = view.payment.id;
    let key = stage.agree(id).await;
    let come_back =
        |key: &str, amount: &str| format!("{}/pay/return?paymentKey={key}&orderId={id}&amount={amount}", stage.base);

    for url in [come_back("sim_wrong", "1000"), come_back(&key, "1"), come_back("", "1000"), come_back("%20", "1000")] {
        assert_eq!(get(&url).await.status(), StatusCode::BAD_REQUEST, "{url}");
    }

    assert_eq!(stage.state(id).await, State::Ready);
    assert_eq!(get(&come_back(&key, "1000")).await.status(), StatusCode::OK);
    assert_eq!(stage.state(id).await, State::Captured);
}

#[tokio::test]
async fn pages_of_nothing_and_of_the_past_say_so() {
    let stage = Stage::new().await;
    let view = stage.try_prepare(stage.booking().await).await.unwrap();
    stage.yeyak.clock.advance(TimeDelta::minutes(15));

    assert_eq!(get(&view.checkout_url).await.status(), StatusCode::GONE);
    for path in ["payment_01h455vb4pex5vsknk084sn02q", "%3Cscript%3E", "x"] {
        assert_eq!(get(&format!("{}/pay/{path}", stage.base)).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(&format!("{}/pay/return", stage.base)).await.status(), StatusCode::BAD_REQUEST);
}
