//! Who judges, and what a verdict is bound to.

use schema::{
    RoundNumber,
    files::report::{DuelDetail, DuelWinner},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    round::entry::Prompt,
    rules::{duel::DuelThresholds, questions},
};

/// The judge of a match: fixed when its first duel starts, so that no match is judged by two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// Name of the model at its server.
    pub model: String,
    /// Version of the texts.
    pub questions: u32,
    /// Their digest, hexadecimal.
    pub questions_sha256: String,
    /// What a duel is decided by.
    pub thresholds: DuelThresholds,
}

impl Judge {
    /// The judge of new matches: the texts of this build, and what the operator has set.
    pub fn new(model: impl Into<String>, thresholds: DuelThresholds) -> Self {
        Self {
            model: model.into(),
            questions: questions::VERSION,
            questions_sha256: questions::sha256(questions::VERSION).unwrap_or_default(),
            thresholds,
        }
    }
}

/// The duels of one pair: a match of the tournament, or an audit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pairing {
    /// Round.
    pub round: RoundNumber,
    /// `matches` or `audits`.
    pub matrix: String,
    /// Left side as in the matrix: `leader`, a hotkey, `submitted_{r}` or `{defender}_{r}`.
    pub left: String,
    /// The challenger, or the audited miner.
    pub right: String,
}

impl Pairing {
    /// The matrix of the tournament.
    pub const MATCHES: &str = "matches";
    /// The matrix of the audits.
    pub const AUDITS: &str = "audits";
}

/// One side of a duel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuelSide {
    /// Module URL.
    pub js: Option<String>,
    /// Views prefix; without one there is nothing to look at.
    pub views: Option<String>,
    /// Digest of the module.
    pub module_sha256: Option<String>,
    /// Digest of all objects of the views.
    pub pictures_sha256: Option<String>,
    /// Digest of the prompt's image that the views were embedded with.
    pub prompt_sha256: Option<String>,
}

/// Everything that a verdict depends on. Two duels with one binding have one verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The prompt.
    pub prompt: Prompt,
    /// Defender.
    pub left: DuelSide,
    /// Challenger.
    pub right: DuelSide,
    /// The round's seed.
    pub seed: u32,
    /// 0 for the measurement that counts, 1 and up for repeated ones, which are published beside it.
    pub run: u32,
    /// 0, and one more for each time that an operator has the match judged anew.
    pub judgement: u32,
    /// The judge.
    pub judge: Judge,
}

impl Bound {
    /// The digest of all of it, hexadecimal.
    pub fn binding(&self) -> String {
        // Struct fields are written in their order, so equal values give equal bytes.
        let bytes = serde_json::to_vec(self).expect("strings and numbers can be written as JSON");
        hex::encode(Sha256::digest(bytes))
    }
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuelOutput {
    /// Who won.
    pub winner: DuelWinner,
    /// Why, as published.
    pub detail: DuelDetail,
}

impl DuelOutput {
    /// The words for what decided.
    pub fn decided_by(&self) -> &str {
        match &self.detail {
            DuelDetail::MissingViews { reason } => reason,
            DuelDetail::Judged(judged) => &judged.decided_by,
            DuelDetail::Other(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        let side = |pictures: &str| DuelSide {
            views: Some("https://cdn/x".to_owned()),
            pictures_sha256: Some(pictures.to_owned()),
            ..DuelSide::default()
        };
        Bound {
            prompt: Prompt::of_url("https://prompts/chair.png"),
            left: side("aa"),
            right: side("bb"),
            seed: 7,
            run: 0,
            judgement: 0,
            judge: Judge::new("glm", DuelThresholds::default()),
        }
    }

    #[test]
    fn a_verdict_is_bound_to_everything_it_depends_on() {
        let mut bindings = vec![bound().binding()];
        let mut with = |change: &dyn Fn(&mut Bound)| {
            let mut changed = bound();
            change(&mut changed);
            bindings.push(changed.binding());
        };
        with(&|bound| bound.left.pictures_sha256 = Some("ab".to_owned()));
        with(&|bound| bound.right.pictures_sha256 = Some("ab".to_owned()));
        with(&|bound| bound.left.prompt_sha256 = Some("cc".to_owned()));
        with(&|bound| bound.prompt.url.push('x'));
        with(&|bound| bound.seed += 1);
        with(&|bound| bound.run += 1);
        with(&|bound| bound.judgement += 1);
        with(&|bound| bound.judge.model.push('x'));
        with(&|bound| bound.judge.questions_sha256.push('x'));
        with(&|bound| bound.judge.thresholds.front_draw_gap += 0.1);
        let different: std::collections::HashSet<&String> = bindings.iter().collect();
        assert_eq!(different.len(), bindings.len());
        assert_eq!(bound().binding(), bindings[0], "and to nothing else");
    }
}
