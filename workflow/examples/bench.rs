//! Measures the engine: `cargo run --release -p workflow --features bench --example bench -- [steps|jobs|…]…`
//!
//! With `ASSIZE_BENCH_DATABASE` in an empty database there, otherwise on a server of its own.

use workflow::bench::{self, Measure};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "replica") {
        return bench::replica().await;
    }
    let this = std::env::current_exe()?.to_string_lossy().into_owned();
    let home = std::env::temp_dir().join(format!("assize-bench-{}", std::process::id()));
    for measure in Measure::ALL {
        if words.is_empty() || words.iter().any(|word| word == measure.name()) {
            let replica = [this.clone(), "replica".to_owned()];
            let reports = match std::env::var("ASSIZE_BENCH_DATABASE") {
                Ok(url) => bench::run_at(measure, &url, &replica).await?,
                Err(_) => bench::run(measure, &home, &replica).await?,
            };
            for report in reports {
                println!("{}", serde_json::to_string(&report)?);
            }
        }
    }
    if home.exists() {
        std::fs::remove_dir_all(&home)?;
    }
    Ok(())
}
