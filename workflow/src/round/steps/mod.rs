//! Steps of the round: one a file, what is asked and what is answered.

mod ask;
mod collect;
mod compare_embeddings;
mod count_downloads;
mod declare;
mod deploy_pod;
mod download;
mod end_stage;
mod enter_stage;
mod finalize;
mod find_build_run;
mod fingerprint_prompt;
mod load_match;
mod measure_gray;
mod note_time;
mod open_round;
mod order_pod;
mod redraw;
mod regenerate;
mod release_pods;
mod render;
mod renew_pods;
pub(super) mod report_generation;
mod seed;
mod start_builds;
mod verify_build;

pub use ask::{Ask, AskInput, LONGEST_CALL};
pub use collect::{Collect, CollectInput, Collected, RejectedSubmission};
pub use compare_embeddings::{BestView, BestViews, CompareEmbeddings, ViewsOfBothInput};
pub use count_downloads::{CountDownloads, CountDownloadsInput};
pub use declare::{Declare, DeclareInput};
pub use deploy_pod::{DeployPod, DeployPodInput, DeployPodOutput, Pod};
pub use download::{Download, DownloadInput, DownloadOutput};
pub use end_stage::{EndStage, EndStageInput, StageEnd};
pub use enter_stage::{EnterStage, EnterStageInput};
pub use finalize::{Finalize, FinalizeInput, Finalized};
pub use find_build_run::{BuildRun, FindBuildRun, FindBuildRunInput};
pub use fingerprint_prompt::{FingerprintPrompt, FingerprintPromptInput, PromptFingerprint};
pub use load_match::{LoadMatch, LoadMatchInput, LoadedMatch, PairedEntry};
pub use measure_gray::{MeasureGray, MeasureGrayInput};
pub use note_time::{NoteTime, NoteTimeInput};
pub use open_round::{FixRules, OpenRound, OpenedRound, RoundInput};
pub use order_pod::{OrderPod, OrderPodInput, OrderedPod};
pub use redraw::{Redraw, RedrawInput};
pub use regenerate::{Regenerate, RegenerateInput, RegenerateOutput, RegeneratedModule};
pub use release_pods::{ReleasePods, ReleasePodsInput};
pub use render::{ModuleFault, Render, RenderInput, RenderOutput};
pub use renew_pods::{RenewPods, RenewPodsInput};
pub use report_generation::{ReportGeneration, ReportGenerationInput};
pub use seed::{SeedInput, SeedRound, Seeded};
pub use start_builds::{StartBuilds, StartBuildsInput};
pub use verify_build::{
    DecidedBuild, VerifyBuild, VerifyBuildInput, VerifyBuildOutput, build_event,
};
