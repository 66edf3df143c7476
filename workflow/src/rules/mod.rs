//! The rules of the competition as pure functions: values in, values out. Clock and randomness are arguments; nothing here
//! does I/O or waits.
//!
//! | rule | module | source |
//! |---|---|---|
//! | CPython's random numbers | [`random`] | collection-and-rounds 5.4, 5.5 |
//! | which prompts a round has | [`prompts`] | collection-and-rounds 5.2, 5.3 |
//! | the round's seed, provable | [`seed`] | collection-and-rounds W12 |
//! | who takes part, in which order | [`submissions`] | collection-and-rounds 4.2 to 4.6 |
//! | when rounds start | [`schedule`] | collection-and-rounds 7.1, 7.2 |
//! | who leads, at which weight | [`leader`] | collection-and-rounds 7.3 |
//! | what validators pay | [`weights`] | collection-and-rounds 8.2 to 8.4 |
//! | what became of an image | [`builds`] | generation 3 |
//! | batches and pods of a regeneration | [`regeneration`] | generation 5.3, 5.4 |
//! | when a regeneration disqualifies | [`generation_report`] | generation 6.2 |
//! | how a duel is decided | [`duel`] | judge 4.7 to 4.10 |
//! | the questions of a duel | [`vlm_calls`] | judge 4.4 |
//! | their words | [`questions`] | judge 4.2, 4.6 |
//! | reading the model's answers | [`vlm_answer`], [`call_answer`] | judge 4.3, 4.5 |
//! | margins, walkovers, the win test | [`matches`] | judge 3, 14.3 |
//! | when a match may stop early | [`curtailment`] | judge W14 |
//! | timeline, audits, what to do next | [`tournament`] | judge 7, 8, 13, 14 |
//! | `winner.json` | [`winner`] | judge 9 |
//! | margins in words | [`percent`] | judge 10 |

pub mod builds;
pub mod call_answer;
pub mod curtailment;
pub mod duel;
pub mod generation_report;
pub mod leader;
pub mod matches;
pub mod percent;
pub mod prompts;
pub mod questions;
pub mod random;
pub mod regeneration;
pub mod schedule;
pub mod seed;
pub mod submissions;
pub mod tournament;
pub mod vlm_answer;
pub mod vlm_calls;
pub mod weights;
pub mod winner;
