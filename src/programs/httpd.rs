//! Apache httpd: serves its document root and writes the common log.

use std::rc::Rc;

use super::{Image, Sandbox, http_date, log_date, media_type, path_of, peer, program, until_stopped};
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};

const ROOT: &str = "/usr/local/apache2/htdocs";

pub(super) fn install(_image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    let _ = files.put(
        &format!("{ROOT}/index.html"),
        "<html><body><h1>It works!</h1></body></html>\n",
    );
    let _ = files.put(
        "/usr/local/apache2/conf/httpd.conf",
        "ServerRoot \"/usr/local/apache2\"\nListen 80\nDocumentRoot \"/usr/local/apache2/htdocs\"\n",
    );
    for dir in [
        "bin", "build", "cgi-bin", "error", "icons", "include", "logs", "modules",
    ] {
        let _ = files.make_dirs(&format!("/usr/local/apache2/{dir}"));
    }
    program(commands, "/usr/local/bin/httpd-foreground", sandbox, run);
    program(
        commands,
        "/usr/local/apache2/bin/httpd",
        sandbox,
        |context: Context, sandbox| async move {
            if context.arg(1) == Some("-v") {
                let version = context.env.get("HTTPD_VERSION").cloned().unwrap_or_default();
                context.stdout.line(format!("Server version: Apache/{version} (Unix)"));
                return 0;
            }
            if context.arg(1) == Some("-t") {
                context.stderr.line("Syntax OK");
                return 0;
            }
            run(context, sandbox).await
        },
    );
}

/// The port of the configuration's first `Listen`.
fn port(files: &Files) -> u16 {
    let conf = files
        .read_text("/usr/local/apache2/conf/httpd.conf")
        .unwrap_or_default();
    conf.lines()
        .filter_map(|l| l.trim().strip_prefix("Listen "))
        .find_map(|l| l.trim().rsplit(':').next()?.parse().ok())
        .unwrap_or(80)
}

async fn run(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let version = context
        .env
        .get("HTTPD_VERSION")
        .cloned()
        .unwrap_or_else(|| "2.4.65".into());
    let ip = sandbox.ip();
    for _ in 0..2 {
        context.stderr.line(format!(
            "AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using {ip}. Set the 'ServerName' directive globally to suppress this message"
        ));
    }
    let sim = sandbox.sim.clone();
    let stamp = |time: crate::sim::Time| {
        let text = time.rfc1123();
        let mut parts = text.trim_end_matches(" +0000").splitn(2, ", ");
        let (day, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let words: Vec<&str> = rest.split(' ').collect();
        match words.as_slice() {
            [d, month, year, clock] => format!("{day} {month} {d} {clock}.{:06} {year}", time.0 % 1_000_000),
            _ => text.clone(),
        }
    };
    let (files, log, clock, header) = (
        context.files.clone(),
        context.stdout.clone(),
        sim.clone(),
        format!("Apache/{version} (Unix)"),
    );
    let listening = sandbox.serve(port(&context.files), move |request| {
        let path = path_of(&request);
        let mut full = crate::shell::join("/", &format!("{ROOT}/{path}"));
        if files.is_dir(&full) {
            full.push_str("/index.html");
        }
        let mut response = match files.read(&full) {
            Ok(bytes) => HttpResponse::new(200, media_type(&full), bytes.as_ref().clone()),
            Err(_) => HttpResponse::new(
                404,
                "text/html; charset=iso-8859-1",
                "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n",
            ),
        };
        let now = clock.now();
        response.headers.insert(0, ("Date".into(), http_date(now)));
        response.headers.insert(1, ("Server".into(), header.clone()));
        log.line(format!(
            "{} - - [{}] \"{} {} HTTP/1.1\" {} {}",
            peer(&request), log_date(now), request.method, request.path, response.status, response.body.len()
        ));
        if request.method == "HEAD" {
            response.body.clear();
        }
        std::future::ready(response)
    });
    if listening.is_err() {
        context.stderr.line("(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80\nno listening sockets available, shutting down");
        return 1;
    }
    context.stderr.line(format!(
        "[{}] [mpm_event:notice] [pid 1:tid 1] AH00489: Apache/{version} (Unix) configured -- resuming normal operations",
        stamp(sim.now())
    ));
    context.stderr.line(format!(
        "[{}] [core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'",
        stamp(sim.now())
    ));
    until_stopped(&context.process).await;
    context.stderr.line(format!(
        "[{}] [mpm_event:notice] [pid 1:tid 1] AH00491: caught SIGTERM, shutting down",
        stamp(sim.now())
    ));
    0
}
