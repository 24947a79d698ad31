//! `kubectl config`: reads and writes the kubeconfig.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::NO_HEADERS;
use super::output;
use super::print::TabWriter;
use crate::flat::Arrange;
use crate::obj;
use crate::value::gofmt::parse_bool;
use crate::value::{Value, quoted};

pub static CONFIG: Verb = Verb {
    name: "config",
    group: "Other Commands:",
    short: "Modify kubeconfig files",
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
    ..VERB
};

static CURRENT: Verb = Verb {
    name: "current-context",
    short: "Display the current-context",
    run: Some(|c| Box::pin(current(c))),
    ..VERB
};
static DELETE_CLUSTER: Verb = Verb {
    name: "delete-cluster",
    short: "Delete the specified cluster from the kubeconfig",
    run: Some(|c| Box::pin(remove(c, "clusters", "cluster"))),
    ..VERB
};
static DELETE_CONTEXT: Verb = Verb {
    name: "delete-context",
    short: "Delete the specified context from the kubeconfig",
    run: Some(|c| Box::pin(remove(c, "contexts", "context"))),
    ..VERB
};
static DELETE_USER: Verb = Verb {
    name: "delete-user",
    short: "Delete the specified user from the kubeconfig",
    run: Some(|c| Box::pin(remove(c, "users", "user"))),
    ..VERB
};
static GET_CLUSTERS: Verb = Verb {
    name: "get-clusters",
    short: "Display clusters defined in the kubeconfig",
    run: Some(|c| Box::pin(names(c, "clusters"))),
    ..VERB
};
static GET_USERS: Verb = Verb {
    name: "get-users",
    short: "Display users defined in the kubeconfig",
    run: Some(|c| Box::pin(names(c, "users"))),
    ..VERB
};
static GET_CONTEXTS: Verb = Verb {
    name: "get-contexts",
    short: "Describe one or many contexts",
    flags: &[&[NO_HEADERS, flag("output", 'o', Kind::Str, "")]],
    run: Some(|c| Box::pin(contexts(c))),
    ..VERB
};
static RENAME: Verb = Verb {
    name: "rename-context",
    short: "Rename a context from the kubeconfig file",
    run: Some(|c| Box::pin(rename(c))),
    ..VERB
};
static SET: Verb = Verb {
    name: "set",
    short: "Set an individual value in a kubeconfig file",
    flags: &[&[flag("set-raw-bytes", '\0', Kind::Bool, "false")]],
    run: Some(|c| Box::pin(set(c))),
    ..VERB
};
static UNSET: Verb = Verb {
    name: "unset",
    short: "Unset an individual value in a kubeconfig file",
    run: Some(|c| Box::pin(unset(c))),
    ..VERB
};
static USE: Verb = Verb {
    name: "use-context",
    aliases: &["use"],
    short: "Set the current-context in a kubeconfig file",
    run: Some(|c| Box::pin(use_context(c))),
    ..VERB
};
static SET_CONTEXT: Verb = Verb {
    name: "set-context",
    short: "Set a context entry in kubeconfig",
    flags: &[&[
        flag("cluster", '\0', Kind::Str, ""),
        flag("current", '\0', Kind::Bool, "false"),
        flag("namespace", 'n', Kind::Str, ""),
        flag("user", '\0', Kind::Str, ""),
    ]],
    run: Some(|c| Box::pin(set_context(c))),
    ..VERB
};
const CLUSTER_FLAGS: &[Flag] = &[
    flag("certificate-authority", '\0', Kind::Str, ""),
    flag("insecure-skip-tls-verify", '\0', Kind::Bool, "false"),
    flag("server", '\0', Kind::Str, ""),
    flag("tls-server-name", '\0', Kind::Str, ""),
    flag("embed-certs", '\0', Kind::Bool, "false"),
    flag("proxy-url", '\0', Kind::Str, ""),
];
static SET_CLUSTER: Verb = Verb {
    name: "set-cluster",
    short: "Set a cluster entry in kubeconfig",
    flags: &[CLUSTER_FLAGS],
    run: Some(|c| Box::pin(set_cluster(c))),
    ..VERB
};
/// What plugins for credentials would need.
const NO_PLUGINS: &str = "not simulated: no plugin gives credentials here";

const USER_FLAGS: &[Flag] = &[
    flag("auth-provider", '\0', Kind::Str, "").but(NO_PLUGINS),
    flag("auth-provider-arg", '\0', Kind::Slice, "[]").but(NO_PLUGINS),
    flag("client-certificate", '\0', Kind::Str, ""),
    flag("client-key", '\0', Kind::Str, ""),
    flag("embed-certs", '\0', Kind::Bool, "false"),
    flag("exec-api-version", '\0', Kind::Str, "").but(NO_PLUGINS),
    flag("exec-arg", '\0', Kind::Slice, "[]").but(NO_PLUGINS),
    flag("exec-command", '\0', Kind::Str, "").but(NO_PLUGINS),
    flag("exec-env", '\0', Kind::Array, "[]").but(NO_PLUGINS),
    flag("exec-interactive-mode", '\0', Kind::Str, "").but(NO_PLUGINS),
    flag("exec-provide-cluster-info", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("password", '\0', Kind::Str, ""),
    flag("token", '\0', Kind::Str, ""),
    flag("username", '\0', Kind::Str, ""),
];
static SET_CREDENTIALS: Verb = Verb {
    name: "set-credentials",
    short: "Set a user entry in kubeconfig",
    flags: &[USER_FLAGS],
    run: Some(|c| Box::pin(set_credentials(c))),
    ..VERB
};
static VIEW: Verb = Verb {
    name: "view",
    short: "Display merged kubeconfig settings or a specified kubeconfig file",
    flags: &[
        &[
            flag("flatten", '\0', Kind::Bool, "false"),
            flag("merge", '\0', Kind::Bool, "true"),
            flag("minify", '\0', Kind::Bool, "false"),
            flag("raw", '\0', Kind::Bool, "false"),
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
        return Err(Error::plain(format!(
            "--output {} is not available in kubectl config get-contexts; resetting to default output format",
            cmd.flags.str("output")
        )));
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

/// The help, and that these are not the arguments it wants.
async fn unexpected(cmd: &Cmd) -> Error {
    if let Err(e) = super::root::own_help(cmd).await {
        return e;
    }
    // One of them begins without a capital.
    let unexpected = if cmd.verb.name == "set-credentials" {
        "unexpected"
    } else {
        "Unexpected"
    };
    Error::plain(format!("{unexpected} args: [{}]", cmd.args.join(" ")))
}

/// The kubeconfig with changes, written.
fn write(cmd: &Cmd, change: impl FnOnce(&mut Value)) -> Result<(), Error> {
    let mut new = cmd.config.value.clone();
    change(&mut new);
    cmd.config.save(&cmd.cx, &new)
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
        return Err(unexpected(cmd).await);
    };
    if name.is_empty() {
        return Err(Error::plain("empty context names are not allowed"));
    }
    if cmd.config.entry("contexts", name).is_none() {
        return Err(Error::plain(format!(
            "no context exists with the name: {name}",
            name = quoted(&name)
        )));
    }
    write(cmd, |c| c.set(&["current-context"], name.as_str()))?;
    cmd.say(format!("Switched to context {name}.", name = quoted(&name)));
    Ok(())
}

async fn set_context(cmd: &Cmd) -> Result<(), Error> {
    let current = cmd.flags.bool("current");
    let name = match (cmd.args.as_slice(), current) {
        ([_], true) => {
            return Err(Error::plain("you cannot specify both a context name and --current"));
        }
        ([name], false) if !name.is_empty() => name.clone(),
        ([], true) => match cmd.config.value.str_at(&["current-context"]) {
            "" => return Err(Error::plain("no current context is set")),
            name => name.to_owned(),
        },
        ([], false) | ([_], false) => {
            return Err(Error::plain("you must specify a non-empty context name or --current"));
        }
        _ => return Err(unexpected(cmd).await),
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
        "Context {name} {}.",
        if exists { "modified" } else { "created" },
        name = quoted(&name)
    ));
    Ok(())
}

/// A file's text in base64, as a kubeconfig holds it; empty when it cannot be read.
fn embedded(cmd: &Cmd, file: &str) -> String {
    let bytes = cmd.cx.files.read(&cmd.cx.path(file)).unwrap_or_default();
    crate::value::base64::encode(&*bytes)
}

/// A file that a kubeconfig's entry names: relative to the entry's kubeconfig when it is below that one's folder.
fn beside(cmd: &Cmd, origin: &str, file: &str) -> String {
    let whole = cmd.cx.path(file);
    let folder = format!("{}/", crate::shell::dir_name(origin));
    whole.strip_prefix(&folder).map_or(whole.clone(), str::to_owned)
}

/// `--certificate-authority`, `--client-certificate` or `--client-key`, as a file or with its content.
fn certificate(cmd: &Cmd, origin: &str, entry: &mut Value, flag: &str) {
    if !cmd.flags.has(flag) {
        return;
    }
    let (file, data) = (cmd.flags.str(flag), format!("{flag}-data"));
    if cmd.flags.bool("embed-certs") {
        entry.set_or_remove(&[&data], embedded(cmd, file));
        entry.remove(&[flag]);
    } else {
        entry.set(&[flag], beside(cmd, origin, file));
        entry.remove(&[&data]);
    }
}

/// Whether the files to embed are there.
fn embeddable(cmd: &Cmd, flags: &[&str]) -> Result<(), Error> {
    if !cmd.flags.bool("embed-certs") {
        return Ok(());
    }
    if flags.iter().all(|f| cmd.flags.str(f).is_empty()) {
        let names: Vec<String> = flags.iter().map(|f| format!("--{f}")).collect();
        return Err(Error::plain(format!(
            "you must specify a {} to embed",
            names.join(" or ")
        )));
    }
    for flag in flags {
        let file = cmd.flags.str(flag);
        if !file.is_empty() && !cmd.cx.files.exists(&cmd.cx.path(file)) {
            return Err(Error::plain(format!(
                "could not stat {flag} file {file}: stat {file}: no such file or directory"
            )));
        }
    }
    Ok(())
}

async fn set_cluster(cmd: &Cmd) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        return Err(unexpected(cmd).await);
    };
    let insecure = cmd.flags.bool("insecure-skip-tls-verify");
    if name.is_empty() {
        return Err(Error::plain("you must specify a non-empty cluster name"));
    }
    if insecure && !cmd.flags.str("certificate-authority").is_empty() {
        return Err(Error::plain(
            "you cannot specify a certificate authority and insecure mode at the same time",
        ));
    }
    embeddable(cmd, &["certificate-authority"])?;
    write(cmd, |c| {
        let Some(e) = entry(c, "clusters", "cluster", name) else {
            return;
        };
        let e = e.at_mut(&["cluster"]);
        if cmd.flags.has("server") {
            e.set(&["server"], cmd.flags.str("server"));
            e.remove(&["tls-server-name"]);
        }
        for flag in ["tls-server-name", "proxy-url"] {
            if cmd.flags.has(flag) {
                e.set_or_remove(&[flag], cmd.flags.str(flag));
            }
        }
        if cmd.flags.has("insecure-skip-tls-verify") {
            e.set_or_remove(&["insecure-skip-tls-verify"], insecure);
            if insecure {
                e.remove(&["certificate-authority"]);
                e.remove(&["certificate-authority-data"]);
            }
        }
        if cmd.flags.has("certificate-authority") {
            certificate(cmd, cmd.config.origin("clusters", name), e, "certificate-authority");
            e.remove(&["insecure-skip-tls-verify"]);
        }
    })?;
    cmd.say(format!("Cluster {name} set.", name = quoted(&name)));
    Ok(())
}

/// `NAME=VALUE` pairs of a flag, and the names of `NAME-`.
fn pairs_of(cmd: &Cmd, flag: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for pair in cmd.flags.all(flag) {
        match pair.split_once('=') {
            Some((k, v)) => set.push((k.to_owned(), v.to_owned())),
            None => gone.push(pair.trim_end_matches('-').to_owned()),
        }
    }
    set.arrange();
    (set, gone)
}

async fn set_credentials(cmd: &Cmd) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        return Err(unexpected(cmd).await);
    };
    if name.is_empty() {
        return Err(Error::plain("you must specify a non-empty user name"));
    }
    let given = |flag: &str| !cmd.flags.str(flag).is_empty();
    let (token, basic) = (given("token"), given("username") || given("password"));
    if token && basic {
        return Err(Error::plain(
            "you cannot specify more than one authentication method at the same time: --token, --username/--password",
        ));
    }
    embeddable(cmd, &["client-certificate", "client-key"])?;
    write(cmd, |c| {
        let Some(e) = entry(c, "users", "user", name) else {
            return;
        };
        let e = e.at_mut(&["user"]);
        let origin = cmd.config.origin("users", name);
        certificate(cmd, origin, e, "client-certificate");
        certificate(cmd, origin, e, "client-key");
        for flag in ["token", "username", "password"] {
            if cmd.flags.has(flag) {
                e.set_or_remove(&[flag], cmd.flags.str(flag));
            }
        }
        if given("auth-provider") && e.at(&["auth-provider"]).str_at(&["name"]) != cmd.flags.str("auth-provider") {
            e.set(
                &["auth-provider"],
                obj! { "config": Value::Null, "name": cmd.flags.str("auth-provider") },
            );
        }
        if e.has("auth-provider") {
            let (set, gone) = pairs_of(cmd, "auth-provider-arg");
            for k in gone {
                e.remove(&["auth-provider", "config", &k]);
            }
            for (k, v) in set {
                e.set(&["auth-provider", "config", &k], v);
            }
        }
        if given("exec-command") {
            e.set(&["exec", "command"], cmd.flags.str("exec-command"));
            e.set(&["exec", "args"], Value::Null);
        }
        if e.has("exec") {
            exec_plugin(cmd, e.at_mut(&["exec"]));
        }
        if token {
            e.remove(&["username"]);
            e.remove(&["password"]);
        } else if basic {
            e.remove(&["token"]);
        }
    })?;
    cmd.say(format!("User {name} set.", name = quoted(&name)));
    Ok(())
}

/// The command that gives a user's credentials.
fn exec_plugin(cmd: &Cmd, exec: &mut Value) {
    if cmd.flags.has("exec-api-version") {
        exec.set(&["apiVersion"], cmd.flags.str("exec-api-version"));
    }
    if cmd.flags.has("exec-arg") {
        let words: Value = cmd
            .flags
            .all("exec-arg")
            .iter()
            .map(|w| Value::from(w.as_str()))
            .collect();
        exec.set(&["args"], words);
    }
    if cmd.flags.has("exec-interactive-mode") {
        exec.set(&["interactiveMode"], cmd.flags.str("exec-interactive-mode"));
    }
    if cmd.flags.has("exec-provide-cluster-info") {
        exec.set(&["provideClusterInfo"], cmd.flags.bool("exec-provide-cluster-info"));
    }
    let (set, gone) = pairs_of(cmd, "exec-env");
    let mut env = exec.get("env").items().to_vec();
    env.retain(|e| !gone.iter().any(|g| e.str_at(&["name"]) == g));
    for (k, v) in set {
        match env.iter_mut().find(|e| e.str_at(&["name"]) == k) {
            Some(e) => e.set(&["value"], v),
            None => env.push(obj! { "name": k, "value": v }),
        }
    }
    // Fields that a kubeconfig always writes.
    let env = match env.is_empty() && !cmd.flags.has("exec-env") {
        true => exec.get("env").clone(),
        false => env.into(),
    };
    exec.set(&["env"], env);
    for (field, usual) in [("args", Value::Null), ("provideClusterInfo", Value::Bool(false))] {
        if !exec.has(field) {
            exec.set(&[field], usual);
        }
    }
}

async fn remove(cmd: &Cmd, list: &str, what: &str) -> Result<(), Error> {
    let [name] = cmd.args.as_slice() else {
        if what == "user" {
            return Err(Error::usage("user to delete is required"));
        }
        return super::root::own_help(cmd).await;
    };
    if cmd.config.entry(list, name).is_none() {
        return Err(Error::plain(format!(
            "cannot delete {what} {name}, not in {}",
            cmd.config.name
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
    cmd.say(format!("deleted {what} {name} from {}", cmd.config.name));
    Ok(())
}

async fn rename(cmd: &Cmd) -> Result<(), Error> {
    let [old, new] = cmd.args.as_slice() else {
        return Err(unexpected(cmd).await);
    };
    if cmd.config.entry("contexts", old).is_none() {
        return Err(Error::plain(format!(
            "cannot rename the context {old}, it's not in {}",
            cmd.config.name,
            old = quoted(&old)
        )));
    }
    if cmd.config.entry("contexts", new).is_some() {
        return Err(Error::plain(format!(
            "cannot rename the context {old}, the context {new} already exists in {}",
            cmd.config.name,
            old = quoted(&old),
            new = quoted(&new)
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
    cmd.say(format!(
        "Context {old} renamed to {new}.",
        old = quoted(&old),
        new = quoted(&new)
    ));
    Ok(())
}

/// The fields of an entry, with the types of their values.
type Fields = &'static [(&'static str, Of)];

/// What `config set` can change: the lists of a kubeconfig, the key of their entries, and the entries' fields.
const LISTS: &[(&str, &str, Fields)] = &[
    (
        "clusters",
        "cluster",
        &[
            ("server", Of::Text),
            ("tls-server-name", Of::Text),
            ("insecure-skip-tls-verify", Of::Bool),
            ("certificate-authority", Of::Text),
            ("certificate-authority-data", Of::Bytes),
            ("proxy-url", Of::Text),
            ("disable-compression", Of::Bool),
        ],
    ),
    (
        "users",
        "user",
        &[
            ("client-certificate", Of::Text),
            ("client-certificate-data", Of::Bytes),
            ("client-key", Of::Text),
            ("client-key-data", Of::Bytes),
            ("token", Of::Text),
            ("tokenFile", Of::Text),
            ("act-as", Of::Text),
            ("act-as-uid", Of::Text),
            ("act-as-groups", Of::List),
            ("username", Of::Text),
            ("password", Of::Text),
        ],
    ),
    (
        "contexts",
        "context",
        &[("cluster", Of::Text), ("user", Of::Text), ("namespace", Of::Text)],
    ),
];

/// The type of a field of a kubeconfig's entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Text,
    Bool,
    Bytes,
    List,
}

/// A place in a kubeconfig.
enum Place {
    /// A field of the kubeconfig itself: `current-context` is text, `kind` and `apiVersion` are what they are.
    Top(&'static str),
    /// `preferences.colors`, which is all that preferences hold.
    Colors,
    List(&'static str),
    Entry(&'static str, String),
    Field(&'static str, &'static str, String, &'static str, Of),
}

/// Reads `contexts.NAME.namespace`. Names may hold dots: they end where a field's name follows.
fn property(path: &str) -> Result<Place, Error> {
    let parts: Vec<&str> = path.split('.').collect();
    let first = parts.first().copied().unwrap_or("");
    for top in ["current-context", "kind", "apiVersion"] {
        if first == top {
            return match parts.len() {
                1 => Ok(Place::Top(top)),
                _ => Err(Error::plain(format!(
                    "unable to parse one or more field values of {path}"
                ))),
            };
        }
    }
    if first == "preferences" {
        return match parts.get(1..).unwrap_or_default() {
            ["colors"] => Ok(Place::Colors),
            [] => Ok(Place::Top("preferences")),
            _ => Err(Error::plain(format!(
                "unable to parse {path} after [] at api.Preferences"
            ))),
        };
    }
    let Some((list, key, fields)) = LISTS.iter().find(|(list, ..)| *list == first) else {
        return Err(Error::plain(format!("unable to parse {path} after [] at api.Config")));
    };
    let rest = parts.get(1..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(Place::List(list));
    }
    let at = rest.iter().skip(1).position(|p| fields.iter().any(|(f, _)| f == p));
    let end = at.map_or(rest.len(), |i| i + 1);
    let name = rest.get(..end).unwrap_or_default().join(".");
    let field = rest.get(end).and_then(|p| fields.iter().find(|(f, _)| f == p));
    match field {
        None => Ok(Place::Entry(list, name)),
        Some(_) if rest.len() > end + 1 => Err(Error::plain(format!(
            "unable to parse one or more field values of {path}"
        ))),
        Some((field, of)) => Ok(Place::Field(list, key, name, field, *of)),
    }
}

async fn set(cmd: &Cmd) -> Result<(), Error> {
    let [path, text] = cmd.args.as_slice() else {
        return Err(unexpected(cmd).await);
    };
    match property(path)? {
        Place::Top("current-context") => write(cmd, |c| c.set(&["current-context"], text.as_str()))?,
        Place::Colors => {
            let value = boolean(text)?;
            write(cmd, |c| match value {
                true => c.set(&["preferences", "colors"], true),
                false => {
                    c.remove(&["preferences"]);
                }
            })?;
        }
        Place::Top(_) => {}
        Place::List(list) | Place::Entry(list, _) => {
            let names: Vec<&str> = cmd
                .config
                .value
                .get(list)
                .items()
                .iter()
                .map(|e| e.str_at(&["name"]))
                .collect();
            return Err(Error::plain(format!(
                "can't set a map to a value: map[{}]",
                names.join(" ")
            )));
        }
        Place::Field(list, key, name, field, of) => {
            let value = match of {
                Of::Text => Value::from(text.as_str()),
                Of::Bool => Value::Bool(boolean(text)?),
                Of::List => return Err(Error::plain("unrecognized slice type. string")),
                Of::Bytes if cmd.flags.bool("set-raw-bytes") => crate::value::base64::encode(text.as_bytes()).into(),
                Of::Bytes => {
                    if let Err(at) = crate::value::base64::try_decode(text) {
                        return Err(Error::plain(format!(
                            "error decoding input value: illegal base64 data at input byte {at}"
                        )));
                    }
                    text.as_str().into()
                }
            };
            write(cmd, |c| {
                if let Some(e) = entry(c, list, key, &name) {
                    e.set_or_remove(&[key, field], value);
                }
            })?;
        }
    }
    cmd.say(format!("Property {path} set.", path = quoted(&path)));
    Ok(())
}

fn boolean(text: &str) -> Result<bool, Error> {
    parse_bool(text).ok_or_else(|| {
        Error::plain(format!(
            "strconv.ParseBool: parsing {text}: invalid syntax",
            text = quoted(&text)
        ))
    })
}

async fn unset(cmd: &Cmd) -> Result<(), Error> {
    let [path] = cmd.args.as_slice() else {
        return Err(unexpected(cmd).await);
    };
    match property(path)? {
        Place::Top("current-context") => write(cmd, |c| c.set(&["current-context"], ""))?,
        Place::Top("preferences") | Place::Colors => write(cmd, |c| {
            c.remove(&["preferences"]);
        })?,
        Place::Top(_) => {}
        Place::List(list) => write(cmd, |c| c.set(&[list], Vec::new()))?,
        Place::Entry(list, name) => {
            write(cmd, |c| {
                c.at_mut(&[list]).list_mut().retain(|e| e.str_at(&["name"]) != name)
            })?;
        }
        Place::Field(list, key, name, field, _) => {
            if cmd.config.entry(list, &name).is_none() {
                return Err(Error::plain(format!("current map key `{name}` is invalid")));
            }
            write(cmd, |c| {
                if let Some(e) = entry(c, list, key, &name) {
                    e.remove(&[key, field]);
                }
            })?;
        }
    }
    cmd.say(format!("Property {path} unset.", path = quoted(&path)));
    Ok(())
}

async fn view(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("unexpected arguments: [{}]", cmd.args.join(" "))));
    }
    let printer = output::printer(cmd, output::FORMATS)?.map(output::Printer::typed);
    if !cmd.flags.bool("merge") && cmd.flags.str("kubeconfig").is_empty() {
        return Err(Error::plain("if merge==false a precise file must be specified"));
    }
    let mut config = cmd.config.value.clone();
    if cmd.flags.bool("minify") {
        let name = cmd.config.current(cmd.flags.str("context")).to_owned();
        if name.is_empty() {
            return Err(Error::plain("current-context must exist in order to minify"));
        }
        let Some(context) = cmd.config.entry("contexts", &name) else {
            return Err(Error::plain("cannot locate context ".to_owned() + &name));
        };
        let (cluster, user) = (
            context.str_at(&["context", "cluster"]).to_owned(),
            context.str_at(&["context", "user"]).to_owned(),
        );
        for (what, list, named) in [("cluster", "clusters", &cluster), ("user", "users", &user)] {
            if !named.is_empty() && cmd.config.entry(list, named).is_none() {
                return Err(Error::plain(format!("cannot locate {what} {named}")));
            }
        }
        for (list, kept) in [("contexts", &name), ("clusters", &cluster), ("users", &user)] {
            config
                .at_mut(&[list])
                .list_mut()
                .retain(|e| e.str_at(&["name"]) == kept);
            if config.get(list).is_empty() {
                config.set(&[list], Value::Null);
            }
        }
        config.set(&["current-context"], name);
    }
    if cmd.flags.bool("flatten") {
        for (list, key, files) in [
            ("users", "user", &["client-certificate", "client-key"][..]),
            ("clusters", "cluster", &["certificate-authority"]),
        ] {
            if config.get(list).is_empty() {
                continue;
            }
            for e in config.at_mut(&[list]).list_mut() {
                for f in files {
                    let file = e.get(key).str_at(&[f]).to_owned();
                    if !file.is_empty() {
                        let data = format!("{f}-data");
                        if !e.get(key).get(&data).is_empty() {
                            return Err(Error::plain("cannot have values for both path and contents"));
                        }
                        let path = cmd.cx.path(&cmd.config.resolve(list, e.str_at(&["name"]), &file));
                        let bytes = cmd.cx.files.read(&path).map_err(|e| Error::plain(e.reading(&path)))?;
                        e.set(&[key, &data], crate::value::base64::encode(&*bytes));
                        e.remove(&[key, f]);
                    }
                }
            }
        }
    } else if !cmd.flags.bool("raw") {
        for (list, key, fields) in [
            ("clusters", "cluster", &["certificate-authority-data"][..]),
            ("users", "user", &["client-certificate-data", "client-key-data"][..]),
        ] {
            if config.get(list).is_empty() {
                continue;
            }
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
    match printer {
        Some(mut p) => p.print(cmd, &config),
        None => {
            cmd.out(crate::value::yaml::to_yaml(&config));
            Ok(())
        }
    }
}
