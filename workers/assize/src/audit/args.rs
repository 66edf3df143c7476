//! The command `assize audit`.

use std::io::Write as _;
use std::path::PathBuf;

use schema::RoundNumber;

use super::{AuditOptions, audit, to_html, to_text};

/// Every check holds.
const HOLDS: i32 = 0;
/// Some check does not hold.
const FINDINGS: i32 = 1;
/// Nothing could be read, or the report could not be written.
const UNREADABLE: i32 = 2;

/// Derives every decision of a competition again from its public repository.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// A clone of a state repository (bare or not), or a folder with its files
    pub repository: PathBuf,

    /// Only this round
    #[arg(long)]
    pub round: Option<u32>,

    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,

    /// Also write the report as an HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// The commit to check, HEAD by default
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,

    /// Keys that may sign (an allowed_signers file) instead of those the repository publishes
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
}

/// Runs the command. Returns the exit status: 0 when every check holds, 1 with findings, 2 when it cannot read.
pub fn run(args: AuditArgs) -> i32 {
    let options = AuditOptions {
        repository: args.repository,
        round: args.round.map(RoundNumber),
        revision: args.revision,
        signers: args.signers,
    };
    let report = match audit(&options) {
        Ok(report) => report,
        Err(error) => return complain(&error.to_string()),
    };
    if let Some(path) = &args.html
        && let Err(error) = std::fs::write(path, to_html(&report))
    {
        return complain(&format!("cannot write {}: {error}", path.display()));
    }
    let printed = if args.json {
        serde_json::to_string_pretty(&report).map_err(|error| error.to_string())
    } else {
        Ok(to_text(&report))
    };
    let printed = match printed {
        Ok(printed) => printed,
        Err(error) => return complain(&format!("cannot write the report: {error}")),
    };
    // A reader that hangs up (`| head`) has seen enough; the status still says what was found.
    let _ = writeln!(std::io::stdout(), "{}", printed.trim_end());
    if report.holds() { HOLDS } else { FINDINGS }
}

fn complain(message: &str) -> i32 {
    let _ = writeln!(std::io::stderr(), "{message}");
    UNREADABLE
}
