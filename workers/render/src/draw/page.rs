//! One page of the drawing browser.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::browser::cdp::{CdpError, Event};
use crate::browser::{Browser, PageHandle};

/// A page with a renderer of its own.
#[derive(Debug)]
pub struct Page {
    /// The page itself.
    pub handle: PageHandle,
    /// The browser it belongs to.
    pub browser: Arc<Browser>,
    /// Becomes true when its process died.
    pub crashed: watch::Receiver<bool>,
}

impl Page {
    /// Opens a page and waits for its renderer.
    pub async fn open(browser: Arc<Browser>, address: &str) -> Result<Self, CdpError> {
        let (handle, events) = browser.open().await?;
        let (crash, crashed) = watch::channel(false);
        tokio::spawn(watch_for_crash(events, crash));
        let session = &handle.session;
        session.call("Inspector.enable", json!({})).await?;
        session
            .call("Page.navigate", json!({ "url": address }))
            .await?;
        // The page's modules load after the navigation is answered.
        session
            .evaluate(
                "new Promise((resolve, reject) => { const look = () => globalThis.assizeDraw ? resolve(true) : \
                 setTimeout(look, 5); addEventListener('error', (event) => reject(new Error(event.message))); look(); })",
            )
            .await?;
        Ok(Self {
            handle,
            browser,
            crashed,
        })
    }

    /// Whether its process, or its browser, is gone.
    pub fn is_dead(&self) -> bool {
        *self.crashed.borrow() || self.browser.is_closed()
    }
}

async fn watch_for_crash(mut events: mpsc::UnboundedReceiver<Event>, crash: watch::Sender<bool>) {
    while let Some(event) = events.recv().await {
        if matches!(
            event.method.as_str(),
            "Inspector.targetCrashed" | "Inspector.detached"
        ) {
            break;
        }
    }
    let _ = crash.send(true);
}
