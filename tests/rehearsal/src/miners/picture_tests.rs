//! The cast before the real validator and the real renderer: whether modules are what they claim to be.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use render::{Angle, PictureRequest, Renderer, RendererConfig};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::InvalidKind;
use super::hostile::{endless_module, invalid_module};
use crate::scenes::{
    Family, Scene, imitate, module_source, module_text, module_text_with_painted_text,
};
use crate::vlm::{Fetch, Vlm, VlmOptions, Weakness};

/// Small pictures are enough to tell good from bad, and quick.
const SIZE: u32 = 96;
const WORLD: u64 = 11;

struct Album(HashMap<String, Bytes>);

#[async_trait]
impl Fetch for Album {
    async fn fetch(&self, url: &str) -> Result<Bytes, String> {
        self.0.get(url).cloned().ok_or_else(|| "404".to_owned())
    }
}

fn stem(index: usize) -> String {
    format!("picture{index:03}")
}

async fn picture(renderer: &Renderer, module: &str, angle: Angle) -> Bytes {
    let request = PictureRequest::of(vec![angle], SIZE, 0xff_ff_ff);
    renderer.picture(module, request).await.unwrap().remove(0)
}

/// The penalties of both models, mean over both orders.
async fn compare(vlm: &Vlm, prompt: &str, first: &str, second: &str) -> (f64, f64) {
    let ask = async |one: &str, two: &str| {
        let images =
            [prompt, one, two].map(|url| json!({"type": "image_url", "image_url": {"url": url}}));
        let schema = json!({"properties": {"penalty_1": {}, "penalty_2": {}, "issues": {}}});
        let body = json!({
            "model": "glm-4.6v-flash",
            "messages": [{"role": "user", "content": images}],
            "seed": 5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "s1", "schema": schema}},
        });
        let request = Request::post("/chat/completions")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = vlm.router().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let content: Value =
            serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap())
                .unwrap();
        (
            content["penalty_1"].as_f64().unwrap(),
            content["penalty_2"].as_f64().unwrap(),
        )
    };
    let (ab, ba) = (ask(first, second).await, ask(second, first).await);
    (f64::midpoint(ab.0, ba.1), f64::midpoint(ab.1, ba.0))
}

#[tokio::test]
async fn the_more_skilled_miner_gets_the_smaller_penalty_on_real_pictures() {
    const PROMPTS: usize = 8;
    const SKILLS: [f64; 4] = [1.0, 0.9, 0.65, 0.3];
    let renderer = Renderer::launch(RendererConfig::default()).await.unwrap();
    let mut album = HashMap::new();
    for index in 0..PROMPTS {
        let scene = Scene::of(WORLD, &stem(index));
        let prompt = picture(&renderer, &module_text(&scene), Angle::new(20.0, -10.0)).await;
        album.insert(format!("{index}/prompt"), prompt);
        for (place, skill) in SKILLS.iter().enumerate() {
            let module = module_source(&scene, *skill, (index * 10 + place) as u64);
            album.insert(
                format!("{index}/{place}"),
                picture(&renderer, &module, Angle::new(30.0, 0.0)).await,
            );
        }
    }
    renderer.close().await;

    let vlm = Vlm::new(VlmOptions::default(), Arc::new(Album(album)));
    for better in 0..SKILLS.len() - 1 {
        let (mut gap, mut wins) = (0.0, 0);
        for index in 0..PROMPTS {
            let url = |name: &str| format!("{index}/{name}");
            let (prompt, a, b) = (
                url("prompt"),
                url(&better.to_string()),
                url(&(better + 1).to_string()),
            );
            let (ours, theirs) = compare(&vlm, &prompt, &a, &b).await;
            gap += theirs - ours;
            wins += usize::from(theirs > ours);
        }
        let (high, low) = (SKILLS[better], SKILLS[better + 1]);
        assert!(
            wins * 4 >= PROMPTS * 3,
            "skill {high} beats {low} on {wins} of {PROMPTS} prompts only"
        );
        assert!(
            gap / PROMPTS as f64 > 0.8,
            "skill {high} is {} points better than {low}",
            gap / PROMPTS as f64
        );
    }
}

#[tokio::test]
async fn text_painted_on_a_model_reaches_the_vision_model() {
    let renderer = Renderer::launch(RendererConfig::default()).await.unwrap();
    let scene = Scene::of(WORLD, &stem(1));
    let angle = Angle::new(330.0, 0.0);
    let painted = module_text_with_painted_text(&imitate(&scene, 0.2, 1));
    let album = HashMap::from([
        (
            "prompt".to_owned(),
            picture(&renderer, &module_text(&scene), Angle::new(20.0, -10.0)).await,
        ),
        (
            "good".to_owned(),
            picture(&renderer, &module_source(&scene, 0.9, 1), angle).await,
        ),
        (
            "painted".to_owned(),
            picture(&renderer, &painted, angle).await,
        ),
    ]);
    renderer.close().await;
    let album = Arc::new(Album(album));
    let sound = Vlm::new(VlmOptions::default(), Arc::clone(&album) as Arc<dyn Fetch>);
    let (good, painted) = compare(&sound, "prompt", "good", "painted").await;
    assert!(good < painted);
    let weak = VlmOptions {
        weakness: Weakness::AlwaysObeys,
        ..VlmOptions::default()
    };
    assert_eq!(
        compare(&Vlm::new(weak, album), "prompt", "good", "painted").await,
        (10.0, 0.0)
    );
}

#[tokio::test]
async fn every_kind_of_object_and_the_miners_example_keep_the_rules() {
    let renderer = Renderer::launch_for_validation(RendererConfig::default())
        .await
        .unwrap();
    for family in Family::ALL {
        let scene = (0..1000)
            .map(|index| Scene::of(WORLD, &stem(index)))
            .find(|scene| scene.family == family)
            .unwrap();
        for skill in [1.0, 0.6, 0.1] {
            let copy = imitate(&scene, skill, 3);
            for module in [module_text(&copy), module_text_with_painted_text(&copy)] {
                let outcome = renderer.validate(&module).await.unwrap();
                assert!(
                    outcome.result.is_ok(),
                    "{family:?} at {skill}: {:?}",
                    outcome.result.err()
                );
            }
        }
    }
    let example = renderer.validate(miner::EXAMPLE_MODULE).await.unwrap();
    assert!(example.result.is_ok(), "{:?}", example.result.err());
    renderer.close().await;
}

#[tokio::test]
async fn each_broken_module_is_refused_by_the_rule_it_breaks() {
    let config = RendererConfig {
        module_time_limit: Duration::from_millis(700),
        ..RendererConfig::default()
    };
    let renderer = Renderer::launch_for_validation(config).await.unwrap();
    let broken = InvalidKind::ALL.map(|kind| (invalid_module(kind), kind.rule()));
    for (module, rule) in broken
        .into_iter()
        .chain([(endless_module(), "TIMEOUT_EXCEEDED")])
    {
        let outcome = renderer.validate(&module).await.unwrap();
        let failures = outcome.result.err().unwrap_or_default();
        let rules: Vec<&str> = failures
            .iter()
            .map(|failure| failure.rule.as_str())
            .collect();
        assert_eq!(rules, [rule], "{module}");
    }
    renderer.close().await;
}
