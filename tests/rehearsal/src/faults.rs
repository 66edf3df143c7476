//! Faults by name: how each outside service can misbehave, and for how long.
//!
//! Every service of the world stands behind the same door (`http::serve`), which asks this registry before each
//! request. A fault therefore looks the same wherever it strikes, and a test or an operator names it once:
//! `github:500*3`, `gateway:slow=2s`, `chain:outage~30s`.
//!
//! Faults are not kept over a restart of the world: a new process starts healthy.

mod kinds;
mod rule;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::WorldClock;
pub use kinds::{Fault, Lasting, Service};
pub use rule::{FaultRule, FaultRuleError};

/// Names one injected fault, to clear it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(u64);

/// What one request has to suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strike {
    pub delay: Duration,
    pub fault: Option<Fault>,
}

/// The registry of faults, shared by all services of one world.
#[derive(Debug, Clone)]
pub struct Faults {
    armed: Arc<Mutex<Armed>>,
    clock: WorldClock,
}

#[derive(Debug, Default)]
struct Armed {
    next_id: u64,
    entries: Vec<Entry>,
    struck: Vec<(Service, u64)>,
}

#[derive(Debug)]
struct Entry {
    id: FaultId,
    rule: FaultRule,
    ends_at_ms: Option<u64>,
    seen: u32,
    left: Option<u32>,
}

impl Faults {
    /// An empty registry whose time limits run on `clock`.
    pub fn new(clock: WorldClock) -> Self {
        Self {
            armed: Arc::default(),
            clock,
        }
    }

    /// Makes every request to `service` suffer `fault` for as long as `lasting` says.
    pub fn inject(&self, service: Service, fault: Fault, lasting: Lasting) -> FaultId {
        self.inject_rule(FaultRule {
            service,
            fault,
            lasting,
            path_contains: None,
        })
    }

    /// As [`Faults::inject`], for requests whose path and query contain `path_part` alone.
    pub fn inject_on(
        &self,
        service: Service,
        path_part: &str,
        fault: Fault,
        lasting: Lasting,
    ) -> FaultId {
        self.inject_rule(FaultRule {
            service,
            fault,
            lasting,
            path_contains: Some(path_part.to_owned()),
        })
    }

    /// Injects a rule, for instance one parsed from the command line.
    pub fn inject_rule(&self, rule: FaultRule) -> FaultId {
        let now = self.clock.now_ms();
        self.with(|armed| {
            armed.next_id += 1;
            let id = FaultId(armed.next_id);
            let (left, ends_at_ms) = match rule.lasting {
                Lasting::Times(times) => (Some(times), None),
                Lasting::For(duration) => {
                    (None, Some(now.saturating_add(duration.as_millis() as u64)))
                }
                Lasting::EveryNth(_) | Lasting::UntilCleared => (None, None),
            };
            armed.entries.push(Entry {
                id,
                rule,
                ends_at_ms,
                seen: 0,
                left,
            });
            id
        })
    }

    /// Takes one fault back. Does nothing when it is over already.
    pub fn clear(&self, id: FaultId) {
        self.with(|armed| armed.entries.retain(|entry| entry.id != id));
    }

    /// Takes every fault of `service` back.
    pub fn clear_service(&self, service: Service) {
        self.with(|armed| armed.entries.retain(|entry| entry.rule.service != service));
    }

    /// Takes every fault back.
    pub fn clear_all(&self) {
        self.with(|armed| armed.entries.clear());
    }

    /// How many times faults have struck `service` so far: proof that a test met what it injected.
    pub fn struck(&self, service: Service) -> u64 {
        self.with(|armed| {
            armed
                .struck
                .iter()
                .find(|(of, _)| *of == service)
                .map_or(0, |(_, count)| *count)
        })
    }

    /// What the request for `path` at `service` suffers; uses up one of a counted fault.
    pub(crate) fn strike(&self, service: Service, path: &str) -> Strike {
        let now = self.clock.now_ms();
        self.with(|armed| {
            armed.expire(now);
            let mut strike = Strike::default();
            for entry in &mut armed.entries {
                let matches = entry.rule.service == service
                    && entry.rule.fault != Fault::Outage
                    && entry
                        .rule
                        .path_contains
                        .as_ref()
                        .is_none_or(|part| path.contains(part.as_str()));
                if !matches {
                    continue;
                }
                let fault = entry.rule.fault;
                match fault {
                    Fault::Slow(delay) if entry.spend() => strike.delay += delay,
                    Fault::Slow(_) => {}
                    _ if strike.fault.is_none() && entry.spend() => {
                        strike.fault = Some(fault);
                    }
                    _ => {}
                }
            }
            if strike != Strike::default() {
                armed.count(service);
            }
            strike
        })
    }

    /// Whether a new connection to `service` is to be reset; uses up one of a counted outage.
    pub(crate) fn refuses_connection(&self, service: Service) -> bool {
        let now = self.clock.now_ms();
        self.with(|armed| {
            armed.expire(now);
            let refused = armed.entries.iter_mut().any(|entry| {
                entry.rule.service == service && entry.rule.fault == Fault::Outage && entry.spend()
            });
            if refused {
                armed.count(service);
            }
            refused
        })
    }

    /// Whether `service` is out now: open connections end at their next byte.
    pub(crate) fn is_out(&self, service: Service) -> bool {
        let now = self.clock.now_ms();
        self.with(|armed| {
            armed.expire(now);
            armed.entries.iter().any(|entry| {
                entry.rule.service == service
                    && entry.rule.fault == Fault::Outage
                    && matches!(entry.rule.lasting, Lasting::For(_) | Lasting::UntilCleared)
            })
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Armed) -> T) -> T {
        change(&mut self.armed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Armed {
    fn expire(&mut self, now_ms: u64) {
        self.entries.retain(|entry| {
            entry.left != Some(0) && entry.ends_at_ms.is_none_or(|end| now_ms < end)
        });
    }

    fn count(&mut self, service: Service) {
        match self.struck.iter_mut().find(|(of, _)| *of == service) {
            Some((_, count)) => *count += 1,
            None => self.struck.push((service, 1)),
        }
    }
}

impl Entry {
    /// Whether this entry strikes now, counting the request.
    fn spend(&mut self) -> bool {
        self.seen = self.seen.wrapping_add(1);
        if let Lasting::EveryNth(nth) = self.rule.lasting {
            return self.seen.is_multiple_of(nth.max(1));
        }
        match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn faults() -> Faults {
        Faults::new(WorldClock::in_memory())
    }

    #[test]
    fn a_counted_fault_strikes_that_many_requests_of_its_service_alone() {
        let faults = faults();
        faults.inject(Service::GitHub, Fault::Status(500), Lasting::Times(2));

        assert_eq!(faults.strike(Service::Gateway, "/").fault, None);
        assert_eq!(
            faults.strike(Service::GitHub, "/").fault,
            Some(Fault::Status(500))
        );
        assert_eq!(
            faults.strike(Service::GitHub, "/").fault,
            Some(Fault::Status(500))
        );
        assert_eq!(faults.strike(Service::GitHub, "/").fault, None);
        assert_eq!(faults.struck(Service::GitHub), 2);
        assert_eq!(faults.struck(Service::Gateway), 0);
    }

    #[test]
    fn a_fault_for_a_path_leaves_other_paths_alone() {
        let faults = faults();
        faults.inject_on(
            Service::Gateway,
            "abc.js",
            Fault::Garbage,
            Lasting::UntilCleared,
        );

        assert_eq!(
            faults.strike(Service::Gateway, "/hosts/x/abd.js").fault,
            None
        );
        assert_eq!(
            faults.strike(Service::Gateway, "/hosts/x/abc.js").fault,
            Some(Fault::Garbage)
        );
    }

    #[test]
    fn an_outage_window_ends_on_the_worlds_clock() {
        let clock = WorldClock::in_memory();
        let faults = Faults::new(clock.clone());
        faults.inject(
            Service::Vlm,
            Fault::Outage,
            Lasting::For(Duration::from_secs(30)),
        );

        assert!(faults.is_out(Service::Vlm));
        assert!(faults.refuses_connection(Service::Vlm));
        clock.skip(Duration::from_secs(31)).unwrap();
        assert!(!faults.is_out(Service::Vlm));
        assert!(!faults.refuses_connection(Service::Vlm));
    }

    #[test]
    fn delays_add_up_and_join_another_fault() {
        let faults = faults();
        faults.inject(
            Service::S3,
            Fault::Slow(Duration::from_secs(1)),
            Lasting::UntilCleared,
        );
        faults.inject(
            Service::S3,
            Fault::Slow(Duration::from_secs(2)),
            Lasting::UntilCleared,
        );
        let reset = faults.inject(Service::S3, Fault::Reset, Lasting::UntilCleared);

        let strike = faults.strike(Service::S3, "/");
        assert_eq!(
            strike,
            Strike {
                delay: Duration::from_secs(3),
                fault: Some(Fault::Reset)
            }
        );
        faults.clear(reset);
        assert_eq!(faults.strike(Service::S3, "/").fault, None);
        faults.clear_all();
        assert_eq!(faults.strike(Service::S3, "/"), Strike::default());
    }

    #[test]
    fn every_nth_request_is_struck_until_cleared() {
        let faults = faults();
        faults.inject(Service::Chain, Fault::Status(503), Lasting::EveryNth(3));

        let struck: Vec<bool> = (0..6)
            .map(|_| faults.strike(Service::Chain, "/").fault.is_some())
            .collect();
        assert_eq!(struck, [false, false, true, false, false, true]);
        faults.clear_service(Service::Chain);
        assert!((0..3).all(|_| faults.strike(Service::Chain, "/").fault.is_none()));
    }
}
