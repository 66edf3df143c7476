//! What a browser is started with, and as whom.

use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};

/// What a browser is started with.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The browser; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// The user it runs as when started by root; `nobody` when none.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether it may start without its sandbox where the system offers none.
    pub allow_no_sandbox: bool,
    /// Most private memory of each of its processes, in bytes; none for no limit.
    pub data_limit: Option<u64>,
    /// Flags beyond the common ones.
    pub flags: Vec<String>,
}

/// Why a browser did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is none.
    #[error("no Chromium found{}: install the package `chromium` or set its path", at(.looked_at.as_deref()))]
    Missing {
        /// The path that was asked for.
        looked_at: Option<PathBuf>,
    },
    /// The system does not let the browser build its sandbox.
    #[error(
        "Chromium cannot start its sandbox here (user namespaces are not available to uid {uid}); \
         allow unprivileged user namespaces, or set RENDER_ALLOW_NO_SANDBOX=1 to run hostile code without it: {log}"
    )]
    NoSandbox {
        /// The user it ran as.
        uid: u32,
        /// The browser's last words.
        log: String,
    },
    /// It ended or did not answer.
    #[error("Chromium did not start: {log}")]
    DidNotStart {
        /// The browser's last words.
        log: String,
    },
    /// The operating system refused something.
    #[error("cannot {what} for Chromium")]
    System {
        /// What was refused.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn at(path: Option<&Path>) -> String {
    path.map(|path| format!(" at {}", path.display()))
        .unwrap_or_default()
}

/// Where Chromium is looked for when no path is given. Real binaries before launcher scripts.
const USUAL_PLACES: [&str; 7] = [
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/local/bin/chromium",
];

/// `nobody` and `nogroup`, who own nothing.
pub const NOBODY: (u32, u32) = (65534, 65534);

/// Flags of both browsers. Nothing is fetched, reported, synchronised or shown; colours are not converted.
pub const COMMON_FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--lang=en-US",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-hang-monitor",
    "--disable-notifications",
    "--disable-prompt-on-repost",
    "--disable-quic",
    "--disable-sync",
    "--disable-speech-api",
    "--disable-features=Translate,MediaRouter,OptimizationHints,InterestFeedContentSuggestions,DialMediaRouteProvider,\
     AutofillServerCommunication,CertificateTransparencyComponentUpdater,SpareRendererForSitePerProcess,\
     OptimizationGuideOnDeviceModel,OptimizationGuideModelDownloading,OnDeviceModelService",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
    "--proxy-server=direct://",
];

/// The browser to start: the one asked for, or the first in the usual places.
pub fn find(asked: Option<&Path>) -> Result<PathBuf, LaunchError> {
    let missing = || LaunchError::Missing {
        looked_at: asked.map(Path::to_path_buf),
    };
    let found = match asked {
        Some(path) => path.is_file().then(|| path.to_path_buf()),
        None => USUAL_PLACES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file()),
    };
    let found = found.ok_or_else(missing)?;
    // Debian's launcher sources every file of /etc/chromium.d: flags that are not ours.
    let behind_launcher = Path::new("/usr/lib/chromium/chromium");
    if found == Path::new("/usr/bin/chromium") && behind_launcher.is_file() {
        return Ok(behind_launcher.to_path_buf());
    }
    Ok(found)
}

/// Whom the browser runs as: somebody else only where we may choose.
pub fn unprivileged_user(launch: &Launch) -> Option<(u32, u32)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let (uid, gid) = launch.unprivileged_uid_gid.unwrap_or(NOBODY);
    if uid == 0 || Gid::from_raw(gid) == Gid::from_raw(0) {
        return Some(NOBODY);
    }
    Some((uid, gid))
}

/// Containers often have 64 MB of shared memory, which pictures overflow; Chromium then uses files instead.
pub fn shared_memory_is_roomy() -> bool {
    nix::sys::statvfs::statvfs("/dev/shm")
        .is_ok_and(|shm| shm.blocks_available() * shm.fragment_size() > 1 << 30)
}
