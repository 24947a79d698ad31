//! A small static server for dist/: `cargo xtask serve`, and what the browser tests look at.

use crate::Result;
use crate::page;
use crate::shell::root;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

const DEFAULT_PORT: u16 = 8080;
/// Ports tried after the default one when that is taken.
const OTHER_PORTS: u16 = 20;
/// Longest request line or header we read. A browser's are far shorter.
const LINE_BYTES: u64 = 16 * 1024;
const HEADERS: usize = 200;

/// `cargo xtask serve`.
pub fn command(port: Option<u16>) -> Result<()> {
    page::ready()?;
    let listener = listen(port)?;
    println!("kubetab is at {}  (Ctrl-C ends it)", address(&listener)?);
    accept(&listener);
    Ok(())
}

/// Serves dist/ from a thread for as long as this process runs; gives its address.
pub fn in_background() -> Result<String> {
    let listener = listen(Some(0))?;
    let url = address(&listener)?;
    std::thread::spawn(move || accept(&listener));
    Ok(url)
}

fn listen(port: Option<u16>) -> Result<TcpListener> {
    if let Some(port) = port {
        return TcpListener::bind(("127.0.0.1", port))
            .map_err(|error| format!("Cannot listen on 127.0.0.1:{port}: {error}. Choose another with --port N."));
    }
    for port in DEFAULT_PORT..DEFAULT_PORT + OTHER_PORTS {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener);
        }
        println!("Port {port} is taken.");
    }
    Err("Found no free port. Choose one with --port N.".to_string())
}

fn address(listener: &TcpListener) -> Result<String> {
    let address = listener
        .local_addr()
        .map_err(|error| format!("Cannot tell the address: {error}."))?;
    Ok(format!("http://{address}/"))
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        // A browser that goes away mid-answer is no one's error.
        std::thread::spawn(move || talk(stream).ok());
    }
}

/// Answers the requests of one connection until the browser closes it or is silent for a while.
fn talk(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(line) = read_line(&mut reader)? {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut known = String::new();
        for _ in 0..HEADERS {
            let Some(header) = read_line(&mut reader)? else {
                return Ok(());
            };
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("if-none-match")
            {
                known = value.trim().to_string();
            }
        }
        let answer = answer(&root().join("dist"), method, target, &known);
        let length = answer.body.len();
        let mut head = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&answer.body)?;
        }
    }
    Ok(())
}

fn read_line(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let count = std::io::Read::take(&mut *reader, LINE_BYTES).read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim_end().to_string()))
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn text(status: &'static str) -> Answer {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_string())];
        Answer {
            status,
            headers,
            body: format!("{status}\n").into_bytes(),
        }
    }
}

fn answer(dist: &Path, method: &str, target: &str, known: &str) -> Answer {
    if method != "GET" && method != "HEAD" {
        return Answer::text("405 Method Not Allowed");
    }
    let Some(path) = file_of(dist, target) else {
        return Answer::text("404 Not Found");
    };
    let Ok(body) = std::fs::read(&path) else {
        return Answer::text("404 Not Found");
    };
    let changed = std::fs::metadata(&path).and_then(|data| data.modified()).ok();
    let nanos = changed
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |t| t.as_nanos());
    let tag = format!("\"{:x}-{nanos:x}\"", body.len());
    let headers = vec![
        ("Content-Type", mime(&path).to_string()),
        // Always ask again: a new build must show at once.
        ("Cache-Control", "no-cache".to_string()),
        ("ETag", tag.clone()),
        ("X-Content-Type-Options", "nosniff".to_string()),
    ];
    if known == tag {
        return Answer {
            status: "304 Not Modified",
            headers,
            body: Vec::new(),
        };
    }
    Answer {
        status: "200 OK",
        headers,
        body,
    }
}

/// The file that a request's target names. None for what leads out of dist/ and for hidden files.
fn file_of(dist: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decoded(path.trim_start_matches('/'))?;
    let mut file = dist.to_path_buf();
    for component in Path::new(&path).components() {
        match component {
            Component::Normal(name) if !name.to_string_lossy().starts_with('.') => file.push(name),
            _ => return None,
        }
    }
    Some(if path.is_empty() || path.ends_with('/') {
        file.join("index.html")
    } else {
        file
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn mime(path: &Path) -> &'static str {
    match path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
    {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "md" | "txt" | "yaml" | "yml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_inside_the_folder() {
        let dist = Path::new("/dist");
        let cases = [
            ("/", Some("/dist/index.html")),
            ("/?seed=1", Some("/dist/index.html")),
            ("/a%20b.js", Some("/dist/a b.js")),
            ("/vendor/", Some("/dist/vendor/index.html")),
            ("/vendor/terminal.js", Some("/dist/vendor/terminal.js")),
            ("/../secret", None),
            ("/vendor/%2e%2e/%2e%2e/secret", None),
            ("/.inputs", None),
            ("/%", None),
            ("/%zz", None),
            ("//etc/passwd", Some("/dist/etc/passwd")),
        ];
        for (target, expected) in cases {
            assert_eq!(file_of(dist, target), expected.map(PathBuf::from), "{target}");
        }
    }

    #[test]
    fn only_reading_is_answered() {
        assert_eq!(
            answer(Path::new("/nowhere"), "POST", "/", "").status,
            "405 Method Not Allowed"
        );
        assert_eq!(answer(Path::new("/nowhere"), "GET", "/", "").status, "404 Not Found");
    }

    #[test]
    fn wasm_has_its_type() {
        assert_eq!(mime(Path::new("a_bg.wasm")), "application/wasm");
    }
}
