//! How much miners' servers and pods may send, where it is kept, and when people are told that pictures fail.

use schema::storage::{DEFAULT_STORAGE_KEY_TEMPLATE, DEFAULT_STORAGE_ROOT_FOLDER, Layout};
use workflow::db::notice::RenderAlert;

use super::variables::{SettingsError, Variables, wrong};
use crate::clients::{
    cdn::CdnSettings,
    pod::{ArchiveLimits, PodSettings},
};

/// How submitted modules are fetched.
pub(super) fn cdn(v: &Variables) -> Result<CdnSettings, SettingsError> {
    let default = CdnSettings::default();
    Ok(CdnSettings {
        max_bytes: v.parsed("MAX_JS_SIZE_BYTES", default.max_bytes, "a number of bytes")?,
        ..default
    })
}

/// How pods are talked to.
pub(super) fn pods(v: &Variables) -> Result<PodSettings, SettingsError> {
    const BYTES: &str = "a number of bytes";
    let default = ArchiveLimits::default();
    let archive = ArchiveLimits {
        zip_bytes: v.parsed("MAX_BATCH_ZIP_BYTES", default.zip_bytes, BYTES)?,
        entries: v.parsed("MAX_BATCH_FILES", default.entries, "a number of files")?,
        module_bytes: v.parsed("MAX_JS_BYTES", default.module_bytes, BYTES)?,
        manifest_bytes: v.parsed("MAX_FAILED_MANIFEST_BYTES", default.manifest_bytes, BYTES)?,
    };
    Ok(PodSettings {
        archive,
        ..PodSettings::default()
    })
}

/// Where modules and pictures are kept.
pub(super) fn layout(v: &Variables, cdn_url: &str) -> Result<Layout, SettingsError> {
    let template = v
        .find("STORAGE_KEY_TEMPLATE")
        .unwrap_or(DEFAULT_STORAGE_KEY_TEMPLATE);
    // Without one of them entries would overwrite each other.
    let names = ["{round}", "{hotkey}", "{filename}"];
    if !names.iter().all(|name| template.contains(name)) {
        return Err(wrong(
            "STORAGE_KEY_TEMPLATE",
            template,
            "a key with {round}, {hotkey} and {filename}",
        ));
    }
    let root = v
        .find("STORAGE_ROOT_FOLDER")
        .unwrap_or(DEFAULT_STORAGE_ROOT_FOLDER);
    Ok(Layout::new(cdn_url, template, root))
}

/// From when on people are told that pictures fail.
pub(super) fn render_alert(v: &Variables) -> Result<RenderAlert, SettingsError> {
    let default = RenderAlert::default();
    Ok(RenderAlert {
        min_failures: v.parsed(
            "RENDER_ALERT_MIN_FAILURES",
            default.min_failures,
            "a number of modules",
        )?,
        min_miners: v.parsed(
            "RENDER_ALERT_MIN_HOTKEYS",
            default.min_miners,
            "a number of miners",
        )?,
        cooldown: v.seconds("RENDER_ALERT_COOLDOWN_SECONDS", default.cooldown)?,
    })
}
