//! The repository's page, its webhook and its figures.
#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use secrecy::SecretString;
use sqlx::{PgPool, postgres::PgListener};
use tower::ServiceExt;
use workflow::db;

use super::{DashboardState, router};

const BUILDS: &str = "rounds/0/builds.json";

async fn ask(state: &DashboardState, request: Request<Body>) -> (StatusCode, String) {
    let response: Response = router(state.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn page(pool: &PgPool, address: &str) -> String {
    let request = Request::get(address)
        .header(header::HOST, "127.0.0.1")
        .body(Body::empty())
        .unwrap();
    let (status, text) = ask(&DashboardState::new(pool.clone()), request).await;
    assert_eq!(status, StatusCode::OK, "{address}");
    text
}

/// An edit of `builds.json` by hand.
async fn edited(pool: &PgPool, theirs: &[u8]) -> i64 {
    let edit = db::conflict::Edit {
        path: BUILDS,
        owner: "assize",
        author: "Grace <b>",
        commit_sha: &"a".repeat(40),
        contested: serde_json::json!({}),
        before: Some(b"{}"),
        theirs: Some(theirs),
    };
    db::conflict::open(&mut pool.acquire().await.unwrap(), &edit)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_page_shows_the_lag_the_edits_and_what_waits_for_a_decision(pool: PgPool) {
    edited(&pool, b"{\"5A\": 1}").await;
    let mut conn = pool.acquire().await.unwrap();
    let problems = ["config.json: win_margin is 7; it must be from 0 to 1".to_owned()];
    let refused = db::hand_edit::EditOutcome::Refused;
    db::hand_edit::record(&mut conn, "config.json", "c", "Grace", refused, &problems)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO mirror_file (job_id, attempt, step, message, path, change, content, created_at, mirrored_at, commit_sha)
         VALUES (1, 1, 's', 'm', 'p', 'put', '', now() - interval '1.25 s', now(), 'c')",
    )
    .execute(&pool)
    .await
    .unwrap();

    let shown = page(&pool, "/repository").await;
    for expected in [
        "waits for a decision",
        "Grace &#60;b&#62;",
        BUILDS,
        "win_margin is 7",
        "The last valid version stays in force.",
        "1.25\u{202f}s",
    ] {
        assert!(shown.contains(expected), "{expected} in\n{shown}");
    }
    // Every page says so.
    let bar = page(&pool, "/").await;
    assert!(bar.contains("edit waits for a decision"), "{bar}");
    assert!(bar.contains("edit is not in force"), "{bar}");

    let metrics = page(&pool, "/metrics").await;
    assert!(
        metrics.contains("assize_mirror_lag_seconds{quantile=\"0.95\"} 1.25"),
        "{metrics}"
    );
    assert!(
        metrics.contains("assize_repository_conflicts 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("assize_repository_refused_edits 1"),
        "{metrics}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_operator_decides_with_a_name_and_a_reason(pool: PgPool) {
    let id = edited(&pool, b"{}").await;
    let state = DashboardState::new(pool.clone());
    let post = |form: &'static str, cookie: Option<&str>| {
        let mut request = Request::post(format!("/repository/conflicts/{id}"))
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.body(Body::from(form)).unwrap()
    };
    let (status, _) = ask(&state, post("decision=reject&reason=so", None)).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "to the sign-in page");
    let decided = "SELECT decision FROM mirror_conflict";
    let none: Option<String> = sqlx::query_scalar(decided).fetch_one(&pool).await.unwrap();
    assert_eq!(none, None);

    let cookie = super::access::sign_in("Ada", "", &state).unwrap();
    let (status, _) = ask(&state, post("decision=reject&reason=", Some(&cookie))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = ask(&state, post("decision=reject&reason=so", Some(&cookie))).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let kept: (String, String, String) =
        sqlx::query_as("SELECT decision, decided_by, reason FROM mirror_conflict")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(kept, ("rejected".into(), "Ada".into(), "so".into()));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_that_the_round_could_not_read_cannot_be_accepted(pool: PgPool) {
    let id = edited(&pool, b"{ broken").await;
    let state = DashboardState::new(pool.clone());
    let cookie = super::access::sign_in("Ada", "", &state).unwrap();
    let request = Request::post(format!("/repository/conflicts/{id}"))
        .header(header::HOST, "127.0.0.1")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, cookie)
        .body(Body::from("decision=accept&reason=so"))
        .unwrap();
    let (status, text) = ask(&state, request).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("repair the file first"), "{text}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_signed_webhook_wakes_git_sync_and_an_unsigned_one_does_not(pool: PgPool) {
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(db::MIRROR_CHANNEL).await.unwrap();
    let hook = |signature: &str| {
        Request::post("/hooks/repository")
            .header(header::HOST, "dashboard.example")
            .header("x-hub-signature-256", signature)
            .body(Body::from("{}"))
            .unwrap()
    };
    let mut state = DashboardState::new(pool.clone());
    assert_eq!(
        ask(&state, hook("sha256=00")).await.0,
        StatusCode::NOT_FOUND
    );
    state.webhook_secret = Some(SecretString::from("key"));
    assert_eq!(
        ask(&state, hook("sha256=00")).await.0,
        StatusCode::UNAUTHORIZED
    );
    let signature = format!("sha256={}", super::webhook::signature(b"key", b"{}"));
    assert_eq!(ask(&state, hook(&signature)).await.0, StatusCode::ACCEPTED);
    assert_eq!(listener.recv().await.unwrap().payload(), "fetch");
}
