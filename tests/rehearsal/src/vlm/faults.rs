//! What a served model can do wrong by itself. Faults of the connection are the world's (`crate::faults`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::scenes::Random;

/// One thing that can go wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VlmFault {
    /// Status 500 after the usual time.
    ServerError,
    /// The call takes this much longer.
    Slow(Duration),
    /// The answer is prose, not JSON.
    Garbage,
    /// The answer ends in the middle, as if cut by the token limit.
    Truncated,
    /// The answer is JSON with other keys.
    WrongSchema,
    /// The answer has numbers outside the scale.
    OutOfRange,
    /// The answer is the JSON asked for, within thoughts and a Markdown fence.
    Wrapped,
    /// The answer's content is null.
    Empty,
}

/// Which calls go wrong.
#[derive(Debug)]
pub(super) struct FaultPlan {
    random: Random,
    chances: Vec<(VlmFault, f64)>,
    next: VecDeque<(VlmFault, u32)>,
    outage: bool,
}

impl FaultPlan {
    pub fn new(seed: u64, chances: Vec<(VlmFault, f64)>) -> Self {
        let random = Random::of("vlm faults", &[&seed.to_be_bytes()]);
        Self {
            random,
            chances,
            next: VecDeque::new(),
            outage: false,
        }
    }

    pub fn fail_next(&mut self, fault: VlmFault, calls: u32) {
        if calls > 0 {
            self.next.push_back((fault, calls));
        }
    }

    pub fn set_outage(&mut self, outage: bool) {
        self.outage = outage;
    }

    pub fn is_outage(&self) -> bool {
        self.outage
    }

    /// The fault of the call that begins now, if any.
    pub fn strike(&mut self) -> Option<VlmFault> {
        if let Some((fault, left)) = self.next.front_mut() {
            let fault = *fault;
            *left -= 1;
            if *left == 0 {
                self.next.pop_front();
            }
            return Some(fault);
        }
        let random = &mut self.random;
        self.chances
            .iter()
            .find(|(_, chance)| random.chance(*chance))
            .map(|(fault, _)| *fault)
    }
}
