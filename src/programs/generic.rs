//! Images without a model of their program: they stay and listen, and say so; distributions, which
//! bring tools only; and programs that do their work at once and end.

use std::rc::Rc;

use super::{Deaf, Image, Sandbox, program, until_stopped};
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

/// A program that does its work at once.
pub(super) fn install_done(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    let repository = image.repository;
    for name in image.cmd.iter().take(1) {
        program(commands, name, sandbox, move |context, _| async move {
            context
                .stdout
                .line(format!("The work of {repository} is not simulated; it ends at once."));
            0
        });
    }
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

async fn run(context: Context, sandbox: Rc<Sandbox>, repository: &'static str, ports: &'static [u16]) -> i32 {
    // What the official images insist on, since people meet it.
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
            return 1;
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
            return 1;
        }
        "docker.io/library/postgres"
            if !has(&[
                "POSTGRES_PASSWORD",
                "POSTGRES_HOST_AUTH_METHOD",
                "POSTGRES_PASSWORD_FILE",
            ]) =>
        {
            context.stderr.line("Error: Database is uninitialized and superuser password is not specified.\n       You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".\n\n       You may also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all\n       connections without a password. This is *not* recommended.\n\n       See PostgreSQL documentation about \"trust\":\n       https://www.postgresql.org/docs/current/auth-trust.html");
            return 1;
        }
        _ => {}
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
