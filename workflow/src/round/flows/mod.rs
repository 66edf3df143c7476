//! The flows of a round, one a file.

mod builds;
mod compare;
mod duel;
mod fingerprints;
mod matches;
mod pods;
mod prepare;
mod regeneration;
mod round;
mod tournament;

pub use builds::{Build, BuildInput, Builds, BuildsInput};
pub use compare::{Compare, CompareInput};
pub use duel::{DuelFlow, DuelInput};
pub use fingerprints::{Fingerprints, FingerprintsInput};
pub use matches::{Match, MatchInput, MatchOutput};
pub use prepare::{Prepare, PrepareInput};
pub use regeneration::{Regeneration, RegenerationInput, RegenerationOutput};
pub use round::{Round, RoundOutput};
pub use tournament::{Tournament, TournamentInput, tournament_key};
