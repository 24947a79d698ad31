//! Images without a model of their program: they stay and listen, and say so; distributions, which
//! bring tools only; and programs that do their work at once and end.

use std::rc::Rc;

use super::{Deaf, Image, Sandbox, program, until_stopped};
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{Listener, Protocol};
use crate::shell::{Commands, Context, Files};

/// A distribution or a language: its tools come with the shell. A language's own program says
/// that it is not simulated.
pub(super) fn install_nothing(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    add_entrypoint(image, sandbox, commands);
    for name in image.entrypoint.iter().chain(image.cmd).take(1) {
        if commands.get(super::base(name)).is_none() {
            add_unsimulated(image, name, sandbox, commands);
        }
    }
}

fn add_unsimulated(image: &Image, name: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands) {
    let repository = image.repository;
    program(commands, name, sandbox, move |context, _| async move {
        context.error(format!("this program of {repository} is not simulated"));
        1
    });
}

/// The further programs of images, by their names: they are there, and say that they are not simulated.
const PROGRAMS: &[(&str, &str)] = &[
    ("python", "pip pip3"),
    ("node", "node npm npx yarn"),
    ("golang", "go gofmt"),
    ("openjdk", "java javac jshell jar"),
    ("eclipse-temurin", "java javac jshell jar"),
    ("maven", "mvn java"),
    ("ruby", "ruby irb gem bundle rake"),
    ("rust", "cargo rustc"),
    ("gcc", "gcc g++ make"),
    ("docker", "docker dockerd"),
    ("php", "php composer"),
    ("perl", "cpan"),
    ("mysql", "mysqldump"),
    ("mariadb", "mariadb-dump mysqldump"),
    ("postgres", "psql pg_dump createdb pg_ctl pgbench"),
    ("mongo", "mongodump mongorestore"),
    ("rabbitmq", "rabbitmqctl rabbitmqadmin"),
    ("cassandra", "cqlsh nodetool"),
    (
        "netshoot",
        "tcpdump traceroute tracepath mtr nmap iperf iperf3 iptables ethtool jq",
    ),
    ("network-multitool", "tcpdump traceroute mtr nmap jq"),
];

/// Adds the further programs of an image.
pub(super) fn add_named(image: &Image, sandbox: &Rc<Sandbox>, commands: &mut Commands) {
    let of = |(name, programs): &(&str, &'static str)| (*name == image.name()).then_some(*programs);
    for name in PROGRAMS.iter().find_map(of).unwrap_or_default().split(' ') {
        if !name.is_empty() && commands.get(name).is_none() {
            add_unsimulated(image, name, sandbox, commands);
        }
    }
}

/// Python's images.
pub(super) fn install_python(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    install_nothing(image, tag, sandbox, commands, files);
    let repository = image.repository;
    for name in ["python", "python3"] {
        program(commands, name, sandbox, move |context, sandbox| {
            python(context, sandbox, repository)
        });
    }
}

/// How Python shows a directory.
fn listing(files: &Files, dir: &str, path: &str) -> String {
    let title = format!("Directory listing for {path}");
    let mut text = format!(
        "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n<hr>\n<ul>\n"
    );
    for (name, _) in files.list(dir).unwrap_or_default() {
        let slash = if files.is_dir(&format!("{dir}/{name}")) {
            "/"
        } else {
            ""
        };
        text.push_str(&format!("<li><a href=\"{name}{slash}\">{name}{slash}</a></li>\n"));
    }
    text.push_str("</ul>\n<hr>\n</body>\n</html>\n");
    text
}

/// `python -m http.server [PORT]` and its likes, which serve the working directory; nothing else of Python.
async fn python(context: Context, sandbox: Rc<Sandbox>, repository: &'static str) -> i32 {
    let words: Vec<&str> = context
        .rest()
        .iter()
        .map(String::as_str)
        .filter(|w| *w != "-u")
        .collect();
    let (module, rest) = match words.as_slice() {
        ["-m", module, rest @ ..] => (*module, rest),
        _ => ("", [].as_slice()),
    };
    if !matches!(module, "http.server" | "SimpleHTTPServer") {
        context.error(format!(
            "of the programs of {repository} only `python -m http.server` is simulated"
        ));
        return 1;
    }
    let port = rest.iter().find_map(|word| word.parse().ok()).unwrap_or(8000);
    let mut home = context.cwd.clone();
    for pair in rest.windows(2) {
        if let ["-d" | "--directory", path] = pair {
            home = context.path(path);
        }
    }
    let (files, log, sim) = (context.files.clone(), context.stderr.clone(), sandbox.sim.clone());
    let serve = move |request: HttpRequest| {
        let path = format!("{home}{}", crate::shell::join("/", super::path_of(&request)));
        let listed = files.is_dir(&path) && !files.is_file(&format!("{path}/index.html"));
        let response = match listed {
            true => HttpResponse::new(
                200,
                "text/html; charset=utf-8",
                listing(&files, &path, super::path_of(&request)),
            ),
            false => super::applets::answer(&files, &home, &request),
        };
        let (date, peer) = (super::log_date(sim.now()), super::peer(&request));
        let (date, _) = date.split_once(" +").unwrap_or((&date, ""));
        log.line(format!(
            "{peer} - - [{}] \"{} {} HTTP/1.1\" {} -",
            date.replacen(':', " ", 1),
            request.method,
            request.path,
            response.status
        ));
        std::future::ready(response)
    };
    let Ok(_open) = sandbox.serve(port, serve) else {
        context.stderr.line("OSError: [Errno 98] Address already in use");
        return 1;
    };
    context.stdout.line(format!(
        "Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ..."
    ));
    // Process 1 has no handler for SIGTERM: Python sets one for SIGINT alone.
    super::until_signal(&context.process, &[crate::shell::SIGINT]).await;
    0
}

/// A server without a model.
pub(super) fn install(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    let first = image
        .entrypoint
        .iter()
        .chain(image.cmd)
        .next()
        .copied()
        .unwrap_or("/entrypoint");
    add_entrypoint(image, sandbox, commands);
    let main = image.cmd.first().copied().unwrap_or(first);
    let (repository, ports) = (image.repository, image.ports);
    // Manifests start many a server by the name that its image has, too.
    for name in [image.name(), main] {
        program(commands, name, sandbox, move |context, sandbox| {
            run(context, sandbox, repository, ports)
        });
    }
    for (command, of, answer) in CLIENTS {
        if image.name().starts_with(of) {
            program(commands, command, sandbox, move |context, sandbox| async move {
                ask(&context, &sandbox, ports, answer)
            });
        }
    }
}

/// What probes of manifests run in the images of servers: the command, the image, and what it prints when the server
/// of its own pod listens.
const CLIENTS: &[(&str, &str, &str)] = &[
    ("mysql", "mysql", "1\n1"),
    ("mysqladmin", "mysql", "mysqld is alive"),
    ("mariadb", "mariadb", "1\n1"),
    ("mariadb-admin", "mariadb", "mysqld is alive"),
    (
        "pg_isready",
        "postgres",
        "/var/run/postgresql:5432 - accepting connections",
    ),
    ("mongo", "mongo", "{ \"ok\" : 1 }"),
    ("mongosh", "mongo", "{ ok: 1 }"),
    ("rabbitmq-diagnostics", "rabbitmq", "Ping succeeded"),
    ("zookeeper-ready", "kubernetes-zookeeper", ""),
];

/// Answers a client's question whether its server is there; other questions are not simulated.
fn ask(context: &Context, sandbox: &Sandbox, ports: &[u16], answer: &str) -> i32 {
    let text = context.rest().join(" ").to_ascii_lowercase();
    let simple = ["ping", "status", "select 1"].iter().any(|q| text.contains(q));
    let asks_only = context.name().ends_with("ready");
    if !simple && !asks_only {
        context.error("this program is simulated for probes only: it says whether its own server listens");
        return 1;
    }
    if !ports.iter().any(|port| sandbox.ports.accepts(Protocol::Tcp, *port)) {
        context.error("no server listens");
        return 1;
    }
    if !answer.is_empty() {
        context.stdout.line(answer);
    }
    0
}

/// `docker-entrypoint.sh`, which runs its arguments.
pub(super) fn add_entrypoint(image: &Image, sandbox: &Rc<Sandbox>, commands: &mut Commands) {
    if let Some(name) = image.entrypoint.first().filter(|n| n.contains("entrypoint")) {
        let path = if name.contains('/') {
            (*name).to_owned()
        } else {
            format!("/usr/local/bin/{name}")
        };
        let main = image.cmd.first().copied();
        program(commands, &path, sandbox, move |context: Context, _| async move {
            let mut args = context.rest().to_vec();
            // Options alone are for the image's program; curl's image takes all that is no command for an address.
            let (host, env, cwd) = (&context.host, &context.env, &context.cwd);
            let bare =
                |first: &String| first.starts_with('-') || main == Some("curl") && host.find(first, env, cwd).is_err();
            if let Some(main) = main.filter(|_| args.first().is_some_and(bare)) {
                args.insert(0, main.to_owned());
            }
            super::exec_as(context, args).await
        });
    }
}

/// What the official images insist on, since people meet it: whether it is not there, which was said.
pub(super) fn refuses(context: &Context, sandbox: &Sandbox, repository: &str) -> bool {
    let has = |names: &[&str]| names.iter().any(|n| context.env.contains_key(*n));
    match repository {
        "docker.io/library/mysql"
            if !has(&[
                "MYSQL_ROOT_PASSWORD",
                "MYSQL_ALLOW_EMPTY_PASSWORD",
                "MYSQL_RANDOM_ROOT_PASSWORD",
            ]) =>
        {
            let now = sandbox.sim.now().to_string().replace('T', " ");
            let stamp = now.trim_end_matches('Z');
            context.stdout.line(format!(
                "{stamp}+00:00 [Note] [Entrypoint]: Entrypoint script for MySQL Server started."
            ));
            context.stderr.line(format!(
                "{stamp}+00:00 [ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD"
            ));
        }
        "docker.io/library/mariadb"
            if !has(&[
                "MARIADB_ROOT_PASSWORD",
                "MARIADB_ROOT_PASSWORD_HASH",
                "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
                "MARIADB_RANDOM_ROOT_PASSWORD",
                "MYSQL_ROOT_PASSWORD",
                "MYSQL_ALLOW_EMPTY_PASSWORD",
                "MYSQL_RANDOM_ROOT_PASSWORD",
            ]) =>
        {
            context.stderr.line("[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD");
        }
        "docker.io/library/postgres"
            if !has(&[
                "POSTGRES_PASSWORD",
                "POSTGRES_HOST_AUTH_METHOD",
                "POSTGRES_PASSWORD_FILE",
            ]) =>
        {
            context.stderr.line("Error: Database is uninitialized and superuser password is not specified.\n       You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".\n\n       You may also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all\n       connections without a password. This is *not* recommended.\n\n       See PostgreSQL documentation about \"trust\":\n       https://www.postgresql.org/docs/current/auth-trust.html");
        }
        _ => return false,
    }
    true
}

async fn run(context: Context, sandbox: Rc<Sandbox>, repository: &'static str, ports: &'static [u16]) -> i32 {
    if refuses(&context, &sandbox, repository) {
        return 1;
    }
    let mut listening = Vec::new();
    for port in ports {
        match sandbox.listen(Protocol::Tcp, *port, Deaf) {
            Ok(open) => listening.push(open),
            Err(error) => {
                context.stderr.line(format!("cannot listen on port {port}: {error}"));
                return 1;
            }
        }
    }
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    context.stdout.line(match list.as_slice() {
        [] => format!("The program of {repository} is not simulated: this container only stays running."),
        _ => format!(
            "The program of {repository} is not simulated: this container stays running and takes connections on port {}.",
            list.join(", ")
        ),
    });
    until_stopped(&context.process).await;
    0
}
