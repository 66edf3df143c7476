//! Step `redraw`: a module that was drawn before is drawn anew, because an operator asked for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Step},
    round::{
        flows::tournament_key,
        steps::{Render, RenderInput, RenderOutput},
    },
};

/// Draws a module anew.
pub struct Redraw;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrawInput {
    /// What was drawn.
    pub render: RenderInput,
    /// Counts from 1 how often it was drawn anew.
    pub time: u32,
}

impl Step for Redraw {
    const NAME: &'static str = "redraw";
    const QUEUE: &'static str = Render::QUEUE;
    const DEADLINE: Duration = Render::DEADLINE;
    const MAX_FAILURES: u16 = Render::MAX_FAILURES;
    type Input = RedrawInput;
    type Output = RenderOutput;

    fn key(input: &RedrawInput) -> String {
        format!("{}/redraw/{}", Render::key(&input.render), input.time)
    }

    fn round(input: &RedrawInput) -> Option<u32> {
        Render::round(&input.render)
    }

    fn fair_key(input: &RedrawInput) -> Option<String> {
        Render::fair_key(&input.render)
    }

    /// What drawing it brings; the tournament waits for it, and looks which matches were judged on other pictures.
    fn effects(input: &RedrawInput, output: &RenderOutput) -> Effects {
        let drawn = Render::effects(&input.render, output);
        Effects {
            wakes: vec![tournament_key(input.render.entry.round)],
            ..drawn
        }
    }
}
