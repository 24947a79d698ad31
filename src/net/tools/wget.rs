//! `wget`, as busybox's: `-q`, `-O FILE`, `-o FILE`, `-T SECONDS`, `-S`, `--post-data`, `--header`.

use std::time::Duration;

use super::super::{HttpRequest, NetError, Network, Origin, Tls, Url};
use super::follow::{Why, follow};
use crate::shell::{Context, Dialect};
use crate::sim::timeout;

/// Runs `wget`.
pub(super) async fn run(mut context: Context, network: Network, origin: Origin) -> i32 {
    let mut quiet = false;
    let mut output: Option<String> = None;
    let mut seconds: Option<u64> = None;
    let mut urls = Vec::new();
    let mut request = HttpRequest::get("/");
    request.headers.push(("User-Agent".into(), "Wget".into()));
    let (mut spider, mut show, mut prefix, mut resumes) = (false, false, None::<String>, false);
    let mut log: Option<String> = None;
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        // A long option's value stands behind `=`, or in the next word.
        let (name, given) = word.split_once('=').unwrap_or((word, ""));
        let mut long = || match given {
            "" => words.next().cloned().unwrap_or_default(),
            given => given.to_owned(),
        };
        match name {
            "--spider" => spider = true,
            "--quiet" => quiet = true,
            "--continue" => resumes = true,
            "--server-response" => show = true,
            // busybox's verifies nobody.
            "--no-check-certificate" => {}
            "--timeout" => seconds = long().parse().ok(),
            "--output-document" => output = Some(long()),
            "--output-file" => log = Some(long()),
            "--directory-prefix" => prefix = Some(long()),
            "--tries" | "--user-agent" => drop(long()),
            "--post-data" => {
                request.method = "POST".into();
                request.body = long().into_bytes();
            }
            "--header" => {
                if let Some((k, v)) = long().split_once(':') {
                    request.headers.push((k.trim().into(), v.trim().into()));
                }
            }
            w if w.starts_with("--") => {
                context.stderr.line(format!("wget: unrecognized option '{word}'"));
                return 1;
            }
            w if w.starts_with('-') && w.len() > 1 => {
                let mut value = |letter: char| -> Option<String> {
                    let rest = word.split_once(letter).map(|(_, r)| r).filter(|r| !r.is_empty());
                    rest.map(str::to_owned).or_else(|| words.next().cloned())
                };
                // Letters may be joined (`-qO-`); the first that takes a value ends the word.
                let letters = word.chars().skip(1);
                for c in letters {
                    match c {
                        'q' => quiet = true,
                        'S' => show = true,
                        'c' => resumes = true,
                        'O' | 'o' | 'T' | 'U' | 'P' | 't' => {
                            let v = value(c).unwrap_or_default();
                            match c {
                                'O' => output = Some(v),
                                'o' => log = Some(v),
                                'P' => prefix = Some(v),
                                'T' => seconds = v.parse().ok(),
                                _ => {}
                            }
                            break;
                        }
                        other => {
                            context.stderr.line(format!("wget: invalid option -- '{other}'"));
                            return 1;
                        }
                    }
                }
            }
            _ => urls.push(word.clone()),
        }
    }
    let Some(text) = urls.first() else {
        context.stderr.line("wget: missing URL");
        return 1;
    };
    // All that is said goes to the log.
    match log.as_deref() {
        None => {}
        Some("-") => context.stderr = context.stdout.clone(),
        Some(name) => match context.create(name, false) {
            Ok(sink) => context.stderr = sink,
            Err(_) => {
                let why = format!("wget: can't open '{name}': No such file or directory");
                context.stderr.line(why);
                return 1;
            }
        },
    }
    // The seeds write a full stop behind some addresses.
    let text = text.trim_end_matches('.');
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) => {
            context.stderr.line(format!("wget: bad address '{text}'"));
            return 1;
        }
    };
    // The host as it was typed, with a port even where the port is the scheme's own.
    let typed = text.split_once("://").map_or(text, |(_, rest)| rest);
    let typed = typed.split(['/', '?', '#']).next().unwrap_or_default();
    let typed = typed.rsplit('@').next().unwrap_or_default().to_owned();
    let say = |line: String| {
        if !quiet {
            context.stderr.line(line);
        }
    };
    let limit = Duration::from_secs(seconds.unwrap_or(900).max(1));
    let mut at = url.host.clone();
    let result = timeout(network.sim(), limit, async {
        if let Some(response) = super::downloaded(&context, &url.text()).await {
            return Ok(response);
        }
        let ips = network.resolve(&origin, &url.host).await?;
        let Some(ip) = ips.first().copied() else {
            return Err(NetError::NoSuchHost(url.host.clone()));
        };
        at = ip.to_string();
        say(format!("Connecting to {typed} ({ip}:{})", url.port));
        let host = request.header("Host").map(str::to_owned);
        request.host = host.unwrap_or(typed);
        request.path = url.path.clone();
        request.tls = (url.scheme == "https").then(Tls::unverified);
        network.http_to(&origin, ip, url.port, request.clone()).await
    })
    .await;
    let response = match result {
        None => {
            context.stderr.line("wget: download timed out");
            return 1;
        }
        Some(Err(NetError::NoSuchHost(host))) => {
            context.stderr.line(format!("wget: bad address '{host}'"));
            return 1;
        }
        Some(Err(NetError::BadAnswer(_) | NetError::Plain | NetError::Closed)) => {
            context.stderr.line("wget: error getting response");
            return 1;
        }
        Some(Err(error)) => {
            context
                .stderr
                .line(format!("wget: can't connect to remote host ({at}): {error}"));
            return 1;
        }
        Some(Ok(response)) => response,
    };
    if show {
        let head = match response.more.is_some() {
            true => response.begin(),
            false => response.to_bytes(),
        };
        let text = String::from_utf8_lossy(&head).into_owned();
        let lines = text.split("\r\n").take_while(|l| !l.is_empty());
        // A failure is known from the first line.
        for line in lines.take(if response.status >= 400 { 1 } else { usize::MAX }) {
            context.stderr.line(format!("  {line}"));
        }
    }
    if response.status >= 400 {
        context.stderr.line(format!(
            "wget: server returned error: HTTP/1.1 {} {}",
            response.status,
            response.reason()
        ));
        return 1;
    }
    if spider {
        say("remote file exists".into());
        return 0;
    }
    let named = output.is_some();
    let mut name = output.unwrap_or_else(|| {
        let last = url
            .path
            .rsplit('/')
            .next()
            .unwrap_or("")
            .split('?')
            .next()
            .unwrap_or("");
        if last.is_empty() {
            "index.html".into()
        } else {
            last.to_owned()
        }
    });
    if let Some(dir) = prefix.filter(|_| !named) {
        name = format!("{}/{name}", dir.trim_end_matches('/'));
    }
    let exclusive = !named && !resumes && context.host.dialect() == Dialect::Busybox;
    if exclusive && context.files.exists(&context.path(&name)) {
        context.stderr.line(format!("wget: can't open '{name}': File exists"));
        return 1;
    }
    let to_stdout = name == "-";
    let sink = match to_stdout {
        true => context.stdout.clone(),
        false => match context.create(&name, false) {
            Ok(sink) => sink,
            Err(_) => {
                context
                    .stderr
                    .line(format!("wget: can't open '{name}': No such file or directory"));
                return 1;
            }
        },
    };
    say(match to_stdout {
        true => "writing to stdout".to_owned(),
        false => format!("saving to '{name}'"),
    });
    sink.write(&response.body);
    let more = follow(network.sim(), &response.more, None, &sink).await;
    if more.why != Why::End {
        return 1;
    }
    say(format!(
        "{name:<20} 100% |********************************| {:5}  0:00:00 ETA",
        response.body.len() + more.length
    ));
    say(match to_stdout {
        true => "written to stdout".to_owned(),
        false => format!("'{name}' saved"),
    });
    0
}
