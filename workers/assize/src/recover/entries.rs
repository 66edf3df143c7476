//! Submitted entries: what came of each prompt of each miner.

use schema::{
    Hotkey, Side,
    files::{Generation, Submission},
};
use workflow::{
    db::recovered::Recovered,
    round::{
        entry::Prompt,
        flows::{Prepare, PrepareInput},
        steps::{Download, DownloadInput, DownloadOutput, Render, RenderInput, RenderOutput},
    },
};

use super::{
    ledger::{EntryKey, KnownModule, Ledger},
    plan::Plan,
    public_round::{PublicRound, PublicSeed},
};

/// Puts back the submitted entries. Those of a round that is decided are settled in any case: nobody looks at them again.
pub(super) fn plan(
    round: &PublicRound,
    seeded: &PublicSeed,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    for (hotkey, submission) in &seeded.submissions {
        let Some(file) = round.submitted.get(hotkey) else {
            continue;
        };
        for prompt in seeded.prompts() {
            let Some(published) = file.get(&prompt.stem) else {
                continue;
            };
            let key = (Side::Miner(hotkey.clone()), 0, prompt.stem.clone());
            if submitted(round, (hotkey, submission), &prompt, published, &key, plan)? {
                plan.entries += 1;
            } else if round.winner.is_some() {
                let settled = PrepareInput {
                    round: round.number,
                    hotkey: hotkey.clone(),
                    prompt,
                    cdn_url: submission.cdn_url.clone(),
                };
                let is_drawn = published.views.is_some();
                plan.jobs
                    .push(Recovered::flow::<Prepare>(&settled, &is_drawn)?);
            } else {
                plan.fetched_again += 1;
            }
        }
    }
    Ok(())
}

/// One entry; whether the repository tells all about it.
fn submitted(
    round: &PublicRound,
    (hotkey, submission): (&Hotkey, &Submission),
    prompt: &Prompt,
    published: &Generation,
    key: &EntryKey,
    plan: &mut Plan,
) -> anyhow::Result<bool> {
    let prepare = PrepareInput {
        round: round.number,
        hotkey: hotkey.clone(),
        prompt: prompt.clone(),
        cdn_url: submission.cdn_url.clone(),
    };
    let download = DownloadInput {
        round: round.number,
        hotkey: hotkey.clone(),
        stem: prompt.stem.clone(),
        cdn_url: submission.cdn_url.clone(),
    };
    let Some(url) = &published.js else {
        let Some(reason) = published.failure_reason.clone() else {
            return Ok(false);
        };
        let missing = DownloadOutput::Missing { reason };
        plan.jobs
            .push(Recovered::step::<Download>(&download, &missing)?);
        plan.jobs
            .push(Recovered::flow::<Prepare>(&prepare, &false)?);
        return Ok(true);
    };
    let Some((known, output)) = rendered(&round.ledger, key, url, published) else {
        return Ok(false);
    };
    let is_drawn = matches!(output, RenderOutput::Rendered { .. });
    let render = RenderInput {
        entry: download.entry(),
        prompt: prompt.clone(),
        module: known.module.clone(),
        again: 0,
    };
    let stored = DownloadOutput::Stored {
        module: known.module.clone(),
    };
    plan.jobs
        .push(Recovered::step::<Download>(&download, &stored)?);
    plan.jobs.push(Recovered::step::<Render>(&render, &output)?);
    plan.jobs
        .push(Recovered::flow::<Prepare>(&prepare, &is_drawn)?);
    Ok(true)
}

/// What drawing a module answered; none if the ledger does not tell enough, so that it is drawn again.
pub(super) fn rendered<'a>(
    ledger: &'a Ledger,
    key: &EntryKey,
    url: &str,
    published: &Generation,
) -> Option<(&'a KnownModule, RenderOutput)> {
    let known = ledger
        .modules
        .get(key)
        .filter(|known| known.module.url == url)?;
    let output = match &published.views {
        Some(views) => {
            let pictures = known.pictures.as_ref()?;
            RenderOutput::Rendered {
                views: views.clone(),
                document_sha256: known.document_sha256.clone()?,
                renderer_version: known.renderer.clone().unwrap_or_default(),
                pictures_sha256: pictures.sha256.clone(),
                pictures_size: pictures.size,
                prompt_sha256: known.prompt_sha256.clone()?,
            }
        }
        None => RenderOutput::Rejected {
            faults: ledger.faults.get(key)?.clone(),
        },
    };
    Some((known, output))
}
