use render::*;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(std::env::var("LOG").unwrap_or("render=debug".into()))
        .init();
    let t = std::time::Instant::now();
    let r = Renderer::launch(RendererConfig::default()).await.unwrap();
    println!(
        "launch {:?} {}",
        t.elapsed(),
        r.graphics_info().await.unwrap()
    );
    for path in std::env::args().skip(1) {
        let source = std::fs::read_to_string(&path).unwrap();
        for _ in 0..2 {
            let t = std::time::Instant::now();
            match r.views(&source, 1024).await {
                Ok(v) => {
                    println!(
                        "{path} {:?} {:?} {:?} {}",
                        t.elapsed(),
                        v.timings,
                        v.metrics,
                        v.document_sha256
                    );
                    let d = format!(
                        "/tmp/rx/out/{}",
                        std::path::Path::new(&path)
                            .file_stem()
                            .unwrap()
                            .to_string_lossy()
                    );
                    std::fs::create_dir_all(&d).unwrap();
                    for (n, b) in v
                        .white
                        .iter()
                        .map(|x| (format!("white_{}", x.0), &x.1))
                        .chain(v.gray.iter().map(|x| (format!("gray_{}", x.0), &x.1)))
                        .chain([("grid".to_string(), &v.grid)])
                    {
                        std::fs::write(format!("{d}/{n}.png"), b).unwrap();
                    }
                }
                Err(e) => println!("{path} {:?} {e:?}", t.elapsed()),
            }
        }
    }
    println!("{}", r.graphics_info().await.unwrap());
    r.close().await;
}
