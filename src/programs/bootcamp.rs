//! kubernetes-bootcamp: the application of Kubernetes' basics tutorial.

use std::cell::Cell;
use std::rc::Rc;

use super::{Image, Sandbox, program, until_stopped};
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};

/// The tutorial has one look at it.
const SOURCE: &str = r#"var http = require('http');
var requests=0;
var podname= process.env.HOSTNAME;
var startTime;
var host;
var handleRequest = function(request, response) {
  response.setHeader('Content-Type', 'text/plain');
  response.writeHead(200);
  response.write("Hello Kubernetes bootcamp! | Running on: ");
  response.write(host);
  response.end(" | v=1\n");
  console.log("Running On:" ,host, "| Total Requests:", ++requests,"| App Uptime:", (new Date() - startTime)/1000 , "seconds", "| Log Time:",new Date());
}
var www = http.createServer(handleRequest);
www.listen(8080,function () {
    startTime = new Date();;
    host = process.env.HOSTNAME;
    console.log ("Kubernetes Bootcamp App Started At:",startTime, "| Running On: " ,host, "\n" );
});
"#;

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    let repository = image.repository;
    let version = if tag == "v2" { 2 } else { 1 };
    let _ = files.put("/server.js", SOURCE.replace("v=1", &format!("v={version}")));
    program(commands, "/usr/local/bin/node", sandbox, move |context, sandbox| {
        run(context, sandbox, repository, version)
    });
}

async fn run(context: Context, sandbox: Rc<Sandbox>, repository: &'static str, version: u8) -> i32 {
    if context.arg(1) != Some("server.js") {
        context.error(format!("this program of {repository} is not simulated"));
        return 1;
    }
    let hostname = sandbox.hostname.clone();
    let sim = sandbox.sim.clone();
    let started = sim.now();
    let requests = Rc::new(Cell::new(0u64));
    let log = context.stdout.clone();
    log.line(format!(
        "Kubernetes Bootcamp App Started At: {} | Running On:  {hostname} ",
        iso(started)
    ));
    log.line("");
    let listening = sandbox.serve(8080, move |request| {
        requests.set(requests.get() + 1);
        let up = sim.now().since(started).as_millis();
        log.line(format!(
            "Running On: {hostname} | Total Requests: {} | App Uptime: {} seconds | Log Time: {}",
            requests.get(),
            up as f64 / 1000.0,
            iso(sim.now())
        ));
        let _ = request;
        let body = format!("Hello Kubernetes bootcamp! | Running on: {hostname} | v={version}\n");
        std::future::ready(HttpResponse::new(200, "text/plain", body))
    });
    if listening.is_err() {
        context.stderr.line("Error: listen EADDRINUSE :::8080");
        return 1;
    }
    let signal = until_stopped(&context.process).await;
    128 + signal
}

fn iso(time: crate::sim::Time) -> String {
    format!(
        "{}.{:03}Z",
        time.to_string().trim_end_matches('Z'),
        time.0 / 1000 % 1000
    )
}
