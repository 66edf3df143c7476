//! One call to a cloud's API, with every failure wrapped (generation, W9).

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value};
use url::Url;

use super::{CloudError, CloudKind, CloudPod};
use crate::clients::wire::{Answer, excerpt, exchange};
use crate::egress::Egress;

/// What asking for all pods is called in errors.
pub const LIST: &str = "list pods";

/// Largest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The API of one cloud.
#[derive(Debug, Clone)]
pub struct Api {
    pub cloud: CloudKind,
    pub egress: Egress,
    pub base_url: Url,
    pub deadline: Duration,
}

impl Api {
    /// A request to the path `segments` below the base URL. Each segment is one, whatever it holds.
    pub fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.egress.request(method, &self.url(segments))
    }

    /// The URL of the path `segments` below the base URL.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Sends `request`; any status but a success is an error.
    pub async fn call(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, CloudError> {
        let cloud = self.cloud;
        let answer = exchange(request, self.deadline, MAX_ANSWER_BYTES)
            .await
            .map_err(|source| CloudError::Unreachable {
                cloud,
                operation,
                source,
            })?;
        let status = answer.status.as_u16();
        match status {
            200..=299 => Ok(answer),
            401 | 403 => Err(CloudError::Unauthorized {
                cloud,
                operation,
                status,
            }),
            _ => Err(CloudError::Status {
                cloud,
                operation,
                status,
                message: excerpt(&answer.body),
            }),
        }
    }

    /// As [`Api::call`], for a deletion: what is not there is deleted.
    pub async fn delete(&self, request: RequestBuilder) -> Result<(), CloudError> {
        match self.call("delete a pod", request).await {
            Ok(_) | Err(CloudError::Status { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A successful answer, to be read. It comes from outside and may hold anything.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    pub cloud: CloudKind,
    pub operation: &'static str,
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// Its JSON.
    pub fn json(&self) -> Result<Value, CloudError> {
        serde_json::from_slice(self.body)
            .map_err(|error| self.malformed(format!("no JSON ({error})")))
    }

    /// A list that is an array, or an object with one under one of `keys`.
    pub fn array(&self, keys: &[&str]) -> Result<Vec<Value>, CloudError> {
        let list = match self.json()? {
            Value::Object(mut object) => keys.iter().find_map(|key| object.remove(*key)),
            other => Some(other),
        };
        match list {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(self.malformed(format!("no list under {}", keys.join(" or ")))),
        }
    }

    /// The text field `key` of an object, not empty.
    pub fn field(&self, key: &str) -> Result<String, CloudError> {
        let found = text(&self.json()?, key)
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        found.ok_or_else(|| self.malformed(format!("no {key}")))
    }

    fn malformed(&self, problem: String) -> CloudError {
        CloudError::Malformed {
            cloud: self.cloud,
            operation: self.operation,
            problem,
        }
    }
}

/// The text field `key` of an object.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value
        .as_object()
        .and_then(|object: &Map<String, Value>| object.get(key))
        .and_then(Value::as_str)
}

/// An address of a pod, without trailing slashes; `None` if it is no usable URL.
pub fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim().trim_end_matches('/')).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// A listed pod, unless it lacks what identifies it. Such a one was not rented by us: ours have names.
pub fn listed(
    cloud: CloudKind,
    id: Option<&str>,
    name: Option<&str>,
    url: Option<Url>,
) -> Option<CloudPod> {
    match (id, name) {
        (Some(id), Some(name)) if !id.is_empty() => Some(CloudPod {
            id: id.to_owned(),
            name: name.to_owned(),
            url,
        }),
        _ => {
            tracing::warn!(
                cloud.kind = cloud.as_str(),
                "a listed pod has no id or name and is left alone"
            );
            None
        }
    }
}
