//! The small HTTP servers of tutorials: they say hello, or say back what they were asked.

use std::cell::Cell;
use std::rc::Rc;

use super::{Image, Sandbox, combined_log, peer, program, slash_date, until_stopped};
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{Listener, Protocol};
use crate::shell::{Commands, Context, Files};
use crate::value::Value;

/// Serves `answer` on `port` until it is stopped; ends with 128 + the signal.
pub(super) async fn serve(
    context: Context,
    sandbox: Rc<Sandbox>,
    port: u16,
    answer: impl Fn(&HttpRequest) -> HttpResponse + 'static,
) -> i32 {
    let listening = sandbox.serve(port, move |request| std::future::ready(answer(&request)));
    if listening.is_err() {
        context
            .stderr
            .line(format!("listen tcp :{port}: bind: address already in use"));
        return 1;
    }
    128 + until_stopped(&context.process).await
}

/// The program's path: the first word that the image begins with.
fn main_of(image: &Image) -> &'static str {
    let words = || image.entrypoint.iter().chain(image.cmd).copied();
    // `/bin/sh -c "node server.js"` runs node.
    if words().any(|w| w == "node server.js") {
        return "/usr/local/bin/node";
    }
    words().next().unwrap_or("/main")
}

fn absolute(path: &str) -> String {
    match path.strip_prefix("./") {
        Some(rest) => format!("/{rest}"),
        None => path.to_owned(),
    }
}

/// gcr.io/google-samples/hello-app.
pub(super) fn install_hello_app(
    image: &Image,
    tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    let version = if tag == "2.0" { "2.0.0" } else { "1.0.0" };
    program(
        commands,
        &absolute(main_of(image)),
        sandbox,
        move |context: Context, sandbox| {
            let port: u16 = context.env.get("PORT").and_then(|p| p.parse().ok()).unwrap_or(8080);
            let log = context.stderr.clone();
            let (hostname, sim) = (sandbox.hostname.clone(), sandbox.sim.clone());
            log.line(format!("{} Server listening on port {port}", slash_date(sim.now())));
            serve(context, sandbox, port, move |request| {
                log.line(format!("{} Serving request: {}", slash_date(sim.now()), request.path));
                HttpResponse::new(
                    200,
                    "text/plain; charset=utf-8",
                    format!("Hello, world!\nVersion: {version}\nHostname: {hostname}\n"),
                )
            })
        },
    );
}

/// gcr.io/google-samples/node-hello.
pub(super) fn install_node_hello(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(commands, main_of(image), sandbox, |context: Context, sandbox| {
        serve(context, sandbox, 8080, |_| {
            HttpResponse::new(200, "text/plain", "Hello Kubernetes!")
        })
    });
}

/// luksa/kubia, the application of a well-known book: says which pod one has hit. Version 3 and `kubia-unhealthy` fail
/// after five requests; `kubia-pet` keeps what is posted.
pub(super) fn install_kubia(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    const STORE: &str = "/var/data/kubia.txt";
    let greeting = match tag {
        "v1" | "v2" | "v3" | "v4" => format!("This is {tag} running in pod "),
        _ => "You've hit ".to_owned(),
    };
    let (pet, sick) = (image.name() == "kubia-pet", image.name() == "kubia-unhealthy");
    let fails = sick || tag == "v3";
    program(commands, main_of(image), sandbox, move |context: Context, sandbox| {
        let log = context.stdout.clone();
        log.line("Kubia server starting...");
        let (host, files, count) = (sandbox.hostname.clone(), context.files.clone(), Cell::new(0));
        let answer = format!("{greeting}{host}\n");
        serve(context, sandbox, 8080, move |request| {
            log.line(format!("Received request from ::ffff:{}", peer(request)));
            count.set(count.get() + 1);
            let (status, text) = match () {
                () if fails && count.get() > 5 && sick => (500, "I'm not well. Please restart me!\n".to_owned()),
                () if fails && count.get() > 5 => {
                    (500, format!("Some internal error has occurred! This is pod {host}\n"))
                }
                () if pet && request.method == "POST" => {
                    let kept = files
                        .make_dirs("/var/data")
                        .and_then(|()| files.write(STORE, request.body.clone()));
                    match kept {
                        Ok(()) => {
                            log.line("New data has been received and stored.");
                            (200, format!("Data stored on pod {host}\n"))
                        }
                        Err(error) => (500, format!("{error}\n")),
                    }
                }
                () if pet => {
                    let data = files
                        .read(STORE)
                        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                    let data = data.unwrap_or_else(|_| "No data posted yet".to_owned());
                    (200, format!("{answer}Data stored on this pod: {data}\n"))
                }
                () => (200, answer.clone()),
            };
            HttpResponse::new(status, "text/plain", text)
        })
    });
}

/// The small applications of which all that is known is their answer ([`Image::says`]).
pub(super) fn install_says(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    if image.reply.is_empty() {
        return super::web::install(image, tag, sandbox, commands, files);
    }
    let (reply, port) = (image.reply, image.ports.first().copied().unwrap_or(80));
    let tag = tag.to_owned();
    let run = move |context: Context, sandbox: Rc<Sandbox>| {
        let log = context.stdout.clone();
        let env = context.env.iter().fold(Value::map(), |mut map, (name, value)| {
            map.set(&[name.as_str()], value.as_str());
            map
        });
        let text = reply
            .replace("{host}", &sandbox.hostname)
            .replace("{tag}", &tag)
            .replace("{ip}", &sandbox.ip().to_string())
            .replace("{env}", &env.to_json());
        let (sim, count) = (sandbox.sim.clone(), Cell::new(0));
        serve(context, sandbox, port, move |request| {
            let is_health = text.starts_with('{') && super::web::HEALTH.contains(&super::path_of(request));
            let body = match is_health {
                true => "{\n  \"status\": \"OK\"\n}\n".to_owned(),
                false => format!("{}\n", text.replace("{n}", &count.get().to_string())),
            };
            count.set(count.get() + 1);
            log.line(combined_log(request, 200, body.len(), sim.now()));
            let kind = match text.get(..1) {
                Some("<") => "text/html",
                Some("{") => "application/json",
                _ => "text/plain",
            };
            HttpResponse::new(200, kind, body)
        })
    };
    // Manifests start some of them by the name that the image has.
    program(commands, &format!("/{}", image.name()), sandbox, run.clone());
    program(commands, main_of(image), sandbox, run);
}

/// podinfo, with the client that its manifests probe with: `podcli check http localhost:9898/healthz`.
pub(super) fn install_podinfo(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    install_says(image, tag, sandbox, commands, files);
    program(commands, "podcli", sandbox, |context, sandbox| async move {
        let place = context
            .rest()
            .iter()
            .find_map(|word| word.split_once(':')?.1.split('/').next());
        let port = place.and_then(|port| port.parse().ok()).unwrap_or(9898);
        i32::from(!sandbox.ports.accepts(Protocol::Tcp, port))
    });
}

/// gcr.io/google-samples/hello-go-gke: the back end of the "connect a front end" tutorial.
pub(super) fn install_hello_go(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(commands, main_of(image), sandbox, |context: Context, sandbox| {
        serve(context, sandbox, 80, |_| {
            HttpResponse::new(200, "application/json", "{\"message\":\"Hello\"}\n")
        })
    });
}

/// hello-world: prints its text and ends.
pub(super) fn install_hello_world(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(commands, main_of(image), sandbox, |context: Context, _| async move {
        context.stdout.line(
            "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n\nTo generate this message, Docker took the following steps:\n 1. The Docker client contacted the Docker daemon.\n 2. The Docker daemon pulled the \"hello-world\" image from the Docker Hub.\n    (amd64)\n 3. The Docker daemon created a new container from that image which runs the\n    executable that produces the output you are currently reading.\n 4. The Docker daemon streamed that output to the Docker client, which sent it\n    to your terminal.\n\nTo try something more ambitious, you can run an Ubuntu container with:\n $ docker run -it ubuntu bash\n\nShare images, automate workflows, and more with a free Docker ID:\n https://hub.docker.com/\n\nFor more examples and ideas, visit:\n https://docs.docker.com/get-started/\n",
        );
        0
    });
}

/// hashicorp/http-echo: `-text=…` and `-listen=:port`.
pub(super) fn install_http_echo(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(
        commands,
        main_of(image),
        sandbox,
        |context: Context, sandbox| async move {
            let (mut text, mut port) = (context.env.get("ECHO_TEXT").cloned().unwrap_or_default(), 5678u16);
            let mut args = context.rest().iter();
            while let Some(arg) = args.next() {
                let bare = arg.trim_start_matches('-');
                let (name, value) = match bare.split_once('=') {
                    Some((name, value)) => (name, value.to_owned()),
                    None => (bare, args.next().cloned().unwrap_or_default()),
                };
                match name {
                    "text" => text = value,
                    "listen" => port = value.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or(5678),
                    "status-code" => {}
                    _ => {
                        context.stderr.line(format!("flag provided but not defined: -{name}"));
                        return 127;
                    }
                }
            }
            if text.is_empty() {
                context.stderr.line("Missing -text option!");
                return 127;
            }
            let (log, sim) = (context.stdout.clone(), sandbox.sim.clone());
            log.line(format!(
                "{} [INFO] server is listening on :{port}",
                slash_date(sim.now())
            ));
            serve(context, sandbox, port, move |request| {
                log.line(format!(
                    "{} {} {} \"{} {} HTTP/1.1\" 200 {} \"{}\" 20.1µs",
                    slash_date(sim.now()),
                    request.host,
                    peer(request),
                    request.method,
                    request.path,
                    text.len() + 1,
                    request.header("User-Agent").unwrap_or("")
                ));
                HttpResponse::new(200, "text/plain; charset=utf-8", format!("{text}\n"))
            })
            .await
        },
    );
}

/// traefik/whoami.
pub(super) fn install_whoami(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    program(commands, main_of(image), sandbox, |context: Context, sandbox| {
        let mut port = context
            .env
            .get("WHOAMI_PORT_NUMBER")
            .and_then(|p| p.parse().ok())
            .unwrap_or(80);
        let mut args = context.rest().iter();
        while let Some(arg) = args.next() {
            if let Some(value) = arg.trim_start_matches('-').strip_prefix("port") {
                let value = value.trim_start_matches('=');
                let value = if value.is_empty() {
                    args.next().map_or("", String::as_str)
                } else {
                    value
                };
                port = value.parse().unwrap_or(port);
            }
        }
        let (hostname, ip) = (sandbox.hostname.clone(), sandbox.ip());
        let now = slash_date(sandbox.sim.now());
        context.stderr.line(format!("{now} Starting up on port {port}"));
        serve(context, sandbox, port, move |request| {
            let mut body = format!(
                "Hostname: {hostname}\nIP: 127.0.0.1\nIP: ::1\nIP: {ip}\nRemoteAddr: {}:{}\n{} {} HTTP/1.1\nHost: {}\n",
                peer(request),
                40_000,
                request.method,
                request.path,
                request.host
            );
            for (name, value) in others(request) {
                body.push_str(&format!("{name}: {value}\n"));
            }
            body.push('\n');
            HttpResponse::new(200, "text/plain; charset=utf-8", body)
        })
    });
}

/// nginxdemos/hello, as plain text.
pub(super) fn install_nginx_hello(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    let port = image.ports.first().copied().unwrap_or(80);
    program(
        commands,
        "/usr/sbin/nginx",
        sandbox,
        move |context: Context, sandbox| {
            let (hostname, ip, sim) = (sandbox.hostname.clone(), sandbox.ip(), sandbox.sim.clone());
            let log = context.stdout.clone();
            serve(context, sandbox, port, move |request| {
                let body = format!(
                    "Server address: {ip}:{port}\nServer name: {hostname}\nDate: {}\nURI: {}\nRequest ID: {}\n",
                    super::log_date(sim.now()),
                    request.path,
                    &super::stable_digest(&format!("{hostname}{}{}", request.path, sim.now().0))[..32]
                );
                log.line(combined_log(request, 200, body.len(), sim.now()));
                HttpResponse::new(200, "text/plain", body)
            })
        },
    );
}

/// A request's headers but `Host`, which servers show apart.
fn others(request: &HttpRequest) -> impl Iterator<Item = &(String, String)> {
    request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
}

/// Servers that answer with the request itself, as jmalloc's echo-server and what is made of it do.
pub(super) fn install_request(image: &Image, _: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _: &Files) {
    program(commands, main_of(image), sandbox, |context: Context, sandbox| {
        let port = context.env.get("PORT").and_then(|p| p.parse().ok()).unwrap_or(8080);
        let (hostname, log) = (sandbox.hostname.clone(), context.stdout.clone());
        log.line(format!("Echo server listening on port {port}."));
        serve(context, sandbox, port, move |request| {
            log.line(format!("{}:40000 | {} {}", peer(request), request.method, request.path));
            let mut body = format!(
                "Request served by {hostname}\n\nHTTP/1.1 {} {}\n\nHost: {}\n",
                request.method, request.path, request.host
            );
            for (name, value) in others(request) {
                body.push_str(&format!("{name}: {value}\n"));
            }
            if !request.body.is_empty() {
                body.push_str(&format!("\n{}", String::from_utf8_lossy(&request.body)));
            }
            HttpResponse::new(200, "text/plain", body)
        })
    });
}

/// Servers that answer with the request itself.
pub(super) fn install_echo(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    let port = image.ports.first().copied().unwrap_or(8080);
    let main = match main_of(image) {
        "node" => "/usr/local/bin/node".to_owned(),
        other => absolute(other),
    };
    program(commands, &main, sandbox, move |context: Context, sandbox| {
        let port = context.env.get("PORT").and_then(|p| p.parse().ok()).unwrap_or(port);
        let (hostname, sim) = (sandbox.hostname.clone(), sandbox.sim.clone());
        let (pod, namespace, ip, node) = (
            sandbox.pod.clone(),
            sandbox.namespace.clone(),
            sandbox.ip(),
            sandbox.node.clone(),
        );
        let log = context.stdout.clone();
        serve(context, sandbox, port, move |request| {
            let mut body = format!(
                "\n\nHostname: {hostname}\n\nPod Information:\n\tnode name:\t{node}\n\tpod name:\t{pod}\n\tpod namespace:\t{namespace}\n\tpod IP:\t{ip}\n\nServer values:\n\tserver_version=nginx: 1.14.2 - lua: 10015\n\nRequest Information:\n\tclient_address={}\n\tmethod={}\n\treal path={}\n\tquery={}\n\trequest_version=1.1\n\trequest_scheme=http\n\trequest_uri=http://{}:{port}{}\n\nRequest Headers:\n\thost={}\n",
                peer(request),
                request.method,
                request.path,
                request.path.split_once('?').map_or("", |(_, q)| q),
                request.host.split(':').next().unwrap_or_default(),
                request.path,
                request.host,
            );
            for (name, value) in others(request) {
                body.push_str(&format!("\t{}={value}\n", name.to_ascii_lowercase()));
            }
            body.push_str("\nRequest Body:\n");
            let sent = String::from_utf8_lossy(&request.body);
            body.push_str(if sent.is_empty() {
                "\t-no body in request-\n"
            } else {
                &sent
            });
            body.push('\n');
            log.line(combined_log(request, 200, body.len(), sim.now()));
            HttpResponse::new(200, "text/plain", body)
        })
    });
}

/// The php-apache of the autoscaling walkthrough and the guestbook's front end.
pub(super) fn install_php(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    let name = image.name();
    program(
        commands,
        "/usr/local/bin/apache2-foreground",
        sandbox,
        move |context: Context, sandbox| {
            let (log, sim, ip) = (context.stdout.clone(), sandbox.sim.clone(), sandbox.ip());
            context.stderr.line(format!(
            "AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using {ip}. Set the 'ServerName' directive globally to suppress this message"
        ));
            serve(context, sandbox, 80, move |request| {
                let mut response = if name == "hpa-example" {
                    HttpResponse::new(200, "text/html", "OK!")
                } else {
                    HttpResponse::new(
                        200,
                        "text/html",
                        "<html ng-app=\"redis\">\n  <head>\n    <title>Guestbook</title>\n  </head>\n  <body>\n    <h2>Guestbook</h2>\n  </body>\n</html>\n",
                    )
                };
                response
                    .headers
                    .insert(0, ("Server".into(), "Apache/2.4.10 (Debian)".into()));
                log.line(combined_log(request, 200, response.body.len(), sim.now()));
                response
            })
        },
    );
}
