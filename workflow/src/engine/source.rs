//! Our tables as apalis' task source: apalis runs the worker loop, its layers and its shutdown; the tables keep the truth.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{
        Task,
        builder::TaskBuilder,
        task_id::{RandomId, TaskId},
    },
    worker::context::WorkerContext,
};
use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tower::layer::util::Identity;

use crate::engine::{dispatcher::Claimed, run::Runner};

/// Claimed jobs as an apalis backend. It ends when the dispatcher does.
pub(crate) struct JobSource {
    pub(crate) claimed: mpsc::Receiver<Claimed>,
}

impl Backend for JobSource {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _context: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.claimed.poll_recv(context).map(|claimed| {
            if claimed.is_none() {
                // The dispatcher has ended and everything it claimed is handed over: apalis may stop once that is done. It
                // refuses only if it stops already.
                let _ = worker.stop();
            }
            claimed.map(|claimed| {
                // apalis tracks what it runs by this id and takes a second one for a mistake.
                let id = TaskId::from_string(claimed.holding.serial.to_string());
                Ok(TaskBuilder::new(claimed).task_id(id).build())
            })
        })
    }

    fn poll_close(
        &mut self,
        _context: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.claimed.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for JobSource {
    type Args = Claimed;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// Runs claimed jobs, each on a task of its own, and commits how they ended.
#[derive(Clone)]
pub(crate) struct RunService {
    pub(crate) runner: Runner,
}

impl tower::Service<Task<Claimed>> for RunService {
    type Response = ();
    type Error = tokio::task::JoinError;
    type Future = Pin<Box<dyn Future<Output = Result<(), tokio::task::JoinError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let runner = self.runner.clone();
        let (
            Claimed {
                claim,
                cancelled,
                slot,
                holding,
            },
            _,
        ) = task.take();
        // Whoever drops the worker loop drops what it runs.
        AbortOnDropHandle::new(tokio::spawn(async move {
            let ending = runner.run(claim, cancelled).await;
            // The slot is free as soon as the handler is done; its result travels with others.
            drop(slot);
            if let Some(ending) = ending {
                runner.committer.commit(ending).await;
            }
            drop(holding);
        }))
        .boxed()
    }
}
