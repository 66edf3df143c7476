//! How the drawing browser is started.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Graphics {
    /// SwiftShader, on the processor: the same pixels on every machine.
    #[default]
    Software,
    /// The machine's graphics card, by ANGLE on Vulkan.
    Gpu,
}

/// How the drawing browser is started.
#[derive(Debug, Clone)]
pub struct DrawerConfig {
    /// The browser; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// The user the browser runs as when we are root.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether it may run without its sandbox.
    pub allow_no_sandbox: bool,
    /// Documents drawn at the same time.
    pub pages: usize,
    /// Documents a browser draws before it is replaced.
    pub documents_a_browser: u64,
    /// Longest one document may take.
    pub time_limit: Duration,
    /// What draws.
    pub graphics: Graphics,
}
