//! A page and the profile it lives in.

use serde_json::json;

use super::cdp::{Connection, Session};

/// A page. Dropping it closes it and its profile.
#[derive(Debug)]
pub struct PageHandle {
    /// The session to speak to it.
    pub session: Session,
    _lease: PageLease,
}

impl Drop for PageHandle {
    fn drop(&mut self) {
        self.session.forget();
    }
}

/// A target and its profile, given back to the browser in the order it can take.
#[derive(Debug)]
pub struct PageLease {
    /// The browser it belongs to.
    pub connection: Connection,
    /// The profile.
    pub context: String,
    /// The page.
    pub target: String,
}

impl Drop for PageLease {
    fn drop(&mut self) {
        let connection = self.connection.clone();
        let context = std::mem::take(&mut self.context);
        let target = std::mem::take(&mut self.target);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            // A profile that goes before its hidden page leaves the page's process behind, and sometimes takes the
            // whole browser down.
            let closed = connection.close_target(&target).await;
            let disposed = connection
                .call(
                    "Target.disposeBrowserContext",
                    json!({ "browserContextId": context }),
                )
                .await;
            if let (false, Err(error)) = (connection.is_closed(), closed.and(disposed)) {
                tracing::warn!(%error, "a page could not be closed");
            }
        });
    }
}

impl PageHandle {
    /// The page a session speaks to.
    pub(super) fn new(session: Session, lease: PageLease) -> Self {
        Self {
            session,
            _lease: lease,
        }
    }
}
