//! Hostile JavaScript: static analysis, sandboxed execution, pictures.
//!
//! Miners deliver Three.js modules, and those modules decide money. This crate answers two questions about one:
//! does it keep the rules ([`analyse`], [`Renderer::validate`]), and what does it look like ([`Renderer::views`]).
//!
//! ```text
//! source ──analyse──▶ executed once in a throwaway realm ──▶ scene document ──measured──▶ drawn in a clean realm
//!          (here)     (browser 1: no network, no graphics)   (plain data)      (here)      (browser 2: no modules)
//! ```
//!
//! The document in the middle is why a module cannot lie: what is measured is what is drawn, and nothing a module
//! overwrites survives it. See [`document`].

mod analyse;
pub mod bench;
pub mod browser;
pub mod cli;
pub mod document;
pub mod draw;
pub mod execute;
mod failure;
pub mod matrix;
pub mod measure;
pub mod names;
pub mod parsers;
pub mod png;
mod renderer;
mod service;
pub mod validate;
pub mod views;

pub use analyse::{MAX_SOURCE_BYTES, NoStack, analyse, try_analyse};
pub use draw::Graphics;
pub use failure::{Failure, Rule, Stage};
pub use measure::Metrics;
pub use renderer::{
    BrowserStarts, Document, Outcome, RENDERER_VERSION, RenderError, RenderTimings, Renderer,
    RendererConfig, Rendering,
};
pub use service::{ServiceConfig, serve, serve_with};
pub use views::{Angle, Lighting, PictureRequest};
