//! The test modules on disk, and what is needed to run them.

use std::path::PathBuf;
use std::time::Duration;

use render::{Metrics, Outcome, Renderer, RendererConfig};

/// A module of `tests/modules/{folder}`.
pub struct Module {
    pub name: String,
    pub source: String,
}

impl Module {
    /// The value of a header comment `// @key value`.
    pub fn header(&self, key: &str) -> Option<&str> {
        let prefix = format!("// @{key} ");
        self.source
            .lines()
            .find_map(|line| line.strip_prefix(prefix.as_str()))
            .map(str::trim)
    }
}

/// All modules of a folder, by name.
pub fn all(folder: &str) -> Vec<Module> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/modules")
        .join(folder);
    let mut modules: Vec<Module> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            Module {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                source: std::fs::read_to_string(&path).unwrap(),
            }
        })
        .collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    modules
}

/// One module by folder and name.
pub fn one(folder: &str, name: &str) -> Module {
    all(folder)
        .into_iter()
        .find(|module| module.name == name)
        .unwrap()
}

/// A renderer without pictures, as a live round configures it.
pub async fn validator(pages: usize) -> Renderer {
    validator_with_limit(pages, RendererConfig::default().module_time_limit).await
}

/// A renderer without pictures that gives each module another time than a live round.
pub async fn validator_with_limit(pages: usize, module_time_limit: Duration) -> Renderer {
    let config = RendererConfig {
        pages,
        module_time_limit,
        ..RendererConfig::default()
    };
    Renderer::launch_for_validation(config).await.unwrap()
}

/// Longest any test may wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Validates within the tests' patience.
pub async fn validate(renderer: &Renderer, source: &str) -> Outcome {
    tokio::time::timeout(PATIENCE, renderer.validate(source))
        .await
        .unwrap()
        .unwrap()
}

/// The rule codes of a validation.
pub fn rules(outcome: &Outcome) -> Vec<&'static str> {
    match &outcome.result {
        Ok(_) => Vec::new(),
        Err(failures) => failures
            .iter()
            .map(|failure| failure.rule.as_str())
            .collect(),
    }
}

/// A small valid scene whose body may be changed.
pub fn cube(statements: &str) -> String {
    format!(
        "export default function generate(THREE) {{\n\
         const mesh = new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshStandardMaterial());\n\
         {statements}\nreturn mesh;\n}}"
    )
}

/// The figure a header names.
pub fn figure(metrics: &Metrics, key: &str) -> u64 {
    match key {
        "vertices" => metrics.vertices,
        "drawCalls" => metrics.draw_calls,
        "maxDepth" => u64::from(metrics.max_depth),
        "instances" => metrics.instances,
        "textureBytes" => metrics.texture_bytes,
        _ => panic!("no figure is called {key}"),
    }
}
