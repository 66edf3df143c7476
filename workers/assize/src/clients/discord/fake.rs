//! Keeps the notices, for tests to read.

use async_trait::async_trait;

use super::{Notice, NoticeError, Notices};
use crate::clients::script::Script;

/// A channel that keeps what it was sent; fails when told to.
#[derive(Debug, Default)]
pub struct FakeNotices {
    /// Failures to give first, and the notices.
    pub script: Script<Notice, NoticeError>,
}

#[async_trait]
impl Notices for FakeNotices {
    async fn send(&self, notice: &Notice) -> Result<(), NoticeError> {
        self.script.ask(notice.clone()).map_or(Ok(()), Err)
    }
}
