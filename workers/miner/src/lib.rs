//! What a miner needs besides its own model: the rules, an example module, and the service its container must run.
//!
//! A miner's container answers four routes on port 10006 (`/health`, `/status`, `/generate`, `/results`). Everything
//! about them that is easy to get wrong — idempotent batches, byte-identical archives, progress while the GPUs are
//! busy, asking for another machine — is in [`PodService`]; a miner writes a [`Generator`].
//!
//! ```no_run
//! # use miner::{Generator, PodOptions, PodService};
//! # use std::sync::Arc;
//! struct MyModel;
//!
//! #[async_trait::async_trait]
//! impl Generator for MyModel {
//!     async fn generate(&self, stem: &str, image_url: &str, seed: u64) -> Result<String, String> {
//!         let picture = miner::ImageFetcher::default().fetch(image_url).await?;
//!         Ok(format!("// {stem}, {} bytes, seed {seed}\nexport default (THREE) => new THREE.Group();", picture.len()))
//!     }
//! }
//!
//! # async fn run() {
//! let service = PodService::new(Arc::new(MyModel), PodOptions::default());
//! # let _ = service.router();
//! # }
//! ```
//!
//! The text for miners is `SPECIFICATION.md` beside this crate's manifest.

mod example;
mod generator;
mod image_fetcher;
mod pod;

pub use example::{EXAMPLE_MODULE, ExampleGenerator};
pub use generator::Generator;
pub use image_fetcher::ImageFetcher;
pub use pod::{
    HardwareProbe, ModuleCheck, NvidiaSmiProbe, POD_PORT, PodOptions, PodService, ServeError,
    serve, serve_until,
};
