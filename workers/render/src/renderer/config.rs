//! How a renderer runs.

use std::path::PathBuf;
use std::time::Duration;

use crate::draw::Graphics;

/// How a [`Renderer`] runs. [`Default`] is what a live round uses.
#[derive(Debug, Clone)]
pub struct RendererConfig {
    /// The Chromium to run; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// Modules executed, and documents drawn, at the same time.
    pub pages: usize,
    /// The user the browsers run as when we are root: `nobody` when none. Ignored otherwise.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether the browsers may run without their sandbox on a system that offers no user namespaces.
    pub allow_no_sandbox: bool,
    /// Wall clock of one module. Rounds use 5 s.
    pub module_time_limit: Duration,
    /// Longest the drawing of one module may take. One that takes longer is drawn once more with no other beside it; if
    /// that takes as long again although the machine computed all the while, the module is rejected.
    pub draw_time_limit: Duration,
    /// Modules that may wait for a page; one more is refused as [`RenderError::Busy`].
    pub queue: usize,
    /// Modules each browser serves before a fresh one takes its place.
    pub modules_a_browser: u64,
    /// What draws.
    pub graphics: Graphics,
}

impl Default for RendererConfig {
    fn default() -> Self {
        Self {
            chromium: None,
            pages: 2,
            unprivileged_uid_gid: None,
            allow_no_sandbox: false,
            module_time_limit: Duration::from_secs(5),
            draw_time_limit: Duration::from_secs(60),
            queue: 64,
            modules_a_browser: 2_000,
            graphics: Graphics::Software,
        }
    }
}

impl RendererConfig {
    /// The configuration of the environment, the reference's variable names where operators already set them:
    ///
    /// | variable | field | default |
    /// |---|---|---|
    /// | `RENDER_POOL_SIZE` | `pages` | 2 |
    /// | `VALIDATION_TIMEOUT_MS` | `module_time_limit` | 5000 |
    /// | `RENDER_TIMEOUT_MS` | `draw_time_limit` | 60000 |
    /// | `RENDER_QUEUE_SIZE` | `queue` | 64 |
    /// | `PUPPETEER_EXECUTABLE_PATH` | `chromium` | the usual places |
    /// | `USE_GL` | `graphics`: `gpu` for the graphics card | software |
    /// | `RENDER_ALLOW_NO_SANDBOX` | `allow_no_sandbox`: `1` | off |
    ///
    /// A value that cannot be read is reported and the default used.
    pub fn from_env() -> Self {
        let default = Self::default();
        let milliseconds = |name, default: Duration| {
            number(name, default.as_millis() as u64).map_or(default, Duration::from_millis)
        };
        Self {
            chromium: std::env::var_os("PUPPETEER_EXECUTABLE_PATH")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            pages: number("RENDER_POOL_SIZE", default.pages as u64)
                .map_or(default.pages, |pages| pages as usize),
            queue: number("RENDER_QUEUE_SIZE", default.queue as u64)
                .map_or(default.queue, |queue| queue as usize),
            module_time_limit: milliseconds("VALIDATION_TIMEOUT_MS", default.module_time_limit),
            draw_time_limit: milliseconds("RENDER_TIMEOUT_MS", default.draw_time_limit),
            graphics: match std::env::var("USE_GL").as_deref() {
                Ok("gpu" | "egl" | "vulkan") => Graphics::Gpu,
                _ => Graphics::Software,
            },
            allow_no_sandbox: matches!(
                std::env::var("RENDER_ALLOW_NO_SANDBOX").as_deref(),
                Ok("1" | "true")
            ),
            ..default
        }
    }
}

/// A positive number of the environment; none if it is not set or wrong.
pub(crate) fn number(name: &str, default: u64) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.trim().parse() {
        Ok(0) | Err(_) => {
            tracing::warn!("{name} is `{text}`, not a positive number; using {default}");
            None
        }
        Ok(value) => Some(value),
    }
}
