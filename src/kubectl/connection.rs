//! How kubectl comes to its API server: what client-go checks in the kubeconfig and the global flags that name the
//! server, and what verbs print where nobody answers.

use core::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Local;
use super::command::{Cmd, Verb};
use super::error::Error;
use super::files;
use super::flags::Values;
use super::kubeconfig::{Kubeconfig, admin};
use crate::api::auth::certificate::SERVER_NAMES;
use crate::api::{ApiServer, Method};
use crate::flat::{Arrange, Case};
use crate::pki::pem;
use crate::shell::{Context, FileError};
use crate::value::duration;
use crate::value::gofmt::query_escape;
use crate::value::{Value, base64, quoted};

/// The address of the Service `kubernetes`, behind which the API server is.
const SERVICE: &str = "10.96.0.1:443";

/// The profiles that `--profile` can record.
const PROFILES: [&str; 8] = [
    "none",
    "cpu",
    "heap",
    "goroutine",
    "threadcreate",
    "block",
    "mutex",
    "allocs",
];

/// Whether `--profile` names what can be recorded; of a verb with a flag of that name the global one is hidden.
///
/// # Errors
/// `error: unknown profile 'x'`
pub fn check_profile(verb: &Verb, flags: &Values) -> Result<(), Error> {
    let profile = flags.str("profile");
    // What completes other command lines has no flags of its own.
    if !flags.has("profile") || PROFILES.contains(&profile) || has_own(verb, "profile") {
        return Ok(());
    }
    Err(Error::plain(format!("unknown profile '{profile}'")))
}

fn has_own(verb: &Verb, name: &str) -> bool {
    verb.flags.iter().flat_map(|set| set.iter()).any(|f| f.name == name)
}

/// A global flag's value; nothing where a verb's own flag of that name hides it (`create rolebinding --user`).
pub fn global<'a>(verb: &Verb, flags: &'a Values, name: &str) -> &'a str {
    if has_own(verb, name) { "" } else { flags.str(name) }
}

/// Whether a verb first reads the kubeconfig for its namespace or its client, and so finds missing contexts in the
/// words of what reads a kubeconfig, and not of what checks it first (as kubectl 1.36 was seen to do, verb by verb).
fn reads_before_it_checks(path: &str, flags: &Values) -> bool {
    let mut words = path.split(' ').skip(1);
    match (words.next().unwrap_or_default(), words.next()) {
        ("create", sub) => sub != Some("token"),
        ("apply", sub) => sub.is_none(),
        ("auth", sub) => sub != Some("reconcile"),
        ("get", _) => flags.has("raw"),
        ("set", sub) => sub == Some("env"),
        ("top", sub) => sub == Some("node"),
        (first, _) => matches!(
            first,
            "api-resources"
                | "api-versions"
                | "autoscale"
                | "certificate"
                | "cluster-info"
                | "cordon"
                | "diff"
                | "drain"
                | "explain"
                | "expose"
                | "proxy"
                | "replace"
                | "run"
                | "uncordon"
                | "version"
                | "wait"
        ),
    }
}

/// `--request-timeout`: seconds, or a duration; nothing for no limit.
///
/// # Errors
/// When it is neither.
pub fn request_timeout(flags: &Values) -> Result<Option<Duration>, Error> {
    let given = flags.str("request-timeout");
    if let Ok(seconds) = given.parse::<u32>() {
        return Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())));
    }
    match duration::parse(given) {
        Ok(nanos) => Ok(u64::try_from(nanos).ok().filter(|n| *n > 0).map(Duration::from_nanos)),
        Err(_) => Err(Error::plain(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a \
             corresponding time unit (e.g. 1s | 2m | 3h)",
        )),
    }
}

/// A server that does not answer.
#[derive(Clone, Debug)]
pub struct Nobody {
    /// `https://10.0.0.1:6443`.
    url: String,
    /// `10.0.0.1:6443`.
    host: String,
    /// `dial tcp 10.0.0.1:6443: connect: connection refused`.
    why: String,
    how: Silence,
}

/// How a server that does not answer fails to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Refused,
    Unreachable,
    /// It was met without TLS.
    Rejected,
}

/// What client-go makes of an answer of 400 that is no `Status`.
const REJECTED: &str = "the server rejected our request for an unknown reason";

impl Nobody {
    /// What the command says in the end.
    fn closing(&self) -> String {
        match self.how {
            Silence::Refused => format!(
                "The connection to the server {} was refused - did you specify the right host or port?",
                self.host
            ),
            Silence::Unreachable => format!("Unable to connect to the server: {}", self.why),
            Silence::Rejected => format!("Error from server (BadRequest): {REJECTED}"),
        }
    }

    /// `Get "https://10.0.0.1:6443/api": dial tcp 10.0.0.1:6443: connect: connection refused`
    fn asked(&self, method: &str, path: &str) -> String {
        match self.how {
            Silence::Rejected => REJECTED.to_owned(),
            _ => format!("{method} \"{}{path}\": {}", self.url, self.why),
        }
    }

    /// The failure of a request.
    pub fn failure(&self, method: Method, path: &str, query: &[(String, String)]) -> Error {
        let method = match method {
            Method::Get => "Get",
            Method::Post => "Post",
            Method::Put => "Put",
            Method::Patch => "Patch",
            Method::Delete => "Delete",
        };
        let query = encoded(query);
        let what = match self.how {
            Silence::Rejected => format!(" ({} {})", method.lower(), resource(path)),
            _ => String::new(),
        };
        Error::Unanswered {
            asked: self.asked(method, &format!("{path}{query}")) + &what,
            closing: self.closing() + &what,
        }
    }
}

/// A query as a URL has it, in the order of its names, values of one name in their own, and with `?` before it; empty where
/// there is none.
pub fn encoded(query: &[(String, String)]) -> String {
    let mut query: Vec<&(String, String)> = query.iter().collect();
    query.arrange_by(|a, b| a.0.cmp(&b.0));
    let pairs: Vec<String> = query
        .into_iter()
        .map(|(k, v)| format!("{}={}", query_escape(k), query_escape(v)))
        .collect();
    match pairs.as_slice() {
        [] => String::new(),
        pairs => format!("?{}", pairs.join("&")),
    }
}

/// The resource of a path, as `deployments.apps`.
fn resource(path: &str) -> String {
    let mut parts = path.trim_start_matches('/').split('/');
    let group = match parts.next() {
        Some("apis") => parts.next().unwrap_or_default(),
        _ => "",
    };
    let rest: Vec<&str> = parts.skip(1).collect();
    let name = match rest.as_slice() {
        ["namespaces", _, name, ..] | [name, ..] => name,
        [] => "",
    };
    match group {
        "" => name.to_owned(),
        group => format!("{name}.{group}"),
    }
}

/// The address of the server that a run asks: that of `--server`, or the cluster's.
pub fn server<'a>(config: &'a Kubeconfig, verb: &Verb, flags: &'a Values) -> &'a str {
    let global = |name: &str| global(verb, flags, name);
    match global("server") {
        "" => config.server(global("context"), global("cluster")),
        given => given,
    }
}

/// What client-go finds wrong with the context, the cluster and the flags that name them, and who does not answer where
/// nobody does.
///
/// # Errors
/// Each thing that is wrong.
pub fn check(
    cx: &Context,
    local: Option<&Local>,
    api: &ApiServer,
    config: &Kubeconfig,
    verb: &Verb,
    path: &str,
    flags: &Values,
) -> Result<Option<Nobody>, Error> {
    let global = |name: &str| global(verb, flags, name);
    let (context, cluster) = (global("context"), global("cluster"));
    let no_context = !context.is_empty() && config.entry("contexts", context).is_none();
    let no_cluster = !cluster.is_empty() && config.entry("clusters", cluster).is_none();
    if (no_context || no_cluster) && reads_before_it_checks(path, flags) {
        let (what, name) = if no_context {
            ("context", context)
        } else {
            ("cluster", cluster)
        };
        return Err(Error::plain(format!(
            "{what} {name} does not exist",
            name = quoted(&name)
        )));
    }
    let mut wrong = Vec::new();
    if no_context {
        wrong.push(format!("context was not found for specified context: {context}"));
    }
    if no_cluster {
        wrong.push(format!(
            "no server found for cluster {cluster}",
            cluster = quoted(&cluster)
        ));
    }
    match wrong.as_slice() {
        [] => {}
        [one] if !no_context => {
            return Err(Error::plain(one));
        }
        [one] => return Err(Error::Text(format!("Error in configuration: {one}"))),
        many => {
            let list: Vec<String> = many.iter().map(|e| format!("\n* {e}")).collect();
            return Err(Error::Text(format!("Error in configuration: {}", list.concat())));
        }
    }
    request_timeout(flags)?;
    let named = match cluster {
        "" => config
            .entry("contexts", config.current(context))
            .map_or("", |c| c.str_at(&["context", "cluster"])),
        cluster => cluster,
    };
    let entry = config
        .entry("clusters", named)
        .map_or(&Value::Null, |c| c.get("cluster"));
    // Files that the kubeconfig names lie beside it.
    let given = global("certificate-authority");
    let skips = flags.bool("insecure-skip-tls-verify");
    // A flag about trust takes the place of all that the kubeconfig says about it.
    let insecure = match given.is_empty() && !skips {
        true => entry.get("insecure-skip-tls-verify").as_bool() == Some(true),
        false => skips,
    };
    let data = match given.is_empty() && !skips {
        true => entry.get("certificate-authority-data").str(),
        false => "",
    };
    let file = match given {
        "" if skips => String::new(),
        "" => config.resolve("clusters", named, entry.get("certificate-authority").str()),
        given => given.to_owned(),
    };
    let mut authorities = String::from_utf8(base64::try_decode(data).unwrap_or_default()).unwrap_or_default();
    if !file.is_empty() && data.is_empty() {
        authorities = match cx.files.read(&cx.path(&file)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // A directory can be opened, but not be read.
            Err(e @ FileError::IsDirectory) => return Err(Error::plain(e.reading(&file))),
            Err(e) => {
                let why = format!(
                    "unable to read certificate-authority {file} for {named} due to {}",
                    e.opening(&file)
                );
                return Err(Error::plain(why));
            }
        };
    }
    let trusts = !data.is_empty() || !file.is_empty();
    if insecure && trusts {
        return Err(Error::plain(
            "specifying a root certificates file with the insecure flag is not allowed",
        ));
    }
    let known = pem::blocks(&authorities);
    let server = match (global("server"), entry.get("server").str()) {
        ("", "") => "localhost:8080",
        ("", server) | (server, _) => server,
    };
    let encrypted = trusts || insecure;
    let Some(address) = Address::parse(server, encrypted) else {
        return Err(Error::plain(format!(
            "host must be a URL or a host:port pair: {server}",
            server = quoted(&server)
        )));
    };
    // Without TLS nobody looks at the authorities.
    if address.encrypted && trusts && known.is_empty() {
        return Err(Error::plain(
            "unable to load root certificates: unable to parse bytes as PEM block",
        ));
    }
    let nobody = |why: String, how: Silence| Nobody {
        url: address.url.clone(),
        host: address.host.clone(),
        why,
        how,
    };
    if let Some((why, how)) = address.unreached(cx, local) {
        return Ok(Some(nobody(why, how)));
    }
    if insecure {
        return Ok(None);
    }
    let own = api.authority().map(|a| a.certificate().whole.clone());
    if !known.iter().any(|block| Some(&block.bytes) == own.as_ref()) {
        let why = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
        return Ok(Some(nobody(why.into(), Silence::Unreachable)));
    }
    // A server that the command line names has nothing to do with the kubeconfig's name.
    let name = match global("tls-server-name") {
        "" if global("server").is_empty() => entry.get("tls-server-name").str(),
        given => given,
    };
    let name = if name.is_empty() { address.bare() } else { name };
    if !SERVER_NAMES.contains(&name) {
        let is_address = name.parse::<IpAddr>().is_ok();
        let names: Vec<&str> = SERVER_NAMES
            .into_iter()
            .filter(|n| n.parse::<IpAddr>().is_ok() == is_address)
            .collect();
        let why = format!(
            "tls: failed to verify certificate: x509: certificate is valid for {}, not {name}",
            names.join(", ")
        );
        return Ok(Some(nobody(why, Silence::Unreachable)));
    }
    Ok(None)
}

/// Where a server is.
struct Address {
    url: String,
    /// With the port, where one was given.
    host: String,
    name: String,
    port: u16,
    encrypted: bool,
}

impl Address {
    /// Reads `https://10.0.0.1:6443`, `10.0.0.1:6443` or `10.0.0.1`.
    fn parse(server: &str, encrypted: bool) -> Option<Address> {
        let (scheme, rest) = match server.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None => (if encrypted { "https" } else { "http" }, server),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let colon = host
            .rfind(':')
            .filter(|at| !host.get(*at..).unwrap_or_default().contains(']'));
        let (name, port) = match colon {
            Some(at) => (host.get(..at)?, host.get(at + 1..)?.parse().ok()?),
            None => (host, if scheme == "https" { 443 } else { 80 }),
        };
        if name.is_empty() || name.contains(' ') {
            return None;
        }
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Some(Address {
            url: format!("{scheme}://{host}{slash}{path}"),
            host: host.to_owned(),
            name: name.to_owned(),
            port,
            encrypted: scheme == "https",
        })
    }

    /// The host as certificates name it, without the brackets of IPv6.
    fn bare(&self) -> &str {
        self.name.trim_start_matches('[').trim_end_matches(']')
    }

    /// The IPv4 address that a program of this machine finds under the name.
    fn resolve(&self, local: Option<&Local>) -> Option<Ipv4Addr> {
        match self.bare() {
            "localhost" => Some(Ipv4Addr::LOCALHOST),
            bare => bare.parse().ok().or_else(|| local?.network.node_ip(bare)),
        }
    }

    /// Why nobody is met there, or nobody who speaks TLS; nothing where the API server is.
    fn unreached(&self, cx: &Context, local: Option<&Local>) -> Option<(String, Silence)> {
        let bare = self.bare();
        let found = self.resolve(local);
        if found.is_none() && bare.parse::<IpAddr>().is_err() {
            let text = cx.files.read_text("/etc/resolv.conf").unwrap_or_default();
            let servers = text.lines().filter_map(|l| l.strip_prefix("nameserver "));
            let dns = servers.map(str::trim).next().unwrap_or("127.0.0.53");
            let why = format!("dial tcp: lookup {bare} on {dns}:53: no such host");
            return Some((why, Silence::Unreachable));
        }
        // The machine meets its own node at its loopback addresses.
        let met = match found {
            Some(ip) if ip.is_loopback() => local.and_then(|l| l.network.node_ip(&l.node)),
            found => found,
        };
        let met = met.map_or_else(String::new, |ip| format!("{ip}:{}", self.port));
        let own = admin();
        let own = own.get("clusters").items().first()?.str_at(&["cluster", "server"]);
        if met == SERVICE || own.strip_prefix("https://") == Some(&met) {
            return (!self.encrypted).then(|| (String::new(), Silence::Rejected));
        }
        let address = found.map_or_else(|| self.name.clone(), |ip| ip.to_string());
        let why = format!("dial tcp {address}:{}: connect: connection refused", self.port);
        Some((why, Silence::Refused))
    }
}

/// Whether a verb goes its way where nobody answers, until its first request fails: what makes its object out of
/// flags, or changes files alone.
pub fn goes_on(cmd: &Cmd) -> bool {
    makes_its_object(&cmd.path, cmd.verb, &cmd.flags) || is_about_files(&cmd.flags)
}

/// Whether a verb looks at its arguments before it asks the server anything. What it reads from standard input is
/// needed once more to say what it ends with.
pub fn looks_first(cmd: &Cmd) -> bool {
    cmd.nobody.is_none() || !(cmd.verb.name == "proxy" || cmd.flags.all("filename").iter().any(|f| f == "-"))
}

/// Whether a command cannot do its work without the API server.
pub fn needs_server(verb: &Verb, path: &str, flags: &Values) -> bool {
    !(flags.str("dry-run") == "client" && makes_its_object(path, verb, flags) || is_about_files(flags))
}

/// Whether a `create` asks nobody what its object is to hold.
fn makes_its_object(path: &str, verb: &Verb, flags: &Values) -> bool {
    path.starts_with("kubectl create ") && !matches!(verb.name, "role" | "clusterrole") && !flags.has("from")
}

/// `--local`.
fn is_about_files(flags: &Values) -> bool {
    flags.knows("local") && flags.bool("local")
}

/// What a verb ends with where nobody answers. Most first ask for the API's types, some again and again, and log each
/// failure (counted in what kubectl 1.36 prints without a kubeconfig).
pub async fn unanswered(cmd: &Cmd, nobody: &Nobody) -> Error {
    const TYPES: &str = "/api?timeout=32s";
    let log = |times: usize| {
        for _ in 0..times {
            let why = nobody.asked("Get", TYPES);
            let text = format!(
                "\"Unhandled Error\" err={}",
                quoted(&format!("couldn't get current server API group list: {why}"))
            );
            cmd.log('E', "memcache.go:265", &text);
        }
    };
    // Whoever has met the server before remembers its types.
    let log = |times: usize| {
        if nobody.how != Silence::Unreachable || nobody.why.contains("no such host") {
            log(times)
        }
    };
    let closing = Error::Text(nobody.closing());
    let first = cmd.path.split(' ').nth(1).unwrap_or_default();
    if cmd.flags.has("raw") {
        return closing;
    }
    if cmd.flags.has("filename") || cmd.flags.has("kustomize") {
        let docs = match files::read(cmd).await {
            Ok(docs) => docs,
            Err(e) => return e,
        };
        let validates = matches!(cmd.verb.name, "apply" | "create" | "replace");
        let validates = match cmd.validation() {
            _ if !validates => false,
            Ok(directive) => directive != "Ignore",
            Err(e) => return e,
        };
        let failure = |source: &str| match validates {
            true => format!(
                "error validating {source}: error validating data: failed to download openapi: {}; if you choose to \
                 ignore these errors, turn validation off with --validate=false",
                nobody.asked("Get", "/openapi/v2?timeout=32s"),
                source = quoted(&source)
            ),
            false => format!(
                "unable to recognize {source}: {}",
                nobody.asked("Get", TYPES),
                source = quoted(&source)
            ),
        };
        // Some verbs do not put their errors into kubectl's form.
        let bare = !validates && (matches!(first, "get" | "describe") || cmd.path == "kubectl rollout restart");
        let error = |text: String| if bare { Error::Text(text) } else { Error::plain(text) };
        let errors: Vec<Error> = docs.list.iter().map(|doc| error(failure(&doc.source))).collect();
        // `diff` ends with the first.
        let count = if first == "diff" { 1 } else { errors.len() };
        if !validates {
            log(count.min(errors.len()));
        }
        let errors: Vec<Error> = errors.into_iter().take(count).chain(docs.errors).collect();
        return match Error::all(errors) {
            Err(e) => e,
            Ok(()) => Error::plain(format!("no objects passed to {}", cmd.verb.name)),
        };
    }
    let typed = [
        "attach",
        "certificate",
        "cordon",
        "create",
        "debug",
        "drain",
        "exec",
        "logs",
        "port-forward",
        "uncordon",
    ];
    let word = cmd.arg(0);
    match (first, cmd.verb.name) {
        ("top" | "cp" | "version" | "proxy", _) | ("auth", "whoami") | ("cluster-info", "dump") => {}
        ("auth", _) if cmd.flags.bool("list") => {}
        ("events", _) if !cmd.flags.has("for") => {}
        ("auth", "can-i") => {
            log(2);
            let asked = cmd.arg(1).split('/').next().unwrap_or_default();
            let (kind, group) = asked.split_once('.').unwrap_or((asked, ""));
            let group = match group {
                "" => String::new(),
                group => format!(" in group '{group}'"),
            };
            cmd.err(format!(
                "Warning: the server doesn't have a resource type '{kind}'{group}\n"
            ));
        }
        ("events" | "explain" | "taint", _) => log(2),
        ("create", "role" | "clusterrole") => log(2),
        ("api-resources" | "run", _) => log(1),
        ("api-versions", _) => {
            log(1);
            return Error::plain(format!(
                "couldn't get available api versions from server: {}",
                nobody.asked("Get", TYPES)
            ));
        }
        ("cluster-info", _) => {
            log(5);
            cmd.say(super::info::MORE);
        }
        (first, _) if typed.contains(&first) || word.contains('/') => log(4),
        _ => log(5 + word.matches(',').count()),
    }
    closing
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::kubectl::testing::run;

    /// The lines of a log without time and process, each with how often it comes.
    fn told(line: &str) -> String {
        let text = run(line);
        let mut shown: Vec<(usize, String)> = Vec::new();
        for line in text.lines() {
            let line = match line.split_once(" memcache.go") {
                Some((_, rest)) => format!("E memcache.go{rest}"),
                None => line.to_owned(),
            };
            match shown.last_mut() {
                Some((count, last)) if *last == line => *count += 1,
                _ => shown.push((1, line)),
            }
        }
        shown.iter().map(|(count, line)| format!("{count} {line}\n")).collect()
    }

    /// What is wrong with a command line is said before anything is asked, and so where nobody answers too.
    #[test]
    fn arguments_are_looked_at_first() {
        let mut said = String::new();
        for line in [
            "attach web --pod-running-timeout=0s",
            "exec web",
            "logs -l a=b web",
            "cp a b",
            "top pod a b",
            "scale deploy web --replicas=-1",
            "label pods web a=b a-",
            "taint nodes a b=c:Foo",
            "drain a -l x=y",
            "rollout history deploy/a --revision=-1",
            "set env deploy/web a=b a-",
            "patch pod web",
            "delete pod web -l x=y",
            "get pods --output-watch-events",
            "apply -f nosuch --dry-run=foo",
            "run a --image=A",
            "debug a",
            "wait pod/a --for=foo",
            "auth can-i get",
            "api-versions a",
            "version -o foo",
            "version",
        ] {
            said.push_str(&format!(
                "$ kubectl {line}\n{}",
                told(&format!("kubectl -s localhost:1 {line}"))
            ));
        }
        expect![[r#"
            $ kubectl attach web --pod-running-timeout=0s
            1 error: --pod-running-timeout must be higher than zero
            1 See 'kubectl attach -h' for help and examples
            $ kubectl exec web
            1 error: you must specify at least one command for the container
            $ kubectl logs -l a=b web
            1 error: only a selector (-l) or a POD name is allowed
            1 See 'kubectl logs -h' for help and examples
            $ kubectl cp a b
            1 error: one of src or dest must be a remote file specification
            $ kubectl top pod a b
            1 error: pod [NAME | -l label]
            1 See 'kubectl top pod -h' for help and examples
            $ kubectl scale deploy web --replicas=-1
            1 error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0
            $ kubectl label pods web a=b a-
            1 error: can not both modify and remove a label in the same command
            $ kubectl taint nodes a b=c:Foo
            1 error: invalid taint effect: Foo, unsupported taint effect
            1 See 'kubectl taint -h' for help and examples
            $ kubectl drain a -l x=y
            1 error: cannot specify both a node name and a --selector option
            1 See 'kubectl drain -h' for help and examples
            $ kubectl rollout history deploy/a --revision=-1
            1 error: revision must be a positive integer: -1
            $ kubectl set env deploy/web a=b a-
            1 error: can not both modify and remove the same environment variable in the same command
            $ kubectl patch pod web
            1 error: must specify --patch or --patch-file containing the contents of the patch
            $ kubectl delete pod web -l x=y
            1 error: name cannot be provided when a selector is specified
            $ kubectl get pods --output-watch-events
            1 error: --output-watch-events option can only be used with --watch or --watch-only
            $ kubectl apply -f nosuch --dry-run=foo
            1 error: Invalid dry-run value (foo). Must be "none", "server", or "client".
            $ kubectl run a --image=A
            1 error: Invalid image name "A": invalid reference format
            $ kubectl debug a
            1 error: you must specify --image when not using --copy-to.
            $ kubectl wait pod/a --for=foo
            1 error: unrecognized condition: "foo"
            $ kubectl auth can-i get
            1 error: you must specify two arguments: verb resource or verb resource/resourceName.
            1 See 'kubectl auth can-i -h' for help and examples.
            $ kubectl api-versions a
            1 error: unexpected arguments: [a]
            1 See 'kubectl api-versions -h' for help and examples
            $ kubectl version -o foo
            1 error: --output must be 'yaml' or 'json'
            $ kubectl version
            1 Client Version: v1.36.2
            1 Kustomize Version: v5.8.1
            1 The connection to the server localhost:1 was refused - did you specify the right host or port?
        "#]]
        .assert_eq(&said);
    }

    #[test]
    fn nobody_answers() {
        let setup = "export KUBECONFIG=none; echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}' > a.yaml; ";
        let mut all = String::new();
        for line in [
            "kubectl get pods",
            "kubectl get pods,svc",
            "kubectl logs web",
            "kubectl apply -f a.yaml",
            "kubectl delete -f a.yaml",
            "kubectl create deployment web --image=nginx",
            "kubectl create deployment web --image=nginx --dry-run=client",
            "kubectl create secret generic x",
            "kubectl create ns x",
            "kubectl auth can-i get pods",
            "kubectl api-versions",
            "kubectl top nodes",
            "kubectl get pods --server=https://nosuch:6443",
        ] {
            all += &format!("$ {line}\n{}", told(&format!("{setup}{line}")));
        }
        expect![[r#"
            $ kubectl get pods
            5 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl get pods,svc
            6 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl logs web
            4 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl apply -f a.yaml
            1 error: error validating "a.yaml": error validating data: failed to download openapi: Get "http://localhost:8080/openapi/v2?timeout=32s": dial tcp 127.0.0.1:8080: connect: connection refused; if you choose to ignore these errors, turn validation off with --validate=false
            $ kubectl delete -f a.yaml
            1 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 error: unable to recognize "a.yaml": Get "http://localhost:8080/api?timeout=32s": dial tcp 127.0.0.1:8080: connect: connection refused
            $ kubectl create deployment web --image=nginx
            1 error: failed to create deployment: Post "http://localhost:8080/apis/apps/v1/namespaces/default/deployments?fieldManager=kubectl-create&fieldValidation=Strict": dial tcp 127.0.0.1:8080: connect: connection refused
            $ kubectl create deployment web --image=nginx --dry-run=client
            1 deployment.apps/web created (dry run)
            $ kubectl create secret generic x
            1 error: failed to create secret Post "http://localhost:8080/api/v1/namespaces/default/secrets?fieldManager=kubectl-create&fieldValidation=Strict": dial tcp 127.0.0.1:8080: connect: connection refused
            $ kubectl create ns x
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl auth can-i get pods
            2 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 Warning: the server doesn't have a resource type 'pods'
            1 
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl api-versions
            1 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            1 error: couldn't get available api versions from server: Get "http://localhost:8080/api?timeout=32s": dial tcp 127.0.0.1:8080: connect: connection refused
            $ kubectl top nodes
            1 The connection to the server localhost:8080 was refused - did you specify the right host or port?
            $ kubectl get pods --server=https://nosuch:6443
            5 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://nosuch:6443/api?timeout=32s\": dial tcp: lookup nosuch on 192.168.110.2:53: no such host"
            1 Unable to connect to the server: dial tcp: lookup nosuch on 192.168.110.2:53: no such host
        "#]].assert_eq(&all);
    }

    #[test]
    fn wrong_places() {
        let mut all = String::new();
        for flags in [
            "--context=nosuch",
            "--cluster=nosuch",
            "--context=nosuch --cluster=nosuch",
            "--user=nosuch",
            "--kubeconfig=nosuch",
            "--server=http://1.2.3:x",
            "--request-timeout=abc",
            "--request-timeout=-1",
            "--request-timeout=1",
            "--certificate-authority=nosuch",
            "--certificate-authority=/etc/hostname",
            "--certificate-authority=/etc",
            "--certificate-authority=/etc/hostname --insecure-skip-tls-verify",
            "--certificate-authority=nosuch --server=http://192.168.110.21:80",
            "--server=https://localhost:6443",
            "--server=https://k8s-master:6443",
            "--server=http://192.168.110.21:6443",
            "--tls-server-name=x",
            "--tls-server-name=kubernetes",
            "--tls-server-name=x --insecure-skip-tls-verify",
            "--profile=x",
            "--vmodule=x",
            "--log-flush-frequency=x",
        ] {
            all += &format!("$ {flags}\n{}", run(&format!("kubectl get cm -o name {flags}")));
        }
        expect![[r#"
            $ --context=nosuch
            Error in configuration: context was not found for specified context: nosuch
            $ --cluster=nosuch
            error: no server found for cluster "nosuch"
            $ --context=nosuch --cluster=nosuch
            Error in configuration: 
            * context was not found for specified context: nosuch
            * no server found for cluster "nosuch"
            $ --user=nosuch
            error: auth info "nosuch" does not exist
            $ --kubeconfig=nosuch
            error: stat nosuch: no such file or directory
            $ --server=http://1.2.3:x
            error: host must be a URL or a host:port pair: "http://1.2.3:x"
            $ --request-timeout=abc
            error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)
            $ --request-timeout=-1
            error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)
            $ --request-timeout=1
            configmap/kube-root-ca.crt
            $ --certificate-authority=nosuch
            error: unable to read certificate-authority nosuch for kubernetes due to open nosuch: no such file or directory
            $ --certificate-authority=/etc/hostname
            error: unable to load root certificates: unable to parse bytes as PEM block
            $ --certificate-authority=/etc
            error: read /etc: is a directory
            $ --certificate-authority=/etc/hostname --insecure-skip-tls-verify
            error: specifying a root certificates file with the insecure flag is not allowed
            $ --certificate-authority=nosuch --server=http://192.168.110.21:80
            error: unable to read certificate-authority nosuch for kubernetes due to open nosuch: no such file or directory
            $ --server=https://localhost:6443
            Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for k8s-master, kubernetes, kubernetes.default, kubernetes.default.svc, kubernetes.default.svc.cluster.local, not localhost
            $ --server=https://k8s-master:6443
            configmap/kube-root-ca.crt
            $ --server=http://192.168.110.21:6443
            E0101 08:00:00.085000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            E0101 08:00:00.085000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            E0101 08:00:00.085000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            E0101 08:00:00.085000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            E0101 08:00:00.085000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            Error from server (BadRequest): the server rejected our request for an unknown reason
            $ --tls-server-name=x
            Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for k8s-master, kubernetes, kubernetes.default, kubernetes.default.svc, kubernetes.default.svc.cluster.local, not x
            $ --tls-server-name=kubernetes
            configmap/kube-root-ca.crt
            $ --tls-server-name=x --insecure-skip-tls-verify
            configmap/kube-root-ca.crt
            $ --profile=x
            error: unknown profile 'x'
            $ --vmodule=x
            error: invalid argument "x" for "--vmodule" flag: syntax error: expect comma-separated list of filename=N
            See 'kubectl get --help' for usage.
            $ --log-flush-frequency=x
            error: invalid argument "x" for "--log-flush-frequency" flag: parse error
            See 'kubectl get --help' for usage.
        "#]].assert_eq(&all);
    }

    #[test]
    fn missing_contexts() {
        let mut all = String::new();
        for line in [
            "get pods --context=zz",
            "get --raw / --context=zz",
            "apply view-last-applied cm/a --context=zz",
            "apply -f a.yaml --context=zz",
            "create token x --cluster=zz",
            "create ns x --cluster=zz",
            "set env deploy/x a=b --cluster=zz",
            "set image deploy/x a=b --cluster=zz",
            "top node --context=zz --cluster=zz",
            "top pod --context=zz",
            "auth whoami --context=zz",
        ] {
            all += &format!("$ {line}\n{}", run(&format!("kubectl {line}")));
        }
        expect![[r#"
            $ get pods --context=zz
            Error in configuration: context was not found for specified context: zz
            $ get --raw / --context=zz
            error: context "zz" does not exist
            $ apply view-last-applied cm/a --context=zz
            Error in configuration: context was not found for specified context: zz
            $ apply -f a.yaml --context=zz
            error: context "zz" does not exist
            $ create token x --cluster=zz
            error: no server found for cluster "zz"
            $ create ns x --cluster=zz
            error: cluster "zz" does not exist
            $ set env deploy/x a=b --cluster=zz
            error: cluster "zz" does not exist
            $ set image deploy/x a=b --cluster=zz
            error: no server found for cluster "zz"
            $ top node --context=zz --cluster=zz
            error: context "zz" does not exist
            $ top pod --context=zz
            Error in configuration: context was not found for specified context: zz
            $ auth whoami --context=zz
            error: context "zz" does not exist
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn without_tls_and_without_a_server() {
        let setup = "echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}' > a.yaml; ";
        let mut all = String::new();
        for line in [
            "get pods --server=http://192.168.110.21:6443",
            "create cm x --server=http://192.168.110.21:6443",
            "create deployment x --image=a --server=http://k8s-master:6443",
            "create ns x --server=http://localhost:6443",
            "label --local -f a.yaml a=b -s localhost:1",
            "get -f a.yaml -s localhost:1",
            "describe -f a.yaml -s 127.0.0.1:1",
        ] {
            all += &format!("$ {line}\n{}", told(&format!("{setup}kubectl {line}")));
        }
        expect![[r#"
            $ get pods --server=http://192.168.110.21:6443
            5 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: the server rejected our request for an unknown reason"
            1 Error from server (BadRequest): the server rejected our request for an unknown reason
            $ create cm x --server=http://192.168.110.21:6443
            1 error: failed to create configmap: the server rejected our request for an unknown reason (post configmaps)
            $ create deployment x --image=a --server=http://k8s-master:6443
            1 error: failed to create deployment: the server rejected our request for an unknown reason (post deployments.apps)
            $ create ns x --server=http://localhost:6443
            1 Error from server (BadRequest): the server rejected our request for an unknown reason (post namespaces)
            $ label --local -f a.yaml a=b -s localhost:1
            1 configmap/a labeled
            $ get -f a.yaml -s localhost:1
            1 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://localhost:1/api?timeout=32s\": dial tcp 127.0.0.1:1: connect: connection refused"
            1 unable to recognize "a.yaml": Get "https://localhost:1/api?timeout=32s": dial tcp 127.0.0.1:1: connect: connection refused
            $ describe -f a.yaml -s 127.0.0.1:1
            1 E memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://127.0.0.1:1/api?timeout=32s\": dial tcp 127.0.0.1:1: connect: connection refused"
            1 unable to recognize "a.yaml": Get "https://127.0.0.1:1/api?timeout=32s": dial tcp 127.0.0.1:1: connect: connection refused
        "#]].assert_eq(&all);
    }
}
