//! Web applications of which only the outside is simulated: they listen, and answer `/` with a page
//! that says what they are and that they are not simulated.

use std::rc::Rc;

use super::{Image, Sandbox, generic, http_date, path_of, peer, program, until_stopped};
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};
use crate::sim::Time;

/// What an application answers besides, by the path: most nothing.
type Own = fn(&str, Time) -> Option<HttpResponse>;

pub(super) fn install(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    add(image, sandbox, commands, |_, _| None);
}

/// InfluxDB, which says what its clients and tutorials look for first.
pub(super) fn install_influxdb(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    add(image, sandbox, commands, |path, now| {
        (path == "/ping").then(|| {
            let mut response = HttpResponse::new(204, "", "");
            response.headers = vec![
                ("X-Influxdb-Build".into(), "OSS".into()),
                ("X-Influxdb-Version".into(), "2.7.12".into()),
                ("Date".into(), http_date(now)),
            ];
            response
        })
    });
}

fn add(image: &Image, sandbox: &Rc<Sandbox>, commands: &mut Commands, own: Own) {
    generic::add_entrypoint(image, sandbox, commands);
    let (repository, name, ports) = (image.repository, image.name(), image.ports);
    // What an entry point starts, or the server as the entry point itself.
    let Some(main) = image.cmd.first().or(image.entrypoint.first()) else {
        return;
    };
    program(commands, main, sandbox, move |context: Context, sandbox| {
        run(context, sandbox, repository, name, ports, own)
    });
}

/// Where programs are asked whether they are well.
pub(super) const HEALTH: &[&str] = &[
    "/healthz",
    "/health",
    "/healthy",
    "/-/healthy",
    "/-/ready",
    "/api/health",
    "/ready",
    "/livez",
    "/readyz",
];

async fn run(
    context: Context,
    sandbox: Rc<Sandbox>,
    repository: &'static str,
    name: &'static str,
    ports: &'static [u16],
    own: Own,
) -> i32 {
    let mut listening = Vec::new();
    for port in ports {
        let (log, sim) = (context.stdout.clone(), context.sim.clone());
        let opened = sandbox.serve(*port, move |request| {
            let path = path_of(&request);
            let health = HEALTH.contains(&path);
            let response = if health {
                HttpResponse::new(200, "text/plain", "ok\n")
            } else if let Some(response) = own(path, sim.now()) {
                response
            } else if path == "/" {
                let body = format!(
                    "<!DOCTYPE html>\n<html>\n<head><title>{name}</title></head>\n<body>\n<h1>{name}</h1>\n<p>The application of {repository} is not simulated; this page stands in for it.</p>\n</body>\n</html>\n"
                );
                HttpResponse::new(200, "text/html", body)
            } else {
                HttpResponse::new(404, "text/plain", format!("{name}: {path} is not simulated\n"))
            };
            log.line(format!("{} \"{} {}\" {}", peer(&request), request.method, request.path, response.status));
            std::future::ready(response)
        });
        match opened {
            Ok(open) => listening.push(open),
            Err(error) => {
                context.stderr.line(format!("cannot listen on port {port}: {error}"));
                return 1;
            }
        }
    }
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    context.stdout.line(format!(
        "The application of {repository} is not simulated: this container answers HTTP on port {} with a page that stands in for it.",
        list.join(", ")
    ));
    128 + until_stopped(&context.process).await
}
