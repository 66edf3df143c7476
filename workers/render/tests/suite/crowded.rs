//! A module is judged by what it computed, however crowded the machine is.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use render::Renderer;

use crate::modules::{self, PATIENCE, cube, rules, validate};

/// Threads that do nothing but compute.
struct Crowd {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// So many threads for each processor that each gets a small part of one.
    fn gather() -> Self {
        const THREADS_A_PROCESSOR: usize = 4;
        let stop = Arc::new(AtomicBool::new(false));
        let processors = std::thread::available_parallelism().unwrap().get();
        let spin = |_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let threads = (0..processors * THREADS_A_PROCESSOR).map(spin).collect();
        Self { stop, threads }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

async fn time_of(renderer: &Renderer, source: &str) -> Duration {
    let started = Instant::now();
    let outcome = validate(renderer, source).await;
    assert!(outcome.result.is_ok(), "{:?}", rules(&outcome));
    started.elapsed()
}

#[tokio::test]
async fn a_module_is_not_late_because_its_machine_is_crowded() {
    let source = cube("let sum = 0; for (let i = 0; i < 2e8; i++) sum += i; mesh.name = `${sum}`;");
    let patient = modules::validator_with_limit(1, PATIENCE).await;
    let alone = time_of(&patient, &source).await;
    let crowd = Crowd::gather();
    let crowded = time_of(&patient, &source).await;
    assert!(
        crowded > 2 * alone,
        "{crowded:?} in the crowd, {alone:?} alone"
    );

    // Far more than it computes, far less than it waits.
    let limit = Duration::from_secs_f64((alone.as_secs_f64() * crowded.as_secs_f64()).sqrt());
    drop(crowd);
    let strict = modules::validator_with_limit(1, limit).await;
    let crowd = Crowd::gather();
    time_of(&strict, &source).await;
    drop(crowd);
    // The limit holds for whoever computes that long.
    let endless = validate(&strict, "export default () => { for (;;); };").await;
    assert_eq!(rules(&endless), ["TIMEOUT_EXCEEDED"]);
    patient.close().await;
    strict.close().await;
}
