//! What an unfinished round waits for, in sentences for people.
//!
//! Every job that has not ended is one of few kinds of waiting. Each kind has its sentence, worst first, so that whoever looks
//! at a round sees at once whether somebody has to act (weaknesses W2, W5, W23: a round must never wait without saying so).

use chrono::{DateTime, Utc};

use crate::rules::schedule::SECONDS_PER_BLOCK;

/// Longest part of an error that is repeated, in characters.
const ERROR_CHARACTERS: usize = 160;

/// What of a round has not ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unfinished {
    /// What the tournament says it waits for.
    pub tournament: Vec<String>,
    /// Jobs that have not ended, by name and standing.
    pub work: Vec<Work>,
    /// The first block that is waited for, and the newest one seen.
    pub block: Option<(i64, i64)>,
    /// The first moment that is waited for.
    pub moment: Option<DateTime<Utc>>,
    /// Events that are waited for: how many, and the name of one.
    pub events: Option<(i64, String)>,
    /// Changes of the public repository that are not pushed.
    pub unmirrored: i64,
}

/// Jobs of one name that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Step or flow name.
    pub name: String,
    /// How they stand.
    pub standing: WorkStanding,
    /// How many.
    pub count: i64,
    /// The error of one of them.
    pub error: Option<String>,
}

/// How a job stands that has not ended and is not simply waiting for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkStanding {
    /// Failures ran out: an operator has to look.
    Parked,
    /// Held by a pause.
    Paused,
    /// Our side failed; it will be tried again by itself.
    Retrying,
    /// At work, or next in its queue.
    Working,
}

/// What the round waits for; empty when nothing of it is unfinished.
pub fn sentences(unfinished: &Unfinished) -> Vec<String> {
    let mut said = Vec::new();
    let of = |standing: WorkStanding| {
        unfinished
            .work
            .iter()
            .filter(move |work| work.standing == standing)
    };
    for work in of(WorkStanding::Parked) {
        said.push(format!(
            "an operator: {} parked{}",
            counted(work),
            because(work)
        ));
    }
    for work in of(WorkStanding::Paused) {
        said.push(format!("an operator: {} paused", counted(work)));
    }
    said.extend(unfinished.tournament.iter().cloned());
    if let Some((awaited, head)) = unfinished.block {
        let blocks = (awaited - head).max(0);
        let minutes = blocks as f64 * SECONDS_PER_BLOCK as f64 / 60.0;
        let about = if minutes < 120.0 {
            format!("{minutes:.0} min")
        } else {
            format!("{:.0} h", minutes / 60.0)
        };
        said.push(format!(
            "block {awaited}, {blocks} blocks from now (about {about})"
        ));
    }
    if let Some(moment) = unfinished.moment {
        said.push(format!("{}", moment.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    if let Some((count, name)) = &unfinished.events {
        said.push(match count {
            1 => format!("the event {name}"),
            count => format!("{count} events, {name} among them"),
        });
    }
    for work in of(WorkStanding::Retrying) {
        said.push(format!("another try of {}{}", counted(work), because(work)));
    }
    for work in of(WorkStanding::Working) {
        said.push(counted(work));
    }
    if unfinished.unmirrored > 0 {
        said.push(format!(
            "{} changes to be pushed to the public repository",
            unfinished.unmirrored
        ));
    }
    said
}

fn counted(work: &Work) -> String {
    let name = work.name.replace('_', " ");
    match work.count {
        1 => format!("1 {name}"),
        count => format!("{count} × {name}"),
    }
}

fn because(work: &Work) -> String {
    let Some(error) = &work.error else {
        return String::new();
    };
    let line = error.lines().next().unwrap_or_default();
    let line: String = line.chars().take(ERROR_CHARACTERS).collect();
    format!(" ({line})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(name: &str, standing: WorkStanding, count: i64, error: Option<&str>) -> Work {
        Work {
            name: name.to_owned(),
            standing,
            count,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn every_kind_of_waiting_has_its_sentence_and_the_worst_comes_first() {
        let unfinished = Unfinished {
            tournament: vec!["source audit of 5Ggp".to_owned()],
            work: vec![
                work("download", WorkStanding::Working, 12, None),
                work(
                    "render",
                    WorkStanding::Parked,
                    1,
                    Some("no renderer\nat all"),
                ),
                work(
                    "verify_build",
                    WorkStanding::Retrying,
                    2,
                    Some("GitHub answered 502"),
                ),
                work("duel", WorkStanding::Paused, 3, None),
            ],
            block: Some((1300, 1200)),
            moment: None,
            events: Some((2, "round/3/built/5Ggp".to_owned())),
            unmirrored: 4,
        };
        assert_eq!(
            sentences(&unfinished),
            [
                "an operator: 1 render parked (no renderer)",
                "an operator: 3 × duel paused",
                "source audit of 5Ggp",
                "block 1300, 100 blocks from now (about 20 min)",
                "2 events, round/3/built/5Ggp among them",
                "another try of 2 × verify build (GitHub answered 502)",
                "12 × download",
                "4 changes to be pushed to the public repository",
            ]
        );
    }

    #[test]
    fn a_block_far_away_is_told_in_hours() {
        let far = Unfinished {
            block: Some((6200, 1200)),
            ..Unfinished::default()
        };
        assert_eq!(
            sentences(&far),
            ["block 6200, 5000 blocks from now (about 17 h)"]
        );
    }

    #[test]
    fn a_finished_round_waits_for_nothing() {
        assert_eq!(sentences(&Unfinished::default()), [""; 0]);
    }
}
