//! The body of `POST /generate`, read strictly: one bad prompt refuses the batch before anything is touched.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

/// Longer file names do not exist on common file systems once `.js` is added.
const MAX_STEM_BYTES: usize = 200;

/// One batch of prompts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Batch {
    pub prompts: Vec<Prompt>,
    pub seed: u64,
    /// The client's name for this batch, if it gives one (an addition to the published protocol).
    #[serde(default, rename = "batch_id")]
    pub id: Option<String>,
}

/// One prompt of a batch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Prompt {
    pub stem: String,
    pub image_url: String,
}

/// Why a body is no batch: the published error shape, status 422.
#[derive(Debug, PartialEq)]
pub(super) struct Invalid {
    location: Vec<Value>,
    message: String,
}

impl Invalid {
    pub fn new(location: &[Value], message: impl Into<String>) -> Self {
        Self {
            location: location.to_vec(),
            message: message.into(),
        }
    }

    pub fn body(&self) -> Value {
        json!({"detail": [{"loc": self.location, "msg": self.message, "type": "value_error"}]})
    }
}

impl Batch {
    pub fn parse(body: &[u8], max_batch: usize) -> Result<Self, Invalid> {
        let batch: Self = serde_json::from_slice(body)
            .map_err(|error| Invalid::new(&[json!("body")], format!("not a batch: {error}")))?;
        let prompts = [json!("body"), json!("prompts")];
        if batch.prompts.is_empty() {
            return Err(Invalid::new(&prompts, "a batch has at least one prompt"));
        }
        if batch.prompts.len() > max_batch {
            return Err(Invalid::new(
                &prompts,
                format!("a batch has at most {max_batch} prompts"),
            ));
        }
        let mut seen = HashSet::new();
        for (index, prompt) in batch.prompts.iter().enumerate() {
            let at = [json!("body"), json!("prompts"), json!(index), json!("stem")];
            if !is_stem(&prompt.stem) {
                let message = format!(
                    "stem {:?} is no file name of letters, digits, '-', '_' and '.'",
                    prompt.stem
                );
                return Err(Invalid::new(&at, message));
            }
            if !seen.insert(prompt.stem.as_str()) {
                return Err(Invalid::new(
                    &at,
                    format!("stem {:?} occurs twice", prompt.stem),
                ));
            }
        }
        Ok(batch)
    }
}

/// The file stem as it is, hyphens included, as long as it cannot leave the archive's folder.
fn is_stem(stem: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !stem.is_empty()
        && stem.len() <= MAX_STEM_BYTES
        && !stem.starts_with(['.', '_'])
        && stem.bytes().all(allowed)
}
