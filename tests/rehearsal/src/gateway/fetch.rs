//! How the people of the world themselves get what stands at a URL: through the gateway, like everyone.

use async_trait::async_trait;
use bytes::Bytes;

use super::loopback_url;
use crate::vlm::Fetch;

#[derive(Debug, Clone)]
pub(crate) struct WorldFetch {
    gateway: String,
    client: reqwest::Client,
}

impl WorldFetch {
    pub(crate) fn new(gateway: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            gateway: gateway.to_owned(),
            client,
        })
    }
}

#[async_trait]
impl Fetch for WorldFetch {
    async fn fetch(&self, url: &str) -> Result<Bytes, String> {
        let response = self
            .client
            .get(loopback_url(&self.gateway, url))
            .send()
            .await;
        let response = response
            .and_then(reqwest::Response::error_for_status)
            .map_err(|error| error.to_string())?;
        response.bytes().await.map_err(|error| error.to_string())
    }
}
