//! Steps of the round: one a file, what is asked and what is answered.

mod collect;
mod declare;
mod deploy_pod;
mod download;
mod duel;
mod enter_stage;
mod finalize;
mod fingerprint_prompt;
mod load_match;
mod note_time;
mod open_round;
mod regenerate;
mod release_pods;
mod render;
mod report_generation;
mod seed;
mod start_builds;
mod verify_build;

pub use collect::{Collect, CollectInput, Collected, RejectedSubmission};
pub use declare::{Declare, DeclareInput};
pub use deploy_pod::{DeployPod, DeployPodInput, DeployPodOutput, Pod};
pub use download::{Download, DownloadInput, DownloadOutput};
pub use duel::{DuelInput, DuelOutput, DuelSide, DuelStep};
pub use enter_stage::{EnterStage, EnterStageInput};
pub use finalize::{Finalize, FinalizeInput, Finalized};
pub use fingerprint_prompt::{FingerprintPrompt, FingerprintPromptInput, PromptFingerprint};
pub use load_match::{LoadMatch, LoadMatchInput, PairedEntry};
pub use note_time::{NoteTime, NoteTimeInput};
pub use open_round::{OpenRound, OpenedRound, RoundInput};
pub use regenerate::{Regenerate, RegenerateInput, RegenerateOutput, RegeneratedModule};
pub use release_pods::{ReleasePods, ReleasePodsInput};
pub use render::{ModuleFault, Render, RenderInput, RenderOutput};
pub use report_generation::{ReportGeneration, ReportGenerationInput};
pub use seed::{SeedInput, SeedRound, Seeded};
pub use start_builds::{StartBuilds, StartBuildsInput};
pub use verify_build::{VerifyBuild, VerifyBuildInput, VerifyBuildOutput, build_event};
