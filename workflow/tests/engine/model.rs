//! The protocols of claims and of sleep, checked exhaustively: every order of every step of three workers, with crashes,
//! expired leases and lost answers. Each model has a broken twin, which the checker must refute: a checker that accepts
//! everything proves nothing.

use stateright::{Checker, Model, Property};

// --- Claim, heartbeat, complete, expire -----------------------------------------------------------------------------------

const WORKERS: usize = 3;
/// Claims in one history; enough for each worker to lose the job once and for one to have it twice.
const MOST_CLAIMS: u8 = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Job {
    Available,
    Running { by: usize },
    Completed,
}

/// What a worker's process knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Process {
    Idle,
    /// Its claim was committed, the answer is on its way or lost.
    Claiming {
        attempt: u8,
    },
    /// A handler runs.
    Handling {
        attempt: u8,
    },
    /// The handler is done; its end is being committed, perhaps for the second time.
    Committing {
        attempt: u8,
    },
    /// The end is committed, the answer is on its way or lost.
    Committed {
        attempt: u8,
        applied: bool,
    },
    /// It was told what became of its end.
    Told {
        attempt: u8,
        applied: bool,
    },
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Claims {
    job: Job,
    /// Rises at every claim.
    attempt: u8,
    /// Whether the database takes a worker for alive. A live process may be declared lost: its heartbeat does not arrive.
    live: [bool; WORKERS],
    process: [Process; WORKERS],
    /// Attempts whose end changed something.
    effects: Vec<u8>,
    /// Rows of the history: attempt, and whether it ended itself or was declared lost or given back.
    history: Vec<(u8, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Event {
    Claim(usize),
    ClaimAnswered(usize),
    /// The answer to a claim is lost; the worker compares what it holds with the database and gives the job back.
    ClaimForgotten(usize),
    HandlerEnds(usize),
    Commit(usize),
    CommitAnswered(usize),
    /// The answer to a commit is lost; the worker commits again.
    CommitForgotten(usize),
    /// The lease ends, whether the process lives or not, and a sweep gives its job to others.
    LeaseEnds(usize),
    /// The heartbeat learns that the worker was declared lost: handlers stop, a new life begins.
    HeartbeatRefused(usize),
    Crash(usize),
}

struct ClaimProtocol {
    /// Whether a commit names its attempt and changes nothing when it is no longer the current one.
    fenced: bool,
    /// Whether a worker compares what it holds with what the database says it holds.
    compares: bool,
}

impl Model for ClaimProtocol {
    type State = Claims;
    type Action = Event;

    fn init_states(&self) -> Vec<Claims> {
        vec![Claims {
            job: Job::Available,
            attempt: 0,
            live: [true; WORKERS],
            process: [const { Process::Idle }; WORKERS],
            effects: Vec::new(),
            history: Vec::new(),
        }]
    }

    fn actions(&self, state: &Claims, events: &mut Vec<Event>) {
        for worker in 0..WORKERS {
            match state.process[worker] {
                Process::Idle => {
                    // One worker, the last, never dies and never loses its lease: somebody must be there to finish.
                    if state.live[worker]
                        && state.job == Job::Available
                        && (state.attempt < MOST_CLAIMS || worker == WORKERS - 1)
                    {
                        events.push(Event::Claim(worker));
                    }
                }
                Process::Claiming { .. } => {
                    events.push(Event::ClaimAnswered(worker));
                    if state.attempt < MOST_CLAIMS {
                        events.push(Event::ClaimForgotten(worker));
                    }
                }
                Process::Handling { .. } => events.push(Event::HandlerEnds(worker)),
                Process::Committing { .. } => events.push(Event::Commit(worker)),
                Process::Committed { .. } => {
                    events.push(Event::CommitAnswered(worker));
                    events.push(Event::CommitForgotten(worker));
                }
                Process::Told { .. } | Process::Dead => {}
            }
            if worker < WORKERS - 1 {
                if state.live[worker] {
                    events.push(Event::LeaseEnds(worker));
                } else if state.process[worker] != Process::Dead {
                    events.push(Event::HeartbeatRefused(worker));
                }
                if state.process[worker] != Process::Dead {
                    events.push(Event::Crash(worker));
                }
            }
        }
    }

    fn next_state(&self, state: &Claims, event: Event) -> Option<Claims> {
        let mut next = state.clone();
        match event {
            Event::Claim(worker) => {
                next.attempt += 1;
                next.job = Job::Running { by: worker };
                next.process[worker] = Process::Claiming {
                    attempt: next.attempt,
                };
            }
            Event::ClaimAnswered(worker) => {
                let Process::Claiming { attempt } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Handling { attempt };
            }
            Event::ClaimForgotten(worker) => {
                let Process::Claiming { attempt } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Idle;
                if self.compares && state.is_held(worker, attempt) {
                    next.job = Job::Available;
                    next.history.push((attempt, false));
                }
            }
            Event::HandlerEnds(worker) => {
                let Process::Handling { attempt } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Committing { attempt };
            }
            Event::Commit(worker) => {
                let Process::Committing { attempt } = state.process[worker] else {
                    return None;
                };
                let applied = if state.is_held(worker, attempt)
                    || (!self.fenced && state.job != Job::Completed)
                {
                    next.job = Job::Completed;
                    next.effects.push(attempt);
                    next.history.push((attempt, true));
                    true
                } else if !self.fenced {
                    // Without a fence nobody can tell a late end from the one that was recorded.
                    next.effects.push(attempt);
                    true
                } else {
                    // The end of this very attempt may be there already: its answer was lost.
                    state.history.contains(&(attempt, true))
                };
                next.process[worker] = Process::Committed { attempt, applied };
            }
            Event::CommitAnswered(worker) => {
                let Process::Committed { attempt, applied } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Told { attempt, applied };
            }
            Event::CommitForgotten(worker) => {
                let Process::Committed { attempt, .. } = state.process[worker] else {
                    return None;
                };
                next.process[worker] = Process::Committing { attempt };
            }
            Event::LeaseEnds(worker) => {
                next.live[worker] = false;
                if state.job == (Job::Running { by: worker }) {
                    next.job = Job::Available;
                    next.history.push((state.attempt, false));
                }
            }
            Event::HeartbeatRefused(worker) => {
                next.live[worker] = true;
                next.process[worker] = Process::Idle;
                // A new life is a new worker: its claims are not those of the old one. Once is enough to see.
                if state.attempt >= MOST_CLAIMS {
                    next.process[worker] = Process::Dead;
                }
            }
            Event::Crash(worker) => next.process[worker] = Process::Dead,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing takes effect twice", |_, state: &Claims| {
                state.effects.len() <= 1
            }),
            Property::always(
                "a completed job has its effect, and no other has one",
                |_, state: &Claims| (state.job == Job::Completed) == (state.effects.len() == 1),
            ),
            Property::always(
                "a worker is told the truth about its end",
                |_, state: &Claims| {
                    state.process.iter().all(|process| match process {
                        Process::Told { attempt, applied } => {
                            *applied == state.effects.contains(attempt)
                        }
                        _ => true,
                    })
                },
            ),
            Property::always("the history explains the job", |_, state: &Claims| {
                state.is_explained()
            }),
            Property::always(
                "work that can go no further is done",
                |model: &Self, state: &Claims| {
                    let mut events = Vec::new();
                    model.actions(state, &mut events);
                    !events.is_empty() || state.job == Job::Completed
                },
            ),
            Property::sometimes("an attempt is late", |_, state: &Claims| {
                state
                    .process
                    .iter()
                    .any(|process| matches!(process, Process::Told { applied: false, .. }))
            }),
            Property::sometimes(
                "the fourth attempt completes the job",
                |_, state: &Claims| state.effects == [4],
            ),
        ]
    }
}

impl Claims {
    fn is_held(&self, worker: usize, attempt: u8) -> bool {
        self.job == (Job::Running { by: worker }) && self.attempt == attempt
    }

    /// Every claim that is over has exactly one row, and only the last one of a completed job completed.
    fn is_explained(&self) -> bool {
        let over = if matches!(self.job, Job::Running { .. }) {
            self.attempt - 1
        } else {
            self.attempt
        };
        let mut attempts: Vec<u8> = self.history.iter().map(|(attempt, _)| *attempt).collect();
        attempts.sort_unstable();
        let completed: Vec<u8> = self
            .history
            .iter()
            .filter(|(_, ended)| *ended)
            .map(|(attempt, _)| *attempt)
            .collect();
        attempts == (1..=over).collect::<Vec<_>>() && completed == self.effects
    }
}

#[test]
fn claims_are_exact_in_every_order_of_crashes_expiries_and_lost_answers() {
    let checker = ClaimProtocol {
        fenced: true,
        compares: true,
    }
    .checker()
    .threads(2)
    .spawn_bfs()
    .join();
    checker.assert_properties();
    assert!(
        checker.unique_state_count() > 10_000,
        "only {} states were looked at",
        checker.unique_state_count()
    );
}

#[test]
fn the_checker_refutes_claims_without_a_fence() {
    let checker = ClaimProtocol {
        fenced: false,
        compares: true,
    }
    .checker()
    .spawn_bfs()
    .join();
    let path = checker
        .discovery("nothing takes effect twice")
        .expect("two workers complete the same job");
    let commits = path
        .into_actions()
        .into_iter()
        .filter(|event| matches!(event, Event::Commit(_)))
        .count();
    assert_eq!(commits, 2, "the shortest way there is a second commit");
}

#[test]
fn the_checker_refutes_workers_that_do_not_compare_what_they_hold() {
    let checker = ClaimProtocol {
        fenced: true,
        compares: false,
    }
    .checker()
    .spawn_bfs()
    .join();
    let stuck = checker
        .discovery("work that can go no further is done")
        .expect("a job that nobody knows to be running");
    assert!(
        stuck
            .into_actions()
            .iter()
            .any(|event| matches!(event, Event::ClaimForgotten(_)))
    );
}

// --- A flow falls asleep while its children end ---------------------------------------------------------------------------

const CHILDREN: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Sleeper {
    Available,
    /// A pass runs; it has seen these children ended.
    Running {
        seen: [bool; CHILDREN],
    },
    Waiting,
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sleep {
    flow: Sleeper,
    woken: bool,
    /// Children of the join that have not ended, as counted down by those that have.
    open: usize,
    ended: [bool; CHILDREN],
    passes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Moment {
    PassBegins,
    PassEnds,
    ChildEnds(usize),
}

/// A flow that joins all its children: each end is one transaction under the lock of the flow's row, and so is the end of a
/// pass.
struct SleepProtocol {
    /// Whether a child that ends while the flow runs leaves a mark.
    marks: bool,
}

impl Model for SleepProtocol {
    type State = Sleep;
    type Action = Moment;

    fn init_states(&self) -> Vec<Sleep> {
        // The first pass has just started the children, and something else wakes the flow at any time.
        let state = |flow| Sleep {
            flow,
            woken: false,
            open: CHILDREN,
            ended: [false; CHILDREN],
            passes: 1,
        };
        vec![state(Sleeper::Waiting), state(Sleeper::Available)]
    }

    fn actions(&self, state: &Sleep, moments: &mut Vec<Moment>) {
        match state.flow {
            Sleeper::Available => moments.push(Moment::PassBegins),
            Sleeper::Running { .. } => moments.push(Moment::PassEnds),
            Sleeper::Waiting | Sleeper::Done => {}
        }
        moments.extend(
            (0..CHILDREN)
                .filter(|child| !state.ended[*child])
                .map(Moment::ChildEnds),
        );
    }

    fn next_state(&self, state: &Sleep, moment: Moment) -> Option<Sleep> {
        let mut next = state.clone();
        match moment {
            Moment::PassBegins => {
                next.flow = Sleeper::Running { seen: state.ended };
                next.woken = false;
                next.passes += 1;
            }
            Moment::PassEnds => {
                let Sleeper::Running { seen } = state.flow else {
                    return None;
                };
                next.flow = if seen.iter().all(|seen| *seen) {
                    Sleeper::Done
                } else if state.woken {
                    Sleeper::Available
                } else {
                    Sleeper::Waiting
                };
            }
            Moment::ChildEnds(child) => {
                next.ended[child] = true;
                next.open -= 1;
                if next.open == 0 {
                    match state.flow {
                        Sleeper::Waiting => next.flow = Sleeper::Available,
                        Sleeper::Running { .. } if self.marks => next.woken = true,
                        _ => {}
                    }
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "a flow whose children have ended does not sleep",
                |_, state: &Sleep| {
                    !(state.ended == [true; CHILDREN] && state.flow == Sleeper::Waiting)
                },
            ),
            Property::always(
                "the children cost the flow one wake-up",
                |_, state: &Sleep| state.passes <= 3,
            ),
            Property::sometimes("the flow is done", |_, state: &Sleep| {
                state.flow == Sleeper::Done
            }),
        ]
    }
}

#[test]
fn no_wake_up_is_lost_between_a_pass_and_its_children() {
    SleepProtocol { marks: true }
        .checker()
        .spawn_bfs()
        .join()
        .assert_properties();
}

#[test]
fn the_checker_refutes_sleep_without_the_mark() {
    let checker = SleepProtocol { marks: false }.checker().spawn_bfs().join();
    assert!(
        checker
            .discovery("a flow whose children have ended does not sleep")
            .is_some()
    );
}
