//! What people are told at the ends of a round's stages.

use chrono::{DateTime, Utc};
use schema::{RoundNumber, Stage, files::LeaderEntry, paths};

use super::{GREEN, NoticeText, ORANGE, RED};

/// RGB of the end of everything.
const VIOLET: u32 = 0x009B_59B6;

/// What begins the address of a file of the state repository; whoever sends the notice knows where that is.
pub const STATE_LINK: &str = "state:";

/// The reveal window is over and the miners generate.
///
/// `committed` counts the valid submissions before registration and lock were looked at, `accepted` those that take part.
pub fn submissions_collected(
    round: RoundNumber,
    committed: usize,
    accepted: usize,
    deadline: DateTime<Utc>,
) -> NoticeText {
    let link = |path: String| format!("[{path}]({STATE_LINK}{path})");
    NoticeText {
        title: format!("Round {round} Submissions Collected"),
        color: GREEN,
        description: None,
        fields: Vec::new(),
    }
    .with_field("Committed", committed.to_string(), true)
    .with_field(
        "No lock",
        committed.saturating_sub(accepted).to_string(),
        true,
    )
    .with_field("Accepted", accepted.to_string(), true)
    .with_field("Generation Deadline", local_time(deadline), true)
    .with_field("Prompts", link(paths::prompts(round)), true)
    .with_field("Seed", link(paths::seed(round)), true)
}

/// Nobody takes part.
pub fn no_submissions(round: RoundNumber) -> NoticeText {
    NoticeText::new(
        format!("Round {round} — No Submissions"),
        RED,
        "No valid submission was revealed: going to FINALIZING, and the leader defends.".to_owned(),
    )
}

/// The round stops before `next` begins, and only a person lets it go on (`PAUSE_ON_STAGE_END`).
pub fn paused(round: RoundNumber, next: Stage) -> NoticeText {
    NoticeText::new(
        format!("Round {round} Paused"),
        ORANGE,
        format!(
            "It waits for an operator to set stage `{next}` in `state.json`, or to run `assize round resume {round}`."
        ),
    )
}

/// Another code leads from now on.
pub fn leader_changed(round: RoundNumber, previous: &LeaderEntry, new: &LeaderEntry) -> NoticeText {
    NoticeText {
        title: format!("Leader Changed — Round {round}"),
        color: ORANGE,
        description: None,
        fields: Vec::new(),
    }
    .with_field("Previous Leader", leader(previous), false)
    .with_field("New Leader", leader(new), false)
}

/// The round is over and the next one has a schedule.
pub fn next_round(
    round: RoundNumber,
    start: DateTime<Utc>,
    current_leader: Option<&LeaderEntry>,
) -> NoticeText {
    let notice = NoticeText {
        title: format!("Round {round} Finalized"),
        color: GREEN,
        description: None,
        fields: Vec::new(),
    }
    .with_field("Next Round", round.next().to_string(), true)
    .with_field("Next Round Start", local_time(start), true);
    match current_leader {
        Some(entry) => notice.with_field("Current Leader", leader(entry), false),
        None => notice,
    }
}

/// The round was the last one.
pub fn competition_ended(round: RoundNumber) -> NoticeText {
    NoticeText::new(
        "Competition Ended".to_owned(),
        VIOLET,
        format!("Round {round} was the last round."),
    )
}

/// Repository, commit and weight, with the hotkey covered until somebody looks.
fn leader(entry: &LeaderEntry) -> String {
    let commit: String = entry.commit.as_str().chars().take(8).collect();
    format!(
        "[{repo}@{commit}](https://github.com/{repo}/commit/{whole}) · weight: {weight:?}\n||{hotkey}||",
        repo = entry.repo,
        whole = entry.commit,
        weight = entry.weight,
        hotkey = entry.hotkey,
    )
}

/// Discord's markup for a moment in the reader's own time.
fn local_time(moment: DateTime<Utc>) -> String {
    format!("<t:{}:f>", moment.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use schema::{BlockNumber, CommitSha, Hotkey};

    use super::*;

    fn entry(repo: &str, commit: &str, weight: f64) -> LeaderEntry {
        LeaderEntry {
            hotkey: Hotkey::new("5GgpGaDxzT"),
            repo: repo.to_owned(),
            commit: CommitSha::new(commit),
            docker: "image".to_owned(),
            weight,
            effective_block: BlockNumber(1),
        }
    }

    fn field<'a>(notice: &'a NoticeText, name: &str) -> &'a str {
        let mut fields = notice.fields.iter();
        &fields.find(|field| field.name == name).unwrap().value
    }

    #[test]
    fn the_leader_is_named_by_its_code_and_the_hotkey_is_covered() {
        let commit = "aa10f6f2aa10f6f2aa10f6f2aa10f6f2aa10f6f2";
        let told = leader_changed(
            RoundNumber(1),
            &entry("a/b", commit, 0.6),
            &entry("c/d", commit, 1.0),
        );
        assert_eq!(told.title, "Leader Changed — Round 1");
        assert_eq!(
            field(&told, "Previous Leader"),
            format!(
                "[a/b@aa10f6f2](https://github.com/a/b/commit/{commit}) · weight: 0.6\n||5GgpGaDxzT||"
            )
        );
        assert!(field(&told, "New Leader").contains("weight: 1.0"));
        assert!(told.fields.iter().all(|field| !field.inline));
    }

    #[test]
    fn the_next_round_is_told_with_its_start_in_the_readers_time() {
        let start = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let told = next_round(RoundNumber(6), start, Some(&entry("a/b", "c", 0.0)));
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Round 6 Finalized", 3_066_993)
        );
        assert_eq!(field(&told, "Next Round"), "7");
        assert_eq!(field(&told, "Next Round Start"), "<t:1770000000:f>");
        assert!(field(&told, "Current Leader").ends_with("weight: 0.0\n||5GgpGaDxzT||"));
    }

    #[test]
    fn the_submissions_are_told_with_links_to_prompts_and_seed() {
        let deadline = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let told = submissions_collected(RoundNumber(6), 45, 41, deadline);
        assert_eq!(told.title, "Round 6 Submissions Collected");
        assert_eq!(field(&told, "Committed"), "45");
        assert_eq!(field(&told, "No lock"), "4");
        assert_eq!(field(&told, "Accepted"), "41");
        assert_eq!(
            field(&told, "Seed"),
            "[rounds/6/seed.json](state:rounds/6/seed.json)"
        );
        assert!(told.fields.iter().all(|field| field.inline));
    }
}
