//! Flow `duel`: one prompt, two modules, one verdict; each question to the model a recorded step.
//!
//! The calls of a stage are started together and joined, and those of stage 4 with those of stage 2: whenever one runs, so
//! does the other. A duel therefore costs three to five passes. What has been answered is never asked again; what is not
//! answered keeps the duel open (weaknesses W1, W6).

use async_trait::async_trait;
use schema::{
    RoundNumber,
    files::report::{BothSides, SideViewVerdicts},
    messages,
    views::{self, Background},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::{DuelRecord, Record},
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        judge::{Bound, DuelOutput, DuelSide, Pairing},
        ledger::DuelVerdict,
        steps::{
            Ask, AskInput, BestViews, CompareEmbeddings, MeasureGray, MeasureGrayInput,
            ViewsOfBothInput,
        },
    },
    rules::{
        call_answer::CallAnswer,
        duel::{
            self, ChecklistEvidence, CrossCheck, DecidedDuel, DuelEvidence, DuelProgress,
            GrayEvidence, GrayGate, Mirrored, SpecialistEvidence, Stage, missing_views,
        },
        vlm_answer::{CompareAnswer, DecomposeAnswer, Feature, VerifyAnswer},
        vlm_calls::{DuelView, Model, Picture, VlmCall},
    },
};

/// Judges a duel.
pub struct DuelFlow;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuelInput {
    /// Key of the match it belongs to.
    pub match_key: String,
    /// Whose duel.
    pub pairing: Pairing,
    /// What the verdict is bound to.
    pub bound: Bound,
    /// Place of its calls in the queue, before that of their stage.
    pub priority: i16,
}

#[async_trait]
impl FlowDefinition for DuelFlow {
    const NAME: &'static str = "duel";
    // Before matches, which wait for duels.
    const PRIORITY: i16 = 90;
    type Input = DuelInput;
    type Output = DuelOutput;

    fn key(input: &DuelInput) -> String {
        let binding = input.bound.binding();
        let short = binding.get(..12).unwrap_or(&binding);
        format!(
            "{}/duel/{}/{short}",
            input.match_key, input.bound.prompt.stem
        )
    }

    fn round(input: &DuelInput) -> Option<u32> {
        Some(input.pairing.round.0)
    }

    async fn run(flow: &Flow, input: DuelInput) -> Result<DuelOutput, FlowError> {
        let Bound { left, right, .. } = &input.bound;
        let (Some(left), Some(right)) = (&left.views, &right.views) else {
            let (winner, detail) = missing_views(left.views.is_some(), right.views.is_some())
                .ok_or_else(|| FlowError::Other("one side has no views by now".to_owned()))?;
            return Ok(DuelOutput { winner, detail });
        };
        let asking = Asking {
            flow,
            key: Self::key(&input),
            round: input.pairing.round,
            views: BothSides { a: left, b: right },
            input: &input,
        };
        let (front, issues) = asking.front().await?;
        let mut evidence = DuelEvidence {
            front: Some(front),
            ..DuelEvidence::default()
        };
        let decided = loop {
            match duel::next(&evidence, &input.bound.judge.thresholds) {
                DuelProgress::Decided(decided) => break *decided,
                DuelProgress::Needs(Stage::Front) => {
                    return Err(FlowError::Other("stage 1 is needed twice".to_owned()));
                }
                DuelProgress::Needs(Stage::Specialists) => {
                    let (specialists, sides) = asking.specialists_and_sides().await?;
                    (evidence.specialists, evidence.sides) = (Some(specialists), Some(sides));
                }
                DuelProgress::Needs(Stage::Gray) => evidence.gray = Some(asking.gray().await?),
                DuelProgress::Needs(Stage::Sides) => evidence.sides = Some(asking.sides().await?),
            }
        };
        let decided = asking.cross_checked(decided).await?;
        Ok(DuelOutput {
            winner: decided.winner,
            detail: decided.detail(issues),
        })
    }

    /// The row that people, and later matches with the same pictures, find the verdict by. The verdict is public as soon as it
    /// is there, so that a lost database costs no duel; margins follow when the match does.
    fn effects(input: &DuelInput, output: &DuelOutput) -> Effects {
        let record = DuelRecord {
            round: input.pairing.round.0,
            matrix: input.pairing.matrix.clone(),
            left: input.pairing.left.clone(),
            right: input.pairing.right.clone(),
            stem: input.bound.prompt.stem.as_str().to_owned(),
            run: i32::try_from(input.bound.run).unwrap_or(i32::MAX),
            binding: input.bound.binding(),
            winner: output.winner.as_str(),
            decided_by: output.decided_by().to_owned(),
            job_key: Self::key(input),
        };
        let verdict = DuelVerdict {
            input: input.clone(),
            output: output.clone(),
        };
        let round = input.pairing.round;
        Effects {
            records: vec![Record::Duel(record)],
            ..Effects::default()
        }
        .publish(messages::ledger(round), vec![verdict.append(round)])
    }
}

/// Asks the questions of one duel.
struct Asking<'a> {
    flow: &'a Flow,
    key: String,
    round: RoundNumber,
    views: BothSides<&'a String>,
    input: &'a DuelInput,
}

impl Asking<'_> {
    /// Stage 1, and beside it the summary for people.
    async fn front(&self) -> Result<(Vec<(DuelView, Mirrored)>, String), FlowError> {
        let mut calls = vec![VlmCall::Explain];
        calls.extend(VlmCall::stage_1());
        let mut answers = self.ask(calls).await?;
        let issues = match answers.next_of("summary")? {
            CallAnswer::Summary(summary) => summary.issues,
            CallAnswer::NoSummary { .. } => String::new(),
            other => return Err(unexpected(&other)),
        };
        let mut front = Vec::with_capacity(DuelView::FRONT.len());
        for view in DuelView::FRONT {
            front.push((view, answers.mirrored()?));
        }
        Ok((front, issues))
    }

    /// Stages 2 and 4.
    async fn specialists_and_sides(
        &self,
    ) -> Result<(SpecialistEvidence, BothSides<SideViewVerdicts>), FlowError> {
        let best = self.best_views().await?;
        let best = best.a.zip(best.b).map(|(a, b)| (a.view, b.view));
        let mut calls = VlmCall::stage_2(best);
        calls.extend(VlmCall::stage_4());
        let mut answers = self.ask(calls).await?;
        let decomposed = answers.decomposed()?;
        let best_view = best.map(|_| answers.mirrored()).transpose()?;
        let artifact_compare = answers.mirrored()?;
        let sides = answers.sides()?;

        let verify = [Model::A, Model::B].map(|model| VlmCall::Verify { model });
        let mut answers = self
            .ask_about(verify.to_vec(), &decomposed.features)
            .await?;
        let checklist = ChecklistEvidence {
            verified_a: answers.verified()?,
            verified_b: answers.verified()?,
            decomposed,
        };
        let specialists = SpecialistEvidence {
            best_view,
            artifact_compare,
            checklist,
        };
        Ok((specialists, sides))
    }

    /// Stage 3.
    async fn gray(&self) -> Result<GrayEvidence, FlowError> {
        let thresholds = self.input.bound.judge.thresholds;
        let measured = self
            .flow
            .step::<MeasureGray>(MeasureGrayInput {
                round: self.round,
                duel: self.key.clone(),
                left: self.views.a.clone(),
                right: self.views.b.clone(),
                thresholds,
            })
            .await?;
        if measured.gate(&thresholds) == GrayGate::Closed {
            return Ok(GrayEvidence::GateClosed);
        }
        let mut answers = self.ask(VlmCall::stage_3()).await?;
        Ok(GrayEvidence::Compared(answers.mirrored()?))
    }

    /// Stage 4 alone, after a decision in stage 1.
    async fn sides(&self) -> Result<BothSides<SideViewVerdicts>, FlowError> {
        self.ask(VlmCall::stage_4()).await?.sides()
    }

    /// Lets a decision stand unless the embeddings contradict it and writing on the winner addresses its judge.
    async fn cross_checked(&self, decided: DecidedDuel) -> Result<DecidedDuel, FlowError> {
        let best = self.best_views().await?;
        let similarities = best.a.zip(best.b).map(|(a, b)| BothSides {
            a: a.similarity,
            b: b.similarity,
        });
        let thresholds = &self.input.bound.judge.thresholds;
        let CrossCheck::Search(model) = duel::is_contradicted(&decided, similarities, thresholds)
        else {
            return Ok(decided);
        };
        let mut answers = self.ask(vec![VlmCall::TextCheck { model }]).await?;
        match answers.next_of("search for writing")? {
            CallAnswer::Text(found) if found.addresses_viewer => Ok(duel::stepped_down(decided)),
            CallAnswer::Text(_) => Ok(decided),
            other => Err(unexpected(&other)),
        }
    }

    async fn best_views(&self) -> Result<BestViews, FlowError> {
        self.flow
            .step::<CompareEmbeddings>(ViewsOfBothInput {
                round: self.round,
                duel: self.key.clone(),
                left: self.views.a.clone(),
                right: self.views.b.clone(),
            })
            .await
    }

    async fn ask(&self, calls: Vec<VlmCall>) -> Result<Answers, FlowError> {
        self.ask_about(calls, &[]).await
    }

    /// Asks all `calls` at once. The answers come in their order.
    async fn ask_about(
        &self,
        calls: Vec<VlmCall>,
        features: &[Feature],
    ) -> Result<Answers, FlowError> {
        let bound = &self.input.bound;
        let inputs = calls.into_iter().map(|call| AskInput {
            round: self.round,
            duel: self.key.clone(),
            call,
            pictures: call
                .pictures()
                .into_iter()
                .map(|picture| self.url(picture))
                .collect(),
            features: features.to_vec(),
            questions: bound.judge.questions,
            model: bound.judge.model.clone(),
            seed: bound.seed.wrapping_add(bound.run),
            priority: self.input.priority + stage_priority(call),
        });
        let answers = self
            .flow
            .join_steps::<Ask>(inputs, OnFailure::Fail)
            .await?
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Answers(answers.into_iter()))
    }

    fn url(&self, picture: Picture) -> String {
        let of = |model: Model| match model {
            Model::A => self.views.a,
            Model::B => self.views.b,
        };
        match picture {
            Picture::Prompt => self.input.bound.prompt.url.clone(),
            Picture::White(model, view) => object_url(of(model), Background::White, view),
            Picture::Gray(model, view) => object_url(of(model), Background::Gray, view),
            Picture::Grid(model) => views::grid_url(of(model)),
        }
    }
}

/// Answers in the order of their calls.
struct Answers(std::vec::IntoIter<CallAnswer>);

impl Answers {
    fn next_of(&mut self, what: &str) -> Result<CallAnswer, FlowError> {
        self.0
            .next()
            .ok_or_else(|| FlowError::Other(format!("the answers end before the {what}")))
    }

    fn compared(&mut self) -> Result<CompareAnswer, FlowError> {
        match self.next_of("comparison")? {
            CallAnswer::Compared(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    fn mirrored(&mut self) -> Result<Mirrored, FlowError> {
        let ab = self.compared()?;
        Ok(Mirrored::new(&ab, &self.compared()?))
    }

    fn decomposed(&mut self) -> Result<DecomposeAnswer, FlowError> {
        match self.next_of("list of features")? {
            CallAnswer::Decomposed(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    fn verified(&mut self) -> Result<VerifyAnswer, FlowError> {
        match self.next_of("checklist")? {
            CallAnswer::Verified(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    fn sides(&mut self) -> Result<BothSides<SideViewVerdicts>, FlowError> {
        Ok(BothSides {
            a: self.sides_of_one()?,
            b: self.sides_of_one()?,
        })
    }

    fn sides_of_one(&mut self) -> Result<SideViewVerdicts, FlowError> {
        let mut verdict = || match self.next_of("side view")? {
            CallAnswer::Side(answer) => Ok(answer.verdict),
            other => Err(unexpected(&other)),
        };
        Ok(duel::side_views([
            verdict()?,
            verdict()?,
            verdict()?,
            verdict()?,
        ]))
    }
}

fn unexpected(answer: &CallAnswer) -> FlowError {
    FlowError::Other(format!(
        "a stored answer is to another question: {answer:?}"
    ))
}

/// Later stages come first.
fn stage_priority(call: VlmCall) -> i16 {
    match call {
        VlmCall::PromptMatch { .. } | VlmCall::Explain => 3,
        VlmCall::BestView { .. }
        | VlmCall::ArtifactCompare { .. }
        | VlmCall::Decompose
        | VlmCall::SideCheck { .. } => 2,
        VlmCall::Verify { .. } => 1,
        VlmCall::Gray { .. } | VlmCall::TextCheck { .. } => 0,
    }
}

fn object_url(prefix: &str, background: Background, view: DuelView) -> String {
    format!("{prefix}/{}/{}.png", background.folder(), view.name())
}

/// What a side shows on a report.
pub(super) fn grid(side: &DuelSide) -> Option<String> {
    side.views.as_deref().map(views::grid_url)
}
