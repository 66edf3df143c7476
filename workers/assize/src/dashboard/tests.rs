//! Every page on a real Postgres with a round in full swing, and every action's effect and refusal.
#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use secrecy::SecretString;
use sqlx::PgPool;
use tower::ServiceExt;

use super::{DashboardState, router};

const ALICE: &str = "5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX";
const BOB: &str = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy";
pub(super) const TOKEN: &str = "open sesame";

/// A round in DUELS with finished, running, retrying, rejected and parked work. Also what the screenshots show.
pub(super) const ROUND: &str = include_str!("tests_round.sql");

async fn with_round(pool: &PgPool) {
    sqlx::raw_sql(ROUND).execute(pool).await.unwrap();
}

fn state(pool: &PgPool) -> DashboardState {
    DashboardState {
        token: Some(SecretString::from(TOKEN)),
        repository: Some("https://example.org/competition".to_owned()),
        ..DashboardState::new(pool.clone())
    }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn get(state: &DashboardState, address: &str, cookie: Option<&str>) -> Response {
    let mut request = Request::get(address).header(header::HOST, "dashboard.example");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    router(state.clone())
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn page(pool: &PgPool, address: &str) -> String {
    let response = get(&state(pool), address, None).await;
    assert_eq!(response.status(), StatusCode::OK, "{address}");
    text(response).await
}

/// Posts a form as a browser does from a page of the dashboard itself.
pub(super) async fn post(
    state: &DashboardState,
    address: &str,
    form: &str,
    cookie: Option<&str>,
) -> Response {
    post_from(state, address, form, cookie, "same-origin").await
}

async fn post_from(
    state: &DashboardState,
    address: &str,
    form: &str,
    cookie: Option<&str>,
    site: &str,
) -> Response {
    let mut request = Request::post(address)
        .header(header::HOST, "dashboard.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", site);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    router(state.clone())
        .oneshot(request.body(Body::from(form.to_owned())).unwrap())
        .await
        .unwrap()
}

fn location(response: &Response) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

pub(super) async fn sign_in(state: &DashboardState) -> String {
    let response = post(
        state,
        "/sign-in",
        "name=Ada&token=open+sesame&back=/parked",
        None,
    )
    .await;
    assert_eq!(location(&response), "/parked");
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn step_id(pool: &PgPool, key: &str) -> i64 {
    sqlx::query_scalar("SELECT id FROM job WHERE key = $1")
        .bind(key)
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn step_state(pool: &PgPool, id: i64) -> String {
    sqlx::query_scalar("SELECT state FROM job WHERE id = $1")
        .bind(id)
        .fetch_one(pool)
        .await
        .unwrap()
}

const PARKED: &str =
    "round/3/render/5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy/copper-kettle";

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn every_page_of_an_empty_database_says_what_is_missing(pool: PgPool) {
    for (address, expected) in [
        ("/", "No round has begun"),
        ("/steps", "No step matches"),
        ("/parked", "Nothing is parked"),
        ("/workers", "No worker has ever signed on"),
        ("/queues", "There is no queue yet"),
        ("/actions", "No operator has acted yet"),
        ("/sign-in", "Sign in"),
    ] {
        let html = page(&pool, address).await;
        assert!(html.contains(expected), "{address}: {html}");
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_page_of_an_open_round_says_that_judging_is_paused_and_why(pool: PgPool) {
    with_round(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    assert!(!page(&pool, "/rounds/3").await.contains("Judging is paused"));
    let because = "model server answered status 503: the engine is being restarted";
    workflow::db::queue::note_outage(&mut conn, "vlm", because, None)
        .await
        .unwrap();
    let html = page(&pool, "/rounds/3").await;
    assert!(html.contains("Judging is paused"), "{html}");
    assert!(html.contains(because), "{html}");
    workflow::db::queue::end_outage(&mut conn, "vlm")
        .await
        .unwrap();
    assert!(!page(&pool, "/rounds/3").await.contains("Judging is paused"));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_list_of_rounds_counts_their_work_and_names_what_they_wait_for(pool: PgPool) {
    with_round(&pool).await;
    let html = page(&pool, "/").await;
    assert!(html.contains("Round 3") && html.contains("Round 2"));
    assert!(html.contains("the audit of 5F3sa2"), "{html}");
    assert!(html.contains("<b>1</b> parked"), "{html}");
    assert!(
        html.contains("block <b>4\u{202f}512\u{202f}345</b>"),
        "{html}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_shows_its_stage_its_grid_and_the_reason_of_every_rejection(pool: PgPool) {
    with_round(&pool).await;
    let html = page(&pool, "/rounds/3").await;
    assert!(
        html.contains(r#"<li class="now" aria-current="step"><span>duels</span>"#),
        "{html}"
    );
    assert!(
        html.contains(r#"class="rejected" title="brass-lantern: TIMEOUT_EXCEEDED"#),
        "{html}"
    );
    assert!(
        html.contains(r#"class="parked" title="copper-kettle: render is parked: cannot reach"#),
        "{html}"
    );
    assert!(
        html.contains(r#"class="ready" title="brass-lantern: pictures ready""#),
        "{html}"
    );
    assert!(
        html.contains(r#"class="running" title="jade-teapot: render is running""#),
        "{html}"
    );
    assert!(html.contains("+12.5 %"), "{html}");
    assert!(html.contains("<h3>Generated again, 1</h3>"), "{html}");
    let before = page(&pool, "/rounds/2").await;
    assert_eq!(
        before.matches(r#"<li class="past">"#).count(),
        5,
        "{before}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_miners_page_lists_each_module_with_its_digest_and_fault(pool: PgPool) {
    with_round(&pool).await;
    let html = page(&pool, &format!("/rounds/3/miners/{BOB}")).await;
    assert!(
        html.contains("TIMEOUT_EXCEEDED") && html.contains("copper-kettle"),
        "{html}"
    );
    assert!(html.contains("at block 4\u{202f}500\u{202f}212"), "{html}");
    assert!(!html.contains(ALICE), "{html}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_a_miner_writes_is_text_and_never_markup_or_a_script_address(pool: PgPool) {
    with_round(&pool).await;
    sqlx::query("UPDATE entry SET failure_reason = '<script>alert(1)</script>' WHERE failure_reason IS NOT NULL")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE submission SET cdn_url = 'javascript:alert(1)', hotkey = '\"><u>' WHERE hotkey = $1")
        .bind(ALICE)
        .execute(&pool)
        .await
        .unwrap();
    let round = page(&pool, "/rounds/3").await;
    assert!(
        !round.contains("<script>alert") && !round.contains("\"><u>"),
        "{round}"
    );
    let miner = page(&pool, "/rounds/3/miners/%22%3E%3Cu%3E").await;
    assert!(
        !miner.contains(r#"href="javascript:"#) && miner.contains("javascript:alert(1)"),
        "{miner}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn steps_are_found_by_state_name_queue_round_and_key(pool: PgPool) {
    with_round(&pool).await;
    for (query, found) in [
        ("state=parked", true),
        ("name=render&state=parked&queue=browser&round=3", true),
        ("key=copper-kettle&state=parked", true),
        ("state=completed", false),
        ("name=duel", false),
        ("queue=vlm", false),
        ("round=2", false),
        ("round=three", false),
        ("key=no-such-key", false),
    ] {
        let html = page(&pool, &format!("/steps?{query}")).await;
        assert_eq!(html.contains(PARKED), found, "{query}: {html}");
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_long_list_goes_on_where_the_page_before_ended(pool: PgPool) {
    sqlx::raw_sql(
        "INSERT INTO job (kind, name, key, queue, state, input)
         SELECT 'step', 'render', 'k' || lpad(n::text, 4, '0'), 'browser', 'available', '{}' FROM generate_series(1, 150) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    let first = page(&pool, "/steps?name=render").await;
    assert!(
        first.contains("k0150") && first.contains("k0051") && !first.contains("k0050"),
        "{first}"
    );
    let next = first
        .split("/steps?name=render&#38;before=")
        .nth(1)
        .unwrap();
    let before: String = next.chars().take_while(char::is_ascii_digit).collect();
    let second = page(&pool, &format!("/steps?name=render&before={before}")).await;
    assert!(
        second.contains("k0050") && second.contains("k0001") && !second.contains("k0051"),
        "{second}"
    );
    assert!(!second.contains("Older steps"), "{second}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_step_shows_its_input_its_attempts_and_their_errors(pool: PgPool) {
    with_round(&pool).await;
    let id = step_id(&pool, PARKED).await;
    let html = page(&pool, &format!("/steps/{id}")).await;
    assert!(
        html.contains("cannot reach the renderer at http://render:8000"),
        "{html}"
    );
    assert!(html.contains("connection refused"), "{html}");
    assert!(html.contains("worker-1"), "{html}");
    assert!(
        html.contains("&#34;stem&#34;: &#34;copper-kettle&#34;"),
        "{html}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_shows_what_it_started(pool: PgPool) {
    with_round(&pool).await;
    let id = step_id(&pool, "round/3").await;
    let html = page(&pool, &format!("/steps/{id}")).await;
    assert!(
        html.contains("Started by it") && html.contains(PARKED),
        "{html}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn workers_and_queues_show_heartbeats_work_and_limits(pool: PgPool) {
    with_round(&pool).await;
    let workers = page(&pool, "/workers").await;
    assert!(
        workers.contains(r#"<span class="pill live">live</span>"#),
        "{workers}"
    );
    assert!(
        workers.contains(r#"<span class="pill late">late</span>"#),
        "{workers}"
    );
    assert!(
        workers.contains(r#"<span class="pill lost">lost</span>"#),
        "{workers}"
    );
    assert!(workers.contains("render × 1"), "{workers}");
    let queues = page(&pool, "/queues").await;
    assert!(queues.contains("64 at one time"), "{queues}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_is_not_there_is_said_with_404(pool: PgPool) {
    for address in [
        "/rounds/9",
        "/rounds/9/miners/nobody",
        "/steps/9",
        "/nowhere",
    ] {
        let response = get(&state(&pool), address, None).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{address}");
        assert!(text(response).await.contains("To the rounds"), "{address}");
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_database_that_does_not_answer_is_said_with_503(pool: PgPool) {
    pool.close().await;
    let response = get(&state(&pool), "/", None).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text(response)
            .await
            .contains("the database does not answer")
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn live_parts_are_those_of_the_page_and_follow_the_database(pool: PgPool) {
    use futures::StreamExt as _;

    with_round(&pool).await;
    let state = state(&pool);
    let response = get(&state, "/rounds/3/live", None).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut body = response.into_body().into_data_stream();
    let mut sent = String::new();
    let follow = async {
        let mut is_changed = false;
        while let Some(chunk) = body.next().await {
            sent.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            if !is_changed && sent.contains("event: results") {
                let finish =
                    "UPDATE round SET winner = 'leader', stage = 'finalizing' WHERE round = 3";
                sqlx::query(finish).execute(&pool).await.unwrap();
                is_changed = true;
            }
            if sent.contains(r#"<li class="now" aria-current="step"><span>finalizing</span>"#) {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), follow)
        .await
        .unwrap();
    for part in ["bar", "summary", "kinds", "grid"] {
        assert!(sent.contains(&format!("event: {part}\n")), "{part}");
    }
    assert_eq!(
        sent.matches("event: grid\n").count(),
        1,
        "the grid had not changed"
    );

    state.shutdown.cancel();
    let rest = async { while body.next().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), rest)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn retrying_a_parked_step_makes_it_due_and_is_kept_with_name_and_reason(pool: PgPool) {
    with_round(&pool).await;
    let state = state(&pool);
    let cookie = sign_in(&state).await;
    let id = step_id(&pool, PARKED).await;
    let shown = text(get(&state, &format!("/steps/{id}"), Some(&cookie)).await).await;
    assert!(shown.contains(r#"value="retry""#), "{shown}");

    let form = "action=retry&reason=the+renderer+is+back";
    let response = post(&state, &format!("/steps/{id}/act"), form, Some(&cookie)).await;
    assert_eq!(
        location(&response),
        format!("/steps/{id}?did=retry&steps=1")
    );
    assert_eq!(step_state(&pool, id).await, "available");
    let after = page(&pool, &format!("/steps/{id}?did=retry&steps=1")).await;
    assert!(after.contains("1 step is due again."), "{after}");
    let actions = page(&pool, "/actions").await;
    assert!(
        actions.contains("Ada") && actions.contains("the renderer is back"),
        "{actions}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn all_parked_steps_of_a_name_are_retried_together(pool: PgPool) {
    with_round(&pool).await;
    let state = state(&pool);
    let cookie = sign_in(&state).await;
    let shown = text(get(&state, "/parked", Some(&cookie)).await).await;
    assert!(shown.contains(r#"<option value="render 3">"#), "{shown}");
    sqlx::query("UPDATE job SET state = 'parked' WHERE name = 'render' AND state = 'scheduled'")
        .execute(&pool)
        .await
        .unwrap();
    let response = post(
        &state,
        "/parked/retry",
        "steps=render+3&reason=back",
        Some(&cookie),
    )
    .await;
    assert_eq!(location(&response), "/parked?did=retry&steps=2");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM job WHERE state = 'parked'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_queue_is_paused_and_resumed(pool: PgPool) {
    with_round(&pool).await;
    let state = state(&pool);
    let cookie = sign_in(&state).await;
    for (action, paused) in [("pause", true), ("resume", false)] {
        let form = format!("queue=vlm&action={action}&reason=the+VLM+moves");
        let response = post(&state, "/queues/act", &form, Some(&cookie)).await;
        assert_eq!(location(&response), format!("/queues?did={action}-queue"));
        let html = page(&pool, "/queues").await;
        assert_eq!(
            html.contains(r#"<span class="pill paused">"#),
            paused,
            "{html}"
        );
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn cancelling_ends_a_step_for_good(pool: PgPool) {
    with_round(&pool).await;
    let state = state(&pool);
    let cookie = sign_in(&state).await;
    let id = step_id(&pool, PARKED).await;
    let response = post(
        &state,
        &format!("/steps/{id}/act"),
        "action=cancel&reason=moot",
        Some(&cookie),
    )
    .await;
    assert_eq!(
        location(&response),
        format!("/steps/{id}?did=cancel&steps=1")
    );
    assert_eq!(step_state(&pool, id).await, "cancelled");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn nobody_acts_from_another_site_without_a_name_or_without_a_reason(pool: PgPool) {
    with_round(&pool).await;
    let state = state(&pool);
    let cookie = sign_in(&state).await;
    let id = step_id(&pool, PARKED).await;
    let act = format!("/steps/{id}/act");
    let form = "action=retry&reason=because";

    let foreign = post_from(&state, &act, form, Some(&cookie), "cross-site").await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let nameless = post(&state, &act, form, None).await;
    assert_eq!(
        location(&nameless),
        format!("/sign-in?back=%2Fsteps%2F{id}")
    );
    let forged = post(&state, &act, form, Some("assize_operator=416461.00")).await;
    assert_eq!(forged.status(), StatusCode::SEE_OTHER);
    let silent = post(&state, &act, "action=retry&reason=+", Some(&cookie)).await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = post(&state, &act, "action=explode&reason=why+not", Some(&cookie)).await;
    assert_eq!(unknown.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(step_state(&pool, id).await, "parked");

    let wrong = post(&state, "/sign-in", "name=Ada&token=open+says+me", None).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.headers().get(header::SET_COOKIE).is_none());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn pages_let_nothing_run_but_their_own_files_and_those_are_kept_by_digest(pool: PgPool) {
    let response = get(&state(&pool), "/", None).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(
        policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let html = text(response).await;
    let files: Vec<&str> = html
        .split('"')
        .filter(|text| text.starts_with("/assets/"))
        .collect();
    assert!(files.len() >= 5, "{html}");
    for file in files {
        let response = get(&state(&pool), file, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        assert!(
            response.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable"),
            "{file}"
        );
    }
    let older = get(&state(&pool), "/assets/000000000000/htmx.js", None).await;
    assert_eq!(older.headers()[header::CACHE_CONTROL], "no-store");
}
