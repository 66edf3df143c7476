//! Notices: what people are told of a round, as short texts.
//!
//! A step that makes a fact people care for writes its notice in the transaction that makes the fact
//! ([`Record::Notice`](crate::db::records::Record::Notice)). git-sync sends it once the public repository shows the fact, so
//! nobody is told what others cannot look up (judge, weakness W22), a crash loses none, and a channel that fails holds nobody.
//! The same words about the same subject are said once.
//!
//! Source: judge, section 10; collection and rounds, section 10; generation, section 11.

mod downloads;
mod failure;
mod generation;
mod stage;
mod tournament;

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::db::records::Record;

pub use downloads::{Downloads, RENDER_FAILURES, downloads_complete, render_failures};
pub use failure::{FailedWork, Outage, failed_work, outage};
pub use generation::{
    Generated, generation, generation_report, generation_subject, pod_given_up, pod_not_deployed,
    pod_subject, report_subject,
};
pub use stage::{
    STATE_LINK, competition_ended, leader_changed, next_round, no_submissions, paused,
    submissions_collected,
};
pub use tournament::{
    audit_completed, audit_requested, audit_subject, finalized, request_subject, timeline,
};

/// RGB of something that runs.
pub const BLUE: u32 = 0x0034_98DB;
/// RGB of a request.
pub const PURPLE: u32 = 0x009B_59B6;
/// RGB of a good end.
pub const GREEN: u32 = 0x002E_CC71;
/// RGB of a bad end, or of something to decide.
pub const ORANGE: u32 = 0x00E6_7E22;
/// RGB of something broken.
pub const RED: u32 = 0x00E7_4C3C;

/// Subject of a round's submissions.
pub const SUBMISSIONS: &str = "submissions";
/// Subject of the end of a round's downloads.
pub const DOWNLOADS: &str = "downloads";
/// Subject of a round's timeline.
pub const TIMELINE: &str = "timeline";
/// Subject of a round's winner.
pub const WINNER: &str = "winner";
/// Subject of a new leader.
pub const LEADER: &str = "leader";
/// Subject of a round that stops at the end of a stage.
pub const PAUSED: &str = "paused";
/// Subject of what follows a round.
pub const NEXT: &str = "next";

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeText {
    /// The headline.
    pub title: String,
    /// RGB, such as [`GREEN`].
    pub color: u32,
    /// Text below the headline, with Discord's Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Named values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<NoticeField>,
}

/// A named value of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeField {
    /// Its name.
    pub name: String,
    /// Its value, with Discord's Markdown.
    pub value: String,
    /// Whether it may stand beside others.
    pub inline: bool,
}

impl NoticeText {
    fn new(title: String, color: u32, description: String) -> Self {
        Self {
            title,
            color,
            description: Some(description),
            fields: Vec::new(),
        }
    }

    fn with_field(mut self, name: &str, value: String, inline: bool) -> Self {
        self.fields.push(NoticeField {
            name: name.to_owned(),
            value,
            inline,
        });
        self
    }

    /// The row that has it sent, once, for as long as nothing else is said about `subject`.
    pub fn about(self, round: RoundNumber, subject: impl Into<String>) -> Record {
        Record::Notice {
            round: round.0,
            subject: subject.into(),
            text: self,
        }
    }
}

/// Text in a code block: what miners or services wrote cannot end the block.
fn code_block(text: &str) -> String {
    format!("```\n{}\n```", text.replace('`', "'"))
}
