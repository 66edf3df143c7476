//! Answers from a script, then with one-pixel pictures; remembers what it was asked.

use async_trait::async_trait;
use bytes::Bytes;

use super::{RenderService, RenderServiceError, RenderedBundle, bundle};
use crate::clients::png;
use crate::clients::script::Script;

/// A renderer that draws everything as one gray pixel, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakeRenderService {
    /// Answers to give first, and the questions: source and view size.
    pub script: Script<(String, u32), Result<RenderedBundle, RenderServiceError>>,
}

#[async_trait]
impl RenderService for FakeRenderService {
    async fn views(
        &self,
        source: &str,
        view_size: u32,
    ) -> Result<RenderedBundle, RenderServiceError> {
        let answer = self.script.ask((source.to_owned(), view_size));
        answer.unwrap_or_else(|| {
            Ok(bundle::of_one_picture(&Bytes::from(png::one_pixel(
                [128; 3],
            ))))
        })
    }

    async fn version(&self) -> Result<String, RenderServiceError> {
        Ok(bundle::FAKE_VERSION.to_owned())
    }
}
