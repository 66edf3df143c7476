//! The page of a match, and the pictures it shows.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use schema::storage::Layout;
use sqlx::PgPool;
use tower::ServiceExt;

use super::tests::{post, sign_in};
use super::{DashboardState, Pictures, router};
use crate::clients::object_store::{FakeObjectStore, Object, ObjectStore as _};
use crate::clients::png::one_pixel;
use crate::clients::prompt_images::FakePromptImages;

const CDN: &str = "https://cdn.example";
const MINER: &str = "5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX";

/// A round in which the leader and a miner have a finished match of two prompts, and an audit that is being judged.
const MATCHES: &str = r#"
INSERT INTO round (round, stage) VALUES (3, 'duels');
INSERT INTO job (kind, name, key, round, queue, state, input)
VALUES ('flow', 'tournament', 'round/3/tournament', 3, 'flow', 'waiting', '{"win_margin": 0.05}');
INSERT INTO job (kind, name, key, round, queue, state, input, output, finished_at)
SELECT 'flow', 'match', 'round/3/match/leader/' || m, 3, 'flow', 'completed',
       jsonb_build_object('left', 'leader', 'right', m, 'prompts', '[1, 2]'::jsonb),
       jsonb_build_object('report', jsonb_build_object('left', 'leader', 'right', m, 'score', 1, 'margin', 0.5, 'duels', jsonb_build_array(
           jsonb_build_object('name', 'amber-vase', 'prompt', 'https://p.example/amber-vase.png', 'winner', 'right',
               'left_png', 'https://cdn.example/left.png', 'right_png', 'https://cdn.example/right.png', 'detail',
               '{"s1": {"choice": "B", "n_total": 4, "n_consistent": 1, "angles": [{"label": "front_left", "pen_a": 6.5, "pen_b": 2.0}]},
                 "decided_by": "S1", "issues": "A lacks <b>its handle</b>."}'::json),
           jsonb_build_object('name', 'jade-teapot', 'prompt', 'https://p.example/jade-teapot.png', 'winner', 'draw', 'detail',
               '{"reason": "no previews on either side"}'::jsonb)))), now()
FROM (SELECT '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX' AS m) t;
INSERT INTO match_result (round, matrix, left_side, right_side, score, margin, duels, job_key)
SELECT 3, 'matches', 'leader', input ->> 'right', 1, 0.5, 2, key FROM job WHERE name = 'match';
INSERT INTO repeated_match (round, matrix, left_side, right_side, judgement, run, score, margin, duels, job_key)
SELECT 3, 'matches', 'leader', input ->> 'right', 0, 1, -1, -0.5, 2, 'again' FROM job WHERE name = 'match';
INSERT INTO superseded_match (round, matrix, left_side, right_side, judgement, score, margin, duels, job_key, operator, reason)
SELECT 3, 'matches', 'leader', input ->> 'right', 0, 2, 1.0, 2, 'old', 'ann', 'broken pictures' FROM job WHERE name = 'match';
INSERT INTO job (kind, name, key, round, queue, state, input)
SELECT 'flow', 'compare', 'round/3/compare/leader_1/x', 3, 'flow', 'waiting',
       jsonb_build_object('left', 'leader_1', 'right', input ->> 'right', 'prompts', '[1, 2]'::jsonb) FROM job WHERE name = 'match';
INSERT INTO job (kind, name, key, parent_id, round, queue, state, input, output, error, finished_at)
SELECT 'step', 'duel', 'duel/' || stem, (SELECT id FROM job WHERE name = 'compare'), 3, 'vlm', state,
       jsonb_build_object('prompt', jsonb_build_object('stem', stem)), output::jsonb, error,
       CASE state WHEN 'completed' THEN now() END
FROM (VALUES ('amber-vase', 'completed', '{"winner": "left", "detail": {"reason": "no preview from right"}}', NULL),
             ('jade-teapot', 'parked', NULL, 'the model answered 500')) AS d(stem, state, output, error);
INSERT INTO entry (round, hotkey, repeat, stem, views)
VALUES (3, 'leader', 1, 'amber-vase', 'https://cdn.example/rounds/3/leader/generated_1/amber-vase'),
       (3, 'leader', 1, 'elsewhere', 'https://other.example/rounds/3/leader/generated_1/elsewhere');
INSERT INTO state_file (path, content, origin) VALUES ('rounds/3/prompts.txt', 'https://p.example/amber-vase.png', 'step');
"#;

async fn game(pool: &PgPool) -> (DashboardState, Arc<FakeObjectStore>) {
    sqlx::raw_sql(MATCHES).execute(pool).await.unwrap();
    let store = Arc::new(FakeObjectStore::new(CDN));
    let state = DashboardState {
        pictures: Some(Pictures {
            store: store.clone(),
            layout: Layout::new(
                CDN,
                "rounds/{round}/{hotkey}/submitted/{filename}",
                "rounds",
            ),
            prompts: Arc::new(FakePromptImages::default()),
        }),
        ..DashboardState::new(pool.clone())
    };
    (state, store)
}

async fn get(state: &DashboardState, address: &str) -> Response {
    let request = Request::get(address)
        .header(header::HOST, "dashboard.example")
        .body(Body::empty())
        .unwrap();
    router(state.clone()).oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_is_a_strip_of_prompts_with_pictures_deciding_stage_and_scores(pool: PgPool) {
    let (state, _) = game(&pool).await;
    let html = text(get(&state, &format!("/rounds/3/matches/matches/leader/{MINER}")).await).await;
    for expected in [
        r#"src="/rounds/3/pictures/leader/1/amber-vase/grid""#.to_owned(),
        format!(r#"src="/rounds/3/pictures/{MINER}/0/amber-vase/grid""#),
        r#"src="/rounds/3/prompts/amber-vase/picture""#.to_owned(),
        "Decided by <b>S1</b>".to_owned(),
        "S1 front left".to_owned(),
        "<td class=\"n\">6.5</td>".to_owned(),
        "no previews on either side".to_owned(),
        r#"<div class="no-picture">no picture</div>"#.to_owned(),
        "+50.0 %".to_owned(),
        "set aside by ann: broken pictures".to_owned(),
        "Run 2 of judgement 1, beside the first, which counts".to_owned(),
    ] {
        assert!(html.contains(&expected), "{expected}: {html}");
    }
    assert!(
        !html.contains("<b>its handle</b>"),
        "what the model writes is text: {html}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_audit_under_way_shows_what_is_judged_and_what_waits_for_an_operator(pool: PgPool) {
    let (state, _) = game(&pool).await;
    let html = text(
        get(
            &state,
            &format!("/rounds/3/matches/audits/leader_1/{MINER}"),
        )
        .await,
    )
    .await;
    assert!(
        html.contains("left wins") && html.contains("parked: the model answered 500"),
        "{html}"
    );
    assert!(
        html.contains(&format!("/rounds/3/pictures/{MINER}/1/amber-vase/grid")),
        "{html}"
    );
    let round = text(get(&state, "/rounds/3").await).await;
    assert!(
        round.contains(&format!("/rounds/3/matches/audits/leader_1/{MINER}")),
        "{round}"
    );
    assert!(
        round.contains("an operator: 1 duel parked (the model answered 500)"),
        "{round}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn pictures_are_pngs_of_the_rounds_own_entries_and_nothing_else(pool: PgPool) {
    let (state, store) = game(&pool).await;
    let put = |key: &str, bytes: Vec<u8>| {
        store.put(Object {
            key: key.to_owned(),
            content_type: "image/png",
            bytes: bytes.into(),
        })
    };
    let prefix = "rounds/3/leader/generated_1/amber-vase";
    put(&format!("{prefix}/grid.png"), one_pixel([1, 2, 3]))
        .await
        .unwrap();
    put(
        &format!("{prefix}/white/back.png"),
        b"<svg onload=alert(1)>".to_vec(),
    )
    .await
    .unwrap();
    put(&format!("{prefix}/embeddings.npz"), one_pixel([1, 2, 3]))
        .await
        .unwrap();
    put(
        "rounds/3/leader/generated_1/elsewhere/grid.png",
        one_pixel([1, 2, 3]),
    )
    .await
    .unwrap();

    let shown = get(&state, "/rounds/3/pictures/leader/1/amber-vase/grid").await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(shown.headers()[header::CONTENT_TYPE], "image/png");
    assert_eq!(shown.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let policy = shown.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.contains("sandbox"), "{policy}");
    for address in [
        "/rounds/3/pictures/leader/1/amber-vase/white-back",
        "/rounds/3/pictures/leader/1/amber-vase/embeddings.npz",
        "/rounds/3/pictures/leader/1/amber-vase/..%2Fgrid",
        "/rounds/3/pictures/leader/1/elsewhere/grid",
        "/rounds/3/pictures/leader/2/amber-vase/grid",
        "/rounds/3/prompts/jade-teapot/picture",
        "/rounds/3/prompts/https:%2F%2Fp.example%2Famber-vase.png/picture",
    ] {
        assert_eq!(
            get(&state, address).await.status(),
            StatusCode::NOT_FOUND,
            "{address}"
        );
    }
    let prompt = get(&state, "/rounds/3/prompts/amber-vase/picture").await;
    assert_eq!(prompt.status(), StatusCode::OK);

    let blind = DashboardState::new(pool.clone());
    assert_eq!(
        get(&blind, "/rounds/3/pictures/leader/1/amber-vase/grid")
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    let html = text(get(&blind, &format!("/rounds/3/matches/matches/leader/{MINER}")).await).await;
    assert!(
        !html.contains("<img loading") && html.contains("Decided by"),
        "{html}"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_operator_has_a_match_judged_anew_with_a_name_and_a_reason(pool: PgPool) {
    let (state, _) = game(&pool).await;
    let state = DashboardState {
        token: Some(secrecy::SecretString::from(super::tests::TOKEN)),
        ..state
    };
    let page = format!("/rounds/3/matches/matches/leader/{MINER}");
    let act = format!("{page}/judge-anew");
    let form = "reason=the+renderer+was+broken";
    let nameless = post(&state, &act, form, None).await;
    assert!(
        nameless.headers()[header::LOCATION]
            .to_str()
            .unwrap()
            .starts_with("/sign-in")
    );
    let cookie = sign_in(&state).await;
    let silent = post(&state, &act, "reason=+", Some(&cookie)).await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    sqlx::query("DELETE FROM superseded_match")
        .execute(&pool)
        .await
        .unwrap();
    let done = post(&state, &act, form, Some(&cookie)).await;
    assert_eq!(
        done.headers()[header::LOCATION],
        format!("{page}?did=judge-anew").as_str()
    );
    let (operator, reason): (String, String) =
        sqlx::query_as("SELECT operator, reason FROM superseded_match")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(
        (operator.as_str(), reason.as_str()),
        ("Ada", "the renderer was broken")
    );
    let again = post(&state, &act, form, Some(&cookie)).await;
    assert_eq!(
        again.status(),
        StatusCode::NOT_FOUND,
        "it has no result now"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_that_nobody_played_has_no_page(pool: PgPool) {
    let (state, _) = game(&pool).await;
    for address in [
        "/rounds/3/matches/matches/leader/5Nobody",
        "/rounds/3/matches/nonsense/leader/5Nobody",
        "/rounds/4/matches/matches/leader/5Nobody",
    ] {
        assert_eq!(
            get(&state, address).await.status(),
            StatusCode::NOT_FOUND,
            "{address}"
        );
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn margins_near_their_threshold_carry_an_interval_on_the_round_page(pool: PgPool) {
    let (state, _) = game(&pool).await;
    sqlx::raw_sql(
        "INSERT INTO match_result (round, matrix, left_side, right_side, score, margin, duels, job_key) VALUES
             (3, 'matches', 'leader', '5Near', 7, 0.0546875, 128, ''),
             (3, 'matches', 'leader', '5Far', 32, 0.25, 128, ''),
             (3, 'matches', 'leader', '5Walkover', 0, 0.05, 0, ''),
             (3, 'audits', 'submitted_1', '5Near', -7, -0.0546875, 128, ''),
             (3, 'audits', 'submitted_2', '5Near', 7, 0.0546875, 128, '')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let page = text(get(&state, "/rounds/3").await).await;
    for (range, times) in [("+4.1 % to +6.9 %", 1), ("−6.9 % to −4.1 %", 1)] {
        assert_eq!(page.matches(range).count(), times, "{range}: {page}");
    }
    // With two prompts every margin is near.
    assert_eq!(page.matches("noise could decide").count(), 3);

    // The band of the round's own rules counts.
    sqlx::raw_sql("UPDATE round SET judging = '{\"near_band_prompts\": 30}' WHERE round = 3")
        .execute(&pool)
        .await
        .unwrap();
    let page = text(get(&state, "/rounds/3").await).await;
    assert!(page.contains("+23.6 % to +26.4 %"), "{page}");
}
