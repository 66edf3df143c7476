//! What a world is made of.

use std::path::PathBuf;
use std::sync::Arc;

use render::Renderer;

use crate::clouds::CloudOptions;
use crate::gateway::PromptImages;
use crate::github::{BuildTimes, Conclusion};
use crate::prompts::PromptHost;
use crate::vlm::VlmOptions;

/// How to make a world, or to open the one in `dir` again.
///
/// The seed, the number of miners and where the competition starts from are fixed once the folder holds a world.
#[derive(Clone)]
pub struct WorldOptions {
    /// Where everything is kept. One world at a time uses it.
    pub dir: PathBuf,
    /// Decides everything that is random.
    pub seed: u64,
    /// Miners that take part.
    pub miners: usize,
    /// Where the competition starts from.
    pub start: Start,
    /// Prompts of a round. With [`Start::FromDir`] and `None` the imported configuration stays as it is; with a number
    /// it is changed by an operator's commit, the carry-over becoming a quarter.
    pub prompts_per_round: Option<u32>,
    /// Full regenerations of an audited miner; as [`WorldOptions::prompts_per_round`].
    pub audit_repeats: Option<u32>,
    /// Prompts in the pool, where the world has to make one; at least four rounds of them if `None`.
    pub prompts_in_pool: Option<usize>,
    /// The chain's newest block at first. `None`: a few blocks before the current round's reveal block.
    pub start_block: Option<u32>,
    /// How fast blocks pass; `0.0` stands still until advanced. A real chain has 1/12.
    pub blocks_per_second: f64,
    /// Minutes miners have to generate, in the generated bootstrap: 5 blocks each.
    pub generation_stage_minutes: u32,
    /// How long image builds take.
    pub build_times: BuildTimes,
    /// Builds that do not succeed, by the miner's place in the cast.
    pub failing_builds: Vec<(usize, Conclusion)>,
    /// How the GPU clouds behave.
    pub clouds: CloudOptions,
    /// How the vision model behaves.
    pub vlm: VlmOptions,
    /// Whether the auditor reads the sources of all accepted submissions and passes them. Without one, no miner can be
    /// verified until somebody writes `source_audit.json`.
    pub source_auditor: bool,
    /// Who draws the prompt images.
    pub prompt_images: Arc<dyn PromptImages>,
}

/// Where the competition starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A new competition named `rehearsal`, round 0 open.
    Bootstrap,
    /// A state repository: a clone, or a plain folder with its files.
    FromDir(PathBuf),
}

/// Prompts of a round unless said otherwise.
pub(super) const PROMPTS_PER_ROUND: u32 = 8;
/// Regenerations unless said otherwise: one, where the competition's default is three.
pub(super) const AUDIT_REPEATS: u32 = 1;

impl WorldOptions {
    /// As [`WorldOptions::new`], with prompt images of `size` pixels drawn by `renderer` and kept in the folder.
    pub fn with_renderer(dir: PathBuf, seed: u64, renderer: Arc<Renderer>, size: u32) -> Self {
        let images = PromptHost::new(dir.join("prompts"), seed, renderer).with_size(size);
        Self::new(dir, seed, Arc::new(images))
    }

    /// A world in `dir` with the defaults of a rehearsal: six miners, eight prompts, ten blocks a second.
    pub fn new(dir: PathBuf, seed: u64, prompt_images: Arc<dyn PromptImages>) -> Self {
        Self {
            dir,
            seed,
            miners: 6,
            start: Start::Bootstrap,
            prompts_per_round: None,
            audit_repeats: None,
            prompts_in_pool: None,
            start_block: None,
            blocks_per_second: 10.0,
            generation_stage_minutes: 10,
            build_times: BuildTimes::default(),
            failing_builds: Vec::new(),
            clouds: CloudOptions::default(),
            vlm: VlmOptions {
                seed,
                ..VlmOptions::default()
            },
            source_auditor: true,
            prompt_images,
        }
    }
}
