//! A git host over HTTP: `git http-backend` behind a socket, with a token at the door and a way to lose answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;

pub struct HttpHost {
    pub port: u16,
    /// Take the next push, then hang up without a word.
    pub lose_next_answer: Arc<AtomicBool>,
    pub pushes: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl HttpHost {
    /// Serves the folder that holds `repository`. With a token, only requests that carry it get in.
    pub fn serve(repository: &Path, token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Self {
            port: listener.local_addr().unwrap().port(),
            lose_next_answer: Arc::default(),
            pushes: Arc::default(),
            stopped: Arc::default(),
        };
        let root = repository.parent().unwrap().to_owned();
        let expected = token.map(|token| {
            let pair = format!("x-access-token:{token}");
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(pair)
            )
        });
        let (lose, pushes, stopped) = (
            host.lose_next_answer.clone(),
            host.pushes.clone(),
            host.stopped.clone(),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (root, expected) = (root.clone(), expected.clone());
                let (lose, pushes) = (lose.clone(), pushes.clone());
                std::thread::spawn(move || {
                    let _ = answer(&stream.unwrap(), &root, expected.as_deref(), &lose, &pushes);
                });
            }
        });
        host
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for HttpHost {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(
    stream: &TcpStream,
    root: &PathBuf,
    expected: Option<&str>,
    lose: &AtomicBool,
    pushes: &AtomicUsize,
) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    let mut output = stream;
    let request = read_line(&mut input)?;
    let mut parts = request.split(' ');
    let (method, target) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut input)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map_or("", |(_, value)| value.as_str())
    };
    let body = read_body(
        &mut input,
        header("transfer-encoding"),
        header("content-length"),
    )?;
    if expected.is_some_and(|expected| header("authorization") != expected) {
        return write!(
            output,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    if !root
        .join(
            path.trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default(),
        )
        .exists()
    {
        return write!(
            output,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("REMOTE_USER", "test")
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_CONFIG_KEY_1", "http.receivepack")
        .env("GIT_CONFIG_VALUE_1", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || stdin.write_all(&body));
    let answered = child.wait_with_output()?.stdout;
    let _ = feeding.join();
    if method == "POST" && path.ends_with("/git-receive-pack") {
        pushes.fetch_add(1, Ordering::Relaxed);
        if lose.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
    }
    let end = answered
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(0);
    let (head, content) = (
        String::from_utf8_lossy(&answered[..end]),
        &answered[end + 4..],
    );
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    write!(
        output,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n",
        content.len()
    )?;
    for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
        write!(output, "{line}\r\n")?;
    }
    write!(output, "\r\n")?;
    output.write_all(content)
}

fn read_line(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn read_body(input: &mut impl BufRead, encoding: &str, length: &str) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if encoding != "chunked" {
        input
            .take(length.parse().unwrap_or(0))
            .read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        let size = u64::from_str_radix(&read_line(input)?, 16).unwrap_or(0);
        input.take(size).read_to_end(&mut body)?;
        read_line(input)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
