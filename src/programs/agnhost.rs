//! agnhost, the test image of Kubernetes: `netexec`, `serve-hostname`, `connect`, `pause`, `porter`.

use std::rc::Rc;
use std::time::Duration;

use super::hello::serve;
use super::{Image, Sandbox, path_of, peer, program, until_stopped};
use crate::net::NetError;
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};
use crate::sim::timeout;
use crate::value::duration;

pub(super) fn install(_image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    program(commands, "/agnhost", sandbox, run);
    // The older images of liveness have it as a program of its own.
    program(commands, "/server", sandbox, |mut context: Context, sandbox| {
        context.args.insert(1, "liveness".to_owned());
        run(context, sandbox)
    });
}

/// registry.k8s.io/serve_hostname, its ancestor.
pub(super) fn install_serve_hostname(
    _image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(commands, "/serve_hostname", sandbox, |context: Context, sandbox| {
        let hostname = sandbox.hostname.clone();
        serve(context, sandbox, 9376, move |_| text(hostname.clone()))
    });
}

fn text(body: impl Into<Vec<u8>>) -> HttpResponse {
    HttpResponse::new(200, "text/plain; charset=utf-8", body)
}

/// The value of `--name=value` or `--name value`.
fn flag(args: &[String], name: &str) -> Option<String> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let bare = arg.trim_start_matches('-');
        if bare == name {
            return args.next().cloned();
        }
        if let Some(value) = bare.strip_prefix(name).and_then(|r| r.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}

async fn run(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let args = context.rest().to_vec();
    let port = |default: u16| {
        ["http-port", "port"]
            .iter()
            .find_map(|n| flag(&args, n))
            .and_then(|p| p.parse().ok())
            .unwrap_or(default)
    };
    let hostname = sandbox.hostname.clone();
    match args.first().map(String::as_str) {
        Some("pause") => {
            context.stdout.line("Paused");
            until_stopped(&context.process).await;
            0
        }
        Some("netexec") => {
            let port = port(8080);
            context.stdout.line(format!("Started HTTP server on port {port}"));
            let started = sandbox.sim.now();
            serve(context, sandbox, port, move |request| {
                let query = |name: &str| -> Option<String> {
                    let (_, query) = request.path.split_once('?')?;
                    query
                        .split('&')
                        .find_map(|p| p.strip_prefix(name)?.strip_prefix('='))
                        .map(str::to_owned)
                };
                match path_of(request) {
                    "/" => text(format!("NOW: {started}")),
                    "/hostname" | "/hostName" => text(hostname.clone()),
                    "/clientip" => text(format!("{}:40000", peer(request))),
                    "/echo" => {
                        let mut response = text(query("msg").unwrap_or_default());
                        response.status = query("code").and_then(|c| c.parse().ok()).unwrap_or(200);
                        response
                    }
                    "/healthz" => text(""),
                    "/header" => text(
                        query("key")
                            .and_then(|k| request.header(&k).map(str::to_owned))
                            .unwrap_or_default(),
                    ),
                    _ => HttpResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
                }
            })
            .await
        }
        Some("serve-hostname" | "serve_hostname") => {
            let port = port(9376);
            context.stdout.line("Serving on port 9376.");
            serve(context, sandbox, port, move |_| text(hostname.clone())).await
        }
        Some("connect") => {
            let place = args.iter().skip(1).find_map(|a| a.split_once(':'));
            let Some((host, Ok(port))) = place.map(|(host, port)| (host, port.parse())) else {
                context.stderr.line("Error: accepts 1 arg(s), received 0");
                return 1;
            };
            let limit = flag(&args, "timeout").and_then(|t| duration::parse(&t).ok()?.try_into().ok());
            let limit = limit.map_or(Duration::from_secs(131), Duration::from_nanos);
            let (network, origin) = (&sandbox.network, &sandbox.origin);
            let result = timeout(&sandbox.sim, limit, async {
                let ips = network.resolve(origin, host).await?;
                let ip = ips.first().copied().ok_or_else(|| NetError::NoSuchHost(host.into()))?;
                network.probe(origin, ip, port).await
            });
            let said = match result.await.unwrap_or(Err(NetError::TimedOut)) {
                Ok(()) => return 0,
                Err(NetError::NoSuchHost(_)) => format!("DNS: lookup {host}: no such host"),
                Err(NetError::Refused) => "REFUSED".into(),
                Err(NetError::TimedOut) => "TIMEOUT".into(),
                Err(other) => format!("OTHER: {other}"),
            };
            context.stderr.line(said);
            1
        }
        Some("liveness") => {
            let started = sandbox.sim.now();
            let sim = sandbox.sim.clone();
            serve(context, sandbox, 8080, move |request| {
                let up = sim.now().since(started).as_secs_f64();
                match path_of(request) {
                    "/healthz" if up > 10.0 => HttpResponse::new(500, "text/plain", format!("error: {up}")),
                    "/healthz" => text("ok"),
                    "/started" => text(started.to_string()),
                    _ => HttpResponse::new(404, "text/plain", "404 page not found\n"),
                }
            })
            .await
        }
        Some(other) => {
            context.stderr.line(format!("agnhost {other} is not simulated"));
            1
        }
        None => {
            context.stderr.line("Error: no command given");
            1
        }
    }
}
