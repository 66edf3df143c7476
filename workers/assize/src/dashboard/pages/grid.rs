//! The grid of a round: a line a miner, a column a prompt, a mark for how each module stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;

use super::format;
use crate::dashboard::queries::rounds::{Cell, Miner};

/// Up to so many cells each is drawn by itself; in a larger grid neighbours that need no look are drawn as one.
const MOST_SINGLE_CELLS: usize = 3000;

#[derive(Template)]
#[template(path = "round_grid.html")]
pub(super) struct Grid {
    round: i32,
    prompts: usize,
    groups: Vec<Group>,
    is_large: bool,
}

/// What the miners submitted, or what their images generated the n-th time.
struct Group {
    title: Option<String>,
    rows: Vec<GridRow>,
}

/// A miner's line of the grid.
struct GridRow {
    hotkey: String,
    rendered: i64,
    rejected: i64,
    runs: Vec<Run>,
}

/// Neighbouring cells drawn as one.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    mark: &'static str,
    cells: usize,
    /// Left out where neighbours are drawn as one: it would be most of a large page.
    title: Option<String>,
}

impl Grid {
    pub fn new(round: i32, miners: &[Miner], cells: &[Cell]) -> Self {
        let stems: BTreeSet<&str> = cells.iter().map(|cell| cell.stem.as_str()).collect();
        let mut by_repeat: BTreeMap<i32, HashMap<&str, HashMap<&str, &Cell>>> = BTreeMap::new();
        // Every submission has a line from the start.
        by_repeat.insert(0, HashMap::new());
        for cell in cells {
            let lines = by_repeat.entry(cell.repeat).or_default();
            lines
                .entry(&cell.hotkey)
                .or_default()
                .insert(&cell.stem, cell);
        }
        let lines: usize = by_repeat.values().map(HashMap::len).sum();
        let is_large = lines.max(miners.len()) * stems.len() > MOST_SINGLE_CELLS;
        let groups = by_repeat
            .into_iter()
            .map(|(repeat, lines)| Group {
                title: (repeat > 0).then(|| format!("Generated again, {repeat}")),
                rows: hotkeys(repeat, &lines, miners)
                    .into_iter()
                    .map(|hotkey| row(hotkey, lines.get(hotkey), &stems, is_large))
                    .collect(),
            })
            .filter(|group| !group.rows.is_empty())
            .collect();
        Self {
            round,
            prompts: stems.len(),
            groups,
            is_large,
        }
    }
}

/// Whose lines a group has: the leader first, then miners in the order of their submissions.
fn hotkeys<'a>(
    repeat: i32,
    lines: &HashMap<&'a str, HashMap<&str, &Cell>>,
    miners: &'a [Miner],
) -> Vec<&'a str> {
    let submitted = miners.iter().map(|miner| miner.hotkey.as_str());
    let others: BTreeSet<&str> = lines
        .keys()
        .copied()
        .filter(|hotkey| !miners.iter().any(|miner| miner.hotkey == *hotkey))
        .collect();
    let listed = submitted.filter(|hotkey| repeat == 0 || lines.contains_key(hotkey));
    others.into_iter().chain(listed).collect()
}

fn row(
    hotkey: &str,
    own: Option<&HashMap<&str, &Cell>>,
    stems: &BTreeSet<&str>,
    is_large: bool,
) -> GridRow {
    let marked: Vec<(&str, &'static str, String)> = stems
        .iter()
        .map(|stem| {
            let cell = own.and_then(|own| own.get(stem));
            let (mark, note) = cell.map_or(("ahead", "nothing yet".to_owned()), |cell| mark(cell));
            (*stem, mark, note)
        })
        .collect();
    let count = |wanted: &str| marked.iter().filter(|(_, mark, _)| *mark == wanted).count() as i64;
    GridRow {
        hotkey: hotkey.to_owned(),
        rendered: count("ready"),
        rejected: count("rejected"),
        runs: runs(&marked, is_large),
    }
}

/// How a module stands, in one word for its colour and one line for its tooltip.
pub(super) fn mark(cell: &Cell) -> (&'static str, String) {
    if let Some(reason) = &cell.failure_reason {
        return ("rejected", reason.clone());
    }
    if cell.views.is_some() {
        return ("ready", "pictures ready".to_owned());
    }
    let name = cell.job_name.as_deref().unwrap_or("step");
    match cell.job_state.as_deref() {
        Some("parked") => (
            "parked",
            format!(
                "{name} is parked: {}",
                cell.job_error.as_deref().unwrap_or("no error kept")
            ),
        ),
        Some("running") => ("running", format!("{name} is running")),
        Some("paused") => ("paused", format!("{name} is paused")),
        Some(_) if cell.job_failures.unwrap_or_default() > 0 => (
            "retrying",
            format!(
                "{name} will be tried again: {}",
                cell.job_error.as_deref().unwrap_or("no error kept")
            ),
        ),
        // A regenerated module that cannot be drawn: its row has no reason.
        None if cell.js.is_some() => (
            "rejected",
            "cannot be drawn; the ledger names the rules it broke".to_owned(),
        ),
        _ if cell.js.is_some() => ("stored", "module stored, pictures to come".to_owned()),
        Some(_) => ("waiting", format!("{name} is waiting")),
        None => ("ahead", "nothing yet".to_owned()),
    }
}

/// Joins equal neighbours when the grid is large, those with a note worth reading excepted.
fn runs(marked: &[(&str, &'static str, String)], is_large: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (stem, mark, note) in marked {
        let is_plain = matches!(*mark, "ready" | "ahead" | "waiting" | "stored");
        match runs.last_mut() {
            Some(run) if is_large && is_plain && run.mark == *mark => run.cells += 1,
            _ => runs.push(Run {
                mark,
                cells: 1,
                title: (!is_large || !is_plain).then(|| format!("{stem}: {note}")),
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'a>(marks: &[&'static str]) -> Vec<(&'a str, &'static str, String)> {
        marks
            .iter()
            .map(|mark| ("stem", *mark, "note".to_owned()))
            .collect()
    }

    #[test]
    fn a_large_grid_joins_equal_neighbours_but_none_that_need_a_look() {
        let marks = marked(&["ready", "ready", "ready", "rejected", "rejected", "ready"]);
        let drawn: Vec<(&str, usize)> = runs(&marks, true)
            .iter()
            .map(|run| (run.mark, run.cells))
            .collect();
        assert_eq!(
            drawn,
            [("ready", 3), ("rejected", 1), ("rejected", 1), ("ready", 1)]
        );
        assert_eq!(runs(&marks, false).len(), 6);
    }
}
