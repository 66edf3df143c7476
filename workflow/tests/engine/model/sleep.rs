//! A flow falls asleep while its children end: no wake-up is lost, and none is wasted.

use stateright::{Checker, Model, Property};

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
