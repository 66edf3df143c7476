//! A generator that shows the way: it downloads the prompt image, then answers with one fixed module.

use async_trait::async_trait;

use crate::{Generator, ImageFetcher};

/// A valid module with groups, a lathe, instances and a data texture: `modules/lighthouse.js`.
pub const EXAMPLE_MODULE: &str = include_str!("../modules/lighthouse.js");

/// Answers every prompt with [`EXAMPLE_MODULE`] after downloading its image, so that a pod can be tried end to end
/// without a model. A prompt whose image cannot be downloaded fails, as it would with a model.
#[derive(Debug, Clone, Default)]
pub struct ExampleGenerator {
    images: ImageFetcher,
}

#[async_trait]
impl Generator for ExampleGenerator {
    async fn generate(&self, _stem: &str, image_url: &str, _seed: u64) -> Result<String, String> {
        self.images.fetch(image_url).await?;
        Ok(EXAMPLE_MODULE.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn a_prompt_whose_image_is_missing_or_no_picture_fails_with_the_reason() {
        let router = Router::new()
            .route(
                "/good.png",
                get(|| async { b"\x89PNG\r\n\x1a\n...".as_slice() }),
            )
            .route("/page.png", get(|| async { "<html>" }))
            .fallback(|| async { StatusCode::NOT_FOUND });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let generator = ExampleGenerator::default();
        let make = async |name: &str| {
            generator
                .generate("stem", &format!("{base}/{name}.png"), 1)
                .await
        };
        assert_eq!(make("good").await.unwrap(), EXAMPLE_MODULE);
        assert_eq!(
            make("page").await.unwrap_err(),
            "prompt image is no picture"
        );
        assert_eq!(
            make("gone").await.unwrap_err(),
            "prompt image answered 404 Not Found"
        );
    }
}
