//! What people are told of downloads: how they went, and that pictures fail in numbers.
//!
//! Source: collection and rounds, section 10.

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use super::{GREEN, NoticeText, RED};
use crate::rules::percent::share;

/// What the miners of a round delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Downloads {
    /// Miners.
    pub miners: i64,
    /// Those with a module for every prompt.
    pub perfect: i64,
    /// Those without any.
    pub empty: i64,
    /// Modules without pictures.
    pub render_failures: i64,
}

/// Every entry of the round has ended.
pub fn downloads_complete(round: RoundNumber, downloads: &Downloads) -> NoticeText {
    let miners = downloads.miners;
    let of_miners = |count: i64| {
        format!(
            "{count} ({})",
            share(count.unsigned_abs(), miners.unsigned_abs())
        )
    };
    let color = if downloads.render_failures > 0 {
        RED
    } else {
        GREEN
    };
    let notice = NoticeText {
        title: format!("Round {round} Downloads Complete"),
        color,
        description: None,
        fields: Vec::new(),
    }
    .with_field("Miners", miners.to_string(), true);
    if miners == 0 {
        return notice;
    }
    notice
        .with_field("Perfect (100%)", of_miners(downloads.perfect), true)
        .with_field("No submission", of_miners(downloads.empty), true)
        .with_field(
            "Render failures",
            downloads.render_failures.to_string(),
            true,
        )
}

/// Subject of pictures that fail in numbers.
pub const RENDER_FAILURES: &str = "render_failures";

/// Pictures fail in numbers: perhaps it is not the miners.
pub fn render_failures(failures: i64, miners: i64) -> NoticeText {
    NoticeText::new(
        "Render Failures Detected".to_owned(),
        RED,
        format!("{failures} render failures across {miners} miners"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: RoundNumber = RoundNumber(4);

    fn values(notice: &NoticeText) -> Vec<(&str, &str)> {
        let fields = notice.fields.iter();
        fields.map(|field| (&*field.name, &*field.value)).collect()
    }

    #[test]
    fn the_end_of_downloads_counts_miners_and_shares_round_down() {
        let told = downloads_complete(
            ROUND,
            &Downloads {
                miners: 33,
                perfect: 11,
                empty: 1,
                render_failures: 0,
            },
        );
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Round 4 Downloads Complete", 3_066_993)
        );
        assert_eq!(
            values(&told),
            [
                ("Miners", "33"),
                ("Perfect (100%)", "11 (33%)"),
                ("No submission", "1 (3%)"),
                ("Render failures", "0"),
            ]
        );
        assert!(told.fields.iter().all(|field| field.inline));
    }

    #[test]
    fn render_failures_make_it_red_and_without_miners_there_is_nothing_to_count() {
        let failing = Downloads {
            miners: 1,
            render_failures: 2,
            ..Downloads::default()
        };
        assert_eq!(downloads_complete(ROUND, &failing).color, 15_158_332);
        let nobody = downloads_complete(ROUND, &Downloads::default());
        assert_eq!(values(&nobody), [("Miners", "0")]);
    }
}
