//! What the repository shows of its current round.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use schema::{
    Hotkey, RoundNumber, Side, Stage,
    files::{
        AuditRequests, Build, BuildStatus, Builds, Config, GenerationAudits, GenerationReports,
        Generations, Leaders, MatchReport, Matrix, Prompts, Schedule, Seed, State, Submissions,
        Winner,
    },
    paths::{self, StatePath, classify},
};
use workflow::{db::records::Record, round::entry::Prompt, rules::seed::SeedProof};

use super::{
    clone::StateClone,
    ledger::{Ledger, earlier_image},
};
use crate::git_sync::{LARGEST_KEPT_BYTES, is_kept};

/// The current round as published.
pub(super) struct PublicRound {
    /// The commit all this is from.
    pub(super) commit: String,
    pub(super) number: RoundNumber,
    /// The stage the round has reached; never `paused`.
    pub(super) stage: Stage,
    /// Whether people hold it there.
    pub(super) is_paused: bool,
    /// In force for the whole round.
    pub(super) config: Config,
    pub(super) schedule: Schedule,
    /// The defending leader's, by its digest where an earlier ledger tells it.
    pub(super) leader_image: String,
    /// The row of the build that made it, if its digest is known.
    pub(super) leader_build: Option<Record>,
    pub(super) seeded: Option<PublicSeed>,
    pub(super) builds: Builds,
    pub(super) submitted: BTreeMap<Hotkey, Generations>,
    /// By side and repeat.
    pub(super) generated: BTreeMap<(Side, u32), Generations>,
    pub(super) matches: Matrix,
    pub(super) audits: Matrix,
    /// Match and audit reports by path.
    pub(super) match_reports: HashMap<String, MatchReport>,
    pub(super) generation_reports: GenerationReports,
    pub(super) verdicts: GenerationAudits,
    pub(super) requests: AuditRequests,
    pub(super) winner: Option<Winner>,
    pub(super) ledger: Ledger,
    /// Winners of the rounds before.
    pub(super) earlier: Vec<(RoundNumber, Winner)>,
    /// Files that steps read from the database.
    pub(super) small_files: Vec<(String, Vec<u8>)>,
}

/// What became public with the seed.
pub(super) struct PublicSeed {
    pub(super) proof: SeedProof,
    /// Another service seeded the round, so neither the seed's derivation nor any digest is published.
    pub(super) elsewhere: bool,
    pub(super) prompt_urls: Vec<String>,
    pub(super) submissions: Submissions,
    pub(super) deadline_eta: DateTime<Utc>,
    /// When it was committed.
    pub(super) at: DateTime<Utc>,
}

impl PublicSeed {
    /// The round's prompts.
    pub(super) fn prompts(&self) -> Vec<Prompt> {
        self.prompt_urls
            .iter()
            .map(|url| Prompt::of_url(url))
            .collect()
    }
}

impl PublicRound {
    /// Reads the round that `state.json` names.
    pub(super) fn read(clone: &StateClone) -> anyhow::Result<Self> {
        let state: State = clone.read(&paths::state())?;
        let number = state.current_round;
        let is_paused = state.stage == Stage::Paused;
        let stage = stage_reached(clone, &state)?;
        let ledger = Ledger::read(clone, number)?;
        let config = config(clone, number, &ledger)?;
        let schedule: Schedule = clone.read(&paths::schedule(number))?;
        let seeded = seed(clone, (number, &config, &schedule), &ledger)?;
        let leaders: Leaders = clone.read(&paths::leader())?;
        let leader = leaders
            .latest()
            .context("leader.json has no entry, so nobody can be challenged")?;
        let leader_build = earlier_image(clone, number, &leader.docker)?;
        let leader_image = match &leader_build {
            Some((_, _, digest)) => Build::pinned(&leader.docker, digest),
            None => leader.docker.clone(),
        };
        let leader_build = leader_build.map(|(round, hotkey, digest)| Record::Build {
            round: round.0,
            hotkey: hotkey.to_string(),
            status: BuildStatus::Success.to_string(),
            docker_image: Some(leader.docker.clone()),
            digest: Some(digest),
        });
        let mut round = Self {
            commit: clone.tip().to_string(),
            number,
            stage,
            is_paused,
            config,
            schedule,
            leader_image,
            leader_build,
            seeded,
            builds: clone.find(&paths::builds(number))?.unwrap_or_default(),
            submitted: BTreeMap::new(),
            generated: BTreeMap::new(),
            matches: clone
                .find(&paths::matches_matrix(number))?
                .unwrap_or_default(),
            audits: clone
                .find(&paths::audit_matrix(number))?
                .unwrap_or_default(),
            match_reports: HashMap::new(),
            generation_reports: clone
                .find(&paths::generation_reports(number))?
                .unwrap_or_default(),
            verdicts: clone
                .find(&paths::generation_audits(number))?
                .unwrap_or_default(),
            requests: clone
                .find(&paths::require_audit(number))?
                .unwrap_or_default(),
            winner: clone.find(&paths::winner(number))?,
            ledger,
            earlier: Vec::new(),
            small_files: Vec::new(),
        };
        let all: Vec<String> = clone.paths().map(str::to_owned).collect();
        for path in all {
            round.take(clone, path)?;
        }
        Ok(round)
    }

    /// Sorts one file in.
    fn take(&mut self, clone: &StateClone, path: String) -> anyhow::Result<()> {
        let Some(kind) = classify(&path) else {
            return Ok(());
        };
        if let Some(content) = is_kept(&path)
            .then(|| clone.bytes(&path))
            .transpose()?
            .flatten()
            && content.len() <= LARGEST_KEPT_BYTES
        {
            self.small_files.push((path.clone(), content));
        }
        match kind {
            StatePath::Submitted { round, hotkey } if round == self.number => {
                let file = clone.read(&path)?;
                self.submitted.insert(hotkey, file);
            }
            StatePath::Generated {
                round,
                side,
                repeat,
            } if round == self.number => {
                let file = clone.read(&path)?;
                self.generated.insert((side, repeat), file);
            }
            StatePath::DuelsReport { round, .. } | StatePath::AuditReport { round, .. }
                if round == self.number =>
            {
                let report = clone.read(&path)?;
                self.match_reports.insert(path, report);
            }
            StatePath::Winner(round) if round != self.number => {
                let winner = clone.read(&path)?;
                self.earlier.push((round, winner));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The stage the round has reached, also while people hold it.
fn stage_reached(clone: &StateClone, state: &State) -> anyhow::Result<Stage> {
    if state.stage != Stage::Paused {
        return Ok(state.stage);
    }
    let round = state.current_round;
    // PAUSE_ON_STAGE_END stops a round before a stage that `state.json` never named: what came with it tells which.
    if clone.find::<Winner>(&paths::winner(round))?.is_some() {
        return Ok(Stage::Finalizing);
    }
    let path = paths::state();
    clone
        .versions::<State>(&path)
        .find(|then| then.current_round == round && then.stage != Stage::Paused)
        .map(|then| then.stage)
        .or_else(|| state.next_stage_eta.map(|_| Stage::Open))
        .context("the competition is paused and the history does not tell at which stage; set the stage in state.json first")
}

/// The configuration in force: what the ledger says, else the file when the round was seeded, else the file.
fn config(clone: &StateClone, round: RoundNumber, ledger: &Ledger) -> anyhow::Result<Config> {
    if let Some(config) = &ledger.config {
        return Ok(config.clone());
    }
    let path = paths::config();
    match clone.as_of_first(&paths::seed(round), &path)? {
        Some((config, _)) => Ok(config),
        None => clone.read(&path),
    }
}

fn seed(
    clone: &StateClone,
    (round, config, schedule): (RoundNumber, &Config, &Schedule),
    ledger: &Ledger,
) -> anyhow::Result<Option<PublicSeed>> {
    let path = paths::seed(round);
    let Some(published) = clone.find::<Seed>(&path)? else {
        return Ok(None);
    };
    let elsewhere = ledger.proof.is_none();
    let proof = ledger.proof.clone().unwrap_or_else(|| {
        let block = schedule.latest_reveal_block;
        SeedProof::unpublished(published.seed, block, round, &config.name)
    });
    let prompts: Prompts = clone.read(&paths::prompts(round))?;
    let (then, at) = clone
        .as_of_first::<State>(&path, &paths::state())?
        .with_context(|| {
            format!("the history does not tell when {path} appeared; clone it whole")
        })?;
    Ok(Some(PublicSeed {
        proof,
        elsewhere,
        prompt_urls: prompts.0,
        submissions: clone.read(&paths::submissions(round))?,
        deadline_eta: then.next_stage_eta.unwrap_or(at),
        at,
    }))
}
