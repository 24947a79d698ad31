//! busybox itself, and the server among its applets: `httpd`, which serves files. It runs no CGI and knows no
//! configuration.

use std::future::ready;
use std::rc::Rc;

use super::{Sandbox, http_date, media_type, path_of, program, until_stopped};
use crate::net::http::{HttpRequest, HttpResponse};
use crate::shell::{Commands, Context, Files, join, options};

pub(super) fn add(sandbox: &Rc<Sandbox>, commands: &mut Commands) {
    program(commands, "/usr/sbin/httpd", sandbox, httpd);
}

/// `busybox APPLET [ARG]...`: the program that all the tools are. `version` is the one of the image's tag.
pub(super) fn add_busybox(version: &str, commands: &mut Commands) {
    let version = version.to_owned();
    commands.add("/bin/busybox", move |context: Context| {
        let version = version.clone();
        async move {
            let args = context.rest().to_vec();
            match args.first().map(String::as_str) {
                None | Some("--help") => {
                    context.stdout.line(format!(
                        "BusyBox v{version} (2024-09-26 21:31:42 UTC) multi-call binary.\n\
                         BusyBox is copyrighted by many authors between 1998-2015.\n\
                         Licensed under GPLv2. See source distribution for detailed\n\
                         copyright notices.\n\n\
                         Usage: busybox [function [arguments]...]"
                    ));
                    0
                }
                Some(applet) if context.host.command(applet).is_none() => {
                    context.stderr.line(format!("{applet}: applet not found"));
                    127
                }
                Some(_) => super::exec_as(context, args).await,
            }
        }
    });
}

/// `httpd [-f] [-v] [-p [IP:]PORT] [-h HOME]`.
async fn httpd(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let o = match options::parse(&context, "fp:h:vi", &[]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let home = o
        .value('h')
        .map_or_else(|| context.cwd.clone(), |home| context.path(home));
    let port = o
        .value('p')
        .and_then(|p| p.rsplit(':').next()?.parse().ok())
        .unwrap_or(80);
    if !context.files.is_dir(&home) {
        context.error(format!("can't change directory to '{home}': No such file or directory"));
        return 1;
    }
    let files = context.files.clone();
    let Ok(open) = sandbox.serve(port, move |request| ready(answer(&files, &home, &request))) else {
        context.error("bind: Address already in use");
        return 1;
    };
    if !o.has('f') {
        // It goes on in the background, as long as the container lasts.
        let daemon = context.child(&context.args);
        let process = daemon.process.clone();
        sandbox.sim.spawn("httpd", async move {
            let serve = async move {
                let code = until_stopped(&daemon.process).await;
                drop(open);
                128 + code
            };
            process.run(serve).await;
        });
        return 0;
    }
    128 + until_stopped(&context.process).await
}

pub(super) fn answer(files: &Files, home: &str, request: &HttpRequest) -> HttpResponse {
    let asked = join("/", path_of(request));
    let mut path = format!("{home}{asked}");
    if files.is_dir(&path) {
        path.push_str("/index.html");
    }
    let mut response = match (request.method.as_str(), files.read(&path)) {
        ("GET" | "HEAD", Ok(bytes)) => {
            let mut response = HttpResponse::new(200, media_type(&path), bytes.as_ref().clone());
            let modified = files.stat(&path, true).map(|s| s.modified).unwrap_or_default();
            let date = http_date(modified);
            response.headers.push(("Accept-Ranges".into(), "bytes".into()));
            response.headers.push(("Last-Modified".into(), date));
            response
        }
        ("GET" | "HEAD", Err(_)) => page(404, "Not Found", "The requested URL was not found"),
        _ => page(501, "Not Implemented", "The requested method is not recognized"),
    };
    response.headers.insert(0, ("Connection".into(), "close".into()));
    response
}

fn page(status: u16, title: &str, text: &str) -> HttpResponse {
    HttpResponse::new(
        status,
        "text/html",
        format!(
            "<HTML><HEAD><TITLE>{status} {title}</TITLE></HEAD>\n<BODY><H1>{status} {title}</H1>\n{text}\n</BODY></HTML>\n"
        ),
    )
}
