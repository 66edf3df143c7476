//! Whole rounds on real parts: what the tests of this crate share.

pub mod chaos;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use assize::rehearse::RehearseArgs;
use sqlx::{Connection as _, PgConnection};

/// Longest a test waits for a state of a round on a slow machine.
const PATIENCE: Duration = Duration::from_secs(420);

/// A small rehearsal in `state_dir`: all kinds of miners, few prompts, small pictures.
pub fn small_rehearsal(state_dir: &Path, prompts: u32) -> RehearseArgs {
    RehearseArgs {
        miners: 6,
        prompts,
        rounds: 1,
        seed: 1,
        audit_repeats: 1,
        from: None,
        state_dir: Some(state_dir.to_owned()),
        view_size: 128,
        pause_on_stage_end: false,
        port: 0,
        keep_serving: false,
        json: true,
    }
}

/// A rehearsal in a process of its own, that can be killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    state_dir: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts `assize rehearse` with the options of `args`.
    ///
    /// # Errors
    ///
    /// If the binary is not built or cannot be started.
    pub fn start(args: &RehearseArgs, run: u32) -> anyhow::Result<Self> {
        let state_dir = args.state_dir.clone().context("the test gives a folder")?;
        let log = state_dir.with_extension(format!("{run}.log"));
        let output = std::fs::File::create(&log)?;
        let child = Command::new(binary()?)
            .args([
                "rehearse",
                "--json",
                "--miners",
                &args.miners.to_string(),
                "--prompts",
                &args.prompts.to_string(),
            ])
            .args([
                "--seed",
                &args.seed.to_string(),
                "--view-size",
                &args.view_size.to_string(),
            ])
            .args(args.pause_on_stage_end.then_some("--pause-on-stage-end"))
            .arg("--state-dir")
            .arg(&state_dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self {
            child,
            state_dir,
            log,
        })
    }

    /// Waits until `condition`, an SQL expression, holds in the rehearsal's database.
    ///
    /// # Errors
    ///
    /// If the process ends before, or patience does.
    pub async fn until(&mut self, condition: &'static str) -> anyhow::Result<()> {
        let url = database_url(&self.state_dir);
        let waiting = async {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    bail!(
                        "the rehearsal ended ({status}) before {condition}: {}",
                        self.said()
                    );
                }
                if let Ok(mut connection) = PgConnection::connect(&url).await {
                    let holds = sqlx::query_scalar::<_, bool>(condition)
                        .fetch_one(&mut connection)
                        .await;
                    if holds.unwrap_or(false) {
                        return Ok(());
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .with_context(|| format!("never: {condition}"))?
    }

    /// Kills the process: SIGKILL, nothing is tidied up.
    ///
    /// # Errors
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the end and answers the summary, the last line of its output.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub async fn summary(mut self) -> anyhow::Result<serde_json::Value> {
        let ended = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    return anyhow::Ok(status);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let status = ended.await.context("the rehearsal does not end")??;
        let said = self.said();
        if !status.success() {
            bail!("the rehearsal ended with {status}: {said}");
        }
        let last = said
            .lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .context("there is no JSON line")?;
        Ok(serde_json::from_str(last)?)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended ones are only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The database of a rehearsal that runs in `state_dir`.
pub fn database_url(state_dir: &Path) -> String {
    format!(
        "postgres://postgres@localhost/assize?host={}",
        state_dir.join("postgres").display()
    )
}

/// The binary beside the test's own folder.
fn binary() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let binary = test
        .ancestors()
        .nth(2)
        .context("tests lie in a target folder")?
        .join("assize");
    if !binary.exists() {
        bail!(
            "{} is not built; run `cargo build -p assize` first",
            binary.display()
        );
    }
    Ok(binary)
}
