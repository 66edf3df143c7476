//! How much of a time limit a module has really had on a busy machine.
//!
//! Wall clock alone would reject an honest module because its neighbours were loud; the processor time of a whole process
//! would charge it for the collection of its garbage, which runs on other threads. So the thread that runs the module is
//! looked at, as the system accounts it. Which process a page has cannot be asked of the browser: it is the one that
//! appeared with the page. Where it is not known, the busiest process stands for it.

use std::collections::HashMap;
use std::time::Duration;

/// Linux keeps 15 characters of a thread's name. Chromium calls the threads of dedicated workers this.
const WORKER_THREAD: &str = "DedicatedWorker";

/// What the browser's pages have done until one moment.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// Seconds each process has computed, by process.
    processes: HashMap<u64, f64>,
    /// Seconds each thread that runs modules has computed, by process and thread; none where the system does not tell.
    threads: Option<HashMap<(u64, u64), f64>>,
}

impl Work {
    /// Looks at the threads of `processes`, which have computed so many seconds.
    pub async fn of(processes: HashMap<u64, f64>) -> Self {
        let ids: Vec<u64> = processes.keys().copied().collect();
        let threads = tokio::task::spawn_blocking(move || threads_of(&ids)).await;
        Self {
            processes,
            threads: threads.ok().flatten(),
        }
    }

    /// The process that has appeared since `before` and can run a module, if it is the only one.
    pub fn new_process_since(&self, before: &Self) -> Option<u64> {
        let threads = self.threads.as_ref()?;
        let has_worker = |id: u64| threads.keys().any(|(process, _)| *process == id);
        let is_new = |id: &u64| !before.processes.contains_key(id) && has_worker(*id);
        let mut found = self.processes.keys().copied().filter(is_new);
        let only = found.next()?;
        found.next().is_none().then_some(only)
    }

    /// Seconds that the module in `process` has computed since `before`.
    pub fn computed_since(&self, before: &Self, process: Option<u64>) -> f64 {
        match (process, &self.threads, &before.threads) {
            (Some(process), Some(now), Some(then)) => {
                let threads = now.iter().filter(|((id, _), _)| *id == process);
                most(threads, then)
            }
            _ => most(self.processes.iter(), &before.processes),
        }
    }
}

/// The largest increase.
fn most<'a, Id: std::hash::Hash + Eq + 'a>(
    now: impl Iterator<Item = (&'a Id, &'a f64)>,
    then: &HashMap<Id, f64>,
) -> f64 {
    now.map(|(id, seconds)| seconds - then.get(id).copied().unwrap_or(0.0))
        .fold(0.0, f64::max)
}

/// The worker threads of some processes, with the seconds they computed. Processes that are gone have none; none at all if
/// the system does not tell.
fn threads_of(processes: &[u64]) -> Option<HashMap<(u64, u64), f64>> {
    let mut found = HashMap::new();
    for process in processes {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else {
                continue;
            };
            if name.trim_end() != WORKER_THREAD {
                continue;
            }
            let thread = task.file_name().to_string_lossy().parse().ok()?;
            match std::fs::read_to_string(task.path().join("schedstat")) {
                Ok(text) => found.insert((*process, thread), computed(&text)?),
                // The thread ended since; or this system does not count.
                Err(_) if !task.path().exists() => continue,
                Err(_) => return None,
            };
        }
    }
    Some(found)
}

/// The first number of a thread's `schedstat` is the nanoseconds it computed; here in seconds.
fn computed(text: &str) -> Option<f64> {
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds).as_secs_f64())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Processes with their seconds, and their threads: process, thread, seconds.
    fn work(processes: &[(u64, f64)], threads: Option<&[(u64, u64, f64)]>) -> Work {
        let by_thread = |list: &[(u64, u64, f64)]| {
            let one =
                |(process, thread, seconds): &(u64, u64, f64)| ((*process, *thread), *seconds);
            list.iter().map(one).collect()
        };
        Work {
            processes: processes.iter().copied().collect(),
            threads: threads.map(by_thread),
        }
    }

    #[test]
    fn a_module_is_charged_what_its_own_thread_computed() {
        let before = work(&[(1, 3.0), (2, 9.0)], Some(&[(1, 11, 0.5), (2, 22, 7.0)]));
        // Its process also collected garbage, and its neighbour never stopped.
        let now = work(
            &[(1, 7.5), (2, 14.0)],
            Some(&[(1, 11, 2.75), (2, 22, 12.0)]),
        );
        assert_eq!(now.computed_since(&before, Some(1)), 2.25);
        assert_eq!(now.computed_since(&before, Some(2)), 5.0);
        assert_eq!(now.computed_since(&before, Some(3)), 0.0);
    }

    #[test]
    fn the_busiest_process_stands_for_a_module_whose_own_is_not_known() {
        let before = work(&[(1, 3.0), (2, 2.0)], None);
        let now = work(&[(1, 3.5), (2, 6.5), (3, 1.0)], None);
        assert_eq!(now.computed_since(&before, None), 4.5);
        assert_eq!(now.computed_since(&before, Some(1)), 4.5);
    }

    #[test]
    fn the_process_that_appeared_with_a_page_is_the_pages() {
        let before = work(&[(1, 3.0)], Some(&[(1, 11, 0.5)]));
        let one = work(
            &[(1, 3.0), (2, 0.1), (3, 0.1)],
            Some(&[(1, 11, 0.5), (2, 22, 0.1)]),
        );
        assert_eq!(one.new_process_since(&before), Some(2));
        let two = work(
            &[(1, 3.0), (2, 0.1), (3, 0.1)],
            Some(&[(2, 22, 0.1), (3, 33, 0.1)]),
        );
        assert_eq!(two.new_process_since(&before), None);
        let untold = work(&[(1, 3.0), (2, 0.1)], None);
        assert_eq!(untold.new_process_since(&before), None);
    }

    #[test]
    fn the_systems_own_count_is_understood() {
        assert_eq!(computed("1500000000 250000000 17\n"), Some(1.5));
        assert_eq!(computed(""), None);
        assert_eq!(computed("x 1 2"), None);
    }
}
