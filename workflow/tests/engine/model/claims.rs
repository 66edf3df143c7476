//! Claim, heartbeat, complete, expire: every order of every step of three workers, with crashes, expired leases, lost answers,
//! an operator who takes the job away, and a server that dies and forgets the claims it had not flushed.
//!
//! What the model leaves out: batches (each end of a batch is fenced by itself), what an end carries (it commits in the
//! statement that ends the attempt, so it is there exactly if the end is) and a worker that runs a job beside a claim of the
//! same job that the server forgot (both have one number and one worker: whichever ends first is the end of both).

use stateright::{Model, Property};

const WORKERS: usize = 3;
/// The last worker never dies and never loses its lease: somebody must be there to finish.
const STEADY: usize = WORKERS - 1;
/// New lives of one worker in one history.
const MOST_LIVES: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Available,
    /// Held by one life of a worker: a row of `worker`.
    Running {
        by: usize,
        life: u8,
    },
    Completed,
}

/// What a worker's process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Process {
    Idle,
    /// Its claim has seen that the worker is live and the job is due, and is about to commit.
    Asking,
    /// Its claim was committed, the answer is on its way or lost.
    Claiming {
        attempt: u8,
    },
    /// The handler runs, or is done and its end is about to be committed, perhaps for the second time.
    Working {
        attempt: u8,
    },
    /// The end is committed; the answer, what became of it, is on its way or lost.
    Committed {
        attempt: u8,
        applied: bool,
    },
    Dead,
}

/// What the database says of the job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    job: Job,
    /// Rises at every claim.
    attempt: u8,
    /// Attempts that are over and how they ended.
    history: Vec<(u8, Outcome)>,
}

/// How an attempt ended, as the history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    /// By this worker.
    Completed(usize),
    Lost,
    Released,
    Superseded,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claims {
    row: Row,
    /// The row before each change that is not on the disk yet; none any more once the server has died.
    unflushed: Vec<Row>,
    server_died: bool,
    life: [u8; WORKERS],
    /// Whether the database takes the present life for alive. A live process may be declared lost: its heartbeat does not
    /// arrive.
    live: [bool; WORKERS],
    process: [Process; WORKERS],
    /// Attempts whose end changed something, and whose they were.
    effects: Vec<(usize, u8)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    Ask(usize),
    Claim(usize),
    ClaimAnswered(usize),
    /// The answer to a claim is lost.
    ClaimForgotten(usize),
    /// The worker compares what it holds with the database and gives back what it did not know of. It does so again and again.
    Compare(usize),
    Commit(usize),
    CommitAnswered(usize),
    /// The answer to a commit is lost; the worker commits again.
    CommitForgotten(usize),
    /// The lease ends, whether the process lives or not.
    LeaseEnds(usize),
    /// A running job of a worker that is not live goes to others.
    Sweep,
    /// The heartbeat learns that the worker was declared lost: handlers stop, a new life begins.
    HeartbeatRefused(usize),
    /// An operator takes the running job away from its worker.
    ForceRetry,
    Crash(usize),
    /// The server dies and comes back without all but the first so many changes that it had not flushed.
    ServerDies(usize),
}

pub(super) struct ClaimProtocol {
    /// Claims in one history that the world may disturb.
    pub(super) most_claims: u8,
    /// Whether the server may die.
    pub(super) server_dies: bool,
    /// Whether a commit names its attempt and changes nothing when it is no longer the current one.
    pub(super) fenced: bool,
    /// Whether a commit also names its worker: the number of a forgotten claim is given out again.
    pub(super) names_worker: bool,
    /// Whether a worker compares what it holds with what the database says it holds.
    pub(super) compares: bool,
    /// Whether a sweep frees every job of a worker that is not live, or only what it sees in the moment a lease ends.
    pub(super) sweeps_always: bool,
}

/// As it is, on a server that lives: enough claims for each worker to lose the job once and for one to have it twice.
pub(super) const HONEST: ClaimProtocol = ClaimProtocol {
    most_claims: 4,
    server_dies: false,
    fenced: true,
    names_worker: true,
    compares: true,
    sweeps_always: true,
};

/// As it is, on a server that dies once. With more claims there are more histories than anyone can look at.
pub(super) const FORGETFUL: ClaimProtocol = ClaimProtocol {
    most_claims: 2,
    server_dies: true,
    ..HONEST
};

impl Model for ClaimProtocol {
    type State = Claims;
    type Action = Event;

    fn init_states(&self) -> Vec<Claims> {
        vec![Claims {
            row: Row {
                job: Job::Available,
                attempt: 0,
                history: Vec::new(),
            },
            unflushed: Vec::new(),
            server_died: false,
            life: [0; WORKERS],
            live: [true; WORKERS],
            process: [Process::Idle; WORKERS],
            effects: Vec::new(),
        }]
    }

    fn actions(&self, state: &Claims, events: &mut Vec<Event>) {
        let may_disturb = state.row.attempt < self.most_claims;
        for worker in 0..WORKERS {
            match state.process[worker] {
                Process::Idle => {
                    if state.live[worker]
                        && state.row.job == Job::Available
                        && (may_disturb || worker == STEADY)
                    {
                        events.push(Event::Ask(worker));
                    }
                    let its = Job::Running {
                        by: worker,
                        life: state.life[worker],
                    };
                    if self.compares && state.row.job == its {
                        events.push(Event::Compare(worker));
                    }
                }
                Process::Asking => events.push(Event::Claim(worker)),
                Process::Claiming { .. } => {
                    events.push(Event::ClaimAnswered(worker));
                    if may_disturb {
                        events.push(Event::ClaimForgotten(worker));
                    }
                }
                Process::Working { .. } => events.push(Event::Commit(worker)),
                Process::Committed { .. } => {
                    events.push(Event::CommitAnswered(worker));
                    events.push(Event::CommitForgotten(worker));
                }
                Process::Dead => {}
            }
            if worker == STEADY {
                continue;
            }
            if state.live[worker] {
                events.push(Event::LeaseEnds(worker));
            } else if state.process[worker] != Process::Dead && state.life[worker] < MOST_LIVES {
                events.push(Event::HeartbeatRefused(worker));
            }
            if state.process[worker] != Process::Dead {
                events.push(Event::Crash(worker));
            }
        }
        if self.server_dies {
            events.extend((0..state.unflushed.len()).map(Event::ServerDies));
        }
        if let Job::Running { by, life } = state.row.job {
            if self.sweeps_always && !state.is_live(by, life) {
                events.push(Event::Sweep);
            }
            if may_disturb {
                events.push(Event::ForceRetry);
            }
        }
    }

    fn next_state(&self, state: &Claims, event: Event) -> Option<Claims> {
        let mut next = state.clone();
        match event {
            Event::Ask(worker) => next.process[worker] = Process::Asking,
            Event::Claim(worker) => {
                // Somebody else was quicker: `SKIP LOCKED` gives this one nothing.
                if state.row.job != Job::Available {
                    next.process[worker] = Process::Idle;
                    return Some(next);
                }
                next.change_unflushed(self.server_dies);
                next.row.attempt += 1;
                next.row.job = Job::Running {
                    by: worker,
                    life: state.life[worker],
                };
                next.process[worker] = Process::Claiming {
                    attempt: next.row.attempt,
                };
            }
            Event::ClaimAnswered(worker) => {
                let Process::Claiming { attempt } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Working { attempt };
            }
            Event::Compare(_) => {
                next.change_unflushed(self.server_dies);
                next.row.take_away(Outcome::Released);
            }
            Event::Commit(worker) => {
                let Process::Working { attempt } = state.process[worker] else {
                    return None;
                };
                let applied = if !self.fenced || self.accepts(state, worker, attempt) {
                    if state.row.job != Job::Completed {
                        next.unflushed.clear();
                        next.row.job = Job::Completed;
                        next.row.history.push((attempt, Outcome::Completed(worker)));
                    }
                    // Without a fence nobody can tell a late end from the one that was recorded.
                    next.effects.push((worker, attempt));
                    true
                } else {
                    // The end of this very attempt may be there already: its answer was lost.
                    state.row.history.iter().any(|over| match *over {
                        (number, Outcome::Completed(by)) => {
                            number == attempt && (by == worker || !self.names_worker)
                        }
                        _ => false,
                    })
                };
                next.process[worker] = Process::Committed { attempt, applied };
            }
            Event::ClaimForgotten(worker) | Event::CommitAnswered(worker) => {
                next.process[worker] = Process::Idle;
            }
            Event::CommitForgotten(worker) => {
                let Process::Committed { attempt, .. } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Working { attempt };
            }
            Event::LeaseEnds(worker) => {
                next.unflushed.clear();
                next.live[worker] = false;
                if !self.sweeps_always
                    && matches!(state.row.job, Job::Running { by, .. } if by == worker)
                {
                    next.row.take_away(Outcome::Lost);
                }
            }
            Event::Sweep => {
                next.unflushed.clear();
                next.row.take_away(Outcome::Lost);
            }
            Event::HeartbeatRefused(worker) => {
                next.unflushed.clear();
                next.live[worker] = true;
                next.life[worker] += 1;
                next.process[worker] = Process::Idle;
            }
            Event::ForceRetry => {
                next.unflushed.clear();
                next.row.take_away(Outcome::Superseded);
            }
            Event::Crash(worker) => next.process[worker] = Process::Dead,
            Event::ServerDies(kept) => {
                next.row = state.unflushed.get(kept)?.clone();
                next.unflushed.clear();
                next.server_died = true;
            }
        }
        Some(next)
    }

    fn within_boundary(&self, state: &Claims) -> bool {
        // Two effects refute the model; without a fence there would be ever more.
        state.effects.len() <= 2
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(TWICE, |_, state: &Claims| state.effects.len() <= 1),
            Property::always(
                "a completed job has its effect, and no other has one",
                |_, state: &Claims| (state.row.job == Job::Completed) == (state.effects.len() == 1),
            ),
            Property::always(TOLD, |_, state: &Claims| {
                (0..WORKERS).all(|worker| match state.process[worker] {
                    Process::Committed { attempt, applied } => {
                        applied == state.effects.contains(&(worker, attempt))
                    }
                    _ => true,
                })
            }),
            Property::always("the history explains the job", |_, state: &Claims| {
                state.is_explained()
            }),
            Property::always(STUCK, |model: &Self, state: &Claims| {
                let mut events = Vec::new();
                model.actions(state, &mut events);
                // Neither misfortune nor an operator may be what the work waits for.
                events.retain(|event| {
                    !matches!(
                        event,
                        Event::Crash(_) | Event::ForceRetry | Event::ServerDies(_)
                    )
                });
                !events.is_empty() || state.row.job == Job::Completed
            }),
            Property::sometimes("an attempt is late", |_, state: &Claims| {
                state
                    .process
                    .iter()
                    .any(|process| matches!(process, Process::Committed { applied: false, .. }))
            }),
            Property::sometimes(
                "the last disturbed attempt completes the job",
                |model: &Self, state: &Claims| matches!(state.effects[..], [(_, attempt)] if attempt == model.most_claims),
            ),
            Property::sometimes(
                "a claim commits after its worker was declared lost",
                |_, state: &Claims| match state.row.job {
                    Job::Running { by, life } => {
                        !state.is_live(by, life)
                            && matches!(state.process[by], Process::Claiming { .. })
                    }
                    _ => false,
                },
            ),
        ];
        if self.server_dies {
            properties.push(Property::sometimes(
                "two workers run one attempt, and the one that holds it is not the first to end",
                |_, state: &Claims| {
                    let attempt = state.row.attempt;
                    (0..WORKERS).any(|worker| {
                        state.holds(worker, attempt)
                            && state.process[worker] == Process::Working { attempt }
                            && state.process.contains(&Process::Committed {
                                attempt,
                                applied: false,
                            })
                    })
                },
            ));
        }
        properties
    }
}

pub(super) const TWICE: &str = "nothing takes effect twice";
pub(super) const TOLD: &str = "a worker is told the truth about its end";
pub(super) const STUCK: &str = "work that can go no further is done";

impl ClaimProtocol {
    /// Whether this end is that of the attempt that the database takes for the current one.
    fn accepts(&self, state: &Claims, worker: usize, attempt: u8) -> bool {
        match state.row.job {
            Job::Running { by, .. } => {
                state.row.attempt == attempt && (by == worker || !self.names_worker)
            }
            _ => false,
        }
    }
}

impl Claims {
    fn holds(&self, worker: usize, attempt: u8) -> bool {
        HONEST.accepts(self, worker, attempt)
    }

    fn is_live(&self, worker: usize, life: u8) -> bool {
        self.live[worker] && self.life[worker] == life
    }

    /// The row is about to be changed in a way that the server may forget. It dies once in a history.
    fn change_unflushed(&mut self, server_dies: bool) {
        if server_dies && !self.server_died {
            self.unflushed.push(self.row.clone());
        }
    }

    /// Every claim that is over has exactly one row, and only the last one of a completed job completed.
    fn is_explained(&self) -> bool {
        let Row {
            job,
            attempt,
            history,
        } = &self.row;
        let over = attempt - u8::from(matches!(job, Job::Running { .. }));
        let mut attempts: Vec<u8> = history.iter().map(|(attempt, _)| *attempt).collect();
        attempts.sort_unstable();
        let completed: Vec<(usize, u8)> = history
            .iter()
            .filter_map(|(attempt, outcome)| match outcome {
                Outcome::Completed(by) => Some((*by, *attempt)),
                _ => None,
            })
            .collect();
        attempts == (1..=over).collect::<Vec<_>>() && completed == self.effects
    }
}

impl Row {
    fn take_away(&mut self, outcome: Outcome) {
        self.job = Job::Available;
        self.history.push((self.attempt, outcome));
    }
}
