//! agnhost, the test image of Kubernetes: `netexec`, `serve-hostname`, `pause`, `porter`.

use std::rc::Rc;

use super::hello::serve;
use super::{Image, Sandbox, path_of, peer, program, until_stopped};
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};

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
