//! The engine: durable flows of retried steps on Postgres.
//!
//! - A **flow** is an async function that decides; a **step** is a named unit of outside work; a **job** is a row of either
//!   kind waiting for a worker; an **attempt** is one try of a job, kept as history.
//! - A claim is held by the lease of the worker that made it. Every write names the attempt it belongs to: a late one
//!   changes nothing and is told so.
//! - What a step answers, the rows it records, the state files it publishes and the work it unlocks commit as one.
//!
//! Read `workflow/README.md` for the guarantees and the life of a job, then [`step`], [`flow`] and [`commit`].

pub mod clock;
pub mod commit;
mod committer;
mod connection;
mod dispatcher;
pub mod effects;
pub mod flow;
mod heartbeat;
mod inline;
mod listener;
mod maintenance;
pub mod new_job;
pub mod probe;
pub mod reconciler;
pub mod registry;
mod run;
mod running;
mod source;
pub mod step;
pub mod worker;

pub use effects::{Effects, MirrorChange, Publication};
pub use flow::{Flow, FlowDefinition, FlowError, OnFailure};
pub use new_job::NewJob;
pub use reconciler::{Decision, Reconciler};
pub use registry::Registry;
pub use step::{Handler, OnExhausted, Outcome, Retry, Step, StepContext};
pub use worker::{Worker, WorkerError, WorkerOptions};
