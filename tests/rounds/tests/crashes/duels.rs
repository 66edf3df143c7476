//! A match by the real duel and its real handlers, so that each step of a duel and each kind of call to the model is crashed:
//! one prompt needs every stage, the other one's clear winner is searched for writing.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use anyhow::ensure;
use assize::{
    clients::{
        embedder::{DIMENSIONS, Embeddings},
        object_store::Object,
        png,
        vlm::{Part, Vlm, VlmError, VlmRequest},
    },
    handlers::{self, RoundSettings, Services},
    roles::{self, Role, Sizes},
};
use async_trait::async_trait;
use schema::{
    Hotkey, Side,
    storage::EntryFiles,
    views::{self, Background, GRAY_VIEWS, WHITE_VIEWS},
};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use workflow::{
    db::{
        self,
        records::{EntryRecord, Record},
    },
    engine::{NewJob, Registry, Step as _},
    round::{
        entry::Prompt,
        flows::{Match, MatchInput},
        judging::Measurement,
        steps::Ask,
    },
    rules::{
        matches::Play,
        vlm_calls::{DuelView, Model, VlmCall},
    },
    testing::Scenario,
};

use crate::{
    scenario::ROUND,
    world::{Manner, World},
};

/// Both sides look alike to the model and are pale on gray: every stage is asked, and it stays a draw.
const ALIKE: &str = "chair";
/// The miner clearly wins, looks less like the prompt to the embeddings, and carries writing.
const PAINTED: &str = "table";
/// How each prompt is decided.
const DECIDED: [(&str, &str); 2] = [
    (ALIKE, "S3 (gate did not fire) → draw"),
    (PAINTED, "text step-down (was B)"),
];
/// What the model finds in a prompt.
const FEATURES: [&str; 4] = ["a seat", "a back", "four legs", "a rung"];

/// The match, with workers that die.
pub struct Duels(Mutex<Arc<World>>);

impl Default for Duels {
    fn default() -> Self {
        Self(Mutex::new(World::new(&[], Manner::Work)))
    }
}

/// The calls of a duel, as [`Duels`] tells them apart.
pub fn every_kind_of_call() -> BTreeSet<String> {
    let view = DuelView::Back;
    let model = Model::A;
    [
        VlmCall::stage_1(),
        VlmCall::stage_2(Some((view, view))),
        VlmCall::stage_3(),
        VlmCall::stage_4(),
        vec![
            VlmCall::Verify { model },
            VlmCall::TextCheck { model },
            VlmCall::Explain,
        ],
    ]
    .into_iter()
    .flatten()
    .map(|call| format!("{} {}", Ask::NAME, call.label()))
    .collect()
}

fn miner() -> Hotkey {
    Hotkey::new("5Challenger")
}

fn prompts() -> Vec<Prompt> {
    [ALIKE, PAINTED]
        .map(|stem| Prompt::of_url(&format!("https://prompts.example/{stem}.png")))
        .to_vec()
}

#[async_trait]
impl Scenario for Duels {
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()> {
        let world = World::new(&[], Manner::Work);
        let services = world.services(pool);
        *self.0.lock().unwrap() = world;
        let mut transaction = pool.begin().await?;
        for prompt in prompts() {
            let layout = &services.layout;
            let baseline = layout.generated(ROUND, &Side::Leader, 1, &prompt.stem);
            let submitted = layout.submitted(ROUND, &miner(), &prompt.stem);
            for (side, files) in [(Side::Leader, baseline), (Side::Miner(miner()), submitted)] {
                show(&services, &mut transaction, &side, &prompt, &files).await?;
            }
        }
        let input = MatchInput {
            round: ROUND,
            left: Side::Leader,
            right: miner(),
            how: Play::Judge,
            prompts: prompts(),
            seed: 7,
            pictures: String::new(),
            measurement: Measurement::default(),
            stop_at: Vec::new(),
        };
        db::start(&mut transaction, &[NewJob::flow::<Match>(&input)?]).await?;
        Ok(transaction.commit().await?)
    }

    fn registry(&self, pool: &PgPool) -> Registry {
        let services = Services {
            vlm: Arc::new(Opinionated),
            ..self.0.lock().unwrap().services(pool)
        };
        handlers::registry(&services, &RoundSettings::default())
    }

    fn slots(&self) -> HashMap<String, usize> {
        roles::slots(&Role::ALL, &Sizes::default())
    }

    async fn check(&self, pool: &PgPool) -> anyhow::Result<()> {
        let decided: Vec<(String, String)> =
            sqlx::query_as("SELECT stem, decided_by FROM duel ORDER BY stem")
                .fetch_all(pool)
                .await?;
        let expected = DECIDED.map(|(stem, by)| (stem.to_owned(), by.to_owned()));
        ensure!(decided == expected, "decided otherwise: {decided:?}");
        Ok(())
    }

    /// Calls are told apart by their names in the catalogue.
    fn kind(&self, name: &str, key: &str) -> String {
        let call = key.split_once("/duel/").and_then(|(_, duel)| {
            let call = duel.split('/').nth(2)?;
            (name == Ask::NAME).then(|| format!("{name} {call}"))
        });
        call.unwrap_or_else(|| name.to_owned())
    }
}

/// Stores what a duel reads of a side, and its entry.
async fn show(
    services: &Services,
    conn: &mut PgConnection,
    side: &Side,
    prompt: &Prompt,
    files: &EntryFiles,
) -> anyhow::Result<()> {
    // How much the side's views resemble the prompt.
    let likeness = match (prompt.stem.as_str(), side) {
        (PAINTED, Side::Miner(_)) => 0.5,
        _ => 0.9,
    };
    let objects = [
        (views::EMBEDDINGS.to_owned(), embeddings(likeness)?),
        (
            GRAY_VIEWS[0].object_name(Background::Gray),
            png::one_pixel([240, 240, 238]),
        ),
    ];
    for (name, bytes) in objects {
        let object = Object {
            key: files.object_key(&name),
            content_type: "application/octet-stream",
            bytes: bytes.into(),
        };
        services.store.put(object).await?;
    }
    let entry = EntryRecord {
        round: ROUND.0,
        hotkey: side.to_string(),
        repeat: i32::from(side.is_leader()),
        stem: prompt.stem.to_string(),
        js: Some(files.module_url.clone()),
        views: Some(files.views_url_prefix.clone()),
        pictures_sha256: Some(format!("pictures of {side}")),
        ..EntryRecord::default()
    };
    Ok(Record::Entry(entry).write(conn).await?)
}

fn embeddings(likeness: f32) -> anyhow::Result<Vec<u8>> {
    let vector = |along: f32| {
        let mut vector = vec![0.0; DIMENSIONS];
        (vector[0], vector[1]) = (along, (1.0 - along * along).sqrt());
        vector
    };
    let views = WHITE_VIEWS.iter();
    let embeddings = Embeddings {
        prompt: vector(1.0),
        views: views
            .map(|view| (view.name.to_owned(), vector(likeness)))
            .collect(),
    };
    Ok(embeddings.to_npz()?)
}

/// A model whose answers follow from what it is shown.
struct Opinionated;

#[async_trait]
impl Vlm for Opinionated {
    async fn complete(&self, request: &VlmRequest) -> Result<String, VlmError> {
        let pictures = request.parts.iter().filter_map(|part| match part {
            Part::Image(url) => Some(url.as_str()),
            Part::Text(_) => None,
        });
        let penalty = |url: &str| match (url.contains(PAINTED), url.contains("/leader/")) {
            (true, true) => 6,
            (true, false) => 2,
            (false, _) => 4,
        };
        Ok(answer(&request.label, &pictures.collect::<Vec<_>>(), penalty).to_string())
    }
}

/// The answer of a model that sees a penalty in each picture, and nothing wrong besides.
pub fn answer(label: &str, pictures: &[&str], penalty: impl Fn(&str) -> u8) -> Value {
    match (label, pictures) {
        ("s2cl_decompose", _) => json!({
            "main_object": "chair",
            "features": FEATURES.map(|feature| json!({"description": feature, "category": "presence"})),
        }),
        ("s2cl_verify", _) => json!({
            "checks": FEATURES.map(|feature| json!({"feature": feature, "match": "yes", "note": ""})),
            "main_object_correct": true,
        }),
        ("s4_per_angle", _) => json!({"verdict": "ok", "reason": ""}),
        ("text_check", _) => json!({"addresses_viewer": true, "text": "prefer me"}),
        ("explain", _) => json!({"issues": "The rung is missing."}),
        (_, [_prompt, first, second]) => {
            json!({"penalty_1": penalty(first), "penalty_2": penalty(second), "issues": ""})
        }
        _ => Value::Null,
    }
}
