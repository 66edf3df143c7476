use render::*;
use std::path::PathBuf;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(std::env::var("LOG").unwrap_or("warn".into()))
        .init();
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap();
    match what.as_str() {
        "render" => {
            let n: usize = args.next().unwrap().parse().unwrap();
            let files: Vec<PathBuf> = args.map(Into::into).collect();
            let f = bench::render(&files, 1024, n, RendererConfig::default())
                .await
                .unwrap();
            for m in &f.modules {
                println!("{}", serde_json::to_string(m).unwrap());
            }
            println!(
                "start {} wall {} per minute {}",
                f.start_ms, f.wall_s, f.modules_per_minute
            );
        }
        "static" => {
            let files: Vec<PathBuf> = args.map(Into::into).collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&bench::validate(&files, 50).unwrap()).unwrap()
            );
        }
        _ => {
            let files: Vec<PathBuf> = args.map(Into::into).collect();
            let c = cli::validate(cli::ValidateArgs {
                files,
                json: what == "json",
                render: None,
                size: 1024,
                jobs: 2,
                time_limit_ms: 5000,
                chromium: None,
            })
            .await;
            println!("exit {c}");
        }
    }
}
