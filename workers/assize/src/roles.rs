//! Roles: which queues a process serves, and how much at once.

use std::{collections::HashMap, fmt, str::FromStr};

use workflow::{engine::flow::FLOW_QUEUE, round::queues};

/// What a worker process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs flows and their short steps.
    Engine,
    /// Asks the chain and follows its head.
    Chain,
    /// Downloads modules and follows builds.
    Download,
    /// Draws modules.
    Render,
    /// Rents GPUs and regenerates.
    Gpu,
    /// Judges duels.
    Judge,
    /// Mirrors into the state repository.
    Mirror,
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: expected engine, chain, download, render, gpu, judge, mirror or all")]
pub struct UnknownRole(pub String);

impl Role {
    /// Every role.
    pub const ALL: [Role; 7] = [
        Self::Engine,
        Self::Chain,
        Self::Download,
        Self::Render,
        Self::Gpu,
        Self::Judge,
        Self::Mirror,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Chain => "chain",
            Self::Download => "download",
            Self::Render => "render",
            Self::Gpu => "gpu",
            Self::Judge => "judge",
            Self::Mirror => "mirror",
        }
    }

    /// Its queues, with how many jobs one process runs of each at once.
    fn slots(self, sizes: &Sizes) -> Vec<(&'static str, usize)> {
        match self {
            Self::Engine => vec![(FLOW_QUEUE, 50), (queues::STATE, 20)],
            Self::Chain => vec![(queues::CHAIN, 4)],
            Self::Download => vec![(queues::NETWORK, 40)],
            Self::Render => vec![(queues::RENDER, sizes.render)],
            Self::Gpu => vec![(queues::GPU, 20)],
            Self::Judge => vec![(queues::VLM, sizes.calls)],
            Self::Mirror => Vec::new(),
        }
    }
}

/// How much of the costly work one process takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Modules at the renderer.
    pub render: usize,
    /// Calls of the model; over all replicas `MAX_CONCURRENT_VLM_CALLS` counts.
    pub calls: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            render: 4,
            calls: 64,
        }
    }
}

/// The slots of some roles together.
pub fn slots(roles: &[Role], sizes: &Sizes) -> HashMap<String, usize> {
    roles
        .iter()
        .flat_map(|role| role.slots(sizes))
        .map(|(queue, slots)| (queue.to_owned(), slots))
        .collect()
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text.trim())
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
