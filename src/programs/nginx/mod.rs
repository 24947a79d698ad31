//! nginx: serves files as its configuration says, proxies, and writes its logs.
//!
//! Of the configuration it knows `server`, `listen` (with `ssl`), `upstream`, `server_name`, `root`, `index`, `location`
//! (prefixes, `=`, `^~`, regular expressions), `return`, `rewrite`, `allow`, `deny`, `alias`, `proxy_pass`, `add_header`,
//! `default_type`, `try_files`, `autoindex off`, `include`, `access_log`. Of others that would change an answer
//! (`IDLE` in `config.rs`) it says in its error log that they are not simulated; a name that nginx does not know is an error.

mod config;
mod serve;

pub(super) use self::serve::page_of;

use std::rc::Rc;

use self::config::{Server, certificate, configuration};
use self::serve::{Door, Serve};
use super::{Image, Listening, Sandbox, program, slash_date, until_signal};
use crate::flat::{Arrange, FlatMap};
use crate::net::Protocol;
use crate::shell::{Commands, Context, FileError, FileKind, Files, Output, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use crate::value::quoted;

const WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href=\"http://nginx.org/\">nginx.org</a>.<br/>
Commercial support is available at
<a href=\"http://nginx.com/\">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
";

const ERROR_50X: &str = "<!DOCTYPE html>
<html>
<head>
<title>Error</title>
</head>
<body>
<h1>An error occurred.</h1>
<p>Sorry, the page you are looking for is currently unavailable.<br/>
Please try again later.</p>
</body>
</html>
";

const CONF: &str = "
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    access_log  /var/log/nginx/access.log;

    sendfile        on;
    keepalive_timeout  65;

    include /etc/nginx/conf.d/*.conf;
}
";

const DEFAULT_SERVER: &str = "server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
";

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    let _ = files.put("/usr/share/nginx/html/index.html", WELCOME);
    let _ = files.put("/usr/share/nginx/html/50x.html", ERROR_50X);
    let _ = files.put("/etc/nginx/nginx.conf", CONF);
    let _ = files.put("/etc/nginx/conf.d/default.conf", DEFAULT_SERVER);
    let _ = files.put("/etc/nginx/mime.types", "types {\n    text/html html htm shtml;\n}\n");
    let _ = files.make_dirs("/var/log/nginx");
    let _ = files.make_dirs("/var/cache/nginx");
    let _ = files.symlink("/run", "/var/run");
    // The images for users without rights listen above the ports of the privileged, and write to `/tmp` alone.
    if image.uid != 0 {
        let conf = CONF.replace("user  nginx;\n", "").replace("/run/", "/tmp/");
        let _ = files.put("/etc/nginx/nginx.conf", conf);
        let _ = files.put("/etc/nginx/conf.d/default.conf", DEFAULT_SERVER.replace("80;", "8080;"));
    }
    let _ = files.symlink("/dev/stdout", "/var/log/nginx/access.log");
    let _ = files.symlink("/dev/stderr", "/var/log/nginx/error.log");
    let version = image.nginx_version(tag);
    program(commands, "/usr/sbin/nginx", sandbox, move |context, sandbox| {
        run(context, sandbox, version.clone())
    });
    program(commands, "/docker-entrypoint.sh", sandbox, entrypoint);
}

/// Writes a line of nginx's error log.
fn say(context: &Context, level: &str, pid: u32, text: &str) {
    let now = slash_date(context.sim.now());
    context.stderr.line(format!("{now} [{level}] {pid}#{pid}: {text}"));
}

/// Makes what nginx writes to: the directories of its temporary files, which its workers shall own, and the file of its
/// process's number.
fn directories(context: &Context, pid: u32) -> Result<(), String> {
    let files = &context.files;
    let conf = files.read_text("/etc/nginx/nginx.conf").unwrap_or_default();
    let root = context.host.user().uid == 0;
    if let Some(line) = conf.lines().position(|l| l.starts_with("user ") && !root) {
        let text = format!(
            "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored in \
             /etc/nginx/nginx.conf:{}",
            line + 1
        );
        say(context, "warn", pid, &text);
        context.stderr.line(format!("nginx: [warn] {text}"));
    }
    let failed = |call: String, e: FileError| {
        let number = match e {
            FileError::NotPermitted => 1,
            FileError::NotFound => 2,
            FileError::Denied => 13,
            FileError::ReadOnly => 30,
            _ => 20,
        };
        format!("{call} failed ({number}: {e})")
    };
    let apart = conf.contains("/tmp/nginx.pid");
    for name in ["client", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let path = match apart {
            true => format!("/tmp/{name}_temp"),
            false => format!("/var/cache/nginx/{name}_temp"),
        };
        match files.make_dir(&path) {
            Ok(()) | Err(FileError::Exists) => {}
            Err(e) => return Err(failed(format!("mkdir() {path}", path = quoted(&path)), e)),
        }
        if root {
            let owned = files.set_owner(&path, Some(101), None);
            owned.map_err(|e| failed(format!("chown({path}, 101)", path = quoted(&path)), e))?;
        }
    }
    let path = if apart { "/tmp/nginx.pid" } else { "/run/nginx.pid" };
    let written = files.write(path, format!("{pid}\n"));
    written.map_err(|e| failed(format!("open() {path}", path = quoted(&path)), e))
}

/// The front of Kubernetes' tutorial "Connect a Frontend to a Backend Using Services".
pub(super) fn install_frontend(
    image: &Image,
    tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    files: &Files,
) {
    install(image, tag, sandbox, commands, files);
    let _ = files.remove_file("/etc/nginx/conf.d/default.conf");
    let server = "upstream Backend {\n    server hello;\n}\n\nserver {\n    listen 80;\n\n    location / {\n        proxy_pass http://Backend;\n    }\n}\n";
    let _ = files.put("/etc/nginx/conf.d/frontend.conf", server);
}

/// The application of Chinese courses, which tells its version and, at another path, its pod.
pub(super) fn install_myapp(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    install(image, tag, sandbox, commands, files);
    let version = if tag == "latest" { "v1" } else { tag };
    let page = format!("Hello MyApp | Version: {version} | <a href=\"hostname.html\">Pod Name</a>\n");
    let _ = files.put("/usr/share/nginx/html/index.html", page);
    let server = "server {\n    listen       80;\n    server_name  localhost;\n\n    location / {\n        root   /usr/share/nginx/html;\n        index  index.html index.htm;\n    }\n\n    error_page   500 502 503 504  /50x.html;\n    location = /50x.html {\n        root   /usr/share/nginx/html;\n    }\n\n    location = /hostname.html {\n        alias /etc/hostname;\n    }\n}\n";
    let _ = files.put("/etc/nginx/conf.d/default.conf", server);
}

async fn entrypoint(context: Context, _sandbox: Rc<Sandbox>) -> i32 {
    let args = context.rest().to_vec();
    if args.first().is_some_and(|a| a == "nginx" || a == "nginx-debug") {
        const CHANGED: &str = "Getting the checksum of /etc/nginx/conf.d/default.conf\n10-listen-on-ipv6-by-default.sh: info: \
             Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf";
        let server = "/etc/nginx/conf.d/default.conf";
        let found = match context.files.is_file(server) {
            false => "/etc/nginx/conf.d/default.conf is not a file or does not exist",
            true if context.files.create(server, true).is_ok() => CHANGED,
            true => "can not modify /etc/nginx/conf.d/default.conf (read-only file system?)",
        };
        for line in [
            "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
            "/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
            &format!("10-listen-on-ipv6-by-default.sh: info: {found}"),
            "/docker-entrypoint.sh: Sourcing /docker-entrypoint.d/15-local-resolvers.envsh",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/30-tune-worker-processes.sh",
            "/docker-entrypoint.sh: Configuration complete; ready for start up",
        ] {
            context.stdout.line(line);
        }
    }
    super::exec_as(context, args).await
}

/// Opens the ports of servers, and says which could not be.
async fn listen(context: &Context, sandbox: &Rc<Sandbox>, servers: Vec<Server>, version: &str) -> Vec<Listening> {
    let sim = &context.sim;
    let mut certificates = FlatMap::new();
    for server in &servers {
        for port in &server.encrypted {
            match certificate(&context.files, &server.certificate) {
                Ok(found) => {
                    certificates.insert(*port, Rc::new(found));
                }
                // nginx gives up; here it stays, and refuses that port's handshakes, as web servers without a certificate
                // stay where the recordings of real clusters were made.
                Err(message) => say(context, "emerg", 1, &message),
            };
        }
    }
    let servers = Rc::new(servers);
    let mut listening = Vec::new();
    let mut ports: Vec<u16> = servers.iter().flat_map(|s| s.ports.iter().copied()).collect();
    ports.arrange();
    ports.dedup();
    let open = |port: u16| {
        let serve = Rc::new(Serve {
            servers: servers.clone(),
            port,
            files: context.files.clone(),
            log: context.stdout.clone(),
            errors: context.stderr.clone(),
            sim: sim.clone(),
            version: version.to_owned(),
            sandbox: Rc::downgrade(sandbox),
            certificate: certificates.get(&port).cloned(),
        });
        sandbox.listen(Protocol::Tcp, port, Door(serve))
    };
    let mut taken = Vec::new();
    for port in ports {
        match open(port) {
            Ok(opened) => listening.push(opened),
            Err(_) => taken.push(port),
        }
    }
    // nginx tries five times. It then gives up; here it stays without the port, as pods with two web
    // servers do where the recordings of real clusters were made.
    for _ in 0..5 {
        if taken.is_empty() {
            break;
        }
        for port in &taken {
            let text = format!("bind() to 0.0.0.0:{port} failed (98: Address already in use)");
            say(context, "emerg", 1, &text);
        }
        say(context, "notice", 1, "try again to bind() after 500ms");
        sim.sleep(std::time::Duration::from_millis(500)).await;
        taken.retain(|port| match open(*port) {
            Ok(opened) => {
                listening.push(opened);
                false
            }
            Err(_) => true,
        });
    }
    if !taken.is_empty() {
        say(context, "emerg", 1, "still could not bind()");
    }
    listening
}

async fn run(mut context: Context, sandbox: Rc<Sandbox>, version: String) -> i32 {
    let mut args = context.rest().iter();
    let mut signal = None;
    let mut test = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-v" | "-V" => {
                context.stderr.line(format!("nginx version: nginx/{version}"));
                return 0;
            }
            "-t" | "-T" => test = true,
            "-s" => signal = args.next().cloned(),
            "-g" | "-c" | "-p" | "-e" => {
                args.next();
            }
            "-q" => {}
            other => {
                context.stderr.line(format!("nginx: invalid option: \"{other}\""));
                return 1;
            }
        }
    }
    if let Some(signal) = signal {
        let number = match signal.as_str() {
            "quit" => SIGQUIT,
            "stop" => SIGTERM,
            "reload" => SIGHUP,
            "reopen" => SIGUSR1,
            other => {
                context.stderr.line(format!("nginx: invalid option: \"-s {other}\""));
                return 1;
            }
        };
        let master = context
            .host
            .processes()
            .list()
            .into_iter()
            .find(|p| p.command().starts_with("nginx: master"));
        let pid = context.process.pid();
        if let Err(message) = configuration(&context.files, &mut Vec::new()) {
            say(&context, "emerg", pid, &message);
            context.stderr.line(format!("nginx: [emerg] {message}"));
            return 1;
        }
        return match master {
            Some(process) => {
                say(&context, "notice", pid, "signal process started");
                process.signal(number);
                0
            }
            None => {
                let text = "open() \"/run/nginx.pid\" failed (2: No such file or directory)";
                say(&context, "error", pid, text);
                1
            }
        };
    }
    let mut idle = Vec::new();
    let pid = if test { context.process.pid() } else { 1 };
    let directories = |servers| {
        directories(&context, pid)?;
        Ok(servers)
    };
    let servers = match configuration(&context.files, &mut idle).and_then(directories) {
        Ok(servers) => {
            for text in idle {
                say(&context, "warn", pid, &text);
            }
            servers
        }
        Err(message) => {
            say(&context, "emerg", context.process.pid(), &message);
            if test {
                context
                    .stderr
                    .line("nginx: configuration file /etc/nginx/nginx.conf test failed");
            } else {
                context.stderr.line(format!("nginx: [emerg] {message}"));
            }
            return 1;
        }
    };
    if test {
        context
            .stderr
            .line("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok");
        context
            .stderr
            .line("nginx: configuration file /etc/nginx/nginx.conf test is successful");
        return 0;
    }
    // The image's logs are links to its streams; where a volume hides them, they are files.
    let log = |name: &str, stream: &Output| {
        let path = format!("/var/log/nginx/{name}.log");
        let linked = context
            .files
            .stat(&path, false)
            .is_ok_and(|s| s.kind == FileKind::Symlink);
        let file = if linked { None } else { context.create(&path, true).ok() };
        file.unwrap_or_else(|| stream.clone())
    };
    let (access, errors) = (log("access", &context.stdout), log("error", &context.stderr));
    (context.stdout, context.stderr) = (access, errors);
    context
        .process
        .set_command("nginx: master process nginx -g daemon off;");
    let mut listening = listen(&context, &sandbox, servers, &version).await;
    let notice = |text: &str| say(&context, "notice", 1, text);
    notice("using the \"epoll\" event method");
    notice(&format!("nginx/{version}"));
    notice("built by gcc 12.2.0 (Debian 12.2.0-14+deb12u1) ");
    notice("OS: Linux 6.1.0-41-amd64");
    notice("getrlimit(RLIMIT_NOFILE): 1048576:1048576");
    notice("start worker processes");
    let mut workers = [29, 30];
    for worker in workers {
        notice(&format!("start worker process {worker}"));
    }
    let signal = loop {
        match until_signal(&context.process, &[SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1]).await {
            SIGHUP => {}
            SIGUSR1 => continue,
            signal => break signal,
        }
        notice("signal 1 (SIGHUP) received from 40, reconfiguring");
        notice("reconfiguring");
        let servers = match configuration(&context.files, &mut Vec::new()) {
            Ok(servers) => servers,
            Err(message) => {
                say(&context, "emerg", 1, &message);
                continue;
            }
        };
        listening.clear();
        listening = listen(&context, &sandbox, servers, &version).await;
        notice("using the \"epoll\" event method");
        notice("start worker processes");
        let old = workers;
        workers = old.map(|worker| worker + 17);
        for worker in workers {
            notice(&format!("start worker process {worker}"));
        }
        for worker in old {
            for text in ["gracefully shutting down", "exiting", "exit"] {
                say(&context, "notice", worker, text);
            }
            notice(&format!("signal 17 (SIGCHLD) received from {worker}"));
            notice(&format!("worker process {worker} exited with code 0"));
            notice("signal 29 (SIGIO) received");
        }
    };
    let name = crate::shell::signal_name(signal).unwrap_or("TERM");
    let how = if signal == SIGQUIT {
        "gracefully shutting down"
    } else {
        "exiting"
    };
    notice(&format!("signal {signal} (SIG{name}) received, {how}"));
    drop(listening);
    notice("exit");
    0
}
