//! Which prompts the round has, drawn again from its seed.
//!
//! Source: collection-and-rounds, section 5.3.

use std::collections::HashSet;

use schema::{RoundNumber, paths};
use workflow::rules::prompts::{PromptDraw, colliding_stems, draw_prompts};

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;

/// Checks number, repeats and draw of a round's prompts.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    let Some(prompts) = &files.prompts else {
        return;
    };
    let path = paths::prompts(round);
    let urls = prompts.urls();

    let mut seen = HashSet::new();
    let repeated: Vec<&String> = urls.iter().filter(|url| !seen.insert(*url)).collect();
    let stems = colliding_stems(urls);
    record.expect(
        repeated.is_empty() && stems.is_empty(),
        Code::PromptsRepeated,
        Some(round),
        &path,
        || match (repeated.first(), stems.first()) {
            (Some(url), _) => format!("{} prompts stand twice, the first is {url}", repeated.len()),
            (None, Some(stem)) => {
                format!("two prompts share the name {stem}, so their outputs overwrite each other")
            }
            (None, None) => String::new(),
        },
    );

    let (Some(seed), Some(config)) = (files.seed, competition.config_at_start(files)) else {
        return;
    };
    let previous = round
        .previous()
        .and_then(|previous| competition.rounds.get(&previous)?.prompts.as_ref())
        .map(schema::files::Prompts::urls);
    let draw = |pool| PromptDraw {
        seed: seed.seed,
        round,
        pool,
        previous,
        prompts_per_round: config.prompts_per_round as usize,
        carryover_prompts: config.carryover_prompts as usize,
    };

    let pool = files.pool_at_start.as_ref().or(competition.pool.as_ref());
    let Some(pool) = pool else {
        let expected = config.prompts_per_round as usize;
        record.expect(
            urls.len() == expected,
            Code::PromptsCount,
            Some(round),
            &path,
            || {
                format!(
                    "the round has {} prompts, the configuration says {expected}",
                    urls.len()
                )
            },
        );
        // Without a pool only the carried-over prompts are drawn.
        let carried = draw_prompts(PromptDraw {
            prompts_per_round: urls.len(),
            ..draw(&[])
        });
        match carried {
            Ok(carried) => {
                record.expect(
                    urls.starts_with(&carried),
                    Code::PromptsCarryover,
                    Some(round),
                    &path,
                    || carryover_message(urls, &carried),
                );
                record.find(
                    Code::PromptsPoolAbsent,
                    Some(round),
                    path,
                    format!(
                        "prompts.txt is not published: {} carried-over prompts were drawn again, {} new ones cannot be",
                        carried.len(),
                        urls.len().saturating_sub(carried.len())
                    ),
                );
            }
            Err(error) => record.find(Code::PromptsCarryover, Some(round), path, error.to_string()),
        }
        return;
    };
    match draw_prompts(draw(pool)) {
        Ok(expected) => {
            let carried = match previous {
                Some(previous) => (config.carryover_prompts as usize).min(previous.len()),
                None => 0,
            };
            record.expect(
                urls.get(..carried) == expected.get(..carried),
                Code::PromptsCarryover,
                Some(round),
                &path,
                || carryover_message(urls, expected.get(..carried).unwrap_or_default()),
            );
            record.expect(
                urls.get(carried..) == expected.get(carried..),
                Code::PromptsDraw,
                Some(round),
                &path,
                || {
                    let differing = urls.iter().zip(&expected).skip(carried).filter(|(one, other)| one != other).count();
                    format!(
                        "{differing} of {} new prompts are not those that seed {} draws from the {} prompts of the pool",
                        urls.len().saturating_sub(carried),
                        seed.seed,
                        pool.len()
                    )
                },
            );
            record.expect(
                urls.len() == expected.len(),
                Code::PromptsCount,
                Some(round),
                &path,
                || {
                    format!(
                        "the round has {} prompts, the draw gives {}",
                        urls.len(),
                        expected.len()
                    )
                },
            );
        }
        Err(error) => record.find(Code::PromptsDraw, Some(round), path, error.to_string()),
    }
}

fn carryover_message(found: &[String], expected: &[String]) -> String {
    let differing = expected
        .iter()
        .enumerate()
        .filter(|(index, url)| found.get(*index) != Some(url))
        .count();
    format!(
        "{differing} of {} carried-over prompts are not those that the seed draws from the round before",
        expected.len()
    )
}
