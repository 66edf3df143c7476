//! The chat request: its texts, its images in order, and which answer it asks for.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Body {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    temperature: f64,
    max_tokens: Option<u64>,
    #[serde(default)]
    seed: i64,
    response_format: Option<ResponseFormat>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Debug, Deserialize)]
struct ImageUrl {
    url: String,
}

#[derive(Debug, Deserialize)]
struct ResponseFormat {
    json_schema: Option<JsonSchema>,
}

#[derive(Debug, Deserialize)]
struct JsonSchema {
    name: String,
    schema: Value,
}

/// What a call asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub model: String,
    /// All texts, the system's first.
    pub text: String,
    pub images: Vec<String>,
    pub kind: Kind,
    /// The schema's name, for the account.
    pub schema: String,
    pub seed: i64,
    pub temperature: f64,
    pub max_tokens: Option<u64>,
}

/// The six kinds of answers (judge, "Response schemas").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `penalty_1`, `penalty_2`, `issues` for prompt, first and second picture.
    Compare,
    /// `main_object`, `features` for the prompt.
    Decompose,
    /// `checks`, `main_object_correct` for prompt and grid.
    Verify,
    /// `verdict`, `reason` for two views of one model.
    SideCheck,
    /// `addresses_viewer`, `text` for prompt and grid.
    TextCheck,
    /// `issues` for prompt and two grids.
    Explain,
}

impl Kind {
    /// Known by its keys, so that the schema's name may be anything.
    fn of(schema: &Value) -> Option<Self> {
        let has = |key: &str| {
            schema
                .get("properties")
                .is_some_and(|properties| properties.get(key).is_some())
        };
        if has("penalty_1") && has("penalty_2") {
            Some(Self::Compare)
        } else if has("features") {
            Some(Self::Decompose)
        } else if has("checks") {
            Some(Self::Verify)
        } else if has("verdict") {
            Some(Self::SideCheck)
        } else if has("addresses_viewer") {
            Some(Self::TextCheck)
        } else if has("issues") {
            Some(Self::Explain)
        } else {
            None
        }
    }

    fn images(self) -> usize {
        match self {
            Self::Decompose => 1,
            Self::Verify | Self::SideCheck | Self::TextCheck => 2,
            Self::Compare | Self::Explain => 3,
        }
    }
}

impl Question {
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Body =
            serde_json::from_slice(body).map_err(|error| format!("not a chat request: {error}"))?;
        let schema = body
            .response_format
            .and_then(|format| format.json_schema)
            .ok_or("this model answers in JSON only: response_format.json_schema is missing")?;
        let kind = Kind::of(&schema.schema).ok_or_else(|| {
            format!(
                "schema {:?} has none of the keys this model can answer",
                schema.name
            )
        })?;
        let mut texts = Vec::new();
        let mut images = Vec::new();
        for message in body.messages {
            if message.role == "assistant" {
                continue;
            }
            match message.content {
                Content::Text(text) => texts.push(text),
                Content::Parts(parts) => {
                    for part in parts {
                        match part {
                            Part::Text { text } => texts.push(text),
                            Part::ImageUrl { image_url } => images.push(image_url.url),
                        }
                    }
                }
            }
        }
        if images.len() != kind.images() {
            return Err(format!(
                "{kind:?} needs {} images, the request has {}",
                kind.images(),
                images.len()
            ));
        }
        Ok(Self {
            model: body.model,
            text: texts.join("\n"),
            images,
            kind,
            schema: schema.name,
            seed: body.seed,
            temperature: body.temperature,
            max_tokens: body.max_tokens,
        })
    }

    /// Whether the texts warn of instructions in pictures.
    pub fn warns_of_painted_text(&self) -> bool {
        let text = self.text.to_lowercase();
        let names_it = ["instruction", "written", "text in", "text on", "painted"]
            .iter()
            .any(|word| text.contains(word));
        let forbids_it = [
            "ignore",
            "do not follow",
            "never follow",
            "do not obey",
            "never obey",
            "disregard",
        ]
        .iter()
        .any(|word| text.contains(word));
        names_it && forbids_it
    }
}
