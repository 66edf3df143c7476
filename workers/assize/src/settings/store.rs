//! The object store, for processes that use it and for those that only show what is in it.

use schema::storage::{DEFAULT_CDN_URL, Layout};
use url::Url;

use super::{
    addresses::host_map,
    limits::layout,
    variables::{SettingsError, Variables, wrong},
};
use crate::{clients::object_store::S3Settings, services::S3_DEADLINE};

/// The object store alone, for processes that only show what is in it.
#[derive(Debug)]
pub struct StoreSettings {
    /// `R2_ENDPOINT`, `R2_BUCKET`, `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY`, `CDN_URL`.
    pub s3: S3Settings,
    /// `STORAGE_KEY_TEMPLATE`, `STORAGE_ROOT_FOLDER`.
    pub layout: Layout,
    /// `EGRESS_HOST_MAP`.
    pub host_map: Vec<(String, Url)>,
}

impl StoreSettings {
    /// Reads them, if there is an `R2_ENDPOINT`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for the first variable that is missing or wrong beside it.
    pub fn find(v: &Variables) -> Result<Option<Self>, SettingsError> {
        if v.find("R2_ENDPOINT").is_none() {
            return Ok(None);
        }
        let public_base = v
            .find("CDN_URL")
            .unwrap_or(DEFAULT_CDN_URL)
            .trim_end_matches('/');
        Ok(Some(Self {
            layout: layout(v, public_base)?,
            s3: S3Settings {
                endpoint: v.url("R2_ENDPOINT", "")?,
                bucket: v.find("R2_BUCKET").unwrap_or("404-gen").to_owned(),
                access_key_id: v
                    .required("R2_ACCESS_KEY_ID", "key of the object store")?
                    .to_owned(),
                secret_access_key: v.secret(
                    true,
                    "R2_SECRET_ACCESS_KEY",
                    "secret key of the object store",
                )?,
                public_base: public_base.to_owned(),
                attempt_deadline: S3_DEADLINE,
            },
            host_map: host_map(v.find("EGRESS_HOST_MAP").unwrap_or(""))?,
        }))
    }
}

/// Where the object store of a process that uses none would be.
const NO_OBJECT_STORE: &str = "http://localhost:9000";

/// `R2_ENDPOINT`; somewhere for a process that does not use it.
pub(super) fn object_store(v: &Variables, wanted: bool) -> Result<Url, SettingsError> {
    let value = if wanted {
        v.required("R2_ENDPOINT", "address of the object store")?
    } else {
        NO_OBJECT_STORE
    };
    Url::parse(value).map_err(|_| wrong("R2_ENDPOINT", value, "an address such as https://host"))
}
