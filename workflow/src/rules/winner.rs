//! What `winner.json` says.
//!
//! Source: judge, section 9 (finalization); collection-and-rounds, weakness W1: a round without submissions writes it too.
//! Policy: such a round is a defence, and the leader's weight decays as after any other.

use schema::files::{Builds, Leaders, Winner};
use schema::{Hotkey, Side};

/// Why the winner cannot be written. Both need an operator: the file is an entry that a later round cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WinnerError {
    /// The winner has no build that could be run.
    #[error("{} won the round, but builds.json has no image for it; repair builds.json and retry", hotkey.short())]
    NoImage {
        /// The winner.
        hotkey: Hotkey,
    },
    /// The leader won and is not known.
    #[error("the leader defended, but leader.json has no entry; repair leader.json and retry")]
    NoLeader,
}

/// `winner.json` of a round that `champion` won.
///
/// A miner's repository, commit and image are those of its build; whether the build's status is `success` is not looked at.
/// The leader's are those of the last entry of `leader.json`, effective yet or not. A round without submissions is won by
/// [`Side::Leader`].
///
/// # Errors
///
/// [`WinnerError`] if there is no image for the miner or no leader.
pub fn winner_file(
    champion: &Side,
    builds: &Builds,
    leaders: &Leaders,
) -> Result<Winner, WinnerError> {
    match champion {
        Side::Miner(hotkey) => {
            let no_image = || WinnerError::NoImage {
                hotkey: hotkey.clone(),
            };
            let build = builds.get(hotkey).ok_or_else(no_image)?;
            Ok(Winner {
                winner_hotkey: champion.clone(),
                repo: build.repo.clone(),
                commit: build.commit.clone(),
                docker_image: build.docker_image.clone().ok_or_else(no_image)?,
            })
        }
        Side::Leader => {
            let latest = leaders.latest().ok_or(WinnerError::NoLeader)?;
            Ok(Winner {
                winner_hotkey: Side::Leader,
                repo: latest.repo.clone(),
                commit: latest.commit.clone(),
                docker_image: latest.docker.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use schema::StateFile;

    use super::*;

    fn builds() -> Builds {
        Builds::parse(
            "builds.json",
            include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/0/builds.json"),
        )
        .unwrap()
    }

    fn leaders() -> Leaders {
        Leaders::parse(
            "leader.json",
            include_bytes!("../../../schema/tests/fixtures/competition-0/leader.json"),
        )
        .unwrap()
    }

    #[test]
    fn a_miners_file_is_the_published_one() {
        let published =
            include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/0/winner.json");
        let champion = Winner::parse("winner.json", published)
            .unwrap()
            .winner_hotkey;
        assert_eq!(
            winner_file(&champion, &builds(), &leaders())
                .unwrap()
                .to_bytes(),
            published
        );
    }

    #[test]
    fn a_defended_leaders_file_is_the_published_one() {
        let published =
            include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/1/winner.json");
        let known_then = Leaders(leaders().0[..2].to_vec());
        assert_eq!(
            winner_file(&Side::Leader, &Builds::default(), &known_then)
                .unwrap()
                .to_bytes(),
            published
        );
    }

    #[test]
    fn a_winner_without_an_image_is_an_error_that_says_what_to_repair() {
        let without_image = builds()
            .iter()
            .find(|(_, build)| build.docker_image.is_none())
            .unwrap()
            .0
            .clone();
        for hotkey in [without_image, Hotkey::new("5Unknown")] {
            let error =
                winner_file(&Side::Miner(hotkey.clone()), &builds(), &leaders()).unwrap_err();
            assert_eq!(error, WinnerError::NoImage { hotkey });
        }
        assert_eq!(
            winner_file(&Side::Leader, &builds(), &Leaders::default()),
            Err(WinnerError::NoLeader)
        );
    }
}
