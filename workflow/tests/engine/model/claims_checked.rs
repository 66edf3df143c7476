//! The claim protocol and its broken twins before the checker.

use stateright::{Checker as _, Model as _};

use super::claims::{ClaimProtocol, Event, FORGETFUL, HONEST, STUCK, TOLD, TWICE};

#[test]
fn claims_are_exact_in_every_order_of_crashes_expiries_and_lost_answers() {
    let checker = HONEST.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    // As many as there are: a model that lost half of its world would prove half as much.
    assert!(
        checker.unique_state_count() > 500_000,
        "only {} states were looked at",
        checker.unique_state_count()
    );
}

#[test]
fn claims_are_exact_on_a_server_that_forgets_what_it_had_not_flushed() {
    let checker = FORGETFUL.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(
        checker.unique_state_count() > 100_000,
        "only {} states were looked at",
        checker.unique_state_count()
    );
}

/// The events on the shortest way to where `broken` violates `property`.
fn refuted(broken: ClaimProtocol, property: &'static str) -> Vec<Event> {
    let checker = broken
        .checker()
        .finish_when(stateright::HasDiscoveries::AnyOf([property].into()))
        .spawn_bfs()
        .join();
    checker
        .discovery(property)
        .unwrap_or_else(|| panic!("the checker accepts the broken twin: {property}"))
        .into_actions()
}

#[test]
fn the_checker_refutes_claims_without_a_fence() {
    let way = refuted(
        ClaimProtocol {
            fenced: false,
            ..HONEST
        },
        TWICE,
    );
    let commits = way
        .iter()
        .filter(|event| matches!(event, Event::Commit(_)))
        .count();
    assert_eq!(commits, 2, "the shortest way there is a second commit");
}

#[test]
fn the_checker_refutes_workers_that_do_not_compare_what_they_hold() {
    let way = refuted(
        ClaimProtocol {
            compares: false,
            ..HONEST
        },
        STUCK,
    );
    assert!(
        way.iter()
            .any(|event| matches!(event, Event::ClaimForgotten(_))),
        "a job that nobody knows to be running: {way:?}"
    );
}

#[test]
fn the_checker_refutes_sweeps_that_look_only_once() {
    let way = refuted(
        ClaimProtocol {
            sweeps_always: false,
            ..HONEST
        },
        STUCK,
    );
    let place = |wanted: fn(&Event) -> bool| way.iter().position(wanted);
    assert!(
        place(|event| matches!(event, Event::LeaseEnds(_)))
            < place(|event| matches!(event, Event::Claim(_))),
        "the claim commits after the sweep has looked: {way:?}"
    );
}

#[test]
fn the_checker_refutes_ends_that_do_not_name_their_worker() {
    let way = refuted(
        ClaimProtocol {
            names_worker: false,
            ..FORGETFUL
        },
        TOLD,
    );
    assert!(
        way.iter()
            .any(|event| matches!(event, Event::ServerDies(_))),
        "a forgotten claim's number is given out again: {way:?}"
    );
}
