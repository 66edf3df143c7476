//! What can go wrong, where, and for how long.

use std::time::Duration;

/// One outside service of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The subtensor node: JSON-RPC over WebSocket.
    Chain,
    /// Everything behind host names: miners' CDNs, prompt images, the public CDN, pods.
    Gateway,
    /// GitHub's REST API.
    GitHub,
    /// The state repository over smart HTTP.
    Git,
    /// Targon's workload API.
    Targon,
    /// Verda's container API.
    Verda,
    /// RunPod's pod API.
    RunPod,
    /// The OpenAI-compatible vision model.
    Vlm,
    /// The object store.
    S3,
    /// Discord's webhooks.
    Discord,
}

impl Service {
    /// All services, in the order of their names.
    pub const ALL: [Service; 10] = [
        Service::Chain,
        Service::Discord,
        Service::Gateway,
        Service::Git,
        Service::GitHub,
        Service::RunPod,
        Service::S3,
        Service::Targon,
        Service::Verda,
        Service::Vlm,
    ];

    /// The name used in fault rules, logs and `world.json`.
    pub fn name(self) -> &'static str {
        match self {
            Service::Chain => "chain",
            Service::Gateway => "gateway",
            Service::GitHub => "github",
            Service::Git => "git",
            Service::Targon => "targon",
            Service::Verda => "verda",
            Service::RunPod => "runpod",
            Service::Vlm => "vlm",
            Service::S3 => "s3",
            Service::Discord => "discord",
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The answer comes this much later. Adds to any other fault of the same request.
    Slow(Duration),
    /// The request is answered with this HTTP status and a short text instead of being handled.
    Status(u16),
    /// The request is handled, but the connection ends in the middle of the answer's body.
    Truncated,
    /// The request is handled, but the body of the answer is replaced by meaningless bytes.
    Garbage,
    /// The connection is reset before the request is handled.
    Reset,
    /// Nobody is there: new connections are reset, open ones at their next byte.
    Outage,
}

/// How long a fault stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// For this many requests (connections, for an outage).
    Times(u32),
    /// For every n-th request, until cleared.
    EveryNth(u32),
    /// For this long on the world's clock.
    For(Duration),
    /// Until cleared.
    UntilCleared,
}
