//! What reads bytes from outside here, for fuzzers and for tests with random inputs. No input may panic.

use bytes::Bytes;

use crate::execute::PhaseTimes;
use crate::renderer::Document;
use crate::service::Query;

/// The description of a scene by a realm in which hostile code ran: read, measured, and, if it may be drawn, written again.
pub fn scene(data: &[u8]) {
    drop(Document::read(
        Bytes::copy_from_slice(data),
        PhaseTimes::default(),
    ));
}

/// The query of a request.
pub fn query(data: &[u8]) {
    let Ok(query) = Query::parse(Some(&String::from_utf8_lossy(data))) else {
        return;
    };
    drop((query.view_size(), query.pictures(), query.gap()));
}
