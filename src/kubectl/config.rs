//! `kubectl config`: reads and writes the kubeconfig.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag, parse_bool};
use super::kubeconfig::Kubeconfig;
use super::output;
use super::print::TabWriter;
use crate::flat::Arrange;
use crate::obj;
use crate::value::Value;

pub static CONFIG: Verb = Verb {
    name: "config",
    group: "Other Commands:",
    short: "Modify kubeconfig files",
    long: "The file is the one that --kubeconfig or $KUBECONFIG names, or ~/.kube/config.",
    usage: "kubectl config SUBCOMMAND [options]",
    subs: &[
        &CURRENT,
        &DELETE_CLUSTER,
        &DELETE_CONTEXT,
        &DELETE_USER,
        &GET_CLUSTERS,
        &GET_CONTEXTS,
        &GET_USERS,
        &RENAME,
        &SET,
        &SET_CLUSTER,
        &SET_CONTEXT,
        &SET_CREDENTIALS,
        &UNSET,
        &USE,
        &VIEW,
    ],
    missing: "merging several files of $KUBECONFIG: only the first is read",
    ..VERB
};

static CURRENT: Verb = Verb {
    name: "current-context",
    short: "Display the current-context",
    usage: "kubectl config current-context [flags] [options]",
    run: Some(|c| Box::pin(current(c))),
    ..VERB
};
static DELETE_CLUSTER: Verb = Verb {
    name: "delete-cluster",
    short: "Delete the specified cluster from the kubeconfig",
    usage: "kubectl config delete-cluster NAME [options]",
    run: Some(|c| Box::pin(remove(c, "clusters", "cluster"))),
    ..VERB
};
static DELETE_CONTEXT: Verb = Verb {
    name: "delete-context",
    short: "Delete the specified context from the kubeconfig",
    usage: "kubectl config delete-context NAME [options]",
    run: Some(|c| Box::pin(remove(c, "contexts", "context"))),
    ..VERB
};
static DELETE_USER: Verb = Verb {
    name: "delete-user",
    short: "Delete the specified user from the kubeconfig",
    usage: "kubectl config delete-user NAME [options]",
    run: Some(|c| Box::pin(remove(c, "users", "user"))),
    ..VERB
};
static GET_CLUSTERS: Verb = Verb {
    name: "get-clusters",
    short: "Display clusters defined in the kubeconfig",
    usage: "kubectl config get-clusters [flags] [options]",
    run: Some(|c| Box::pin(names(c, "clusters"))),
    ..VERB
};
static GET_USERS: Verb = Verb {
    name: "get-users",
    short: "Display users defined in the kubeconfig",
    usage: "kubectl config get-users [flags] [options]",
    run: Some(|c| Box::pin(names(c, "users"))),
    ..VERB
};
static GET_CONTEXTS: Verb = Verb {
    name: "get-contexts",
    short: "Describe one or many contexts",
    usage: "kubectl config get-contexts [(-o|--output=)name)] [options]",
    flags: &[&[
        flag(
            "no-headers",
            '\0',
            Kind::Bool,
            "false",
            "Leave out the row of column names.",
        ),
        flag("output", 'o', Kind::Str, "", "name prints names only."),
    ]],
    run: Some(|c| Box::pin(contexts(c))),
    ..VERB
};
static RENAME: Verb = Verb {
    name: "rename-context",
    short: "Rename a context from the kubeconfig file",
    usage: "kubectl config rename-context CONTEXT_NAME NEW_NAME [options]",
    run: Some(|c| Box::pin(rename(c))),
    ..VERB
};
static SET: Verb = Verb {
    name: "set",
    short: "Set an individual value in a kubeconfig file",
    usage: "kubectl config set PROPERTY_NAME PROPERTY_VALUE [options]",
    flags: &[&[flag(
        "set-raw-bytes",
        '\0',
        Kind::Bool,
        "false",
        "The value of a []byte field is raw.",
    )
    .but("not simulated")]],
    run: Some(|c| Box::pin(set(c))),
    ..VERB
};
static UNSET: Verb = Verb {
    name: "unset",
    short: "Unset an individual value in a kubeconfig file",
    usage: "kubectl config unset PROPERTY_NAME [options]",
    run: Some(|c| Box::pin(unset(c))),
    ..VERB
};
static USE: Verb = Verb {
    name: "use-context",
    aliases: &["use"],
    short: "Set the current-context in a kubeconfig file",
    usage: "kubectl config use-context CONTEXT_NAME [options]",
    run: Some(|c| Box::pin(use_context(c))),
    ..VERB
};
static SET_CONTEXT: Verb = Verb {
    name: "set-context",
    short: "Set a context entry in kubeconfig",
    usage: "kubectl config set-context [NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace] [options]",
    flags: &[&[
        flag("cluster", '\0', Kind::Str, "", "The cluster of the context."),
        flag("current", '\0', Kind::Bool, "false", "Change the present context."),
        flag("namespace", 'n', Kind::Str, "", "The namespace of the context."),
        flag("user", '\0', Kind::Str, "", "The user of the context."),
    ]],
    run: Some(|c| Box::pin(set_context(c))),
    ..VERB
};
const CLUSTER_FLAGS: &[Flag] = &[
    flag(
        "certificate-authority",
        '\0',
        Kind::Str,
        "",
        "The file with the authority's certificate.",
    ),
    flag(
        "insecure-skip-tls-verify",
        '\0',
        Kind::Bool,
        "false",
        "Whether the server's certificate goes unchecked.",
    ),
    flag("server", '\0', Kind::Str, "", "The server's address."),
    flag(
        "tls-server-name",
        '\0',
        Kind::Str,
        "",
        "The name in the server's certificate.",
    ),
    flag(
        "embed-certs",
        '\0',
        Kind::Bool,
        "false",
        "Put the certificate into the file.",
    ),
    flag("proxy-url", '\0', Kind::Str, "", "A proxy for requests."),
];
static SET_CLUSTER: Verb = Verb {
    name: "set-cluster",
    short: "Set a cluster entry in kubeconfig",
    usage: "kubectl config set-cluster NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com] [options]",
    flags: &[CLUSTER_FLAGS],
    run: Some(|c| {
        Box::pin(set_entry(
            c,
            "clusters",
            "cluster",
            &[
                ("server", "server"),
                ("certificate-authority", "certificate-authority"),
                ("insecure-skip-tls-verify", "insecure-skip-tls-verify"),
                ("tls-server-name", "tls-server-name"),
                ("proxy-url", "proxy-url"),
            ],
        ))
    }),
    ..VERB
};
/// What plugins for credentials would need.
const NO_PLUGINS: &str = "not simulated: no plugin gives credentials here";

const USER_FLAGS: &[Flag] = &[
    flag(
        "auth-provider",
        '\0',
        Kind::Str,
        "",
        "The plugin that authenticates the user.",
    )
    .but(NO_PLUGINS),
    flag(
        "auth-provider-arg",
        '\0',
        Kind::Slice,
        "[]",
        "What that plugin is told, as key=value.",
    )
    .but(NO_PLUGINS),
    flag(
        "client-certificate",
        '\0',
        Kind::Str,
        "",
        "The file with the user's certificate.",
    ),
    flag(
        "client-key",
        '\0',
        Kind::Str,
        "",
        "The file with the certificate's key.",
    ),
    flag(
        "embed-certs",
        '\0',
        Kind::Bool,
        "false",
        "Put the certificate and key into the file.",
    ),
    flag(
        "exec-api-version",
        '\0',
        Kind::Str,
        "",
        "The API version of the command below.",
    )
    .but(NO_PLUGINS),
    flag("exec-arg", '\0', Kind::Slice, "[]", "An argument of the command below.").but(NO_PLUGINS),
    flag(
        "exec-command",
        '\0',
        Kind::Str,
        "",
        "The command that gives credentials.",
    )
    .but(NO_PLUGINS),
    flag(
        "exec-env",
        '\0',
        Kind::Array,
        "[]",
        "A variable of that command, as key=value.",
    )
    .but(NO_PLUGINS),
    flag(
        "exec-interactive-mode",
        '\0',
        Kind::Str,
        "",
        "Whether that command reads the terminal.",
    )
    .but(NO_PLUGINS),
    flag(
        "exec-provide-cluster-info",
        '\0',
        Kind::Bool,
        "false",
        "Whether that command is told about the cluster.",
    )
    .but(NO_PLUGINS),
    flag("password", '\0', Kind::Str, "", "The password of basic authentication."),
    flag("token", '\0', Kind::Str, "", "The user's bearer token."),
    flag("username", '\0', Kind::Str, "", "The name of basic authentication."),
];
static SET_CREDENTIALS: Verb = Verb {
    name: "set-credentials",
    short: "Set a user entry in kubeconfig",
    usage: "kubectl config set-credentials NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] [--username=basic_user] [--password=basic_password] [--auth-provider=provider_name] [--auth-provider-arg=key=value] [--exec-command=exec_command] [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value] [options]",
    flags: &[USER_FLAGS],
    run: Some(|c| {
        Box::pin(set_entry(
            c,
            "users",
            "user",
            &[
                ("client-certificate", "client-certificate"),
                ("client-key", "client-key"),
                ("token", "token"),
                ("username", "username"),
                ("password", "password"),
            ],
        ))
    }),
    ..VERB
};
static VIEW: Verb = Verb {
    name: "view",
    short: "Display merged kubeconfig settings or a specified kubeconfig file",
    usage: "kubectl config view [flags] [options]",
    flags: &[
        &[
            flag(
                "flatten",
                '\0',
                Kind::Bool,
                "false",
                "Put files that are named into the output.",
            ),
            flag("merge", '\0', Kind::Bool, "true", "Merge the files.").but("one file is read"),
            flag(
                "minify",
                '\0',
                Kind::Bool,
                "false",
                "Only what the present context uses.",
            ),
            flag("raw", '\0', Kind::Bool, "false", "Show certificates and keys."),
        ],
        output::PRINT_YAML,
    ],
    run: Some(|c| Box::pin(view(c))),
    ..VERB
};

async fn current(cmd: &Cmd) -> Result<(), Error> {
    match cmd.config.value.str_at(&["current-context"]) {
        "" => Err(Error::plain("current-context is not set")),
        name => {
            cmd.say(name);
            Ok(())
        }
    }
}

async fn names(cmd: &Cmd, list: &str) -> Result<(), Error> {
    cmd.say("NAME");
    let mut all: Vec<&str> = cmd
        .config
        .value
        .get(list)
        .items()
        .iter()
        .map(|e| e.str_at(&["name"]))
        .collect();
    all.arrange();
    for name in all {
        cmd.say(name);
    }
    Ok(())
}

async fn contexts(cmd: &Cmd) -> Result<(), Error> {
    let by_name = cmd.flags.str("output") == "name";
    if !cmd.flags.str("output").is_empty() && !by_name {
        return Err(Error::plain("output must be one of '' or 'name'"));
    }
    let mut all: Vec<&Value> = cmd.config.value.get("contexts").items().iter().collect();
    all.arrange_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));
    let mut errors = Vec::new();
    if !cmd.args.is_empty() {
        for a in &cmd.args {
            if cmd.config.entry("contexts", a).is_none() {
                errors.push(Error::plain(format!("context {a} not found")));
            }
        }
        all.retain(|e| cmd.args.iter().any(|a| a == e.str_at(&["name"])));
    }
    let current = cmd.config.value.str_at(&["current-context"]);
    let mut writer = TabWriter::table();
    if !by_name && !cmd.flags.bool("no-headers") {
        writer.row(&["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]);
    }
    for e in all {
        let name = e.str_at(&["name"]);
        if by_name {
            cmd.say(name);
            continue;
        }
        let c = e.get("context");
        writer.row(&[
            if name == current { "*" } else { "" },
            name,
            c.str_at(&["cluster"]),
            c.str_at(&["user"]),
            c.str_at(&["namespace"]),
        ]);
    }
    cmd.out(writer.flush());
    Error::all(errors)
}

/// The kubeconfig with changes, written.
fn write(cmd: &Cmd, change: impl FnOnce(&mut Value)) -> Result<(), Error> {
    let mut config: Kubeconfig = cmd.config.clone();
    change(&mut config.value);
    config.save(&cmd.cx)
}

/// The entry of a name in a list of the kubeconfig, made when it is not there.
fn entry<'a>(config: &'a mut Value, list: &str, key: &str, name: &str) -> Option<&'a mut Value> {
    let all = config.at_mut(&[list]).list_mut();
    if !all.iter().any(|e| e.str_at(&["name"]) == name) {
        let mut e = obj! { "name": name };
        e.set(&[key], Value::map());
        all.push(e);
        all.arrange_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));
    }
    all.iter_mut().find(|e| e.str_at(&["name"]) == name)
}

async fn use_context(cmd: &Cmd) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    if cmd.config.entry("contexts", name).is_none() {
        return Err(Error::plain(format!("no context exists with the name: {name:?}")));
    }
    write(cmd, |c| c.set(&["current-context"], name.as_str()))?;
    cmd.say(format!("Switched to context {name:?}."));
    Ok(())
}

async fn set_context(cmd: &Cmd) -> Result<(), Error> {
    let current = cmd.flags.bool("current");
    let name = match (cmd.args.as_slice(), current) {
        ([name], false) => name.clone(),
        ([], true) => match cmd.config.value.str_at(&["current-context"]) {
            "" => return Err(Error::plain("no current context is set")),
            name => name.to_owned(),
        },
        ([], false) => {
            return Err(Error::plain("you must specify a non-empty context name or --current"));
        }
        _ => return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" ")))),
    };
    let exists = cmd.config.entry("contexts", &name).is_some();
    write(cmd, |c| {
        if let Some(e) = entry(c, "contexts", "context", &name) {
            for (flag, field) in [("cluster", "cluster"), ("user", "user"), ("namespace", "namespace")] {
                if cmd.flags.has(flag) {
                    e.set_or_remove(&["context", field], cmd.flags.str(flag));
                }
            }
        }
    })?;
    cmd.say(format!(
        "Context {name:?} {}.",
        if exists { "modified" } else { "created" }
    ));
    Ok(())
}

async fn set_entry(cmd: &Cmd, list: &str, key: &str, fields: &[(&str, &str)]) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    write(cmd, |c| {
        if let Some(e) = entry(c, list, key, name) {
            for (flag, field) in fields {
                if !cmd.flags.has(flag) {
                    continue;
                }
                let text = cmd.flags.str(flag);
                match (*field, parse_bool(text)) {
                    ("insecure-skip-tls-verify", Some(on)) => e.set_or_remove(&[key, field], on),
                    _ => e.set_or_remove(&[key, field], text),
                }
            }
        }
    })?;
    let said = if list == "clusters" { "Cluster" } else { "User" };
    cmd.say(format!("{said} {name:?} set."));
    Ok(())
}

async fn remove(cmd: &Cmd, list: &str, what: &str) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    if cmd.config.entry(list, name).is_none() {
        return Err(Error::plain(format!(
            "cannot delete {what} {name}, not in {}",
            cmd.config.path
        )));
    }
    if list == "contexts" && cmd.config.value.str_at(&["current-context"]) == name {
        cmd.err(
            "warning: this removed your active context, use \"kubectl config use-context\" to select a different one",
        );
    }
    write(cmd, |c| {
        c.at_mut(&[list]).list_mut().retain(|e| e.str_at(&["name"]) != name)
    })?;
    cmd.say(format!("deleted {what} {name} from {}", cmd.config.path));
    Ok(())
}

async fn rename(cmd: &Cmd) -> Result<(), Error> {
    let [old, new] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    if cmd.config.entry("contexts", old).is_none() {
        return Err(Error::plain(format!(
            "cannot rename the context {old:?}, it's not in {}",
            cmd.config.path
        )));
    }
    if cmd.config.entry("contexts", new).is_some() {
        return Err(Error::plain(format!(
            "cannot rename the context {old:?}, the context {new:?} already exists in {}",
            cmd.config.path
        )));
    }
    write(cmd, |c| {
        if let Some(e) = entry(c, "contexts", "context", old) {
            e.set(&["name"], new.as_str());
        }
        if c.str_at(&["current-context"]) == old {
            c.set(&["current-context"], new.as_str());
        }
    })?;
    cmd.say(format!("Context {old:?} renamed to {new:?}."));
    Ok(())
}

/// `contexts.NAME.namespace` as list, entry's key, name and field. Names may hold dots.
fn property<'a>(config: &Value, path: &'a str) -> Option<(&'static str, &'static str, String, &'a str)> {
    let (list, rest) = path.split_once('.')?;
    let (list, key) = match list {
        "clusters" => ("clusters", "cluster"),
        "contexts" => ("contexts", "context"),
        "users" => ("users", "user"),
        _ => return None,
    };
    for e in config.get(list).items() {
        let name = e.str_at(&["name"]);
        if rest == name {
            return Some((list, key, name.to_owned(), ""));
        }
        if let Some(field) = rest.strip_prefix(name).and_then(|r| r.strip_prefix('.')) {
            return Some((list, key, name.to_owned(), field));
        }
    }
    let (name, field) = rest.rsplit_once('.').unwrap_or((rest, ""));
    Some((list, key, name.to_owned(), field))
}

async fn set(cmd: &Cmd) -> Result<(), Error> {
    let [path, value] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    if path == "current-context" {
        write(cmd, |c| c.set(&["current-context"], value.as_str()))?;
    } else {
        let found = property(&cmd.config.value, path).filter(|p| !p.3.is_empty());
        let Some((list, key, name, field)) = found else {
            return Err(Error::plain(format!("unable to locate path {path}")));
        };
        write(cmd, |c| {
            if let Some(e) = entry(c, list, key, &name) {
                match parse_bool(value).filter(|_| field == "insecure-skip-tls-verify") {
                    Some(on) => e.set(&[key, field], on),
                    None => e.set(&[key, field], value.as_str()),
                }
            }
        })?;
    }
    cmd.say(format!("Property {path:?} set."));
    Ok(())
}

async fn unset(cmd: &Cmd) -> Result<(), Error> {
    let [path] = cmd.args.as_slice() else {
        return Err(Error::usage(format!("Unexpected args: [{}]", cmd.args.join(" "))));
    };
    if path == "current-context" {
        write(cmd, |c| c.set(&["current-context"], ""))?;
    } else if matches!(path.as_str(), "clusters" | "contexts" | "users") {
        write(cmd, |c| c.set(&[path], Vec::new()))?;
    } else {
        let Some((list, key, name, field)) = property(&cmd.config.value, path) else {
            return Err(Error::plain(format!("unable to locate path {path}")));
        };
        if cmd.config.entry(list, &name).is_none() {
            return Err(Error::plain(format!("current map key `{name}` is invalid")));
        }
        write(cmd, |c| {
            if field.is_empty() {
                c.at_mut(&[list]).list_mut().retain(|e| e.str_at(&["name"]) != name);
            } else if let Some(e) = entry(c, list, key, &name) {
                e.remove(&[key, field]);
            }
        })?;
    }
    cmd.say(format!("Property {path:?} unset."));
    Ok(())
}

async fn view(cmd: &Cmd) -> Result<(), Error> {
    let mut config = cmd.config.value.clone();
    if cmd.flags.bool("minify") {
        let name = cmd.config.current(cmd.flags.str("context")).to_owned();
        let Some(context) = cmd.config.entry("contexts", &name) else {
            return Err(Error::plain("cannot locate context ".to_owned() + &name));
        };
        let (cluster, user) = (
            context.str_at(&["context", "cluster"]).to_owned(),
            context.str_at(&["context", "user"]).to_owned(),
        );
        for (list, kept) in [("contexts", &name), ("clusters", &cluster), ("users", &user)] {
            config
                .at_mut(&[list])
                .list_mut()
                .retain(|e| e.str_at(&["name"]) == kept);
        }
        config.set(&["current-context"], name);
    }
    if !cmd.flags.bool("raw") {
        for (list, key, fields) in [
            ("clusters", "cluster", &["certificate-authority-data"][..]),
            ("users", "user", &["client-certificate-data", "client-key-data"][..]),
        ] {
            for e in config.at_mut(&[list]).list_mut() {
                for f in fields {
                    if !e.get(key).get(f).is_empty() {
                        e.set(&[key, f], "DATA+OMITTED");
                    }
                }
                for f in ["token", "password"] {
                    if !e.get(key).get(f).is_empty() {
                        e.set(&[key, f], "REDACTED");
                    }
                }
            }
        }
    }
    match output::printer(cmd, output::FORMATS)? {
        Some(mut p) => p.print(cmd, &config),
        None => {
            cmd.out(crate::value::yaml::to_yaml(&config));
            Ok(())
        }
    }
}
