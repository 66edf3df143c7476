//! Measures the engine: `cargo run --release -p workflow --features bench --example bench -- [steps|jobs|…]…`

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
            for report in bench::run(measure, &home, &[this.clone(), "replica".to_owned()]).await? {
                println!("{}", serde_json::to_string(&report)?);
            }
        }
    }
    std::fs::remove_dir_all(&home)?;
    Ok(())
}
