//! The cast: the miners of a rehearsal, each with a skill and a way of behaving.
//!
//! The first six are one of each kind that a round must tell apart, and the first of them must win:
//!
//! | behaviour | what it does | what must become of it |
//! |---|---|---|
//! | [`Behaviour::Good`] | high skill, delivers all, regenerates the same | wins the round |
//! | [`Behaviour::Dishonest`] | submits perfect modules that its image cannot make | looks best, then fails its audit |
//! | [`Behaviour::MissingFiles`] | about half of its files answer 404 | loses those prompts, and those only |
//! | [`Behaviour::InvalidModule`] | about half of its modules each break a rule | loses those prompts by a named rule |
//! | [`Behaviour::EndlessLoop`] | about a third of its modules never return | loses those prompts as `TIMEOUT_EXCEEDED` |
//! | [`Behaviour::Late`] | the best skill of all, revealed after the window | is not accepted |
//!
//! Beyond six come the crowd: mediocre miners, unsteady ones whose repeats differ, and one kind that paints text on its
//! models ([`Behaviour::PaintedText`]) to steer the judge. Everything follows from the world's seed.

mod cast;
mod generator;
mod hostile;
#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod tests;

pub use cast::{Cast, CastLeader, CastMiner};
pub use generator::CastGenerator;
pub use hostile::InvalidKind;

/// How a miner behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Delivers everything; its image makes what it submitted.
    Good,
    /// As [`Behaviour::Good`], with less skill.
    Mediocre,
    /// Honest, but its image makes slightly different modules each time, of the same quality.
    Unsteady,
    /// About half of its files answer 404; its image fails on the same prompts.
    MissingFiles,
    /// About half of its modules break a rule, each one of [`InvalidKind`].
    InvalidModule,
    /// About a third of its modules loop for ever.
    EndlessLoop,
    /// Submits modules made with perfect skill; its image has little.
    Dishonest,
    /// Reveals its submission after the window has closed. Its files are there.
    Late,
    /// Little skill, and a strip that stands for text on every model.
    PaintedText,
}

/// When a miner's commitment is revealed on chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reveal {
    /// Within the reveal window, this share (0 to 1) of the way through it.
    InWindow {
        /// 0 is the first block of the window, 1 the last.
        share: f64,
    },
    /// This many blocks after the last block of the window.
    AfterWindow {
        /// At least 1.
        blocks: u64,
    },
}
